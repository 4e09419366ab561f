"""What was measured is kept, found again, and preferred; what was tuned is used as far as memory allows."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from oracles.header_only import write_header_only

from edgekit.catalog.load import variants
from edgekit.fit import measured
from edgekit.fit.estimate import Load
from edgekit.fit.picker import pick
from edgekit.fit.plan import Plan
from edgekit.fit.recording import keep_bench, keep_tuned
from edgekit.fit.samples import Bench, Sample
from edgekit.fit.settings import Settings
from edgekit.fit.speed import decode_speed, prefill_speed
from edgekit.gguf_header import Header, read_header
from edgekit.hardware.machine import Machine
from edgekit.hardware.profile import read_profile

E2B = variants()[0]
SAMPLES = [
    Sample("prefill", 0, 512, (100.0, 110.0, 105.0), (110.0, 120.0, 115.0)),
    Sample("decode", 0, 32, (20.0, 22.0, 21.0), (22.0, 23.0, 22.0)),
    Sample("prefill", 4096, 512, (50.0, 55.0, 52.0), (52.0, 57.0, 55.0)),
    Sample("decode", 4096, 32, (10.0, 11.0, 10.5), (11.0, 11.5, 11.0)),
]


@pytest.fixture(autouse=True)
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr("edgekit.paths.data_directory", lambda: tmp_path)
    return tmp_path


@pytest.fixture(scope="module")
def header(tmp_path_factory: pytest.TempPathFactory) -> Header:
    file = tmp_path_factory.mktemp("e2b") / "mine.gguf"
    write_header_only(E2B, "Q4_K_M", file)
    return read_header(file)


@pytest.fixture
def machine() -> Machine:
    return read_profile("laptop-16gb")


@pytest.fixture
def plan(header: Header) -> Plan:
    return Plan(header.path, repack=False)


def load(quantization: str = "Q4_K_M") -> Load:
    return Load(E2B, next(one for one in E2B.files if one.quantization == quantization))


def test_a_bench_is_found_again_as_it_was(plan, header, machine):
    made = keep_bench(plan, 4, header, machine, SAMPLES)
    assert (made.variant, made.quantization, made.bytes) == ("E2B", "Q4_K_M", header.bytes)
    assert measured.benches(machine) == [made]
    assert measured.benches(read_profile("laptop-8gb")) == []


def test_a_newer_bench_takes_the_place_of_the_same_one_only(plan, header, machine):
    keep_bench(plan, 4, header, machine, SAMPLES)
    newer = keep_bench(plan, 4, header, machine, SAMPLES[:2])
    assert measured.benches(machine) == [newer]
    other = keep_bench(plan, 2, header, machine, SAMPLES)
    assert measured.benches(machine) == [newer, other]


def test_measured_speeds_are_preferred_for_that_quantization_and_no_other(plan, header, machine):
    before = decode_speed(load(), Settings(), machine, None)
    date = keep_bench(plan, 4, header, machine, SAMPLES).date
    after = decode_speed(load(), Settings(), machine, None, depth=0)
    assert (after.low, after.high, after.basis) == (20, 22, f"measured with edgekit bench on {date}")
    prefill = prefill_speed(load(), Settings(), machine)
    assert prefill
    assert (prefill.low, prefill.high) == (100, 110)
    assert "bandwidth" not in after.basis
    assert before.basis != after.basis
    for other in (
        decode_speed(load("Q8_0"), Settings(), machine, None),
        decode_speed(load(), Settings(repack=True), machine, None),
        decode_speed(load(), Settings(cache_type_k="Q8_0", cache_type_v="Q8_0"), machine, None),
        decode_speed(load(), Settings(), read_profile("laptop-8gb"), None),
    ):
        assert "measured with" not in other.basis


def test_time_per_token_grows_evenly_between_two_depths():
    bench = Bench("m", "f", 1, "d", None, None, 1, 1, 512, False, 0, "F16", "2026-01-01", tuple(SAMPLES))
    assert bench.rates("decode", 0) == (20, 22)
    assert bench.rates("decode", 4096) == bench.rates("decode", 9999) == (10, 11)
    low, high = bench.rates("decode", 1024) or (0, 0)
    assert low == pytest.approx(1 / (0.75 / 20 + 0.25 / 10))
    assert high == pytest.approx(1 / (0.75 / 22 + 0.25 / 11))


def test_pick_says_that_it_was_measured(plan, header, machine):
    keep_bench(plan, 4, header, machine, SAMPLES)
    bases = {one.name: one.decode.basis for one in pick(machine).candidates if "measured with" in one.decode.basis}
    assert set(bases) <= {"gemma-4-E2B-it:Q4_K_M"}
    wanted = next(one for one in pick(machine).candidates if one.name == "gemma-4-E2B-it:Q4_K_M")
    assert ("measured with" in wanted.decode.basis) == (not wanted.settings.repack)


def test_a_plan_takes_what_was_tuned_for_its_very_file(plan, header, machine, tmp_path):
    keep_tuned(3, 6, 256, True, header=header, machine=machine)
    tuned = measured.tuned(replace(plan, repack=True), header, machine)
    assert (tuned.threads, tuned.batch_threads, tuned.ubatch, tuned.batch, tuned.repack) == (3, 6, 256, 256, True)
    # Where the second copy has no room the plan stays without it.
    assert measured.tuned(plan, header, machine).repack is False
    # A batch made to hold a picture stays; so does everything on a GPU.
    pictures = measured.tuned(replace(plan, batch=1120, ubatch=1120), header, machine)
    assert (pictures.threads, pictures.batch, pictures.ubatch) == (3, 1120, 1120)
    on_gpu = replace(plan, gpu_layers=36)
    assert measured.tuned(on_gpu, header, machine) == on_gpu
    assert measured.tuned(plan, header, read_profile("laptop-8gb")) == plan
    other = tmp_path / "other.gguf"
    write_header_only(E2B, "Q8_0", other)
    assert measured.tuned(replace(plan, model=other), read_header(other), machine) == replace(plan, model=other)


def test_a_file_is_known_wherever_it_lies(plan, header, machine, tmp_path):
    keep_tuned(3, 3, 512, False, header=header, machine=machine)
    moved = tmp_path / "moved.gguf"
    moved.hardlink_to(header.path)
    assert measured.tuned(replace(plan, model=moved), read_header(moved), machine).threads == 3


def test_tuning_again_replaces(plan, header, machine, data):
    keep_tuned(3, 3, 512, False, header=header, machine=machine)
    keep_tuned(2, 2, 128, False, header=header, machine=machine)
    assert measured.tuned(plan, header, machine).threads == 2
    assert len(json.loads((data / "measurements.json").read_text())["tuned"]) == 1


@pytest.mark.parametrize("text", ["[broken", "[]", '{"benches": 3, "tuned": []}', '{"benches": [{}], "tuned": []}'])
def test_what_cannot_be_read_counts_as_nothing(plan, header, machine, data, text):
    (data / "measurements.json").write_text(text, encoding="utf-8")
    assert measured.benches(machine) == []
    assert measured.tuned(plan, header, machine) == plan
    kept = keep_bench(plan, 4, header, machine, SAMPLES)
    assert measured.benches(machine) == [kept]


def test_keeping_leaves_nothing_half_written(plan, header, machine, data, monkeypatch):
    kept = keep_bench(plan, 4, header, machine, SAMPLES)

    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(Path, "replace", interrupted)
    with pytest.raises(KeyboardInterrupt):
        keep_bench(plan, 2, header, machine, SAMPLES)
    assert [path.name for path in data.iterdir() if path.suffix != ".gguf"] == ["measurements.json"]
    assert measured.benches(machine) == [kept]
