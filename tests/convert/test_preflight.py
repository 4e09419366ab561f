"""What a conversion takes: said before the first byte, and held."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from one_line import assert_one_line_error
from synthetic_checkpoint import small, write_checkpoint

from edgekit.catalog.load import variants
from edgekit.convert import tasks
from edgekit.convert.sizes import parse_size, size
from edgekit.convert.tasks import Pieces, Task, in_order
from edgekit.errors import UnsupportedError

Made = Callable[[str], Path]
Command = Callable[..., "subprocess.CompletedProcess[str]"]
MIB = 1 << 20


@pytest.fixture(scope="module")
def wide(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A checkpoint whose table of embeddings per layer has 335 MB, and an adapter; zeros that take no disk."""
    shape = small(next(one.shape for one in variants() if one.name == "E2B"))
    folder = tmp_path_factory.mktemp("wide") / "wide"
    return folder, write_checkpoint(shape, folder, sparse=True)


def peak_anonymous(line: list[str], environment: dict[str, str]) -> tuple[int, str]:
    """Run a command and return its largest anonymous memory and what it printed."""
    process = subprocess.Popen(line, stdout=subprocess.PIPE, text=True, env=environment)
    status, peak = Path(f"/proc/{process.pid}/status"), 0
    printed: list[str] = []
    reader = threading.Thread(target=lambda: printed.append(process.stdout.read() if process.stdout else ""))
    reader.start()
    while process.poll() is None:
        found = re.search(r"RssAnon:\s+(\d+)", status.read_text())
        peak = max(peak, int(found[1]) * 1024) if found else peak
        time.sleep(0.005)
    reader.join()
    assert process.returncode == 0
    return peak, printed[0]


@pytest.mark.parametrize("to", [["--quant", "Q8_0", "--quant", "F32"], ["--to", "safetensors"]])
def test_a_table_larger_than_the_budget_is_converted_within_it(
    to: list[str], wide: tuple[Path, Path], tmp_path: Path, environment: dict[str, str], edgekit: Command
) -> None:
    asked = ["convert", str(wide[0]), "--adapter", str(wide[1]), *to, "--out", str(tmp_path / "out")]
    refused = assert_one_line_error(edgekit(*asked, "--memory", "1M"))
    least = re.search(r"use --memory (\d+)M", refused)
    assert least, refused
    assert list(tmp_path.iterdir()) == []
    line = [sys.executable, "-m", "edgekit", *asked, "--memory", f"{least[1]}M", "--json"]
    peak, printed = peak_anonymous(line, environment)
    assert peak <= int(least[1]) * 1_000_000
    assert json.loads(printed)["preflight"]["memory"] <= int(least[1]) * 1_000_000


@pytest.mark.parametrize("kept", ["kept", "freed"])
def test_the_memory_of_a_program_that_converts_is_its_own(kept: str, checkpoint: Made, tmp_path: Path) -> None:
    program = f"""
from pathlib import Path
import numpy
from edgekit.convert.job import ConvertJob, convert
held = numpy.ones(1 << 30, dtype=numpy.int8)
if {kept == "freed"}:
    held = None
convert(ConvertJob(Path({str(checkpoint("pico"))!r}), Path({str(tmp_path / "out")!r}), (), ("Q8_0",)))
"""
    subprocess.run([sys.executable, "-c", program], check=True)
    assert list((tmp_path / "out").glob("*-Q8_0.gguf"))


def test_a_dry_run_says_memory_disk_and_time(wide: tuple[Path, Path], tmp_path: Path, edgekit: Command) -> None:
    asked = ["convert", wide[0], "--adapter", wide[1], "--out", tmp_path / "out", "--dry-run"]
    found = json.loads(edgekit(*asked, "--json").stdout)
    said = found["preflight"]
    assert said.keys() == {"memory", "disk", "free", "tensors", "seconds"}
    assert said["disk"] == sum(output["bytes"] for output in found["outputs"])
    assert said["disk"] < said["free"]
    assert 20 * MIB < said["memory"] < 1_000_000_000
    # Zeros are quantized in no time, but not in none.
    assert 0.1 < said["seconds"] < 600
    result = edgekit(*asked)
    words = " ".join(result.stdout.split())
    assert f"{size(said['disk'])} of disk" in words, words
    assert re.search(r"at most [\d.]+ MiB of memory, .* free\) and about \d+ ", words), words
    assert list(tmp_path.iterdir()) == []


def test_a_small_model_takes_a_moment(checkpoint: Made, tmp_path: Path, edgekit: Command) -> None:
    result = edgekit("convert", checkpoint("tiny"), "--out", tmp_path / "out", "--dry-run")
    assert "and a moment" in " ".join(result.stdout.split())


@dataclass(frozen=True)
class Sleeping(Task):
    """A task that notices how many others are at work."""

    number: int
    at_work: set[int]
    together: list[int]
    memory = 10
    made = 0
    bytes = 1
    kind = None

    def make(self) -> Pieces:
        self.at_work.add(self.number)
        time.sleep(0.01)
        self.together.append(sum(1 for _ in self.at_work))
        self.at_work.discard(self.number)
        return Pieces([self.number.to_bytes(1, "little")])


@pytest.mark.parametrize(("room", "most"), [(1, 1), (25, 2), (1000, 4)])
def test_tasks_come_in_order_and_keep_within_their_room(room: int, most: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tasks, "threads", lambda: 4)
    first = Sleeping(0, set(), [])
    made = list(in_order([replace(first, number=number) for number in range(20)], room))
    assert [piece.data[0][0] for piece in made] == list(range(20))
    assert max(first.together) == most


@pytest.mark.parametrize(
    ("text", "bytes"), [("512M", 512_000_000), ("2g", 2 * 10**9), ("1.5 GiB", 3 << 29), ("123", 123), ("4KB", 4000)]
)
def test_sizes_are_read_as_they_are_written(text: str, bytes: int) -> None:
    assert parse_size(text) == bytes


@pytest.mark.parametrize("text", ["", "much", "-1G", "1i", "0", "0.1", "1GG", "1e9"])
def test_what_is_no_size_is_refused(text: str) -> None:
    with pytest.raises(UnsupportedError, match="write it as 500M"):
        parse_size(text)


@pytest.mark.parametrize("option", ["--memory", "--split-size"])
def test_a_wrong_size_is_wrong_usage(option: str, checkpoint: Made, edgekit: Command) -> None:
    assert edgekit("convert", checkpoint("tiny"), option, "much").returncode == 2
