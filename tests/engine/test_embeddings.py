"""What was encoded once is found again: in memory, then on disk."""

from __future__ import annotations

import shutil
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from edgekit.engine.embeddings import Embeddings
from edgekit.engine.engine import Engine
from edgekit.engine.media import prepare_picture

WIDTH = 8


@pytest.fixture
def projector(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    file = tmp_path / "mmproj.gguf"
    file.write_bytes(b"one")
    return file


def made(seed, length=3):
    return np.random.default_rng(seed).standard_normal((length, WIDTH), np.float32)


def files(tmp_path):
    return sorted((tmp_path / "cache").rglob("embeddings/*"))


def test_another_process_finds_them(projector):
    Embeddings(projector, WIDTH).put("a", made(1))
    found = Embeddings(projector, WIDTH).get("a", 3)
    assert np.array_equal(found, made(1))
    assert Embeddings(projector, WIDTH).get("b", 3) is None


def test_another_projector_does_not(projector):
    Embeddings(projector, WIDTH).put("a", made(1))
    projector.write_bytes(b"another")
    assert Embeddings(projector, WIDTH).get("a", 3) is None


@pytest.mark.parametrize("damage", [lambda content: content[:-1], lambda content: content[:-4] + b"\0\0\0\0", bytes])
def test_a_damaged_file_is_none(damage, projector, tmp_path):
    Embeddings(projector, WIDTH).put("a", made(1))
    (file,) = files(tmp_path)
    file.write_bytes(damage(file.read_bytes()) if damage is not bytes else b"")
    assert Embeddings(projector, WIDTH).get("a", 3) is None


def test_the_oldest_go_where_room_is_short(projector, tmp_path, monkeypatch):
    monkeypatch.setattr("edgekit.engine.embeddings.ROOM_ON_DISK", 3 * (made(1).nbytes + 32))
    store = Embeddings(projector, WIDTH)
    for seed in range(5):
        store.put(str(seed), made(seed))
    assert len(files(tmp_path)) == 3
    assert Embeddings(projector, WIDTH).get("4", 3) is not None
    assert Embeddings(projector, WIDTH).get("0", 3) is None


def test_a_disk_that_takes_nothing_is_no_harm(projector, tmp_path):
    (tmp_path / "cache").write_text("no folder")
    store = Embeddings(projector, WIDTH)
    store.put("a", made(1))
    assert np.array_equal(store.get("a", 3), made(1))


def test_a_picture_is_not_encoded_again_by_the_next_process(q8_plan, tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    copied = replace(q8_plan, projector=tmp_path / "mmproj.gguf")
    shutil.copy(q8_plan.projector, copied.projector)
    picture = prepare_picture(Image.new("RGB", (100, 100), "red"), 70)
    with Engine.open(copied) as engine:
        first = engine.encode(engine.prepare(picture))
    monkeypatch.setattr("edgekit.engine.projector.mtmd.mtmd_encode_chunk", None)
    with Engine.open(copied) as engine:
        assert np.array_equal(engine.encode(engine.prepare(picture)), first)
