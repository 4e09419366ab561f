"""Guessing what comes next changes nothing but the time."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgekit.engine.drafting import MOST_GUESSES, Pace, PromptLookup
from edgekit.engine.sampling import Sampling

REPEATED = "red circle, blue square, green star, yellow triangle, " * 12


@pytest.fixture
def engine(q8_engine, monkeypatch):
    """Pico's answers are short: it writes on after their end, and soon repeats itself."""
    monkeypatch.setattr(q8_engine.vocabulary, "ends", lambda token: False)
    return q8_engine


def written(engine, text, sampling, drafting):
    engine.cache.clear()
    tokens = engine.vocabulary.tokenize("<bos><|turn>user\n" + text)
    for _ in engine.read([tokens]):
        continue
    steps = []
    with pytest.MonkeyPatch.context() as patch:
        one, several = engine.cache.append, engine.cache.append_with_guesses
        patch.setattr(engine.cache, "append", lambda token: (steps.append(1), one(token)))
        patch.setattr(
            engine.cache,
            "append_with_guesses",
            lambda token, guesses: (steps.append(1 + len(guesses)), several(token, guesses)),
        )
        return list(engine.write(sampling, drafting=drafting)), steps


@pytest.mark.parametrize("text", [REPEATED, "What is this?<turn|>\n<|turn>model\n", REPEATED[:150]])
@pytest.mark.parametrize("sampling", [Sampling(temperature=0, max_tokens=200), Sampling(seed=3, max_tokens=200)])
def test_the_same_tokens_with_and_without(engine, text, sampling):
    plain, steps = written(engine, text, sampling, "never")
    assert set(steps) <= {1}
    guessed, _ = written(engine, text, sampling, "always")
    assert guessed == plain


def test_guesses_are_taken_where_text_repeats_itself(engine):
    tokens, steps = written(engine, REPEATED, Sampling(temperature=0, max_tokens=200), "always")
    assert max(steps) == MOST_GUESSES + 1
    assert len(steps) < len(tokens) / 2


def test_the_cache_holds_what_was_written(engine):
    """All but the last token, which nothing was computed for."""
    tokens, _ = written(engine, REPEATED, Sampling(temperature=0, max_tokens=77), "always")
    assert len(tokens) == 77
    assert list(engine.cache.entries[-76:]) == tokens[:-1]


def known(entries):
    lookup = PromptLookup()
    lookup.follow(entries)
    return lookup


def test_what_was_taken_back_is_forgotten():
    lookup = known([1, 2, 3, 4, 5, 1, 2])
    assert lookup.guess_after(3, 2) == [4, 5]
    lookup.follow([1, 2, 3, 6, 7, 1, 2])
    assert lookup.guess_after(3, 2) == [6, 7]
    lookup.follow([1, 2, 3, 6, 7, 1, 2, 3, 8, 1, 2])
    assert lookup.guess_after(3, 2) == [8, 1]


@given(st.lists(st.integers(0, 3), max_size=60), st.integers(0, 3))
def test_a_guess_is_what_followed_last_time(tokens: list[int], last: int):
    guesses = known(tokens).guess_after(last, 4)
    phrase = [*tokens[-2:], last]
    places = [at for at in range(3, len(tokens)) if tokens[at - 3 : at] == phrase] if len(phrase) == 3 else []
    assert guesses == ([*tokens[places[-1] :], last] * 4)[:4] if places else guesses == []


def test_media_are_not_guessed():
    entries = [1, 2, 3, ("picture", 0), ("picture", 1), 4, 1, 2]
    assert known(entries).guess_after(3, 4) == []


def test_guessing_goes_on_where_it_pays_and_rests_where_it_does_not():
    pace = Pace("auto")
    for _ in range(10):
        pace.measured(0, 0, 1.0)
    for _ in range(20):
        guessed = pace.guesses()
        assert guessed > 0
        pace.measured(guessed, guessed, 1.5)
    assert pace.guesses() == MOST_GUESSES
    while guessed := pace.guesses():
        pace.measured(guessed, 0, 1.5)
    trials = 0
    for _ in range(2000):
        guessed = pace.guesses()
        trials += guessed > 0
        pace.measured(guessed, 0, 1.5 if guessed else 1.0)
    assert 1 <= trials <= 12
