"""Opening models: what they say about themselves, and what is refused with one line instead of a crash."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from PIL import Image

from edgekit.engine.engine import Engine
from edgekit.engine.media import prepare_picture
from edgekit.errors import FileError, UnsupportedError


def refused(plan, match, kind=FileError):
    with pytest.raises(kind, match=match) as problem:
        Engine.open(plan)
    assert "\n" not in str(problem.value)


def test_what_a_model_says_about_itself(q8_plan):
    heard = []
    with Engine.open(q8_plan, heard.append) as engine:
        assert engine.description.startswith("gemma4")
        assert "Q8_0" in engine.description
        assert engine.context == q8_plan.context
        assert engine.takes_pictures
        assert engine.takes_sound
        assert engine.takes_thinking
        assert engine.load_seconds > 0
        assert (engine.claim_load_seconds(), engine.claim_load_seconds()) == (engine.load_seconds, 0)
        assert "<|turn>" in engine.chat_template
        ends = [token for token in range(engine.vocabulary.size) if engine.vocabulary.ends(token)]
        assert {engine.vocabulary.piece(token) for token in ends} == {b"<eos>", b"<turn|>", b"<|tool_response>"}
    assert heard[0] < heard[-1] == 1
    engine.close()


def test_without_a_projector_media_are_refused(q8_plan):
    with Engine.open(replace(q8_plan, projector=None)) as engine:
        assert not engine.takes_pictures
        assert not engine.takes_sound
        with pytest.raises(UnsupportedError, match="no projector"):
            engine.prepare(prepare_picture(Image.new("RGB", (50, 50))))


def test_missing_and_foreign_files(q8_plan, tmp_path):
    (tmp_path / "text.gguf").write_text("once upon a time " * 10)
    (tmp_path / "noise.gguf").write_bytes(b"GGUF" + bytes(range(256)) * 8)
    refused(replace(q8_plan, model=tmp_path / "no.gguf"), "does not exist")
    refused(replace(q8_plan, model=tmp_path), "is a folder")
    refused(replace(q8_plan, model=tmp_path / "text.gguf"), "no GGUF")
    refused(replace(q8_plan, model=tmp_path / "noise.gguf"), "GGUF version")
    refused(replace(q8_plan, model=q8_plan.projector), "is a projector")
    refused(replace(q8_plan, projector=q8_plan.model), "is no projector")
    refused(replace(q8_plan, projector=tmp_path / "no.gguf"), "does not exist")


@pytest.mark.parametrize("share", [0.001, 0.01, 0.1, 0.5, 0.99])
def test_files_cut_short(share, q8_plan, tmp_path):
    for kind in ("model", "projector"):
        whole: Path = getattr(q8_plan, kind)
        cut = tmp_path / whole.name
        cut.write_bytes(whole.read_bytes()[: int(whole.stat().st_size * share)])
        refused(replace(q8_plan, **{kind: cut}), "cut short|no GGUF")


def test_a_projector_of_another_model(q8_plan, tmp_path):
    data = q8_plan.projector.read_bytes()
    other = tmp_path / "mmproj-other.gguf"
    key, width = b"clip.vision.projection_dim", (128).to_bytes(4, "little")
    at = data.index(key) + len(key) + 4
    assert data[at : at + 4] == width
    other.write_bytes(data[:at] + (256).to_bytes(4, "little") + data[at + 4 :])
    refused(replace(q8_plan, projector=other), "belongs to another model")


def test_an_architecture_that_llama_cpp_does_not_know(q8_plan, tmp_path):
    other = tmp_path / "other.gguf"
    other.write_bytes(q8_plan.model.read_bytes().replace(b"gemma4", b"gemmaX"))
    refused(replace(q8_plan, model=other), "cannot load .*gemmaX")


def test_more_context_than_the_model_was_trained_for(q8_plan):
    refused(replace(q8_plan, context=32_769), "at most 32768", UnsupportedError)


def test_an_error_while_loading_is_not_lost(q8_plan):
    class GaveUpError(Exception):
        pass

    def give_up(_fraction):
        raise GaveUpError

    with pytest.raises(GaveUpError):
        Engine.open(q8_plan, give_up)


def test_a_hundred_models_leave_nothing_behind(q8_plan):
    import psutil

    process = psutil.Process()
    for count in range(100):
        if count == 20:
            before = process.memory_info().rss
        Engine.open(q8_plan).close()
    assert process.memory_info().rss - before < 20e6
