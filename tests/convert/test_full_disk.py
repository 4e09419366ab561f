"""A real file system that fills up while a conversion writes to it, at ten sizes: one line, and nothing left."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from forks import Forks

from edgekit import paths

PAGE = 4096
FORMS = {
    "gguf": ("--name", "pico"),
    "safetensors": ("--adapter", str(paths.demo_adapter()), "--to", "safetensors"),
    "onnx": ("--to", "onnx"),
}
# Fills the disk but for some bytes when the first file is opened: the preflight has found room before.
FILL = """
import contextlib, os, sys
with contextlib.suppress(FileNotFoundError):
    os.remove({disk!r} + "/filler")
full = False
def fill(event, arguments):
    global full
    if event == "open" and str(arguments[0]).endswith(".edgekit-partial") and not full:
        full = True
        disk = os.statvfs({disk!r})
        filler = os.open({disk!r} + "/filler", os.O_CREAT | os.O_WRONLY)
        if disk.f_bavail * disk.f_frsize > {left}:
            os.posix_fallocate(filler, 0, disk.f_bavail * disk.f_frsize - {left})
        os.close(filler)
sys.addaudithook(fill)
"""


@pytest.fixture
def disk(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("disk")


@pytest.fixture
def forks(disk: Path, tmp_path_factory: pytest.TempPathFactory, environment: dict[str, str]) -> Iterator[Forks]:
    """Processes that see a file system of 32 MiB in memory where others see an empty folder."""
    mount = 'mount -t tmpfs -o size=32m disk "$0" && exec "$@"'
    # Only who is not root needs a name space of users, which some systems forbid.
    as_root = [] if os.geteuid() == 0 else ["--user", "--map-root-user"]
    before = ["unshare", *as_root, "--mount", "sh", "-c", mount, str(disk)]
    with Forks(tmp_path_factory.mktemp("forks"), environment, before) as made:
        yield made


def seen(forks: Forks, disk: Path) -> list[Path]:
    """Return what lies on the disk as the processes see it, but for what fills it."""
    folder = Path(f"/proc/{forks.server}/root{disk}")
    return [path.relative_to(folder) for path in folder.rglob("*") if path.name != "filler"]


@pytest.mark.parametrize("to", FORMS)
def test_a_disk_that_fills_up_at_any_size_ends_in_one_line(to: str, forks: Forks, disk: Path, tmp_path: Path) -> None:
    convert = ("convert", paths.demo_checkpoint(), *FORMS[to], "--out")
    assert forks.run(*convert, tmp_path).code == 0
    # A file takes whole pages.
    need = sum(-(-path.stat().st_size // PAGE) for path in tmp_path.iterdir()) * PAGE
    sizes = [0, PAGE, *(need * share // 8 // PAGE * PAGE for share in range(1, 8)), need - PAGE]
    assert len(sizes) == 10
    for left in sizes:
        done = forks.run(*convert, disk / "new" / "out", first=FILL.format(disk=str(disk), left=left))
        assert (done.code, done.said.count("\n")) == (1, 1), (left, done.said)
        assert "the disk is full" in done.said
        assert seen(forks, disk) == [], left
    done = forks.run(*convert, disk / "new" / "out", first=FILL.format(disk=str(disk), left=need))
    assert done.code == 0, done.said
    assert len(seen(forks, disk)) > 3
    assert forks.run(*convert, disk / "new" / "out").code == 1, "there is no room for a second"
