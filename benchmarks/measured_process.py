"""Run a command and measure it: wall and processor time, memory of its own, bytes written."""

from __future__ import annotations

import os
import subprocess
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

# Seconds between two looks at the memory.
_INTERVAL = 0.02


@dataclass(frozen=True)
class Measured:
    """What a command took; times in seconds, sizes in bytes."""

    wall: float
    processor: float
    # The largest anonymous part of its resident memory: files that are mapped can be dropped, this cannot.
    anonymous: int
    written: int

    def __add__(self, other: Measured) -> Measured:
        return Measured(
            self.wall + other.wall,
            self.processor + other.processor,
            max(self.anonymous, other.anonymous),
            self.written + other.written,
        )


def measure(line: Sequence[object], log: Path) -> Measured:
    """Run a command with its output in `log`; raises SystemExit with the log's end where it fails."""
    start = time.monotonic()
    with log.open("wb") as file:
        process = subprocess.Popen([str(part) for part in line], stdout=file, stderr=subprocess.STDOUT)
    peak = [0]
    watcher = threading.Thread(target=_watch, args=(process.pid, peak))
    watcher.start()
    _, status, usage = os.wait4(process.pid, 0)
    wall = time.monotonic() - start
    process.returncode = os.waitstatus_to_exitcode(status)
    watcher.join()
    if process.returncode:
        raise SystemExit(f"{line[0]} failed:\n{log.read_text(errors='replace')[-2000:]}")
    # The kernel counts in blocks of 512 bytes.
    return Measured(wall, usage.ru_utime + usage.ru_stime, peak[0], usage.ru_oublock * 512)


def _watch(pid: int, peak: list[int]) -> None:
    status = Path(f"/proc/{pid}/status")
    while True:
        try:
            lines = status.read_text().splitlines()
        except OSError:
            return
        found = [int(line.split()[1]) * 1024 for line in lines if line.startswith("RssAnon:")]
        # A process that has ended and was not waited for has no memory.
        if not found:
            return
        peak[0] = max(peak[0], found[0])
        time.sleep(_INTERVAL)
