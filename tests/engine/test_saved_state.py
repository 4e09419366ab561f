"""A conversation that is opened again goes on from what was read before."""

from __future__ import annotations

import json
import os
from dataclasses import replace

import pytest
from PIL import Image

from edgekit import paths
from edgekit.engine.engine import Engine
from edgekit.engine.media import prepare_picture
from edgekit.engine.prompt import entries
from edgekit.engine.sampling import Sampling

GREEDY = Sampling(temperature=0, max_tokens=40)


@pytest.fixture
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    # Pico reads faster than any disk.
    monkeypatch.setattr("edgekit.engine.saved_state._disk_speed", lambda folder: 1e12)
    return paths.cache_directory() / "states"


def conversation(engine):
    picture = engine.prepare(prepare_picture(Image.new("RGB", (100, 100), "red"), 70))
    words = engine.vocabulary.tokenize("Which colour has this shape? " * 30)
    return [[2], picture, [5], picture, words]


def read(engine, prompt):
    return list(engine.read(prompt))


@pytest.fixture
def saved(cache, q8_plan):
    with Engine.open(q8_plan) as engine:
        prompt = conversation(engine)
        read(engine, prompt)
        assert engine.save_state("one", prompt)
        read(engine, prompt)
        return list(engine.write(GREEDY))


def test_the_next_process_goes_on_as_this_one(saved, q8_plan):
    with Engine.open(q8_plan) as engine:
        assert engine.load_state("one")
        prompt = conversation(engine)
        total = len(entries(prompt))
        assert read(engine, prompt) == [total - 1, total]
        assert list(engine.write(GREEDY)) == saved


@pytest.mark.parametrize(
    "other", [{"cache_type_k": "Q8_0"}, {"context": 256}, {"projector": None}, {"flash_attention": False}]
)
def test_another_way_to_run_it_does_not_take_it(other, saved, q8_plan):
    with Engine.open(replace(q8_plan, **other)) as engine:
        assert not engine.load_state("one")
        assert len(engine.cache) == 0


def damage_state(folder):
    content = bytearray((folder / "one.state").read_bytes())
    content[len(content) // 2] ^= 1
    (folder / "one.state").write_bytes(content)


def cut_record(folder):
    record = folder / "one.json"
    record.write_text(record.read_text()[:-10])


def lie_about_entries(folder):
    record = folder / "one.json"
    content = json.loads(record.read_text())
    record.write_text(json.dumps({**content, "entries": [["a", 0, "many"]]}))


def lose_state(folder):
    (folder / "one.state").unlink()


@pytest.mark.parametrize("harm", [damage_state, cut_record, lie_about_entries, lose_state])
def test_what_is_damaged_is_read_anew(harm, saved, cache, q8_plan):
    harm(cache)
    with Engine.open(q8_plan) as engine:
        assert not engine.load_state("one")
        prompt = conversation(engine)
        assert read(engine, prompt)[0] == 0


def test_what_is_read_faster_than_loaded_is_not_kept(cache, q8_plan, monkeypatch):
    monkeypatch.setattr("edgekit.engine.saved_state._disk_speed", lambda folder: 1.0)
    with Engine.open(q8_plan) as engine:
        assert not engine.save_state("nothing", conversation(engine))
        read(engine, conversation(engine))
        assert not engine.save_state("one", conversation(engine))
    assert not cache.exists()


def test_the_oldest_go_where_room_is_short(saved, cache, q8_plan, monkeypatch):
    monkeypatch.setattr("edgekit.engine.saved_state.ROOM", int(1.5 * (cache / "one.state").stat().st_size))
    with Engine.open(q8_plan) as engine:
        read(engine, conversation(engine))
        assert engine.save_state("two", conversation(engine))
    assert {file.name for file in cache.iterdir()} == {"two.state", "two.json"}


def test_the_speed_of_the_disk_is_what_was_measured_last(saved, cache, q8_plan, monkeypatch):
    monkeypatch.undo()
    monkeypatch.setenv("XDG_CACHE_HOME", str(cache.parents[1]))
    with Engine.open(q8_plan) as engine:
        # Pico reads a prompt faster than a disk that gives so little gives its state.
        cache.joinpath("speed").write_text("1000")
        assert not engine.load_state("one")
        cache.joinpath("speed").write_text("1e12")
        assert engine.load_state("one")
        assert 1e5 < float(cache.joinpath("speed").read_text()) < 1e11


def test_what_does_not_belong_to_the_prompt_is_left_out(cache, q8_plan):
    with Engine.open(q8_plan) as engine:
        prompt = conversation(engine)
        read(engine, prompt)
        # A long thought, which the next prompt does not hold.
        for _ in engine.write(Sampling(seed=1, max_tokens=30)):
            continue
        assert engine.save_state("one", prompt)
        assert engine.load_state("one")
        assert len(engine.cache) == len(entries(prompt)) - 1


def test_what_nobody_finished_goes(saved, cache, q8_plan):
    left = cache / "two.state.1.part"
    left.write_bytes(b"half")
    os.utime(left, (0, 0))
    with Engine.open(q8_plan) as engine:
        read(engine, conversation(engine))
        assert engine.save_state("two", conversation(engine))
    assert not list(cache.glob("*.part"))
