"""Instruction sets that llama.cpp uses, by the names that each system has for them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

# Linux's name of a flag: llama.cpp's.
_LINUX = {
    "avx": "avx",
    "avx2": "avx2",
    "f16c": "f16c",
    "fma": "fma",
    "avx_vnni": "avx_vnni",
    "avx512f": "avx512",
    "avx512vbmi": "avx512_vbmi",
    "avx512_vnni": "avx512_vnni",
    "avx512_bf16": "avx512_bf16",
    "amx_int8": "amx_int8",
    "asimd": "neon",
    "asimdhp": "fp16",
    "asimddp": "dotprod",
    "i8mm": "i8mm",
    "bf16": "bf16",
    "sve": "sve",
    "sve2": "sve2",
    "sme": "sme",
    "v": "rvv",
}
# macOS's below hw.optional: Arm's from macOS 12 on, then Intel's.
_MACOS = {
    "arm.FEAT_FP16": "fp16",
    "arm.FEAT_DotProd": "dotprod",
    "arm.FEAT_I8MM": "i8mm",
    "arm.FEAT_BF16": "bf16",
    "arm.FEAT_SME": "sme",
    "avx1_0": "avx",
    "avx2_0": "avx2",
    "f16c": "f16c",
    "fma": "fma",
    "avx512f": "avx512",
}
# Windows's PF_* numbers (winnt.h); every processor with AVX2 that Windows runs on has the two that it does not tell.
_WINDOWS = {39: ("avx",), 40: ("avx2", "f16c", "fma"), 41: ("avx512",), 43: ("dotprod",)}


def of_linux(flags: Iterable[str]) -> tuple[str, ...]:
    """Return the sets that the words of a line in /proc/cpuinfo stand for."""
    return _sorted(_LINUX[word] for word in flags if word in _LINUX)


def of_macos(told: Mapping[str, str], architecture: str) -> tuple[str, ...]:
    """Return the sets that `sysctl` tells."""
    found = [name for key, name in _MACOS.items() if told.get(f"hw.optional.{key}") == "1"]
    # macOS 11 does not tell the second, which every Apple processor has.
    return _sorted([*found, "neon", "dotprod"] if architecture == "aarch64" else found)


def of_windows(present: Iterable[int], architecture: str) -> tuple[str, ...]:
    """Return the sets that IsProcessorFeaturePresent tells."""
    found = [name for number in present for name in _WINDOWS.get(number, ())]
    return _sorted([*found, "neon"] if architecture == "aarch64" else found)


def _sorted(names: Iterable[str]) -> tuple[str, ...]:
    return tuple(sorted(set(names)))
