"""How fast: a range with its basis, from bandwidth and the bytes that one token really reads."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from edgekit.catalog.weights import weights
from edgekit.fit.estimate import Load
from edgekit.fit.kernel_time import decode_seconds, prefill_seconds
from edgekit.fit.measured import benches
from edgekit.fit.samples import Bench, Test
from edgekit.fit.settings import Settings
from edgekit.fit.work import cache_read, work
from edgekit.hardware.machine import Accelerator, Kernels, Machine, Processor

_GB = 1e9
# Tokens already in the cache when the speed is quoted.
DEPTH = 1024

# What decode and prefill come to, as a share of what the timed kernels promise: of E2B Q4_K_M on AVX-512, decode 0.85
# to 0.95 (a model's matrices are smaller than those timed), prefill 1.0 to 1.25 (its GELU is faster than tanh).
_KERNEL_SHARES = (0.82, 1.02)
_KERNEL_PREFILL_SHARES = (0.95, 1.3)
# Share of the bandwidth that llama.cpp's decode reaches where its kernels were not timed, by what the bandwidth is.
# Published decode speeds are what they are. Few cores are slowed by arithmetic: 2 with AVX-512 reached 0.38 to 0.5 of
# their measured read bandwidth (E2B Q4_K_M), full desktops more.
_SHARES = {"decode": (0.85, 1.1), "measured": (0.35, 0.85), "peak": (0.35, 0.75)}
_GPU_SHARES = (0.5, 0.85)
# Nobody measured: from a single slow channel to a good laptop.
_ASSUMED = (10 * _GB, 50 * _GB)
_ASSUMED_GPU = (100 * _GB, 600 * _GB)

# Operations per second and core in llama.cpp's prefill, from E2B Q4_K_M: 80 to 154 tokens/s on 2 cores with AVX-512
# VNNI (measured), 28 tokens/s on the 4 Cortex-A76 of a Raspberry Pi 5 (potato-os/core). Other processors: not known.
_PREFILL = {"avx512_vnni": (145e9, 290e9), "dotprod": (20e9, 32e9)}


@dataclass(frozen=True)
class Speed:
    """Tokens per second, between two ends, and where the range comes from."""

    low: float
    high: float
    basis: str

    @property
    def middle(self) -> float:
        """Return the geometric mean: what choices are made by."""
        return float((self.low * self.high) ** 0.5)


def decode_speed(
    load: Load, settings: Settings, machine: Machine, accelerator: Accelerator | None, depth: int = DEPTH
) -> Speed:
    """Return the decode speed after `depth` tokens: as measured for this very quantization, else as predicted."""
    kept = _measured("decode", load, settings, machine, depth)
    return kept or predicted_decode(load, settings, machine, accelerator, depth)


def predicted_decode(
    load: Load, settings: Settings, machine: Machine, accelerator: Accelerator | None, depth: int
) -> Speed:
    """Return the decode speed that follows from what one token reads."""
    host, gpu = _read(load, settings, depth)
    slow, fast, basis = _host_seconds(load, settings, machine, depth, host) if host else (0.0, 0.0, "")
    gpu_low, gpu_high, gpu_basis = _gpu_bandwidth(machine, accelerator) if gpu else (1.0, 1.0, "")
    read = f"{(host + gpu) / _GB:.2f} GB read per token"
    sources = "; ".join(part for part in (basis, gpu_basis) if part)
    return Speed(1 / (slow + gpu / gpu_low), 1 / (fast + gpu / gpu_high), f"{read}; {sources}")


def prefill_speed(load: Load, settings: Settings, machine: Machine, depth: int = 0) -> Speed | None:
    """Return how fast a prompt is read after `depth` tokens, as measured or as predicted; None where neither can be."""
    kept = _measured("prefill", load, settings, machine, depth)
    return kept or predicted_prefill(load, settings, machine, depth)


def predicted_prefill(load: Load, settings: Settings, machine: Machine, depth: int) -> Speed | None:
    """Return the speed that follows from a token's operations; None on GPUs and where nothing alike was measured."""
    if settings.gpu_layers:
        return None
    if machine.kernels:
        # Half of a batch stands before each of its tokens.
        token = work(load, settings, depth + settings.ubatch / 2)
        middle = 1 / prefill_seconds(token, machine.kernels, repack=settings.repack)
        low, high = (middle * share for share in _KERNEL_PREFILL_SHARES)
        return Speed(low, high, _kernels_basis(machine.kernels))
    return _prefill_by_feature(load, machine.processor)


def _measured(test: Test, load: Load, settings: Settings, machine: Machine, depth: int) -> Speed | None:
    """Return what `edgekit bench` measured last on this machine for this variant, quantization and placement."""
    wanted = (load.variant.name, load.file.quantization, settings.repack, settings.gpu_layers, settings.cache_type_k)

    def is_wanted(bench: Bench) -> bool:
        return (bench.variant, bench.quantization, bench.repack, bench.gpu_layers, bench.cache_type) == wanted

    return measured_speed(test, machine, depth, is_wanted)


def measured_speed(test: Test, machine: Machine, depth: int, is_wanted: Callable[[Bench], bool]) -> Speed | None:
    """Return what the last bench of this machine that is wanted says of a depth; None where there is none."""
    for bench in reversed(benches(machine)):
        if is_wanted(bench) and (rates := bench.rates(test, depth)):
            return Speed(*rates, f"measured with edgekit bench on {bench.date}")
    return None


def _prefill_by_feature(load: Load, processor: Processor) -> Speed | None:
    feature = next((name for name in _PREFILL if name in processor.features), None)
    if feature is None:
        return None
    operations = 2 * weights(load.variant.shape, load.file).parameters_read
    cores = min(processor.physical_cores, processor.usable_threads)
    low, high = (cores * rate / operations for rate in _PREFILL[feature])
    return Speed(low, high, f"{operations / 1e9:.1f} billion operations per token on {cores} cores with {feature}")


def _read(load: Load, settings: Settings, depth: int) -> tuple[float, float]:
    """Return the bytes that one token reads from the host and from the accelerator."""
    shape, parts = load.variant.shape, weights(load.variant.shape, load.file)
    cache = cache_read(shape, settings, min(depth, settings.context))
    layers = [part + kept for part, kept in zip(parts.layers_read, cache, strict=True)]
    output = parts.token_embeddings + parts.other
    if not settings.gpu_layers:
        return sum(layers) + output, 0.0
    # The output matrix goes to the accelerator first, then the layers from the last one down.
    first = max(0, shape.num_hidden_layers + 1 - settings.gpu_layers)
    return sum(layers[:first]), sum(layers[first:]) + output


def _host_seconds(
    load: Load, settings: Settings, machine: Machine, depth: int, size: float
) -> tuple[float, float, str]:
    """Return the most and the least seconds that the processor takes for its `size` bytes of a token."""
    if machine.kernels is None:
        low, high, basis = _host_bandwidth(machine)
        return size / low, size / high, basis
    token = work(load, settings, min(depth, settings.context))
    seconds = decode_seconds(token, machine.kernels, repack=settings.repack) * size / token.bytes
    low, high = _KERNEL_SHARES
    return seconds / low, seconds / high, _kernels_basis(machine.kernels)


def _kernels_basis(kernels: Kernels) -> str:
    threads = "1 thread" if kernels.threads == 1 else f"{kernels.threads} threads"
    return f"llama.cpp's own kernels as timed here with {threads}"


def _host_bandwidth(machine: Machine) -> tuple[float, float, str]:
    if machine.memory_bandwidth is None or machine.bandwidth_basis is None:
        low, high = _ASSUMED
        return low, high, f"memory bandwidth not measured, assumed {low / _GB:.0f} to {high / _GB:.0f} GB/s"
    low, high = _SHARES[machine.bandwidth_basis]
    known = machine.memory_bandwidth
    what = {"decode": "from published decode speeds", "measured": "measured", "peak": "peak"}[machine.bandwidth_basis]
    return known * low, known * high, f"{known / _GB:.1f} GB/s of memory, {what}, used at {low:.0%} to {high:.0%}"


def _gpu_bandwidth(machine: Machine, accelerator: Accelerator | None) -> tuple[float, float, str]:
    known = accelerator.memory_bandwidth if accelerator else None
    if known is None and accelerator and accelerator.shares_memory:
        return _host_bandwidth(machine)
    if known is None:
        low, high = _ASSUMED_GPU
        return low, high, f"GPU bandwidth not known, assumed {low / _GB:.0f} to {high / _GB:.0f} GB/s"
    low, high = _GPU_SHARES
    return known * low, known * high, f"{known / _GB:.0f} GB/s of GPU memory, peak, used at {low:.0%} to {high:.0%}"
