"""A conversation that was shortened to make room is whole where it is read again."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from edgekit.chat.keeper import Keeper
from edgekit.chat.message import Message, Text, user
from edgekit.chat.saved import Settings, State
from edgekit.chat.shorten import summarised
from edgekit.chat.store import Store

History = tuple[Message, ...]


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    opened = Store(tmp_path / "conversations.db")
    yield opened
    opened.close()


@pytest.fixture
def keeper(store: Store) -> Keeper:
    return Keeper(store, Settings("demo"))


def turn(question: str) -> History:
    return user(question), Message("assistant", (Text(f"about {question}"),))


def keep(keeper: Keeper, history: History, *, replace: bool = False) -> int:
    keeper.keep(history, State(Settings("demo")), replace)
    assert keeper.place is not None
    return keeper.place.id


def questions(store: Store, id: int) -> list[str]:
    return [message.text for message in store.whole(id).messages if message.role == "user"]


def test_a_summary_and_forgotten_turns_are_what_they_stand_for(store: Store, keeper: Keeper) -> None:
    one, two, three = turn("one"), turn("two"), turn("three")
    first = keep(keeper, one + two)
    keep(keeper, two)
    keep(keeper, two + three)
    summary = tuple(summarised("one to three"))
    last = keep(keeper, summary)
    keep(keeper, summary + turn("four"))
    assert questions(store, last) == ["one", "two", "three", "four"]
    assert len(store.whole(last).messages) == 8
    assert questions(store, first) == ["one", "two"]
    # What is said in the first one afterwards belongs to that alone.
    again = Keeper(store, Settings("demo"))
    again.open(first, print)
    keep(again, (*again.open(first, print).messages, *turn("apart")))
    assert questions(store, last) == ["one", "two", "three", "four"]


def test_opened_and_forked_it_is_still_whole(store: Store, keeper: Keeper) -> None:
    keep(keeper, turn("one"))
    last = keep(keeper, tuple(summarised("one")))
    again = Keeper(store, Settings("demo"))
    history = again.open(last, print).messages
    keep(again, history + turn("two"))
    assert questions(store, last) == ["one", "two"]
    again.fork(history, State(Settings("demo")))
    assert again.place is not None
    assert questions(store, again.place.id) == ["one"]


def test_without_the_first_one_the_summary_is_left(store: Store, keeper: Keeper) -> None:
    first = keep(keeper, turn("one"))
    last = keep(keeper, tuple(summarised("one")))
    store.delete(first)
    assert [message.text for message in store.whole(last).messages] == ["one"]


def test_what_was_asked_anew_stands_for_itself(store: Store, keeper: Keeper) -> None:
    two = turn("two")
    keep(keeper, turn("one") + two)
    last = keep(keeper, two)
    keep(keeper, turn("two again"), replace=True)
    assert questions(store, last) == ["two again"]
