"""A model that does not fit is refused before anything is loaded; one that fits holds what was predicted."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import wave
from dataclasses import replace
from pathlib import Path

import pytest
from one_line import assert_one_line_error
from oracles.foreign import write_llama
from oracles.header_only import write_header_only
from oracles.pico import q8_plan

from edgekit.catalog.load import variants
from edgekit.chat.models import find_plan
from edgekit.engine.check import check_model, check_projector
from edgekit.engine.file_fit import fit_file
from edgekit.engine.media import LONGEST_PIECE, SAMPLE_RATE
from edgekit.errors import DoesNotFitError, UnsupportedError
from edgekit.fit.needs import Needs
from edgekit.fit.plan import Plan
from edgekit.hardware.machine import Machine, Memory
from edgekit.hardware.probe import probe

__all__ = ["q8_plan"]

GIB = 1 << 30
MIB = 1 << 20


def small_machine(monkeypatch: pytest.MonkeyPatch, gibibytes: float) -> Machine:
    total = int(gibibytes * GIB)
    machine = replace(probe(), memory=Memory(total, total), accelerators=())
    monkeypatch.setattr("edgekit.chat.models.probe", lambda: machine)
    return machine


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("models")
    write_header_only(variants()[0], "Q4_K_M", made / "E2B.gguf")
    write_llama(made / "llama.gguf")
    return made


@pytest.mark.parametrize("name", ["E2B.gguf", "llama.gguf"])
def test_refused_by_the_estimate_of_pick(name: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    machine = small_machine(monkeypatch, 1)
    with pytest.raises(DoesNotFitError) as problem:
        find_plan(str(folder / name))
    line = str(problem.value)
    found = fit_file(check_model(folder / name), None, machine, Needs(8192))
    assert not found.fits
    assert found.reason[1:].rstrip(".") in line
    assert "--force" in line
    assert f"lacks {found.shortfall / GIB:.1f} GiB" in line
    forced = find_plan(str(folder / name), force=True)
    assert forced.settings == found.settings
    small_machine(monkeypatch, 8)
    assert find_plan(str(folder / name)).context == 8192


def test_a_projector_beside_the_model_counts(q8_plan: Plan, monkeypatch: pytest.MonkeyPatch) -> None:
    assert q8_plan.projector
    header = check_model(q8_plan.model)
    projector = check_projector(q8_plan.projector, header)
    with_it, without = (fit_file(header, one, probe(), Needs(8192)).memory for one in (projector, None))
    assert with_it.host_needed > without.host_needed + q8_plan.projector.stat().st_size
    # Just between the two, reserve included.
    between = (with_it.host_needed + without.host_needed) // 2
    small_machine(monkeypatch, (between + 128 * MIB) / GIB)
    with pytest.raises(DoesNotFitError, match="with mmproj"):
        find_plan(str(q8_plan.model))
    assert find_plan(str(q8_plan.model), media=False).projector is None


def test_a_drafter_alone_is_refused(q8_plan: Plan, tmp_path: Path) -> None:
    from oracles.header_only import write_drafter

    write_drafter(variants()[0], tmp_path / "drafter.gguf")
    with pytest.raises(UnsupportedError, match="is a drafter"):
        find_plan(str(tmp_path / "drafter.gguf"))


@pytest.mark.parametrize("command", ["run", "bench"])
def test_the_commands_refuse_in_one_line(command: str, edgekit, tmp_path: Path) -> None:
    """A model of eight times the layers of 31B: more than any machine that runs tests holds."""
    file = tmp_path / "31B.gguf"
    largest = next(one for one in variants() if one.name == "31B")
    deep = replace(largest.shape, num_hidden_layers=8 * largest.shape.num_hidden_layers)
    write_header_only(replace(largest, shape=deep), "BF16", file)
    line = assert_one_line_error(edgekit(command, file, *(["Hi"] if command == "run" else [])))
    assert "does not fit into memory: it lacks" in line
    # Then it is tried, and something else is wrong with it.
    line = assert_one_line_error(edgekit(command, file, *(["Hi"] if command == "run" else []), "--force"))
    assert "has no vocabulary" in line


# In a process of its own, so that nothing else takes or gives memory meanwhile.
MEASURE = """
import json, sys
from pathlib import Path
from edgekit.chat.message import Media, user
from edgekit.chat.session import Session
from edgekit.engine import native
from edgekit.engine.engine import Engine
from edgekit.engine.sampling import Sampling
from edgekit.fit.plan import Plan
from edgekit import paths
import PIL.Image, av, numpy

def anonymous():
    lines = Path("/proc/self/smaps_rollup").read_text().splitlines()
    return sum(int(line.split()[1]) << 10 for line in lines if line.startswith("Anonymous:"))

given = json.loads(sys.argv[1])
plan = Plan(**{**given, "model": Path(given["model"]), "projector": Path(given["projector"])})
native.start()
before = anonymous()
with Engine.open(plan) as engine:
    session = Session(engine, sampling=Sampling(temperature=0, max_tokens=2))
    media = [Media("image", paths.demo_samples() / "red-circle.png"), Media("audio", Path(sys.argv[2]))]
    for _ in session.answer([user("What is this? " * 200, *media)]):
        pass
    print(anonymous() - before)
"""


def test_a_loaded_model_holds_what_was_predicted(q8_plan: Plan, tmp_path: Path) -> None:
    """After a picture of the usual size and a sound of the longest piece, as the estimate has them."""
    assert q8_plan.projector
    header = check_model(q8_plan.model)
    found = fit_file(header, check_projector(q8_plan.projector, header), probe(), Needs(32_768))
    plan = replace(found.plan(threads=1), model=str(q8_plan.model), projector=str(q8_plan.projector))  # type: ignore[arg-type]
    sound = tmp_path / "longest.wav"
    with wave.open(str(sound), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(SAMPLE_RATE)
        file.writeframes(bytes(range(256)) * (LONGEST_PIECE * SAMPLE_RATE * 2 // 256))
    line = [sys.executable, "-c", MEASURE, json.dumps(vars(plan)), str(sound)]
    # What other tests had encoded would not be encoded again.
    environment = {**os.environ, "XDG_CACHE_HOME": str(tmp_path)}
    done = subprocess.run(line, capture_output=True, text=True, env=environment, check=False)
    assert done.returncode == 0, done.stderr
    # The line of the process itself is for a vocabulary of 262,144 tokens and the terminal application.
    predicted = sum(one.bytes for one in found.memory.lines if one.where == "host" and one.what != "process")
    assert predicted > 30 * MIB
    assert int(done.stdout) == pytest.approx(predicted, rel=0.15, abs=8 * MIB)
