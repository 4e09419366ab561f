"""What is in the cache already is not computed again, and nothing changes by it."""

from __future__ import annotations

import threading
import time
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from edgekit.engine.checkpoints import Checkpoints
from edgekit.engine.engine import Engine
from edgekit.engine.media import prepare_picture
from edgekit.engine.native import StoppedError, llama
from edgekit.engine.sampling import Sampling
from edgekit.errors import EdgekitError, UnsupportedError

GREEDY = Sampling(temperature=0, max_tokens=40)


def read(engine, prompt):
    return list(engine.read(prompt))


def write(engine, sampling=GREEDY):
    return list(engine.write(sampling))


def logits(engine):
    pointer = llama.llama_get_logits_ith(engine.cache.context, -1)
    return np.ctypeslib.as_array(pointer, shape=(engine.vocabulary.size,)).copy()


@pytest.fixture
def engine(q8_engine):
    q8_engine.cache.clear()
    return q8_engine


@pytest.fixture
def words(engine):
    # Longer than the sliding window of 64, so that what a window has lost would show.
    return engine.vocabulary.tokenize("<bos><|turn>user\n" + "Which colour has this shape? " * 30)


def test_a_prompt_that_goes_on_computes_only_the_new(engine, words):
    read(engine, [words])
    longer = words + engine.vocabulary.tokenize(" And now?")
    steps = read(engine, [longer])
    assert steps == [len(words), len(longer)]


def test_going_back_before_an_answer_gives_the_same_logits(engine, words):
    """Only the last token is computed again, alone: the same as a run that computes it so from the first."""
    read(engine, [words])
    write(engine, replace(GREEDY, max_tokens=150))
    assert read(engine, [words]) == [len(words) - 1, len(words)]
    found, answer = logits(engine), write(engine)
    engine.cache.clear()
    read(engine, [words[:-1]])
    read(engine, [words])
    assert np.array_equal(logits(engine), found)
    assert write(engine) == answer


def test_another_ending_after_an_answer(engine, words):
    """What follows a checkpoint restored over a long answer equals a run that never left, with the same batches."""
    ending = engine.vocabulary.tokenize("<turn|>\n<|turn>model\n")
    read(engine, [words])
    write(engine, replace(GREEDY, max_tokens=150))
    read(engine, [words + ending])
    found = logits(engine)
    engine.cache.clear()
    read(engine, [words])
    read(engine, [words + ending])
    assert np.array_equal(logits(engine), found)


def test_another_beginning_starts_anew(engine, words):
    read(engine, [words])
    other = words[5:]
    assert read(engine, [other])[0] == 0
    found = logits(engine)
    engine.cache.clear()
    read(engine, [other])
    assert np.array_equal(logits(engine), found)


def test_what_the_windows_still_hold_is_cut_without_a_checkpoint(engine, words):
    """The same place again with the same batches: nothing tells it from a run that never went further."""
    read(engine, [words])
    kept, ending = words[:-20], engine.vocabulary.tokenize(" What is this?")
    assert read(engine, [kept + ending])[0] == len(kept)
    found = logits(engine)
    engine.cache.clear()
    read(engine, [[*kept, 5]])
    assert read(engine, [kept + ending])[0] == len(kept)
    assert np.array_equal(logits(engine), found)


def test_a_question_far_back_is_asked_anew_from_where_it_began(q8_plan):
    with Engine.open(replace(q8_plan, batch=64, ubatch=64)) as engine:
        words = engine.vocabulary.tokenize("Which colour has this shape? " * 60)
        read(engine, [[2, *words]])
        for token in words:
            engine.cache.append(token)
        said = [2, *words, *words]
        read(engine, [[*said, *words]])
        # Longer ago than the windows and a batch reach.
        assert read(engine, [[*said, 5, *words]])[0] == len(said)


def test_checkpoints_stay_within_their_room(q8_engine, words):
    q8_engine.cache.clear()
    kept = Checkpoints()
    read(q8_engine, [words])
    for length in (10, 20, 22, 90, 200):
        kept.keep(q8_engine.cache.context, length, 3)
    # Those closest to their neighbours went first.
    assert [kept.latest(length).length for length in (50, 100, 300)] == [22, 90, 200]
    assert kept.latest(21) is None
    kept.keep(q8_engine.cache.context, 300, 0)
    assert kept.latest(299) is None
    assert kept.latest(300).length == 300


def test_a_picture_is_encoded_once(engine, words, monkeypatch):
    picture = prepare_picture(Image.new("RGB", (100, 100), "red"), 70)
    ending = engine.vocabulary.tokenize("<image|>What is it?")
    before = read(engine, [[2], engine.prepare(picture), ending])
    monkeypatch.setattr("edgekit.engine.projector.mtmd.mtmd_encode_chunk", None)
    assert before[0] == 0
    same = [[2], engine.prepare(picture), [*ending, 5]]
    assert read(engine, same)[0] == before[-1]
    # The same picture in another place is put into the cache again, from its embeddings.
    assert read(engine, [words, engine.prepare(picture), ending])[0] <= 1


def test_two_pictures_are_two(engine):
    red, blue = (prepare_picture(Image.new("RGB", (100, 100), colour), 70) for colour in ("red", "blue"))
    ending = engine.vocabulary.tokenize("What is it?")
    read(engine, [[2], engine.prepare(red), ending])
    assert read(engine, [[2], engine.prepare(blue), ending])[0] <= 1


def test_stop_ends_a_batch_in_the_middle(q8_plan, words):
    stop = threading.Event()
    with Engine.open(replace(q8_plan, context=8192, batch=4096, ubatch=4096)) as engine:
        threading.Timer(0.02, stop.set).start()
        with pytest.raises(StoppedError):
            list(engine.read([words * 25], stop))
        assert len(engine.cache) == 0
        # What was computed before the batch that was stopped stays.
        read(engine, [words])
        stop.clear()
        threading.Timer(0.02, stop.set).start()
        with pytest.raises(StoppedError):
            list(engine.read([words + words * 20], stop))
        assert len(engine.cache) == len(words)
        # The flag is down again: the next prompt is computed.
        assert read(engine, [words])[-1] == len(words)


def test_stop_ends_writing(engine, words):
    stop = threading.Event()
    read(engine, [words])
    tokens = engine.write(Sampling(temperature=0), stop)
    next(tokens)
    stop.set()
    # The watcher needs a moment to carry the event into native code.
    time.sleep(0.1)
    with pytest.raises(StoppedError):
        next(tokens)


def test_an_answer_ends_with_the_context(q8_plan, words):
    with Engine.open(replace(q8_plan, context=256)) as engine:
        read(engine, [words[:200]])
        sampling = Sampling(seed=1)
        assert len(write(engine, sampling)) <= 56
        assert len(engine.cache) <= 256


def test_a_context_of_any_size_is_what_was_asked_for(q8_plan, words):
    """llama.cpp rounds it up to 256 and keeps its batches within 100: a prompt longer than these must be cut."""
    with Engine.open(replace(q8_plan, context=100)) as engine:
        assert engine.context == 100
        read(engine, [words[:99]])
        assert len(write(engine, Sampling(seed=1))) <= 1
    with Engine.open(replace(q8_plan, context=300)) as engine:
        assert read(engine, [words[:150]])[-1] == 150


def test_a_prompt_that_ends_with_a_picture_is_refused(engine):
    picture = engine.prepare(prepare_picture(Image.new("RGB", (50, 50)), 70))
    with pytest.raises(EdgekitError, match="ends with a picture"):
        read(engine, [[2], picture])


def test_a_picture_read_in_both_directions_must_fit_a_batch(q8_plan):
    with Engine.open(replace(q8_plan, batch=32, ubatch=32)) as engine:
        engine.cache._causal_pictures = False
        picture = engine.prepare(prepare_picture(Image.new("RGB", (100, 100)), 70))
        with pytest.raises(UnsupportedError, match="fewer image tokens"):
            read(engine, [[2], picture, [5]])


def test_a_causal_picture_may_span_batches(q8_plan, q8_engine):
    picture = prepare_picture(Image.new("RGB", (100, 100), "green"), 280)
    results = []
    for engine in (q8_engine, small := Engine.open(replace(q8_plan, batch=64, ubatch=64))):
        engine.cache.clear()
        read(engine, [[2], engine.prepare(picture), [5]])
        results.append(logits(engine))
    small.close()
    assert results[0].argmax() == results[1].argmax()
    assert np.abs(results[0] - results[1]).max() < 0.1 * np.abs(results[0]).max()


def test_seeds_reproduce(engine, words):
    def answer(seed):
        read(engine, [words])
        return write(engine, Sampling(seed=seed, max_tokens=30))

    assert answer(7) == answer(7)
    assert len({tuple(answer(seed)) for seed in range(4)}) > 1


def test_temperature_zero_takes_the_likeliest(engine, words):
    read(engine, [words])
    likeliest = int(logits(engine).argmax())
    assert write(engine, Sampling(temperature=0, max_tokens=1)) == [likeliest]
