"""NVIDIA's devices as its driver's own library tells them (NVML, developer.nvidia.com/nvml-api); no package needed."""

from __future__ import annotations

import ctypes
from dataclasses import dataclass

# Linux, WSL2 (Windows's driver, outside the loader's path), Windows.
_LIBRARIES = ("libnvidia-ml.so.1", "/usr/lib/wsl/lib/libnvidia-ml.so.1", "nvml.dll")
_NAME_BYTES = 96
_CLOCK_OF_MEMORY = 2


@dataclass(frozen=True)
class NvidiaDevice:
    """One device: memory in bytes (zero where the driver tells none: unified memory), clock in MHz, width in bits."""

    name: str
    memory_total: int
    memory_free: int
    memory_clock: int = 0
    bus_width: int = 0

    @property
    def memory_bandwidth(self) -> float | None:
        """Return the peak in bytes per second: two transfers per clock; None where clock or width is not told."""
        return self.memory_clock * 1e6 * 2 * self.bus_width / 8 or None


class _Memory(ctypes.Structure):
    # nvmlMemory_t
    _fields_ = (("total", ctypes.c_ulonglong), ("free", ctypes.c_ulonglong), ("used", ctypes.c_ulonglong))


def nvidia_devices(names: tuple[str, ...] = _LIBRARIES) -> tuple[NvidiaDevice, ...]:
    """Return the devices in NVML's order; none where its library or driver is missing."""
    library = next(filter(None, map(_loaded, names)), None)
    if library is None or library.nvmlInit_v2():
        return ()
    count = ctypes.c_uint()
    if library.nvmlDeviceGetCount_v2(ctypes.byref(count)):
        return ()
    return tuple(_device(library, index) for index in range(count.value))


def _loaded(name: str) -> ctypes.CDLL | None:
    try:
        return ctypes.CDLL(name)
    except OSError:
        return None


def _device(library: ctypes.CDLL, index: int) -> NvidiaDevice:
    handle, name, memory = ctypes.c_void_p(), ctypes.create_string_buffer(_NAME_BYTES), _Memory()
    library.nvmlDeviceGetHandleByIndex_v2(ctypes.c_uint(index), ctypes.byref(handle))
    library.nvmlDeviceGetName(handle, name, ctypes.c_uint(_NAME_BYTES))
    # Where it is not supported nothing is written: zeros stay.
    library.nvmlDeviceGetMemoryInfo(handle, ctypes.byref(memory))
    return NvidiaDevice(
        name.value.decode(errors="replace") or "NVIDIA GPU",
        memory.total,
        memory.free,
        _number(library, "nvmlDeviceGetMaxClockInfo", handle, ctypes.c_int(_CLOCK_OF_MEMORY)),
        _number(library, "nvmlDeviceGetMemoryBusWidth", handle),
    )


def _number(library: ctypes.CDLL, function: str, *arguments: object) -> int:
    value = ctypes.c_uint()
    # Drivers before 495 lack the bus width.
    call = getattr(library, function, None)
    return 0 if call is None or call(*arguments, ctypes.byref(value)) else value.value
