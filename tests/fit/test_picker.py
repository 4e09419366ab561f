"""Picks: for every profile, by preference, modality and context, and what is said where nothing fits."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from edgekit.catalog.load import quantization_costs, variants
from edgekit.catalog.variant import ModelFile
from edgekit.errors import EdgekitError
from edgekit.fit.budget import budget
from edgekit.fit.estimate import Load, estimate
from edgekit.fit.needs import USEFUL_CONTEXT, Needs
from edgekit.fit.picker import nearest, pick, shorter
from edgekit.fit.reasons import reason
from edgekit.fit.settings import Settings
from edgekit.fit.split import split
from edgekit.hardware.machine import Accelerator, Memory
from edgekit.hardware.profile import profile_names, read_profile

GIB = 1 << 30

PICKS = [
    ("raspberry-pi-4-4gb", "E2B", "cpu"),
    ("raspberry-pi-4-8gb", "E2B", "cpu"),
    ("raspberry-pi-5-4gb", "E2B", "cpu"),
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
    ("desktop-rtx-4060-8gb", "26B-A4B", "partial"),
    ("desktop-rtx-4090-24gb", "31B", "gpu"),
    ("workstation-two-rtx-3090", "31B", "gpu"),
    ("server-a100-80gb", "31B", "gpu"),
]
NOTHING_FITS = ["raspberry-pi-4-2gb"]


@pytest.mark.parametrize(("profile", "variant", "placement"), PICKS)
def test_pick_for_a_profile(profile, variant, placement):
    found = pick(read_profile(profile))
    chosen = found.recommendation
    assert chosen
    assert (chosen.load.variant.name, chosen.placement) == (variant, placement)
    assert chosen.memory.total == chosen.memory.host + chosen.memory.gpu
    assert reason(chosen, found)


def test_every_profile_is_in_the_table():
    assert sorted([*NOTHING_FITS, *(profile for profile, _, _ in PICKS)]) == profile_names()


@pytest.mark.parametrize("profile", NOTHING_FITS)
def test_a_profile_too_small_for_all(profile):
    found = pick(read_profile(profile))
    assert found.recommendation is None
    assert min(one.shortfall for one in found.candidates) > 0


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
    said = reason(closest, found)
    assert f"Lacks {closest.shortfall / GIB:.1f} GiB even with a context of 2,048, the KV cache at Q8_0" in said
    assert "no repacked copy" in said
    assert "a machine with 3 GB would hold it" in said


def test_no_machine_of_the_size_at_hand_is_named_as_the_one_to_get():
    found = pick(read_profile("raspberry-pi-4-2gb"))
    closest = nearest(found)
    assert closest
    assert "a machine with 3 GB would hold it" in reason(closest, found)


def test_a_smaller_context_is_offered_when_it_would_fit():
    found = pick(read_profile("container-2gb"), Needs(context=131072))
    assert found.recommendation is None
    closest = nearest(found)
    assert closest
    smaller = shorter(closest, found)
    assert smaller
    assert smaller.fits
    assert smaller.settings.context < 131072
    assert f"a context of {smaller.settings.context:,} would fit" in reason(closest, found)


def test_a_quantized_cache_is_taken_where_it_makes_the_context_fit():
    machine = read_profile("desktop-rtx-4090-24gb")
    alone = replace(machine, memory=Memory(8 * GIB, 8 * GIB))
    found = pick(alone, Needs(context=65536))
    chosen = next(one for one in found.candidates if one.name == "gemma-4-31B-it:UD-Q4_K_XL")
    assert chosen.fits
    assert chosen.settings.cache_type_k == chosen.settings.cache_type_v == "Q8_0"
    full = replace(chosen.settings, cache_type_k="F16", cache_type_v="F16")
    assert estimate(chosen.load, full, machine.processor).gpu > chosen.limits.gpu
    assert "with the KV cache at Q8_0, which makes it fit" in reason(chosen, replace(found, recommendation=chosen))
    roomy = pick(replace(machine, accelerators=(_card(80),)), Needs(context=65536))
    assert {one.settings.cache_type_k for one in roomy.candidates if one.fits} == {"F16"}


def test_the_repacked_copy_is_left_out_where_it_does_not_fit():
    machine = read_profile("laptop-16gb")
    roomy, tight = (
        next(one for one in pick(replace(machine, memory=memory)).candidates if one.name == "gemma-4-E4B-it:UD-Q4_K_XL")
        for memory in (Memory(16 * GIB, 15 * GIB), Memory(5 * GIB, 5 * GIB))
    )
    assert roomy.settings.repack
    assert tight.fits
    assert not tight.settings.repack


def test_a_context_that_no_variant_has():
    with pytest.raises(EdgekitError, match=r"1,000,000,000 tokens: the largest is 262,144 \(12B, 26B-A4B, 31B\)"):
        pick(read_profile("laptop-16gb"), Needs(context=10**9))
    with pytest.raises(EdgekitError, match=r"for text and audio: the largest is 262,144 \(12B\)"):
        pick(read_profile("laptop-16gb"), Needs(context=300_000, modalities=("text", "audio")))


def test_a_context_that_some_variants_do_not_have():
    found = pick(read_profile("desktop-rtx-4090-24gb"), Needs(context=200_000))
    assert {one.load.variant.name for one in found.candidates} == {"12B", "26B-A4B", "31B"}
    assert "E4B ends at a context of 131,072 tokens." in found.notes


def test_the_context_is_the_largest_useful_one():
    on_card = pick(replace(read_profile("desktop-rtx-4090-24gb"), accelerators=(_card(80),)))
    four_bit = [one for one in on_card.candidates if "Q4" in one.name]
    assert {one.settings.context == one.load.variant.context for one in four_bit} == {True}
    on_processor = pick(read_profile("laptop-32gb")).recommendation
    assert on_processor
    assert on_processor.settings.context == USEFUL_CONTEXT


def _card(gigabytes: int, **facts: object) -> Accelerator:
    card = Accelerator("NVIDIA", "nvidia", gigabytes * GIB, gigabytes * GIB, usable=True, memory_bandwidth=1e12)
    return replace(card, **facts)


def test_two_cards_share_the_layers():
    machine = replace(read_profile("desktop-rtx-4090-24gb"), accelerators=(_card(24), _card(24)))
    found = pick(machine)
    chosen = found.recommendation
    assert chosen
    assert (chosen.load.variant.name, chosen.placement, chosen.settings.gpus) == ("31B", "gpu", 2)
    assert chosen.memory.gpu > budget(machine).gpu
    assert all(part <= limit for part, limit in zip(chosen.parts, chosen.limits.gpus, strict=True))
    assert "fits on 2 GPUs" in reason(chosen, found)
    assert chosen.plan(Path("model.gguf"), machine).gpus == 2


def test_each_card_costs_a_compute_buffer():
    load = Load(next(one for one in variants() if one.name == "31B"), ModelFile("Q4_0", ""))
    processor = read_profile("desktop-rtx-4090-24gb").processor
    one, two = (estimate(load, Settings(gpu_layers=61, gpus=count), processor) for count in (1, 2))
    assert two.gpu - one.gpu > sum(line.bytes for line in one.lines if line.what == "compute" and line.where == "gpu")
    equal = split(load, Settings(gpu_layers=61, gpus=2), two, (24 * GIB, 24 * GIB))
    assert sum(equal) == two.gpu
    assert equal[0] == pytest.approx(equal[1], rel=0.1)
    first, second = split(load, Settings(gpu_layers=61, gpus=2), two, (24 * GIB, 8 * GIB))
    assert first / second == pytest.approx(3, rel=0.3)


def test_the_small_variants_stay_on_one_card():
    # llama.cpp ends on them when it splits (ggml-org/llama.cpp issue 21730).
    machine = replace(read_profile("desktop-rtx-4090-24gb"), accelerators=(_card(4), _card(4)))
    for one in pick(machine).candidates:
        assert one.settings.gpus == 1 or not one.load.variant.shape.hidden_size_per_layer_input


def test_integrated_graphics_are_never_counted_beside_a_card_or_main_memory():
    machine = read_profile("desktop-rtx-4090-24gb")
    integrated = _card(32, shares_memory=True)
    beside = pick(replace(machine, accelerators=(_card(24), integrated))).recommendation
    alone = pick(replace(machine, accelerators=(_card(24),))).recommendation
    assert beside == alone
    memory = Memory(8 * GIB, 8 * GIB)
    unified = pick(replace(machine, memory=memory, accelerators=(_card(8, shares_memory=True),))).recommendation
    assert unified
    assert unified.memory.host_needed + unified.memory.gpu <= budget(replace(machine, memory=memory)).host


def test_a_plan_runs_what_was_picked():
    machine = read_profile("raspberry-pi-5-8gb")
    chosen = pick(machine).recommendation
    assert chosen
    plan = chosen.plan(Path("model.gguf"), machine, Path("mmproj.gguf"))
    assert (plan.model, plan.projector) == (Path("model.gguf"), Path("mmproj.gguf"))
    assert (plan.context, plan.batch, plan.ubatch) == (chosen.settings.context, 512, 512)
    assert (plan.threads, plan.repack, plan.gpu_layers, plan.flash_attention) == (4, chosen.settings.repack, 0, True)
