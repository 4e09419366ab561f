"""What must hold on any machine: more memory is never worse, no plan exceeds its budget, remedies are true."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st

from edgekit.fit.needs import Needs
from edgekit.fit.picker import Pick, pick, shorter
from edgekit.fit.placement import best_candidate
from edgekit.fit.reasons import enough_memory, reported
from edgekit.hardware.machine import Accelerator, Machine, Memory, Processor

GIB = 1 << 30

gpus = st.tuples(st.sampled_from([2.0, 4.0, 8.0, 12.0, 24.0, 80.0]), st.floats(100e9, 2000e9))


@st.composite
def machines(draw):
    """A machine with cores, bandwidth and up to three cards or one GPU in main memory."""
    total = int(draw(st.floats(0.5, 128)) * GIB)
    cards = draw(st.lists(gpus, max_size=3))
    shares = len(cards) == 1 and draw(st.booleans())
    accelerators = tuple(
        Accelerator("GPU", "nvidia", int(size * GIB), int(size * GIB), shares, usable=True, memory_bandwidth=speed)
        for size, speed in cards
    )
    if shares:
        size = min(accelerators[0].memory_total, total)
        accelerators = (replace(accelerators[0], memory_total=size, memory_free=size),)
    cores = draw(st.integers(1, 64))
    features = draw(st.sampled_from([(), ("avx2",), ("avx2", "avx512_vnni"), ("neon", "dotprod")]))
    processor = Processor("any", "x86_64", cores, cores, features)
    bandwidth = draw(st.one_of(st.none(), st.floats(2e9, 400e9)))
    basis = "measured" if bandwidth else None
    available = int(total * draw(st.floats(0.5, 1)))
    return Machine("any", Memory(total, available), processor, accelerators, None, None, bandwidth, basis)


needs = st.builds(
    Needs,
    context=st.sampled_from([None, None, 2048, 8192, 65536, 200_000]),
    modalities=st.sampled_from([("text",), ("text", "image"), ("text", "audio")]),
    prefer=st.sampled_from(["quality", "balanced", "speed"]),
)


def enlarged(machine: Machine, factor: float) -> Machine:
    """The same machine with more of every memory."""
    memory = machine.memory
    larger = Memory(int(memory.total * factor), int(memory.available * factor))
    cards = tuple(
        replace(one, memory_total=int(one.memory_total * factor), memory_free=int(one.memory_free * factor))
        for one in machine.accelerators
    )
    return replace(machine, memory=larger, accelerators=cards)


def worth(found: Pick) -> tuple[object, ...]:
    """What a pick is worth: does it fit, is it fast enough, is the context enough, and the value of the rest."""
    chosen = found.recommendation
    if chosen is None:
        return (False, False, False, 0.0)
    *flags, value = chosen.rank(found.needs)[:4]
    return (*flags, round(value, 6))


@settings(max_examples=60, deadline=None)
@given(machines(), st.floats(1, 4), needs)
def test_more_memory_never_gives_a_worse_pick(machine, factor, wanted):
    assert worth(pick(enlarged(machine, factor), wanted)) >= worth(pick(machine, wanted))


@settings(max_examples=60, deadline=None)
@given(machines(), needs)
def test_no_plan_exceeds_its_budget(machine, wanted):
    found = pick(machine, wanted)
    for one in found.candidates:
        shared = one.memory.gpu if one.limits.unified else 0
        within = one.memory.host_needed + shared <= one.limits.host
        assert one.fits == (
            within and all(part <= limit for part, limit in zip(one.parts, one.limits.gpus, strict=True))
        )
        assert sum(one.parts) == one.memory.gpu
        assert one.limits.host < machine.memory.available
        assert all(
            limit <= card.memory_free for card, limit in zip(one.limits.accelerators, one.limits.gpus, strict=True)
        )
    assert found.recommendation is None or found.recommendation.fits
    assert found.recommendation is not None or not any(one.fits for one in found.candidates)


@settings(max_examples=40, deadline=None)
@given(machines(), needs)
def test_what_is_said_to_help_helps(machine, wanted):
    found = pick(machine, wanted)
    for one in found.candidates:
        if one.fits:
            continue
        size = enough_memory(one, machine)
        if size:
            used = machine.memory.total - machine.memory.available
            larger = replace(machine, memory=Memory(reported(size), reported(size) - used))
            assert best_candidate(one.load, larger, wanted).fits
        smaller = shorter(one, found)
        if smaller:
            assert best_candidate(one.load, machine, replace(wanted, context=smaller.settings.context)).fits
