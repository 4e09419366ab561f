"""Measured speeds: what `edgekit bench` found and keeps."""

from __future__ import annotations

from dataclasses import dataclass
from statistics import median
from typing import Any, Literal

Test = Literal["prefill", "decode"]


@dataclass(frozen=True)
class Sample:
    """Tokens per second of one test after `depth` tokens, a rate for each repetition."""

    test: Test
    depth: int
    tokens: int
    edgekit: tuple[float, ...]
    # The library beneath by itself, llama.cpp or onnxruntime, for as many tokens with the same cache.
    alone: tuple[float, ...]

    @property
    def ratio(self) -> float:
        """Return edgekit's middle rate as a share of the library's."""
        return median(self.edgekit) / median(self.alone)


@dataclass(frozen=True)
class Bench:
    """Every sample of one file with one set of settings on one machine."""

    machine: str
    file: str
    bytes: int
    digest: str
    # None where the file is no known variant.
    variant: str | None
    quantization: str | None
    # As Plan has them; threads as they were, not None.
    threads: int
    batch_threads: int
    ubatch: int
    repack: bool
    gpu_layers: int
    cache_type: str
    # ISO 8601, the day only.
    date: str
    samples: tuple[Sample, ...]
    # onnxruntime's name of what computed a folder of ONNX files; None for llama.cpp.
    provider: str | None = None

    def replaces(self, other: Bench) -> bool:
        """Return whether an older bench of the same says nothing more."""
        mine, theirs = ({**vars(one), "date": "", "samples": ()} for one in (self, other))
        return mine == theirs

    def rates(self, test: Test, depth: int) -> tuple[float, float] | None:
        """Return the slowest and the fastest rate at a depth: seconds per token grow evenly between two depths."""
        found = sorted((one for one in self.samples if one.test == test), key=lambda one: one.depth)
        if not found:
            return None
        below = max((one for one in found if one.depth <= depth), key=lambda one: one.depth, default=found[0])
        above = min((one for one in found if one.depth >= depth), key=lambda one: one.depth, default=found[-1])
        share = (depth - below.depth) / (above.depth - below.depth) if above.depth > below.depth else 0.0
        slow, fast = ((1 - share) / pick(below.edgekit) + share / pick(above.edgekit) for pick in (min, max))
        return 1 / slow, 1 / fast


@dataclass(frozen=True)
class Tuned:
    """The settings that were found best for one file on one machine."""

    machine: str
    bytes: int
    digest: str
    threads: int
    batch_threads: int
    ubatch: int
    repack: bool
    date: str

    def replaces(self, other: Tuned) -> bool:
        """Return whether the other is for the same file and machine."""
        return (self.machine, self.bytes, self.digest) == (other.machine, other.bytes, other.digest)


def bench_from(data: dict[str, Any]) -> Bench:
    """Return a bench as it was kept; TypeError or KeyError where it is something else."""
    samples = (
        Sample(**{**one, "edgekit": tuple(one["edgekit"]), "alone": tuple(one["alone"])}) for one in data["samples"]
    )
    return Bench(**{**data, "samples": tuple(samples)})
