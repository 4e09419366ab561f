"""Conversions that cannot finish: a full disk, a limit, an interruption, a kill. Never a file that looks complete."""

from __future__ import annotations

import errno
import os
import resource
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from one_line import assert_one_line_error

from edgekit.convert.disk import check_room
from edgekit.convert.job import ConvertJob, convert
from edgekit.convert.whole_file import WholeFile, remove_leftovers
from edgekit.errors import DoesNotFitError, FileError

Made = Callable[[str], Path]
# Runs edgekit; when it opens the named file, puts the device that is always full under it.
FULL_DISK = """
import os, sys
from edgekit.cli.app import main
from edgekit.convert.whole_file import WholeFile
enter = WholeFile.__enter__
def enter_full(self):
    file = enter(self)
    if self.path.name == sys.argv[1]:
        os.dup2(os.open("/dev/full", os.O_WRONLY), self._file.fileno())
    return file
WholeFile.__enter__ = enter_full
main(sys.argv[2:])
"""
# Stops at the first tensor of the projector, says so, and waits for a signal.
STALLED = """
import sys, time
from pathlib import Path
from edgekit.convert.job import ConvertJob, convert
def stall(done, total, text):
    if text.startswith("mm."):
        print("waiting", flush=True)
        time.sleep(60)
convert(ConvertJob(Path(sys.argv[1]), Path(sys.argv[2]), (), ("Q8_0",)), stall)
"""


# The command, which stops half-way, says so, and waits for a signal.
STALLED_COMMAND = """
import sys, time
from contextlib import contextmanager
from edgekit.cli import output
from edgekit.cli.app import main
@contextmanager
def stalling(title, **_):
    def stall(done, total, text):
        if done > total / 2:
            print("waiting", flush=True)
            time.sleep(60)
    yield stall
output.progress = stalling
main(["convert", sys.argv[1], "--out", sys.argv[2]])
"""


@pytest.mark.parametrize("name", ["x-Q8_0.gguf", "mmproj-x-BF16.gguf", "Modelfile"])
def test_a_disk_that_is_full_while_writing_ends_in_one_line(
    name: str, checkpoint: Made, tmp_path: Path, environment: dict[str, str]
) -> None:
    out = tmp_path / "new" / "out"
    convert_it = ["convert", str(checkpoint("tiny")), "--out", str(out), "--name", "x"]
    line = [sys.executable, "-c", FULL_DISK, name, *convert_it]
    result = subprocess.run(line, capture_output=True, text=True, env=environment, timeout=120, check=False)
    said = assert_one_line_error(result)
    assert "the disk is full" in said
    assert name in said
    assert list(tmp_path.iterdir()) == []


def test_a_limit_on_the_size_of_files_ends_in_one_line(
    checkpoint: Made, tmp_path: Path, environment: dict[str, str]
) -> None:
    def lower() -> None:
        # Without this the kernel ends the process; with it, the write fails.
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (300_000, 300_000))

    line = [sys.executable, "-m", "edgekit", "convert", str(checkpoint("tiny")), "--out", str(tmp_path / "out")]
    result = subprocess.run(
        line, capture_output=True, text=True, env=environment, preexec_fn=lower, timeout=120, check=False
    )
    assert "larger than a file may be" in assert_one_line_error(result)
    assert list(tmp_path.iterdir()) == []


def test_too_little_room_is_said_before_anything_is_written(tmp_path: Path) -> None:
    needed = 1 << 60
    with pytest.raises(DoesNotFitError, match=r"needs 1073741824\.00 GiB and its disk has .* free"):
        check_room(tmp_path / "not" / "there" / "yet", needed)
    check_room(tmp_path, 1)
    assert list(tmp_path.iterdir()) == []


def stalled(checkpoint: Path, out: Path, code: str = STALLED) -> subprocess.Popen[str]:
    line = [sys.executable, "-c", code, str(checkpoint), str(out)]
    process = subprocess.Popen(line, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "waiting\n", process.communicate()
    return process


def test_a_running_conversion_shows_no_file_and_an_interrupted_one_leaves_none(
    checkpoint: Made, tmp_path: Path
) -> None:
    process = stalled(checkpoint("tiny"), tmp_path / "out")
    names = [path.name for path in (tmp_path / "out").iterdir()]
    assert names
    assert all(name.endswith(".edgekit-partial") and name.startswith(".") for name in names)
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=60)
    assert process.returncode != 0
    assert list(tmp_path.iterdir()) == []


def test_a_terminated_conversion_leaves_nothing_and_ends_by_the_signal(checkpoint: Made, tmp_path: Path) -> None:
    process = stalled(checkpoint("tiny"), tmp_path / "out", STALLED_COMMAND)
    assert list((tmp_path / "out").iterdir())
    process.send_signal(signal.SIGTERM)
    _, said = process.communicate(timeout=60)
    assert process.returncode == -signal.SIGTERM
    assert said == ""
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["x-Q8_0.gguf", "mmproj-x-BF16.gguf", "Modelfile"])
def test_a_folder_in_the_place_of_a_file_is_noticed_first(name: str, checkpoint: Made, tmp_path: Path) -> None:
    (tmp_path / name / "inside").mkdir(parents=True)
    with pytest.raises(FileError, match=f"{name} is a folder"):
        convert(ConvertJob(checkpoint("tiny"), tmp_path, name="x"))
    assert [path.name for path in tmp_path.iterdir()] == [name]


def test_the_modelfile_takes_its_name_last(checkpoint: Made, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    published = []
    publish = WholeFile._publish

    def remember(file: WholeFile) -> None:
        published.append(file.path.name)
        publish(file)

    monkeypatch.setattr(WholeFile, "_publish", remember)
    convert(ConvertJob(checkpoint("tiny"), tmp_path, name="x"))
    assert published[-1] == "Modelfile"
    assert len(published) == 3


def test_what_a_killed_conversion_left_is_removed_by_the_next(checkpoint: Made, tmp_path: Path) -> None:
    process = stalled(checkpoint("tiny"), tmp_path)
    process.kill()
    process.communicate(timeout=60)
    left = {path.name for path in tmp_path.iterdir()}
    assert left
    result = convert(ConvertJob(checkpoint("tiny"), tmp_path, (), ("Q8_0",)))
    assert {path.name for path in tmp_path.iterdir()} == {output.path.name for output in result.outputs}


def test_what_another_conversion_is_writing_is_left_alone(tmp_path: Path) -> None:
    with WholeFile(tmp_path / "model.gguf") as file:
        file.write(b"half")
        remove_leftovers(tmp_path)
        file.write(b" and half")
    assert (tmp_path / "model.gguf").read_bytes() == b"half and half"
    assert [path.name for path in tmp_path.iterdir()] == ["model.gguf"]


def test_an_earlier_file_stays_until_the_new_one_is_whole(tmp_path: Path) -> None:
    path = tmp_path / "model.gguf"
    path.write_bytes(b"old")

    def fail() -> None:
        with WholeFile(path) as file:
            file.write(b"new")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_an_out_that_cannot_be_written_is_explained(checkpoint: Made, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("here")
    for out in (tmp_path / "file", tmp_path / "file" / "below"):
        with pytest.raises(FileError, match="file"):
            convert(ConvertJob(checkpoint("tiny"), out))


def test_a_source_that_shrinks_while_it_is_read_is_noticed(checkpoint: Made, tmp_path: Path) -> None:
    source = tmp_path / "source"
    source.mkdir()
    for path in checkpoint("tiny").iterdir():
        (source / path.name).write_bytes(path.read_bytes())

    def shrink(done: float, total: float, text: str) -> None:
        os.truncate(source / "model.safetensors", 10_000)

    with pytest.raises(FileError, match="became shorter"):
        convert(ConvertJob(source, tmp_path / "out", (), ("Q8_0",)), shrink)
    assert [path.name for path in tmp_path.iterdir()] == ["source"]


def test_a_dry_run_writes_nothing_and_knows_every_size(checkpoint: Made, tmp_path: Path) -> None:
    job = ConvertJob(checkpoint("wide"), tmp_path / "out", (), ("Q4_0", "F16"))
    planned = convert(job, dry_run=True)
    assert list(tmp_path.iterdir()) == []
    made = convert(job)
    assert [(one.path, one.kind, one.bytes) for one in planned.outputs] == [
        (one.path, one.kind, one.path.stat().st_size) for one in made.outputs
    ]


def test_the_device_that_is_always_full_is_what_the_tests_take_it_for() -> None:
    with Path("/dev/full").open("wb", buffering=0) as device, pytest.raises(OSError, match="space") as problem:
        device.write(b"x")
    assert problem.value.errno == errno.ENOSPC
