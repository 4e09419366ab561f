"""A folder of ONNX files answers as transformers does, and again where what was read before is reused."""

from __future__ import annotations

import shutil
import threading

import numpy as np
import pytest
from oracles.pico_onnx import onnx_engine, onnx_folder
from PIL import Image

from edgekit import paths
from edgekit.engine.media import open_picture, open_sound
from edgekit.engine.native import StoppedError
from edgekit.engine.onnx.engine import OnnxEngine
from edgekit.engine.sampling import Sampling
from edgekit.fit.onnx_plan import OnnxPlan

__all__ = ["onnx_engine", "onnx_folder"]

QUESTIONS = ["Who are you?", "What can you do?", "What is the weather in Paris?", "Is the star red? Where is it?"]
GREEDY = Sampling(temperature=0, max_tokens=24)


def prompt(question, before=""):
    return f"<bos><|turn>user\n{before}{question}<turn|>\n<|turn>model\n"


def fresh(engine, wanted):
    engine.decoder.clear()
    return list(engine.read(wanted))


def is_greedy(answer, logits, start):
    """Each token of an answer is the likeliest after those before it."""
    return answer == logits[start - 1 : start - 1 + len(answer)].argmax(axis=-1).tolist()


@pytest.mark.parametrize("question", QUESTIONS)
def test_answers_are_those_of_transformers(question, reference, onnx_engine):
    ids = onnx_engine.vocabulary.tokenize(prompt(question))
    assert ids == reference.tokens(prompt(question))
    fresh(onnx_engine, [ids])
    assert np.abs(onnx_engine.logits() - reference.logits(ids)[-1]).max() < 1e-3
    answer = list(onnx_engine.write(GREEDY))
    assert is_greedy(answer, reference.logits(ids + answer), len(ids))


def test_logits_past_window_batch_and_growth_of_the_cache(reference, onnx_engine):
    ids = [2, *map(int, np.random.default_rng(0).integers(24, 1024, 700))]
    assert fresh(onnx_engine, [ids]) == [0, 512, len(ids)]
    assert np.abs(onnx_engine.logits() - reference.logits(ids)[-1]).max() < 1e-3


def test_what_is_reused_changes_nothing(onnx_engine):
    texts = [prompt(QUESTIONS[0]), prompt(QUESTIONS[0]) + "I am pico.<turn|>\n" + prompt(QUESTIONS[1])[5:]]
    first, second = map(onnx_engine.vocabulary.tokenize, texts)
    fresh(onnx_engine, [second])
    wanted, answer = onnx_engine.logits(), list(onnx_engine.write(GREEDY))
    fresh(onnx_engine, [first])
    list(onnx_engine.write(GREEDY))
    reused = list(onnx_engine.read([second]))
    assert len(first) <= reused[0] < len(second)
    assert np.abs(onnx_engine.logits() - wanted).max() < 1e-4
    assert list(onnx_engine.write(GREEDY)) == answer
    # Asked once more, only the last token is computed.
    assert list(onnx_engine.read([second])) == [len(second) - 1, len(second)]
    assert np.abs(onnx_engine.logits() - wanted).max() < 1e-4


def test_stopped_while_reading_and_while_writing(onnx_engine):
    stop = threading.Event()
    stop.set()
    ids = onnx_engine.vocabulary.tokenize(prompt(QUESTIONS[0]))
    onnx_engine.decoder.clear()
    reading = onnx_engine.read([ids * 20], stop)
    assert next(reading) == 0
    with pytest.raises(StoppedError):
        next(reading)
    fresh(onnx_engine, [ids])
    wanted = list(onnx_engine.write(GREEDY))
    stop.clear()
    fresh(onnx_engine, [ids])
    writing = onnx_engine.write(Sampling(temperature=0), stop)
    assert next(writing) == wanted[0]
    stop.set()
    with pytest.raises(StoppedError):
        next(writing)
    list(onnx_engine.read([ids]))
    assert list(onnx_engine.write(GREEDY)) == wanted


def test_the_context_is_an_end(onnx_engine):
    ids = onnx_engine.vocabulary.tokenize(prompt(QUESTIONS[0]))
    filler = ids[:1] * (onnx_engine.context - 3 - len(ids)) + ids
    fresh(onnx_engine, [filler])
    assert len(list(onnx_engine.write(Sampling(temperature=0)))) <= 3


@pytest.mark.parametrize("name", ["red-circle", "blue-star", "yellow-square"])
def test_pictures(name, reference, onnx_engine):
    path = paths.demo_samples() / f"{name}.png"
    with Image.open(path) as image:
        seen = reference.see(image.convert("RGB"), 70)
    answered_like_transformers(onnx_engine, reference, seen, open_picture(path, 70), "What is in the picture?")


def test_other_weights_beside_the_same_graph_see_otherwise(onnx_folder, onnx_engine, tmp_path):
    picture = open_picture(paths.demo_samples() / "red-circle.png", 70)
    folder = shutil.copytree(onnx_folder, tmp_path / "model")
    found = []
    for spoil in (False, True):
        if spoil:
            # As a newer revision does, whose graph need not differ.
            data = folder / "onnx/vision_encoder.onnx_data"
            weights = np.fromfile(data, np.float32)
            (weights * 1.5).tofile(data)
        engine = OnnxEngine.open(OnnxPlan(folder, "fp32", context=256, threads=1))
        found.append(engine.encode(engine.prepare(picture)))
        engine.close()
    assert np.array_equal(found[0], onnx_engine.encode(onnx_engine.prepare(picture)))
    assert np.abs(found[0] - found[1]).max() > 0.1


@pytest.mark.parametrize("name", ["three", "seven", "nine"])
def test_sounds(name, reference, onnx_engine):
    sound = open_sound(paths.demo_samples() / f"{name}.wav")
    answered_like_transformers(onnx_engine, reference, reference.hear(sound.samples), sound, "Which digit do you hear?")


def answered_like_transformers(engine, reference, seen, content, question):
    media = engine.prepare(content)
    assert media.length == len(seen.embeddings)
    found = engine.encode(media)
    assert np.abs(found - seen.embeddings).max() <= 2e-2 * np.abs(seen.embeddings).max()
    before = engine.vocabulary.tokenize("<bos><|turn>user\n")
    after = engine.vocabulary.tokenize(f"{question}<turn|>\n<|turn>model\n")
    head, tail = [*before, *media.before], [*media.after, *after]
    fresh(engine, [head, media, tail])
    answer = list(engine.write(GREEDY))
    ids = [*head, *[seen.token] * media.length, *tail]
    assert is_greedy(answer, reference.logits(ids + answer, seen), len(ids))


@pytest.mark.parametrize(
    "text", ["Hello!", "naïve café — 漢字 🦙", "  two  spaces\n\n\ttab", "<|turn>user\n<h1>", "\ud800"]
)
def test_tokens_are_those_of_transformers(text, reference, onnx_engine):
    vocabulary = onnx_engine.vocabulary
    clean = text.encode("utf-8", "replace").decode()
    tokens = vocabulary.tokenize(text)
    assert tokens == reference.tokens(clean)
    assert b"".join(map(vocabulary.piece, tokens)).decode() == clean
    plainly = vocabulary.tokenize(text, control=False)
    assert not any(map(vocabulary.is_control, plainly))
    assert b"".join(map(vocabulary.piece, plainly)).decode() == clean


def test_seeds_and_limits_of_sampling(onnx_engine):
    ids = onnx_engine.vocabulary.tokenize(prompt("Tell me something."))

    def answer(**settings):
        list(onnx_engine.read([ids]))
        return list(onnx_engine.write(Sampling(max_tokens=12, **settings)))

    assert answer(seed=1, temperature=5.0) == answer(seed=1, temperature=5.0)
    assert len({tuple(answer(seed=seed, temperature=5.0)) for seed in range(4)}) > 1
    greedy = answer(temperature=0)
    assert answer(top_k=1, seed=3) == answer(top_p=0.0, seed=4) == answer(temperature=1e-3, seed=5) == greedy
