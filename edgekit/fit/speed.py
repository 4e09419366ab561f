"""How fast: a range with its basis, from bandwidth and the bytes that one token really reads."""

from __future__ import annotations

from dataclasses import dataclass

from edgekit.catalog.variant import Shape
from edgekit.catalog.weights import weights
from edgekit.fit.estimate import Load
from edgekit.fit.kv_cache import kv_cache
from edgekit.fit.settings import Settings
from edgekit.hardware.machine import Accelerator, Machine, Processor

_GB = 1e9
# Tokens already in the cache when the speed is quoted.
DEPTH = 1024

# Share of the bandwidth that llama.cpp's decode reaches, by what the bandwidth is. Published decode speeds are what
# they are; 2 cores with AVX-512 reached 0.38 to 0.5 of their measured read bandwidth (E2B Q4_K_M), full desktops more.
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


def decode_speed(load: Load, settings: Settings, machine: Machine, accelerator: Accelerator | None) -> Speed:
    """Return the decode speed after `DEPTH` tokens."""
    host, gpu = _read(load, settings)
    host_low, host_high, basis = _host_bandwidth(machine)
    gpu_low, gpu_high, gpu_basis = _gpu_bandwidth(machine, accelerator) if gpu else (1.0, 1.0, "")
    read = f"{(host + gpu) / _GB:.2f} GB read per token"
    sources = "; ".join(part for part in (basis if host else "", gpu_basis) if part)
    return Speed(1 / (host / host_low + gpu / gpu_low), 1 / (host / host_high + gpu / gpu_high), f"{read}; {sources}")


def prefill_speed(load: Load, settings: Settings, processor: Processor) -> Speed | None:
    """Return how fast a prompt is read on the processor; None where nothing comparable was measured."""
    feature = next((name for name in _PREFILL if name in processor.features), None)
    if feature is None or settings.gpu_layers:
        return None
    operations = 2 * weights(load.variant.shape, load.file).parameters_read
    cores = min(processor.physical_cores, processor.usable_threads)
    low, high = (cores * rate / operations for rate in _PREFILL[feature])
    return Speed(low, high, f"{operations / 1e9:.1f} billion operations per token on {cores} cores with {feature}")


def _read(load: Load, settings: Settings) -> tuple[float, float]:
    """Return the bytes that one token reads from the host and from the accelerator."""
    shape, parts = load.variant.shape, weights(load.variant.shape, load.file)
    first = shape.num_hidden_layers - settings.gpu_layers
    cache = _cache_read(shape, settings)
    layers = [part + kept for part, kept in zip(parts.layers_read, cache, strict=True)]
    output = parts.token_embeddings + parts.other
    host = sum(layers[: max(first, 0)]) + (output if first >= 0 else 0)
    return host, sum(layers[max(first, 0) :]) + (0 if first >= 0 else output)


def _cache_read(shape: Shape, settings: Settings) -> list[float]:
    cache = kv_cache(shape, settings)
    depth = min(DEPTH, settings.context)
    shares = (
        min(depth, shape.sliding_window) / cache.sliding_cells if shape.is_sliding(layer) else depth / cache.full_cells
        for layer in range(shape.num_hidden_layers)
    )
    return [size * share for size, share in zip(cache.layers, shares, strict=True)]


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
