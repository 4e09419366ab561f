"""NVML through its real interface: a library with its functions, compiled here, that tells what a test wants."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from edgekit.hardware.nvml import NvidiaDevice, nvidia_devices

# Signatures and constants of nvml.h; a second device of a driver that supports neither memory nor bus width.
SOURCE = r"""
#include <string.h>
typedef struct { unsigned long long total, free, used; } nvmlMemory_t;
typedef struct { int index; } *nvmlDevice_t;
static int devices[2] = {0, 1};
int nvmlInit_v2(void) { return INIT; }
int nvmlDeviceGetCount_v2(unsigned *count) { *count = 2; return 0; }
int nvmlDeviceGetHandleByIndex_v2(unsigned index, nvmlDevice_t *device) {
    *device = (nvmlDevice_t)&devices[index];
    return 0;
}
int nvmlDeviceGetName(nvmlDevice_t device, char *name, unsigned length) {
    strncpy(name, device->index ? "NVIDIA GB10" : "NVIDIA GeForce RTX 4090", length);
    return 0;
}
int nvmlDeviceGetMemoryInfo(nvmlDevice_t device, nvmlMemory_t *memory) {
    if (device->index) return 3;
    memory->total = 25757220864ull;
    memory->free = 24000000000ull;
    return 0;
}
int nvmlDeviceGetMaxClockInfo(nvmlDevice_t device, int type, unsigned *clock) {
    if (type != 2) return 2;
    *clock = 10501;
    return 0;
}
int nvmlDeviceGetMemoryBusWidth(nvmlDevice_t device, unsigned *width) {
    if (device->index) return 3;
    *width = 384;
    return 0;
}
"""


def library(folder: Path, init: int) -> str:
    source, built = folder / "nvml.c", folder / "libnvidia-ml.so"
    source.write_text(SOURCE, encoding="utf-8")
    subprocess.run(["cc", "-shared", "-fPIC", f"-DINIT={init}", "-o", built, source], check=True)
    return str(built)


def test_memory_and_bandwidth_of_each_device(tmp_path: Path) -> None:
    first, second = nvidia_devices((str(tmp_path / "absent.so"), library(tmp_path, 0)))
    assert first == NvidiaDevice("NVIDIA GeForce RTX 4090", 25757220864, 24000000000, 10501, 384)
    # NVIDIA gives 1008 GB/s.
    assert first.memory_bandwidth == pytest.approx(1008e9, rel=0.001)
    assert second == NvidiaDevice("NVIDIA GB10", 0, 0, 10501, 0)
    assert second.memory_bandwidth is None


def test_without_library_or_driver_there_is_none(tmp_path: Path) -> None:
    assert nvidia_devices((str(tmp_path / "absent.so"),)) == ()
    # NVML_ERROR_DRIVER_NOT_LOADED
    assert nvidia_devices((library(tmp_path, 9),)) == ()
