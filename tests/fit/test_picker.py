"""Picks: for every profile, by the published table, and what must hold on any machine."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edgekit.catalog.load import quantization_costs, variants
from edgekit.fit.budget import budget
from edgekit.fit.guide import advice
from edgekit.fit.needs import Needs
from edgekit.fit.picker import Pick, nearest, pick
from edgekit.fit.reasons import reason
from edgekit.hardware.machine import Accelerator, Machine, Memory, Processor
from edgekit.hardware.profile import profile_names, read_profile

GIB = 1 << 30

PICKS = [
    ("raspberry-pi-4-4gb", "E2B", "cpu"),
    ("raspberry-pi-5-8gb", "E2B", "cpu"),
    ("raspberry-pi-5-16gb", "E2B", "cpu"),
    ("jetson-orin-nano-8gb", "E4B", "gpu"),
    ("container-2gb", "E2B", "cpu"),
    ("laptop-8gb", "E4B", "cpu"),
    ("laptop-16gb", "E4B", "cpu"),
    ("laptop-32gb", "26B-A4B", "cpu"),
    ("apple-m1-8gb", "E4B", "gpu"),
    ("apple-m3-max-64gb", "26B-A4B", "gpu"),
    ("desktop-rtx-3060-12gb", "26B-A4B", "partial"),
    ("desktop-rtx-4090-24gb", "31B", "gpu"),
]


@pytest.mark.parametrize(("profile", "variant", "placement"), PICKS)
def test_pick_for_a_profile(profile, variant, placement):
    found = pick(read_profile(profile))
    chosen = found.recommendation
    assert chosen
    assert (chosen.load.variant.name, chosen.placement) == (variant, placement)
    assert chosen.memory.total == chosen.memory.host + chosen.memory.gpu
    assert reason(chosen, found)


def test_every_profile_is_in_the_table():
    assert sorted(profile for profile, _, _ in PICKS) == profile_names()


@pytest.mark.parametrize(
    ("profile", "prefer", "variant"),
    [
        ("raspberry-pi-5-8gb", "quality", "E4B"),
        ("raspberry-pi-5-8gb", "speed", "E2B"),
        ("laptop-16gb", "speed", "E2B"),
        ("apple-m3-max-64gb", "quality", "31B"),
    ],
)
def test_preference_moves_the_choice(profile, prefer, variant):
    chosen = pick(read_profile(profile), Needs(prefer=prefer)).recommendation
    assert chosen
    assert chosen.load.variant.name == variant


def test_sound_asks_for_ears_and_for_fine_weights():
    found = pick(read_profile("laptop-32gb"), Needs(modalities=("text", "audio")))
    assert {one.load.variant.name for one in found.candidates} == {"E2B", "E4B", "12B"}
    assert {one.load.projector.quantization for one in found.candidates if one.load.projector} == {"F16"}
    costs = quantization_costs()
    for one in found.candidates:
        name = costs.standard_name(one.load.file.quantization)
        assert costs.increase[name] <= costs.increase["Q5_K_M"]
    assert any("26B-A4B has no audio" in note for note in found.notes)


def test_a_variants_own_caution_comes_with_it():
    machine = read_profile("apple-m3-max-64gb")
    found = pick(machine, Needs(modalities=("text", "audio"), prefer="quality"))
    assert found.recommendation
    assert found.recommendation.load.variant.name == "12B"
    assert any("short clips" in note for note in found.notes)
    assert not any("short clips" in note for note in pick(machine).notes)


def test_pictures_add_a_projector_and_a_large_enough_batch():
    found = pick(read_profile("laptop-32gb"), Needs(modalities=("text", "image")))
    for one in found.candidates:
        assert {"projector", "projector_compute"} <= {line.what for line in one.memory.lines}
        assert one.settings.ubatch == (512 if one.load.variant.causal_images else 1120)
        assert one.settings.batch == one.settings.ubatch


def test_an_asked_context_is_kept():
    found = pick(read_profile("laptop-32gb"), Needs(context=100_000))
    assert {one.settings.context for one in found.candidates} == {100_000}


def test_quantization_aware_files_are_used_at_q4_0_only():
    costs = quantization_costs()
    for variant in variants():
        for file in variant.files:
            assert not file.quantization_aware or costs.standard_name(file.quantization) == "Q4_0"


def test_when_nothing_fits_it_says_by_how_much():
    machine = replace(read_profile("container-2gb"), memory=Memory(GIB, GIB // 2))
    found = pick(machine)
    assert found.recommendation is None
    closest = nearest(found)
    assert closest
    assert closest.shortfall > 0
    assert "Lacks" in reason(closest, found)
    assert "GiB of memory would hold it" in reason(closest, found)


def test_a_smaller_context_is_offered_when_it_would_fit():
    found = pick(read_profile("container-2gb"), Needs(context=131072))
    assert found.recommendation is None
    closest = nearest(found)
    assert closest
    assert closest.fits
    assert closest.settings.context < 131072


def test_a_plan_runs_what_was_picked():
    machine = read_profile("raspberry-pi-5-8gb")
    chosen = pick(machine).recommendation
    assert chosen
    plan = chosen.plan(Path("model.gguf"), machine, Path("mmproj.gguf"))
    assert (plan.model, plan.projector) == (Path("model.gguf"), Path("mmproj.gguf"))
    assert (plan.context, plan.batch, plan.ubatch) == (chosen.settings.context, 512, 512)
    assert (plan.threads, plan.repack, plan.gpu_layers, plan.flash_attention) == (4, chosen.settings.repack, 0, True)


@pytest.mark.parametrize(
    ("gigabytes", "variant", "quantization"),
    [
        (2, "E2B", "4-bit"),
        (4, "E2B", "4-bit"),
        (5, "E4B", "4-bit"),
        (8, "E4B", "4-bit"),
        (12, None, None),
        (15, "E4B", "BF16"),
        (16, "E4B", "BF16"),
        (20, "E4B", "BF16"),
        (22, None, None),
        (24, "31B", "4-bit"),
        (32, "31B", "4-bit"),
        (40, None, None),
        (48, "31B", "BF16"),
        (80, "31B", "BF16"),
        (96, None, None),
    ],
)
def test_the_published_table(gigabytes, variant, quantization):
    gpu = Accelerator("GPU", "nvidia", gigabytes * GIB, gigabytes * GIB, usable=True)
    machine = replace(read_profile("desktop-rtx-4090-24gb"), accelerators=(gpu,))
    said = advice(machine)
    assert (said.variant, said.quantization) == (variant, quantization)
    found = pick(machine, by_guide=True)
    chosen = found.recommendation
    assert (chosen and chosen.load.variant.name) == variant
    if chosen:
        assert chosen.load.file.quantization == "BF16" or quantization == "4-bit"
        assert "published table" in reason(chosen, found)
    else:
        assert "says nothing" in said.sentence


def _machine(gib: float, gpu_gib: float, bandwidth: float, shares: bool) -> Machine:
    size = int(gib * GIB)
    gpu = int((min(gpu_gib, gib) if shares else gpu_gib) * GIB)
    accelerator = Accelerator("GPU", "nvidia", gpu, gpu, shares, usable=True, memory_bandwidth=10 * bandwidth)
    processor = Processor("any", "x86_64", 8, 8, ("avx2",))
    return Machine("any", Memory(size, size), processor, (accelerator,) if gpu else (), None, None, bandwidth, "peak")


def _value(found: Pick) -> tuple[bool, bool, bool, float]:
    chosen = found.recommendation
    return chosen.rank(found.needs)[:4] if chosen else (False, False, False, 0.0)


machines = st.tuples(
    st.floats(0.5, 128), st.sampled_from([0.0, 4.0, 8.0, 12.0, 24.0, 80.0]), st.floats(2e9, 400e9), st.booleans()
)
needs = st.builds(
    Needs,
    context=st.sampled_from([None, 2048, 8192, 65536]),
    modalities=st.sampled_from([("text",), ("text", "image"), ("text", "audio")]),
    prefer=st.sampled_from(["quality", "balanced", "speed"]),
)


@settings(max_examples=40, deadline=None)
@given(machines, st.floats(1, 4), needs)
def test_more_memory_never_gives_a_worse_pick(described, factor, wanted):
    gib, gpu_gib, bandwidth, shares = described
    less = pick(_machine(gib, gpu_gib, bandwidth, shares), wanted)
    more = pick(_machine(gib * factor, gpu_gib * factor, bandwidth, shares), wanted)
    assert _value(more) >= _value(less)


@settings(max_examples=40, deadline=None)
@given(machines, needs)
def test_no_plan_exceeds_its_budget(described, wanted):
    machine = _machine(*described)
    limits = budget(machine)
    found = pick(machine, wanted)
    for one in found.candidates:
        host = one.memory.host_needed + (one.memory.gpu if described[3] and described[1] else 0)
        within = host <= limits.host and one.memory.gpu <= limits.gpu
        assert one.fits == within
    chosen = found.recommendation
    assert chosen is None or (chosen.fits and limits.host < machine.memory.available)
