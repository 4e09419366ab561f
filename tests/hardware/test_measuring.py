"""What is measured of a machine: its memory and llama.cpp's kernels, once, while nobody else computes."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import gguf
import pytest

from edgekit.fit.repack import repackable
from edgekit.hardware import bandwidth, ggml, kernel_rates, kernels
from edgekit.hardware.machine import Kernels, Memory, Processor
from edgekit.hardware.probe import probe

PROCESSOR, MEMORY = Processor("test", "x86_64", 1, 1), Memory(1 << 30, 1 << 29)


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr("edgekit.paths.cache_directory", lambda: tmp_path)
    return tmp_path


@pytest.fixture
def load(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The machine's load average, for a test to set; quiet at first."""
    average = [0.0]
    monkeypatch.setattr("os.getloadavg", lambda: (average[0], 0.0, 0.0))
    return average


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Little data and few types: what is kept is the same."""
    monkeypatch.setattr(kernels, "_BYTES", 1 << 20)
    monkeypatch.setattr(kernels, "_HEIGHT", 256)
    monkeypatch.setattr(kernels, "_SECONDS", 0.0)


@pytest.mark.usefixtures("quick")
def test_every_type_of_weights_is_timed(capfd):
    heard: list[tuple[float, float]] = []
    found = kernels.time_kernels(1, lambda done, total: heard.append((done, total)))
    assert set(found.decode) == set(found.prefill) == set(ggml.TYPES) - {"F32"}
    assert set(found.decode_repacked) == set(found.prefill_repacked) <= set(found.decode)
    rates = [*found.decode.values(), *found.prefill.values(), found.attention_decode, found.activation_decode]
    # Between the slowest board and any processor that exists: the units are right.
    assert all(1e7 < rate < 1e14 for rate in rates)
    assert 0 < found.step < 1e-3
    assert heard[-1][0] < heard[-1][1]
    # ggml tells of each matrix that it rearranges.
    assert capfd.readouterr() == ("", "")


def test_the_types_are_ggmls():
    assert {name: gguf.GGMLQuantizationType[name].value for name in ggml.TYPES} == ggml.TYPES


@pytest.mark.usefixtures("quick")
def test_ggml_rearranges_the_types_that_memory_is_counted_for():
    found = kernels.time_kernels(1, lambda done, total: None)
    here = probe().processor
    counted = {kind for kind in found.decode if repackable({kind: 1}, here)}
    assert set(found.decode_repacked) == counted


def test_bandwidth_is_measured_once_and_kept(cache, load):
    assert bandwidth.known_bandwidth(PROCESSOR, MEMORY) is None
    measured = bandwidth.measured_bandwidth(PROCESSOR, MEMORY)
    # Slower than any machine of this century's second decade, faster than any that exists: the unit is right.
    assert 5e8 < measured < 5e12
    assert bandwidth.known_bandwidth(PROCESSOR, MEMORY) == measured
    other = replace(PROCESSOR, model="other")
    assert bandwidth.known_bandwidth(other, MEMORY) is None
    bandwidth.measured_bandwidth(other, MEMORY)
    assert bandwidth.known_bandwidth(PROCESSOR, MEMORY) == measured
    (cache / "bandwidth.json").write_text("[broken", encoding="utf-8")
    assert bandwidth.known_bandwidth(PROCESSOR, MEMORY) is None


@pytest.mark.usefixtures("quick", "load")
def test_kernels_are_timed_once_for_a_build_of_llama_cpp(monkeypatch, tmp_path):
    assert kernel_rates.known_kernels(PROCESSOR, MEMORY) is None
    measured = kernel_rates.measured_kernels(PROCESSOR, MEMORY)
    assert isinstance(measured, Kernels)
    assert kernel_rates.known_kernels(PROCESSOR, MEMORY) == measured
    (tmp_path / "libggml-cpu.so").touch()
    monkeypatch.setattr(kernel_rates, "library_folder", lambda: tmp_path)
    assert kernel_rates.known_kernels(PROCESSOR, MEMORY) is None


def test_nothing_is_kept_while_others_compute(cache, load):
    load[0] = 4.0
    assert bandwidth.measured_bandwidth(PROCESSOR, MEMORY) > 0
    assert kernel_rates.measured_kernels(PROCESSOR, MEMORY) is None
    assert list(cache.iterdir()) == []


def test_a_build_without_the_functions_is_lived_with(load, monkeypatch):
    def absent(name: str, *arguments: object) -> object:
        raise AttributeError(name)

    monkeypatch.setattr(kernels, "call", absent)
    monkeypatch.setattr(ggml, "call", absent)
    assert kernel_rates.measured_kernels(PROCESSOR, MEMORY) is None


def test_a_home_that_cannot_be_written_only_means_measuring_again(cache, load, monkeypatch):
    (cache / "file").touch()
    monkeypatch.setattr("edgekit.paths.cache_directory", lambda: cache / "file")
    assert bandwidth.measured_bandwidth(PROCESSOR, MEMORY) > 0
    assert bandwidth.known_bandwidth(PROCESSOR, MEMORY) is None
