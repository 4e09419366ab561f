"""The machine that edgekit runs on: the real readers, each asked only when its system is the one."""

from __future__ import annotations

import ctypes
import os
import platform
import shutil
import struct
import subprocess
from contextlib import suppress
from importlib import import_module
from pathlib import Path
from typing import Any

from edgekit import paths
from edgekit.hardware.host import Counts, Host, Registry
from edgekit.hardware.nvml import nvidia_devices

# The trees that edgekit looks into: all of them would take a second.
_SYSCTL = ("hw", "machdep.cpu", "iogpu")
_PROCESSORS = r"HARDWARE\DESCRIPTION\System\CentralProcessor"
_DISPLAYS = r"SYSTEM\CurrentControlSet\Control\Class\{4d36e968-e325-11ce-bfc1-08002be10318}"
# PF_* numbers of winnt.h run up to here.
_WINDOWS_FEATURES = 128


def this_host() -> Host:
    """Return this machine; nothing is read yet but what costs nothing."""
    system = platform.system()
    return Host(
        root=Path("/"),
        system=system,
        architecture=platform.machine(),
        name=platform.node(),
        bits=struct.calcsize("P") * 8,
        affinity=len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else None,
        disk_free=_disk_free(),
        counts=_counts,
        sysctl=_sysctl if system == "Darwin" else dict,
        # Set in every shell of Android.
        properties=_properties if "ANDROID_ROOT" in os.environ else dict,
        registry=_registry if system == "Windows" else dict,
        windows_features=_windows_features if system == "Windows" else frozenset,
        cpu_sets=_cpu_sets if system == "Windows" else bytes,
        # macOS has no NVML.
        nvidia=nvidia_devices if system != "Darwin" else tuple,
    )


def _disk_free() -> int | None:
    folder = paths.models_directory()
    while not paths.exists(folder):
        folder = folder.parent
    try:
        return shutil.disk_usage(folder).free
    except OSError:
        return None


def _counts() -> Counts:
    import psutil

    main, swap = psutil.virtual_memory(), psutil.swap_memory()
    logical = psutil.cpu_count() or 1
    cores = psutil.cpu_count(logical=False) or logical
    return Counts(main.total, main.available, swap.total, swap.free, cores, logical)


def _sysctl() -> dict[str, str]:
    return dict(_split(line, ": ") for line in _output("/usr/sbin/sysctl", *_SYSCTL).splitlines())


def _properties() -> dict[str, str]:
    return dict(_split(line[1:-1], "]: [") for line in _output("getprop").splitlines())


def _split(line: str, mark: str) -> tuple[str, str]:
    key, _, value = line.partition(mark)
    return key, value


def _output(*command: str) -> str:
    try:
        return subprocess.run(command, capture_output=True, text=True, check=False, timeout=5).stdout
    except (OSError, subprocess.SubprocessError):
        return ""


def _registry() -> Registry:
    # Its members exist on Windows only, and type checkers of other systems know none of them.
    winreg: Any = import_module("winreg")

    found: dict[str, dict[str, str | int | bytes]] = {}
    for parent in (_PROCESSORS, _DISPLAYS):
        with suppress(OSError), winreg.OpenKey(winreg.HKEY_LOCAL_MACHINE, parent) as folder:
            for name in (winreg.EnumKey(folder, index) for index in range(winreg.QueryInfoKey(folder)[0])):
                # "Properties" among the displays is closed to all but the system.
                if name.isdigit():
                    with winreg.OpenKey(folder, name) as key:
                        values = (winreg.EnumValue(key, index) for index in range(winreg.QueryInfoKey(key)[1]))
                        found[rf"{parent}\{name}"] = {value[0]: value[1] for value in values}
    return found


def _windows_features() -> frozenset[int]:
    present = vars(ctypes)["windll"].kernel32.IsProcessorFeaturePresent
    return frozenset(number for number in range(_WINDOWS_FEATURES) if present(number))


def _cpu_sets() -> bytes:
    # Windows 10 and later; once for the size, once for the content.
    ask = vars(ctypes)["windll"].kernel32.GetSystemCpuSetInformation
    size = ctypes.c_ulong()
    ask(None, 0, ctypes.byref(size), None, 0)
    buffer = ctypes.create_string_buffer(size.value)
    return buffer.raw if ask(buffer, size, ctypes.byref(size), None, 0) else b""
