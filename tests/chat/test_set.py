"""Settings by name: what they take, and what they refuse."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from edgekit.chat.settings import change, describe
from edgekit.engine.sampling import Sampling
from edgekit.errors import EdgekitError


@pytest.fixture
def session() -> Any:
    """The part of a session that holds settings."""
    return SimpleNamespace(sampling=Sampling(), image_tokens=280)


@pytest.mark.parametrize(
    ("words", "line"),
    [
        ("temperature 0.7", "temperature 0.7"),
        ("temperature=0", "temperature 0.0"),
        ("top-p 1", "top_p 1.0"),
        ("top_k 0", "top_k 0"),
        ("seed 42", "seed 42"),
        ("seed none", "seed none"),
        ("max_tokens 100", "max_tokens 100"),
        ("image_tokens 1120", "image_tokens 1120"),
        ("image_tokens auto", "image_tokens auto"),
    ],
)
def test_takes_and_shows_a_value(session: Any, words: str, line: str) -> None:
    assert change(session, words) == line
    assert line in describe(session)


@pytest.mark.parametrize(
    ("words", "problem"),
    [
        ("heat 1", "there is no setting 'heat': there are temperature"),
        ("", "there is no setting"),
        ("temperature", "temperature takes 0 to 10"),
        ("temperature hot", "not 'hot'"),
        ("temperature nan", "not 'nan'"),
        ("temperature inf", "not 'inf'"),
        ("temperature -1", "not '-1'"),
        ("temperature none", "not 'none'"),
        ("top_p 1.1", "top_p takes 0 to 1"),
        ("top_k 1.5", "top_k takes"),
        ("max_tokens 0", "max_tokens takes 1 or more, or none"),
        ("image_tokens 300", "image_tokens takes 70, 140, 280, 560, 1120, auto, not '300'"),
    ],
)
def test_refuses_in_one_line_and_changes_nothing(session: Any, words: str, problem: str) -> None:
    before = describe(session)
    with pytest.raises(EdgekitError, match=problem):
        change(session, words)
    assert describe(session) == before
