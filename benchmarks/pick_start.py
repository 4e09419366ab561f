"""`edgekit pick --no-measure` from a cold start beside `python -c "import typer"`: wall time, memory and their ratio.

Both run in turns, each in a process of its own with its bytecode compiled; the best of the runs counts, as other
programs only ever add. Wall time and peak resident memory are those of the whole process.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import time
from dataclasses import dataclass

WALL_SECONDS = 0.4
MEMORY_MB = 60
LINES = {
    "import typer": [sys.executable, "-c", "import typer"],
    "edgekit pick": [sys.executable, "-m", "edgekit", "pick", "--no-measure"],
    "edgekit pick --json": [sys.executable, "-m", "edgekit", "pick", "--no-measure", "--json"],
}


@dataclass(frozen=True)
class Run:
    """One process: seconds of wall and of processor time, and peak resident bytes."""

    wall: float
    processor: float
    memory: int


def run(line: list[str]) -> Run:
    """Run a command line without its output and return what it took."""
    start = time.perf_counter()
    process = subprocess.Popen(line, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    _, status, used = os.wait4(process.pid, 0)
    wall = time.perf_counter() - start
    if status:
        raise SystemExit(f"{' '.join(line)} ended with {os.waitstatus_to_exitcode(status)}")
    # Linux counts kibibytes.
    return Run(wall, used.ru_utime + used.ru_stime, used.ru_maxrss * 1024)


def best(runs: list[Run]) -> Run:
    """Return the least of each figure."""
    return Run(*(min(getattr(one, name) for one in runs) for name in ("wall", "processor", "memory")))


def main() -> None:
    """Print a table and fail where the promise is broken."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=10, help="runs of each, in turns")
    rounds = parser.parse_args().rounds
    for line in LINES.values():
        # The first run compiles the bytecode.
        run(line)
    runs: dict[str, list[Run]] = {name: [] for name in LINES}
    for _ in range(rounds):
        for name, line in LINES.items():
            runs[name].append(run(line))
    load = os.getloadavg()[0]
    found = {name: best(several) for name, several in runs.items()}
    base = found["import typer"]
    print(f"{'':22}{'wall':>9}{'processor':>11}{'memory':>11}{'wall ratio':>12}{'memory ratio':>14}")
    for name, one in found.items():
        ratios = f"{one.wall / base.wall:>11.1f}x{one.memory / base.memory:>13.1f}x"
        print(f"{name:22}{one.wall:>7.3f} s{one.processor:>9.3f} s{one.memory / 1e6:>8.1f} MB{ratios}")
    broken = [name for name, one in found.items() if one.wall > WALL_SECONDS or one.memory > MEMORY_MB * 1e6]
    if load > (os.cpu_count() or 1):
        print(f"The load is {load:.0f} on {os.cpu_count()} cores: look at processor time, wall time is the others'.")
    print(f"promised: {WALL_SECONDS} s and {MEMORY_MB} MB; " + (f"broken by {', '.join(broken)}" if broken else "kept"))
    sys.exit(bool(broken))


if __name__ == "__main__":
    main()
