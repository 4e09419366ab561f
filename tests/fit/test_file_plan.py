"""A plan for a file on disk suits the machine it will run on."""

from __future__ import annotations

from dataclasses import replace

import pytest
from oracles.header_only import write_header_only

from edgekit.catalog.load import variants
from edgekit.fit.file_pick import FilePick, pick_file
from edgekit.fit.needs import Needs
from edgekit.fit.placement import best_candidate
from edgekit.fit.plan import Plan
from edgekit.fit.recognized import file_load
from edgekit.gguf_header import Header, read_header
from edgekit.hardware.machine import Accelerator, Machine, Memory
from edgekit.hardware.profile import read_profile

GIB = 1 << 30


@pytest.fixture(scope="module")
def e2b(tmp_path_factory: pytest.TempPathFactory) -> Header:
    file = tmp_path_factory.mktemp("e2b") / "E2B.gguf"
    write_header_only(variants()[0], "Q4_K_M", file)
    return read_header(file)


def picked(header: Header, machine: Machine, context: int = 8192) -> FilePick:
    load = file_load(header)
    assert load
    return pick_file(load, header, None, machine, Needs(context))


def planned(header: Header, machine: Machine, context: int = 8192) -> Plan:
    return picked(header, machine, context).plan()


@pytest.mark.parametrize(
    ("profile", "repack"), [("container-2gb", False), ("laptop-8gb", True), ("raspberry-pi-4-4gb", False)]
)
def test_repacked_only_where_the_copy_has_room(e2b, profile, repack):
    # 3.4 GB of which 1.9 are the per-layer table; the copy is 0.9 GB. The Pi 4's processor has no use for one.
    assert planned(e2b, read_profile(profile)).repack is repack


def test_a_gpu_that_holds_the_file_gets_it_all(e2b):
    machine = read_profile("desktop-rtx-3060-12gb")
    plan = planned(e2b, machine, 4096)
    assert (plan.gpu_layers, plan.repack, plan.context) == (36, False, 4096)
    small = Accelerator("small", "nvidia", 2 * GIB, 2 * GIB, usable=True)
    partly = planned(e2b, replace(machine, accelerators=(small,)), 4096)
    assert 0 < partly.gpu_layers < 36
    idle = replace(machine.accelerators[0], usable=False)
    assert planned(e2b, replace(machine, accelerators=(idle,))).gpu_layers == 0


def test_a_plan_is_what_pick_would_run(e2b):
    machine = replace(read_profile("container-2gb"), memory=Memory(int(2.5 * GIB), int(2.2 * GIB)))
    load = file_load(e2b)
    assert load
    for context in (2048, 16384, 32768):
        best = best_candidate(load, machine, Needs(context))
        plan = planned(e2b, machine, context)
        assert (plan.context, plan.cache_type_k, plan.repack) == (context, best.settings.cache_type_k, False)
    assert planned(e2b, machine, 16384).cache_type_k == "F16"
    assert planned(e2b, machine, 32768).cache_type_k == "Q8_0"


def test_two_cards_share_what_neither_holds(tmp_path):
    file = tmp_path / "31B.gguf"
    write_header_only(next(one for one in variants() if one.name == "31B"), "Q4_K_M", file)
    machine = read_profile("workstation-two-rtx-3090")
    assert planned(read_header(file), machine, 65536).gpus == 2


def test_a_plan_and_its_settings_are_one_and_the_same(e2b):
    found = picked(e2b, read_profile("desktop-rtx-3060-12gb"))
    plan = found.plan(threads=3)
    assert plan.settings == found.settings
    assert (plan.model, plan.projector, plan.threads) == (e2b.path, None, 3)
