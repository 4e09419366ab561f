"""How fast llama.cpp's own kernels are on this machine: timed once, kept per machine and build of llama.cpp."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, fields

from edgekit.hardware.backends import library_folder
from edgekit.hardware.kept import is_busy, keep, machine_key, recall
from edgekit.hardware.machine import Kernels, Memory, Processor

_NAME = "kernels"


def known_kernels(processor: Processor, memory: Memory) -> Kernels | None:
    """Return the rates kept for this machine and this build of llama.cpp, None before the first timing."""
    kept = recall(_NAME, _key(processor, memory))
    return Kernels(**kept) if isinstance(kept, dict) and set(kept) == {one.name for one in fields(Kernels)} else None


def measured_kernels(
    processor: Processor, memory: Memory, progress: Callable[[float, float], None] = lambda done, total: None
) -> Kernels | None:
    """Time the kernels with the threads that a plan takes, a few seconds, and keep the rates.

    None where this build does not let them be called, and while the machine is busy: threads that wait for each other
    at every step come to a twentieth of their speed then.
    """
    from edgekit.hardware.kernels import time_kernels

    threads = min(processor.physical_cores, processor.usable_threads)
    if is_busy():
        return None
    try:
        found = time_kernels(threads, progress)
    except (OSError, AttributeError, MemoryError):
        return None
    keep(_NAME, _key(processor, memory), asdict(found))
    return found


def _key(processor: Processor, memory: Memory) -> str:
    folder = library_folder()
    try:
        # Another build has other kernels.
        build = sum(int(path.stat().st_mtime) for path in folder.glob("*ggml-cpu*")) if folder else 0
    except OSError:
        build = 0
    return f"{machine_key(processor, memory)}, build {build}"
