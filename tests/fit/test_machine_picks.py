"""Every machine that was captured or written down, the pick for it, and why somebody who knows would agree."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from hardware.machines import MACHINES

from edgekit.fit.budget import budget
from edgekit.fit.needs import Needs
from edgekit.fit.picker import Pick, nearest, pick
from edgekit.fit.reasons import reason
from edgekit.hardware.machine import Machine

GIB = 1 << 30

# Machine: what a read test of its memory gives, in GB/s (typical, not captured; None where it is published), the pick
# and where it runs, and the judgement.
PICKS: dict[str, tuple[float | None, str | None, str, str]] = {
    "raspberry-pi-4-2gb": (
        None,
        None,
        "",
        "E2B lacks a little even bare; a sentence, not swap on an SD card",
    ),
    "raspberry-pi-4-32bit": (None, "E2B:UD-Q4_K_XL", "cpu", "as the 64-bit one; slow, and said to be"),
    "raspberry-pi-4-4gb": (None, "E2B:UD-Q4_K_XL", "cpu", "1.7 tokens/s is what it does; nothing larger helps"),
    "raspberry-pi-4-8gb": (None, "E2B:UD-Q4_K_XL", "cpu", "E4B fits and would run at 0.9 tokens/s"),
    "raspberry-pi-5-4gb": (None, "E2B:UD-Q4_K_XL", "cpu", "7 tokens/s; E4B would take all memory for half the speed"),
    "raspberry-pi-5-8gb": (None, "E2B:UD-Q4_K_XL", "cpu", "7 tokens/s; E4B at 3 is for `--prefer quality`"),
    "raspberry-pi-5-16gb": (
        None,
        "E2B:UD-Q4_K_XL",
        "cpu",
        "26B-A4B fits; 4 tokens/s are slower than one reads",
    ),
    "orange-pi-5-16gb": (None, "26B-A4B:UD-Q3_K_M", "cpu", "three times a Pi 5's memory speed: the MoE keeps up"),
    "risc-v-board-16gb": (7, "E2B:UD-Q4_K_XL", "cpu", "much memory, but so slow that only the smallest is of use"),
    "jetson-orin-nano-8gb": (None, "E4B:Q5_K_M", "gpu", "fits in unified memory, counted once, and leaves a GiB"),
    "android-termux-12gb": (25, "E4B:UD-Q4_K_XL", "cpu", "Android keeps more than half of the 12 GB"),
    "apple-m1-8gb": (None, "E2B:UD-Q4_K_XL", "gpu", "3 GiB are free: macOS and programs have the rest"),
    "apple-m3-max-64gb": (None, "26B-A4B:UD-Q6_K", "gpu", "31B would be five times slower for two points"),
    "apple-m4-pro-24gb-raised": (None, "26B-A4B:UD-Q4_K_XL", "gpu", "just fits, at 60 tokens/s"),
    "amd-apu": (40, "E4B:Q5_K_M", "gpu", "12B at 3 tokens/s is too slow; graphics read the prompt"),
    "intel-laptop": (35, "E4B:Q5_K_M", "cpu", "5 GiB free hold it, and 7 tokens/s are enough"),
    "intel-hybrid-laptop-16gb": (60, "E4B:Q5_K_M", "gpu", "12B at 5 tokens/s is at the edge of too slow"),
    "cloud-vm-epyc-24gb": (65, "26B-A4B:UD-Q4_K_XL", "cpu", "the MoE is what a machine without a GPU is good for"),
    "unlimited-v1": (30, "E4B:UD-Q4_K_XL", "cpu", "a limit that is none changes nothing"),
    "container-v1": (30, "E2B:UD-Q4_K_XL", "cpu", "2 GiB left by the limit: E2B with its table on the disk"),
    "container-v2-namespace": (30, "E4B:UD-Q4_K_XL", "cpu", "4 GB hold E4B, whose table stays on the disk"),
    "container-2gb-nested": (30, "E2B:UD-Q4_K_XL", "cpu", "by the inner limit, with a short context"),
    "container-2gb-nested-v1": (30, "E2B:UD-Q4_K_XL", "cpu", "the same by the older interface"),
    "wsl2": (40, "E4B:Q5_K_M", "cpu", "the GPU is not passed through"),
    "wsl2-rtx-4070-laptop": (40, "12B:UD-Q4_K_XL", "partial", "nearly all of 12B on the card, the rest beside it"),
    "desktop-rtx-3060-12gb": (
        40,
        "26B-A4B:UD-Q4_K_XL",
        "partial",
        "most layers on the card, few experts read off it",
    ),
    "desktop-rtx-4060-8gb": (40, "26B-A4B:UD-Q4_K_XL", "partial", "half on the card; 16 GB of memory hold the rest"),
    "windows-desktop-rtx-4060-ti": (50, "26B-A4B:UD-Q4_K_XL", "partial", "as above, with memory to spare"),
    "windows-desktop-rx-7600": (
        50,
        "26B-A4B:UD-Q4_K_XL",
        "partial",
        "the card counts, the graphics beside it do not",
    ),
    "desktop-arc-a770-16gb": (45, "26B-A4B:UD-Q4_K_XL", "gpu", "all of it on the card"),
    "desktop-rtx-4090-24gb": (60, "31B:Q4_K_M", "gpu", "the best variant, wholly on the card, with 32k of context"),
    "radeon-rx-7900-xtx": (60, "26B-A4B:UD-Q5_K_M", "gpu", "its bandwidth is not known: 31B might be slow"),
    "nvidia-driver-only": (60, "26B-A4B:UD-Q4_K_XL", "cpu", "a card of unknown memory is not counted on"),
    "server-a100-80gb": (150, "31B:Q8_0", "gpu", "BF16 would halve the speed for nothing"),
    "workstation-two-rtx-3090": (60, "31B:Q5_K_M", "gpu", "over both cards, fast enough to read along"),
}


@pytest.fixture
def described(tmp_path: Path):
    def machine(name: str) -> Machine:
        found, bandwidth = MACHINES[name](tmp_path), PICKS[name][0]
        if bandwidth is None:
            return found
        return replace(found, memory_bandwidth=bandwidth * 1e9, bandwidth_basis="measured")

    return machine


def named(found: Pick) -> str | None:
    chosen = found.recommendation
    return chosen and f"{chosen.load.variant.name}:{chosen.load.file.quantization}"


def test_every_machine_is_judged():
    assert set(PICKS) == set(MACHINES)
    assert len(PICKS) >= 20


@pytest.mark.parametrize("name", PICKS)
def test_the_pick_for_a_machine(described, name):
    machine = described(name)
    _, wanted, placement, why = PICKS[name]
    found = pick(machine)
    assert named(found) == wanted, why
    chosen = found.recommendation
    if chosen is None:
        closest = nearest(found)
        assert closest
        assert "would hold it" in reason(closest, found)
        return
    assert chosen.placement == placement, why
    assert "fits" in reason(chosen, found)
    assert f"context {chosen.settings.context:,}" in reason(chosen, found)
    shared = chosen.memory.gpu if chosen.limits.unified else 0
    assert chosen.memory.host_needed + shared <= budget(machine).host < machine.memory.available
    for part, card in zip(chosen.parts, chosen.limits.accelerators, strict=True):
        assert part < card.memory_free


@pytest.mark.parametrize("name", PICKS)
def test_a_preference_never_works_against_itself(described, name):
    machine = described(name)
    quality, balanced, speed = (pick(machine, Needs(prefer=one)).recommendation for one in _PREFERENCES)
    if not (quality and balanced and speed):
        return
    assert speed.decode.middle >= balanced.decode.middle >= quality.decode.middle
    assert quality.quality >= balanced.quality >= speed.quality


_PREFERENCES = ("quality", "balanced", "speed")
