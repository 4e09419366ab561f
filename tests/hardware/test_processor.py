"""Processors: models, cores, quotas and instruction sets."""

from __future__ import annotations

from dataclasses import replace

import pytest

from edgekit.hardware.processor import read_processor


@pytest.mark.parametrize(
    ("machine", "model", "architecture", "cores", "threads"),
    [
        ("raspberry-pi-5-8gb", "Cortex-A76", "aarch64", 4, 4),
        ("raspberry-pi-4-4gb", "Cortex-A72", "aarch64", 4, 4),
        ("jetson-orin-nano-8gb", "Cortex-A78AE", "aarch64", 6, 6),
        ("container-2gb-nested", "Intel(R) Xeon(R) Gold 6338 CPU @ 2.00GHz", "x86_64", 4, 2),
        ("container-v2-namespace", "AMD Ryzen 7 5800X 8-Core Processor", "x86_64", 8, 2),
        ("container-v1", "Intel(R) Core(TM) i5-6500 CPU @ 3.20GHz", "x86_64", 4, 4),
        ("radeon-rx-7900-xtx", "AMD Ryzen 9 7950X 16-Core Processor", "x86_64", 16, 32),
    ],
)
def test_cores_and_quotas(machine_host, machine, model, architecture, cores, threads):
    processor = read_processor(machine_host(machine))
    assert (processor.model, processor.architecture) == (model, architecture)
    assert (processor.physical_cores, processor.usable_threads) == (cores, threads)


@pytest.mark.parametrize(
    ("machine", "has", "lacks"),
    [
        ("raspberry-pi-5-8gb", {"neon", "dotprod"}, {"i8mm", "avx2"}),
        ("raspberry-pi-4-4gb", {"neon"}, {"dotprod"}),
        ("intel-laptop", {"avx2", "fma", "f16c"}, {"avx512"}),
        ("amd-apu", {"avx2", "avx512", "avx512_vnni"}, {"neon"}),
    ],
)
def test_instruction_sets_that_llama_cpp_uses(machine_host, machine, has, lacks):
    features = set(read_processor(machine_host(machine)).features)
    assert has <= features
    assert not lacks & features


def test_affinity_limits_the_threads(machine_host):
    assert read_processor(replace(machine_host("amd-apu"), affinity=3)).usable_threads == 3
