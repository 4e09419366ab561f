"""Machines by name: NAME.txt holds the system files of one, each under a line `=== PATH`, and its system's answers.

Answers stand under `=== sysctl` and so on (see `_ANSWERS`); README.md says where each machine comes from.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from edgekit.hardware.host import Counts, Host
from edgekit.hardware.machine import Machine
from edgekit.hardware.nvml import NvidiaDevice
from edgekit.hardware.probe import describe

_FOLDER = Path(__file__).parent
# `=== proc/cpuinfo x 8, 2 per core`: the block eight times, with its {cpu} and {core} counted on.
_REPEATED = re.compile(r"(\S+) x (\d+)(?:, (\d+) per core)?(?:, from (\d+))?")


def host(name: str, folder: Path) -> Host:
    """Write a machine's files under a new folder in `folder` and return what reads them and gives its answers."""
    root = folder / name
    facts: dict[str, Any] = {}
    for part in (_FOLDER / f"{name}.txt").read_text(encoding="utf-8").split("\n=== ")[1:]:
        title, _, text = part.partition("\n")
        if title in _ANSWERS:
            facts |= _ANSWERS[title](text.strip("\n"))
            continue
        repeated = _REPEATED.fullmatch(title)
        path, text = (repeated.group(1), _repeat(repeated, text)) if repeated else (title, text)
        file = root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        with file.open("a", encoding="utf-8") as out:
            out.write(text.rstrip("\n") + ("\n\n" if repeated else "\n"))
    return Host(root, **facts)


def machine(name: str, folder: Path) -> Machine:
    """Return the machine that edgekit sees there, with the llama.cpp build that suits it."""
    found = host(name, folder)
    vendors = {one.vendor for one in describe(found, frozenset()).accelerators}
    return describe(found, frozenset({"cuda"} if "nvidia" in vendors else {"vulkan", "metal"}))


def _repeat(title: re.Match[str], block: str) -> str:
    count, per_core, first = int(title[2]), int(title[3] or 1), int(title[4] or 0)
    cpus = range(first, first + count)
    core = {cpu: (cpu - first) // per_core + first for cpu in cpus}
    return "\n\n".join(block.strip("\n").replace("{cpu}", str(cpu)).replace("{core}", str(core[cpu])) for cpu in cpus)


def _host(text: str) -> dict[str, Any]:
    pairs = dict(line.split(": ") for line in text.splitlines())
    return {key: int(value) if value.isdigit() else value for key, value in pairs.items()}


def _psutil(text: str) -> dict[str, Any]:
    counts = Counts(**_host(text))
    return {"counts": lambda: counts}


def _sysctl(text: str) -> dict[str, Any]:
    told = dict(line.split(": ", 1) for line in text.splitlines())
    return {"sysctl": lambda: told}


def _properties(text: str) -> dict[str, Any]:
    told = dict(line[1:-1].split("]: [") for line in text.splitlines())
    return {"properties": lambda: told}


def _registry(text: str) -> dict[str, Any]:
    """Read `reg query`'s output: a key, then its values, indented: name, type, data."""
    keys: dict[str, dict[str, str | int]] = {}
    for line in filter(str.strip, text.splitlines()):
        if not line.startswith(" "):
            values = keys.setdefault(line.removeprefix("HKEY_LOCAL_MACHINE\\"), {})
            continue
        name, kind, data = re.split(r"\s{4,}", line.strip())
        values[name] = data if kind == "REG_SZ" else int(data, 16)
    return {"registry": lambda: keys}


def _windows_features(text: str) -> dict[str, Any]:
    numbers = frozenset(map(int, text.split()))
    return {"windows_features": lambda: numbers}


def _cpu_sets(text: str) -> dict[str, Any]:
    """Read a line for each logical processor: its core and the core's efficiency class."""
    rows = [tuple(map(int, line.split())) for line in text.splitlines()]
    # SYSTEM_CPU_SET_INFORMATION in full.
    record = struct.Struct("<IIIHBBBBBBIQ")
    sets = (record.pack(32, 0, 256 + at, 0, at, core, 0, 0, kind, 0, 0, 0) for at, (core, kind) in enumerate(rows))
    raw = b"".join(sets)
    return {"cpu_sets": lambda: raw}


def _nvml(text: str) -> dict[str, Any]:
    """Read lines of name, bytes in all, bytes free, megahertz and bits."""
    rows = [line.split(", ") for line in text.splitlines()]
    devices = tuple(NvidiaDevice(row[0], *map(int, row[1:])) for row in rows)
    return {"nvidia": lambda: devices}


_ANSWERS: dict[str, Callable[[str], dict[str, Any]]] = {
    "host": _host,
    "psutil": _psutil,
    "sysctl": _sysctl,
    "getprop": _properties,
    "reg query": _registry,
    "IsProcessorFeaturePresent": _windows_features,
    "GetSystemCpuSetInformation": _cpu_sets,
    "nvml": _nvml,
}
# Name: what makes the machine, given a folder for its files.
MACHINES: dict[str, Callable[[Path], Machine]] = {
    path.stem: partial(machine, path.stem) for path in sorted(_FOLDER.glob("*.txt"))
}
