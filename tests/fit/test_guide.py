"""The published "Pick a Model" table, row by row, and where it is silent."""

from __future__ import annotations

from dataclasses import replace

import pytest

from edgekit.fit.guide import advice
from edgekit.fit.needs import Needs
from edgekit.fit.picker import pick
from edgekit.fit.reasons import reason
from edgekit.hardware.machine import Accelerator, Machine
from edgekit.hardware.profile import read_profile

GIB = 1 << 30

# The rows as they were published (a Gemma 4 reference card, "Pick a Model"), then the sizes they mean.
PUBLISHED = {
    "< 5 GB": ("E2B", "4-bit", (2, 3, 4)),
    "5–8 GB": ("E4B", "4-bit", (5, 6, 7, 8)),
    "15–20 GB": ("E4B", "BF16", (15, 16, 20)),
    "24–32 GB": ("31B", "4-bit", (24, 32)),
    "48–80 GB": ("31B", "BF16", (48, 64, 80)),
}
ROWS = [
    (row, size, variant, quantization) for row, (variant, quantization, sizes) in PUBLISHED.items() for size in sizes
]


def with_gpus(*gigabytes: int, shares: bool = False) -> Machine:
    gpus = tuple(Accelerator("GPU", "nvidia", size * GIB, size * GIB, shares, usable=True) for size in gigabytes)
    return replace(read_profile("desktop-rtx-4090-24gb"), accelerators=gpus)


@pytest.mark.parametrize(("row", "gigabytes", "variant", "quantization"), ROWS)
def test_every_row(row, gigabytes, variant, quantization):
    found = pick(with_gpus(gigabytes), by_guide=True)
    assert (found.guide.variant, found.guide.quantization) == (variant, quantization), row
    chosen = found.recommendation
    assert chosen
    assert chosen.load.variant.name == variant
    named = chosen.load.file.quantization
    assert named == "BF16" if quantization == "BF16" else "Q4" in named
    assert f"says {variant} ({quantization}) for {gigabytes} GB. By edgekit's estimate it" in reason(chosen, found)


@pytest.mark.parametrize("gigabytes", [9, 10, 12, 14, 21, 22, 40, 96])
def test_where_it_is_silent(gigabytes):
    found = pick(with_gpus(gigabytes), by_guide=True)
    assert found.recommendation is None
    assert found.guide.variant is None
    assert f"says nothing about {gigabytes} GB; for throughput it names 26B-A4B" in found.guide.sentence


@pytest.mark.parametrize("gigabytes", [4, 24])
def test_high_throughput_is_a_row_of_its_own(gigabytes):
    found = pick(with_gpus(gigabytes), Needs(prefer="speed"), by_guide=True)
    chosen = found.recommendation
    assert chosen
    assert chosen.load.variant.name == "26B-A4B"
    assert "names no memory and no quantization" in reason(chosen, found)


def test_several_cards_count_together_and_shared_memory_counts_once():
    assert advice(with_gpus(24, 24)).memory_gb == 48
    assert advice(with_gpus(8, shares=True)).memory_gb == 8


def test_without_a_graphics_card_it_says_what_it_took():
    said = advice(replace(with_gpus(8), accelerators=()))
    assert said.memory_gb == 63
    assert "it means graphics memory; this is main memory" in said.sentence


def test_what_it_names_is_judged():
    assert "does not fit. Lacks" in reason_for(with_gpus(48), memory=8)
    assert "it fits, at about" in reason_for(with_gpus(8), memory=64)


def reason_for(machine: Machine, memory: int) -> str:
    small = replace(machine, memory=replace(machine.memory, total=memory * GIB, available=memory * GIB))
    found = pick(small, by_guide=True)
    assert found.recommendation
    return reason(found.recommendation, found)


def test_what_it_names_may_lack_ears():
    found = pick(with_gpus(24), Needs(modalities=("text", "audio")), by_guide=True)
    assert found.recommendation is None
    assert found.guide.variant == "31B"
    assert "31B has no audio input." in found.notes
