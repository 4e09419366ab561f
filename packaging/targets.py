"""What packages are made for: architectures, by the names that Python, Debian and CMake have for them."""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parent.parent
# Compiled against Debian 12's C library; Raspberry Pi OS 12 and 13, Debian 13 and Ubuntu 24.04 have it or a newer one.
GLIBC = 36
# The date of what is built from a source archive, which has no commit; hatchling's own.
NO_COMMIT = "1580601600"
PYTHON = f"{sys.version_info.major}.{sys.version_info.minor}"


@dataclass(frozen=True)
class Target:
    """One architecture that packages are made for."""

    machine: str
    debian: str
    compiler: str

    @property
    def platform(self) -> str:
        """Return the tag of wheels that are compiled here."""
        return f"manylinux_2_{GLIBC}_{self.machine}"

    @property
    def platforms(self) -> list[str]:
        """Return the tags of every wheel that runs there, the newest C library first: pip expands none of them."""
        tags = [f"manylinux_2_{minor}_{self.machine}" for minor in range(GLIBC, 16, -1)]
        return [*tags, f"manylinux2014_{self.machine}", "any"]

    @property
    def cmake(self) -> list[str]:
        """Return what CMake must be told to compile for it: on another machine the compiler and the processor."""
        if self.machine == this_machine():
            return []
        prefix = self.compiler
        return [
            "-DCMAKE_SYSTEM_NAME=Linux",
            f"-DCMAKE_SYSTEM_PROCESSOR={self.machine}",
            f"-DCMAKE_C_COMPILER={prefix}-gcc",
            f"-DCMAKE_CXX_COMPILER={prefix}-g++",
        ]

    @property
    def gcc(self) -> str:
        """Return the name of the C compiler."""
        return "gcc" if self.machine == this_machine() else f"{self.compiler}-gcc"


TARGETS = {
    one.machine: one
    for one in (Target("x86_64", "amd64", "x86_64-linux-gnu"), Target("aarch64", "arm64", "aarch64-linux-gnu"))
}


def this_machine() -> str:
    """Return the architecture of the machine that builds."""
    return subprocess.check_output(["uname", "-m"], text=True).strip()


def parser(description: str | None) -> argparse.ArgumentParser:
    """Return a parser of the two options that every step has: the target, and where packages go."""
    found = argparse.ArgumentParser(description=(description or "").splitlines()[0])
    found.add_argument("--target", choices=TARGETS, default=this_machine(), help="processor architecture")
    found.add_argument("--out", type=Path, default=ROOT / "dist", help="folder of finished packages")
    return found


def source_date() -> str:
    """Return the date of everything that is packed, in seconds since 1970: SOURCE_DATE_EPOCH, or the commit's."""
    if said := os.environ.get("SOURCE_DATE_EPOCH"):
        return said
    # An archive may have been unpacked within another repository.
    if not (ROOT / ".git").exists():
        return NO_COMMIT
    return subprocess.check_output(["git", "-C", str(ROOT), "log", "-1", "--format=%ct"], text=True).strip()


def reproducible(environment: Mapping[str, str] = os.environ) -> dict[str, str]:
    """Return an environment in which two builds of one commit give the same bytes."""
    # Python's sets are written in the order of their hashes.
    return {**environment, "SOURCE_DATE_EPOCH": source_date(), "PYTHONHASHSEED": "0"}


def run(*command: str | Path, env: Mapping[str, str] = os.environ, **options: object) -> None:
    """Run a command, reproducibly; its failure ends the build with what it printed."""
    line, environment = [str(one) for one in command], reproducible(env)
    subprocess.run(line, check=True, env=environment, **options)  # type: ignore[call-overload]
