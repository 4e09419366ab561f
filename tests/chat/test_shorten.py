"""Making room in a conversation."""

from __future__ import annotations

import pytest

from edgekit.chat.message import Message, Text, ToolCall, user
from edgekit.chat.shorten import SUMMARY_REQUEST, summarised, summary_request, turns, turns_to_drop, without_oldest
from edgekit.errors import EdgekitError


def _said(text: str) -> Message:
    return Message("assistant", (Text(text),))


_CALL = Message("assistant", tool_calls=(ToolCall("weather"),))
_HISTORY = [
    user("one"),
    _said("1"),
    user("two"),
    _CALL,
    Message("tool", (Text("sunny"),)),
    _said("2"),
    user("3"),
    _said("3"),
]


def test_a_turn_holds_its_tools() -> None:
    assert [len(turn) for turn in turns(_HISTORY)] == [2, 4, 2]


@pytest.mark.parametrize(("count", "left"), [(1, 6), (2, 2), (99, 2)])
def test_the_oldest_turns_go_whole(count: int, left: int) -> None:
    assert without_oldest(_HISTORY, count) == _HISTORY[-left:]


def test_nothing_is_left_of_nothing() -> None:
    assert without_oldest([], 3) == []


@pytest.mark.parametrize(("word", "count"), [("", 2), ("1", 1), ("99", 4)])
def test_half_of_the_turns_or_as_many_as_asked_for(word: str, count: int) -> None:
    assert turns_to_drop(word, 5) == count


@pytest.mark.parametrize("word", ["0", "-1", "two", "1.5", "²", pytest.param("9" * 5000, id="5000 digits")])
def test_no_number_is_refused(word: str) -> None:
    with pytest.raises(EdgekitError, match="takes a number of turns"):
        turns_to_drop(word, 5)


def test_a_summary_is_the_beginning_and_roles_alternate() -> None:
    assert summary_request(_HISTORY)[-1].text == SUMMARY_REQUEST
    assert [message.role for message in summarised("short")] == ["user", "assistant"]
    assert summarised("short")[-1].text == "short"
