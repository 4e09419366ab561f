"""What is known about the speed of llama.cpp's own kernels on a processor."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass, fields

from edgekit.hardware.backends import library_folder
from edgekit.hardware.kept import keep, machine_key, recall
from edgekit.hardware.machine import Memory, Processor

_NAME = "kernels"


@dataclass(frozen=True)
class Kernels:
    """How fast llama.cpp's own kernels are, by the type of the weights; `repacked` from their rearranged copies."""

    threads: int
    # Bytes of weights per second while one token is computed.
    decode: dict[str, float]
    decode_repacked: dict[str, float]
    # Multiply-adds per second while a prompt is read.
    prefill: dict[str, float]
    prefill_repacked: dict[str, float]
    # Multiply-adds per second of attention.
    attention_decode: float
    attention_prefill: float
    # Seconds that an operation takes which has next to nothing to do: all threads meet after each.
    step: float


def known_kernels(processor: Processor, memory: Memory) -> Kernels | None:
    """Return the rates kept for this machine and this build of llama.cpp, None before the first timing."""
    kept = recall(_NAME, _key(processor, memory))
    return Kernels(**kept) if isinstance(kept, dict) and set(kept) == {one.name for one in fields(Kernels)} else None


def measured_kernels(
    processor: Processor, memory: Memory, progress: Callable[[float, float], None] = lambda done, total: None
) -> Kernels | None:
    """Time the kernels with the threads that a plan takes, a few seconds, and keep the rates; None where it cannot."""
    from edgekit.hardware.kernels import time_kernels

    threads = min(processor.physical_cores, processor.usable_threads)
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
