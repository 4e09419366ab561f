"""Speed ranges against published and measured speeds of llama.cpp."""

from __future__ import annotations

from dataclasses import replace

import pytest

from edgekit.catalog.load import variants
from edgekit.catalog.variant import ModelFile
from edgekit.fit.estimate import Load
from edgekit.fit.settings import Settings
from edgekit.fit.speed import Speed, decode_speed, prefill_speed
from edgekit.hardware.machine import Machine
from edgekit.hardware.profile import read_profile

VARIANTS = {variant.name: variant for variant in variants()}


def decode(name: str, quantization: str, machine: Machine, **settings: int) -> Speed:
    file = next(one for one in VARIANTS[name].files if one.quantization == quantization)
    accelerator = machine.accelerators[0] if machine.accelerators else None
    return decode_speed(Load(VARIANTS[name], file), Settings(**settings), machine, accelerator)


@pytest.mark.parametrize(
    ("profile", "name", "quantization", "published"),
    [
        ("raspberry-pi-5-16gb", "E2B", "Q4_K_M", (6.5, 6.7)),
        ("raspberry-pi-5-16gb", "E4B", "Q4_0", (3.7, 3.7)),
        ("raspberry-pi-5-8gb", "E2B", "Q4_K_M", (6.8, 6.8)),
        ("raspberry-pi-5-8gb", "E4B", "Q4_K_M", (3.5, 3.5)),
        ("raspberry-pi-4-4gb", "E2B", "Q4_K_M", (1.7, 1.7)),
        ("raspberry-pi-4-4gb", "E4B", "Q4_0", (0.87, 0.87)),
    ],
)
def test_published_decode_speeds_lie_in_the_range(profile, name, quantization, published):
    # potato-os/core, docs/benchmarks/gemma4-pi-benchmark-2026-04-04.md
    speed = decode(name, quantization, read_profile(profile))
    assert speed.low <= published[0] <= published[1] <= speed.high
    assert speed.high < 1.5 * speed.low


def test_decode_measured_on_two_avx512_cores_lies_in_the_range():
    # 17.3 to 22.6 tokens/s, E2B Q4_K_M; 65 GB/s is the same machine's measured read bandwidth.
    machine = replace(read_profile("laptop-16gb"), memory_bandwidth=65.5e9, bandwidth_basis="measured")
    speed = decode("E2B", "Q4_K_M", machine)
    assert speed.low <= 17.3
    assert speed.high >= 22.6
    assert "measured" in speed.basis


@pytest.mark.parametrize(
    ("profile", "features", "cores", "published"),
    [("raspberry-pi-5-8gb", ("dotprod",), 4, (28, 28)), ("laptop-16gb", ("avx512_vnni",), 2, (80, 154))],
)
def test_prefill_of_known_processors(profile, features, cores, published):
    machine = read_profile(profile)
    processor = replace(machine.processor, features=features, physical_cores=cores, usable_threads=cores)
    machine = replace(machine, processor=processor)
    speed = prefill_speed(Load(VARIANTS["E2B"], ModelFile("Q4_K_M", "")), Settings(), machine)
    assert speed
    assert speed.low <= published[0] <= published[1] <= speed.high


def test_nothing_is_said_about_prefill_where_nothing_was_measured():
    load = Load(VARIANTS["E2B"], ModelFile("Q4_K_M", ""))
    assert prefill_speed(load, Settings(), read_profile("laptop-16gb")) is None
    assert prefill_speed(load, Settings(gpu_layers=36), read_profile("raspberry-pi-5-8gb")) is None


def test_experts_and_the_per_layer_table_are_not_read_whole():
    machine = read_profile("laptop-32gb")
    assert decode("26B-A4B", "Q4_0", machine).middle > 6 * decode("31B", "Q4_0", machine).middle
    assert "1.31 GB" in decode("E2B", "UD-Q4_K_XL", machine).basis


def test_layers_on_the_gpu_are_read_at_its_speed():
    machine = read_profile("desktop-rtx-3060-12gb")
    speeds = [decode("12B", "Q4_0", machine, gpu_layers=layers).middle for layers in (0, 20, 48, 49)]
    assert speeds == sorted(speeds)
    assert "360 GB/s of GPU memory" in decode("12B", "Q4_0", machine, gpu_layers=49).basis


def test_an_unknown_bandwidth_is_said_to_be_assumed():
    machine = replace(read_profile("laptop-16gb"), memory_bandwidth=None, bandwidth_basis=None)
    speed = decode("E2B", "Q4_K_M", machine)
    assert "not measured, assumed" in speed.basis
    assert speed.high >= 3 * speed.low
