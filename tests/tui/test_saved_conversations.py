"""Conversations that are saved by themselves, and going back to them: the application with the bundled model."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any

import pytest
from textual.containers import Vertical
from textual.widgets import Collapsible, Input, OptionList

from edgekit.chat.message import Media, Message, Text, user
from edgekit.chat.saved import Draft, Saved, Settings, State
from edgekit.chat.session import Session
from edgekit.chat.store import Store
from edgekit.tui.composer import Composer
from edgekit.tui.conversations import ConversationsScreen
from edgekit.tui.question import Question

OpenChat = Callable[..., AbstractAsyncContextManager[Any]]
EARLIER = (
    user("What are you?"),
    Message("assistant", (Text("I am an **earlier** answer."),), thought="Who am I?"),
    user("What can you do?"),
    Message("assistant", (Text("Many things."),)),
)
STATE = State(Settings("demo", "Give a short answer.", True, 140, {"temperature": 0.0, "seed": 3}), Draft("and then"))


@pytest.fixture
def store(tmp_path: Path) -> Store:
    """The conversations that the application keeps, as another process sees them."""
    return Store(tmp_path / "edgekit" / "conversations.db")


@pytest.fixture
def earlier(store: Store) -> int:
    """A conversation of another day."""
    place = store.save(None, EARLIER, 0, STATE, title="Another day")
    assert place is not None
    return place.id


@pytest.fixture
def opens(monkeypatch: pytest.MonkeyPatch) -> threading.Event:
    """Saved conversations come from the disk once this is set."""
    gate, load = threading.Event(), Store.load

    def load_late(self: Store, id: int) -> Any:
        gate.wait(60)
        return load(self, id)

    monkeypatch.setattr(Store, "load", load_late)
    return gate


def latest(store: Store) -> Saved | None:
    found = store.latest()
    return store.load(found.id)[0] if found else None


def draft(store: Store) -> Draft:
    found = latest(store)
    return found.state.draft if found else Draft()


def composer(person: Any) -> Composer:
    found: Composer = person.app.chat.query_one(Composer)
    return found


async def until_drafted(person: Any, store: Store, text: str) -> None:
    await person.until(lambda: draft(store).text == text, f"the draft {text!r} on disk")


class TestSaving:
    async def test_a_turn_is_on_disk_when_it_is_over(self, chat: OpenChat, store: Store, red_circle: Path) -> None:
        async with chat() as person:
            await person.press("ctrl+t")
            await person.attach(red_circle)
            await person.sees("drawn shape.png · 400x300")
            await person.send("What is in this picture?")
            await person.answered()
            saved = latest(store)
            assert saved is not None
            assert list(saved.messages) == person.app.chat.history
            assert saved.messages[1].thought
            assert saved.messages[0].media[0].sha256
            assert saved.state.settings.model == "demo"
            assert saved.state.settings.think
            assert saved.state.settings.sampling["max_tokens"] == 128

    async def test_typed_text_is_on_disk_from_the_first_key(
        self, chat: OpenChat, store: Store, red_circle: Path
    ) -> None:
        async with chat() as person:
            await person.press("H")
            await until_drafted(person, store, "H")
            await person.type("ello")
            await until_drafted(person, store, "Hello")
            await person.press(*["backspace"] * 5)
            await person.until(lambda: latest(store) is None, "the empty conversation to go")
            await person.paste(str(red_circle))
            await person.until(lambda: draft(store).media == (Media("image", red_circle),), "the picture on disk")
            await person.press("backspace")
            await person.until(lambda: latest(store) is None, "the empty conversation to go")

    async def test_a_command_that_is_being_typed_is_no_conversation(self, chat: OpenChat, store: Store) -> None:
        async with chat() as person:
            await person.type("/hel")
            await person.send("p")
            await person.sees("Esc closes")
            assert latest(store) is None

    async def test_a_question_is_on_disk_before_its_answer(
        self, chat: OpenChat, store: Store, pausing: type[Session]
    ) -> None:
        async with chat(pausing) as person:
            await person.send("What are you?")
            await person.sees("answering")
            saved = latest(store)
            assert saved is not None
            assert (saved.messages, saved.state.asked, saved.state.draft) == ((), Draft("What are you?"), Draft())
            await person.type("next")
            await until_drafted(person, store, "next")
            await person.press("escape")
            await person.answered()
            saved = latest(store)
            assert saved is not None
            assert list(saved.messages) == person.app.chat.history
            assert (saved.state.asked, saved.state.draft) == (Draft(), Draft("next"))

    async def test_the_last_letters_are_saved_when_leaving(self, chat: OpenChat, store: Store) -> None:
        async with chat() as person:
            await person.type("good bye")
            await person.press("ctrl+q")
            await person.until(lambda: not person.app.is_running, "the application to end")
        assert draft(store) == Draft("good bye")

    async def test_a_new_conversation_takes_what_is_typed_along(self, chat: OpenChat, store: Store) -> None:
        async with chat() as person:
            await person.send("What are you?")
            await person.answered()
            await person.type("next")
            await until_drafted(person, store, "next")
            await person.press("ctrl+n")
            await person.until(lambda: len(store.summaries()) == 2, "two conversations")
            await person.until(lambda: [each.unsent for each in store.summaries()].count(True) == 1, "one draft")
            unsent = next(each for each in store.summaries() if each.unsent)
            assert (unsent.title, unsent.questions) == ("next", 0)

    async def test_what_cannot_be_saved_is_said_once_and_the_chat_goes_on(self, chat: OpenChat, tmp_path: Path) -> None:
        (tmp_path / "edgekit").write_text("a file where a folder should be")
        async with chat() as person:
            await person.send("What are you?")
            await person.answered()
            await person.sees("this conversation is not saved: conversations cannot be kept in")
            await person.send("What are you?")
            await person.answered(2)
            assert person.screen.count("is not saved") <= 1

    async def test_a_damaged_file_is_set_aside_with_one_line(
        self, chat: OpenChat, store: Store, tmp_path: Path
    ) -> None:
        (tmp_path / "edgekit").mkdir()
        (tmp_path / "edgekit" / "conversations.db").write_bytes(b"no database\n" * 100)
        async with chat() as person:
            await person.sees("were damaged: set aside as")
            await person.send("What are you?")
            await person.answered()
            assert len(store.summaries()) == 1

    async def test_another_process_goes_on_in_the_same_one(self, chat: OpenChat, store: Store, earlier: int) -> None:
        async with chat(conversation=earlier) as person:
            await person.sees("Many things.")
            await person.press("ctrl+u")
            # Nothing is left to save, which would come between these two.
            await until_drafted(person, store, "")
            saved, place = store.load(earlier)
            store.save(place, [*saved.messages, user("Theirs")], 4, State())
            await person.send("Mine")
            await person.answered(3)
            await person.sees("changed or deleted elsewhere: from here on it is number 2")
            assert [message.text for message in store.load(earlier)[0].messages][4:] == ["Theirs"]
            assert [message.text for message in store.load(2)[0].messages][:5][-1] == "Mine"


class TestOpening:
    @pytest.mark.parametrize("way", ["ctrl+l", "/conversations"])
    async def test_goes_on_where_it_ended(self, chat: OpenChat, store: Store, earlier: int, way: str) -> None:
        async with chat(size=(80, 50)) as person:
            await (person.send(way) if way.startswith("/") else person.press(way))
            await person.sees("Another day", "2 questions", "unsent text")
            await person.press("enter")
            await person.sees("What are you?", "I am an earlier answer.", "Many things.", "thinking on")
            assert person.app.screen.query_one(Collapsible).title == "Thought"
            session = person.app.model.session
            assert (session.system, session.think, session.image_tokens) == ("Give a short answer.", True, 140)
            assert (session.sampling.temperature, session.sampling.seed) == (0, 3)
            assert composer(person).text == "and then"
            await person.press("enter")
            await person.answered(3)
            saved = latest(store)
            assert saved is not None
            assert (saved.id, saved.title) == (earlier, "Another day")
            assert list(saved.messages) == person.app.chat.history
            assert [message.text for message in saved.messages[:5]] == [
                *(message.text for message in EARLIER),
                "and then",
            ]
            assert not saved.state.unsent

    async def test_the_model_reads_what_was_said(self, chat: OpenChat, earlier: int) -> None:
        async with chat(conversation=earlier) as person:
            await person.sees("Many things.")
            await person.press("enter")
            await person.answered(3)
            assert person.app.chat.status.status.used > 60

    async def test_what_is_typed_before_it_is_open_stays(
        self, chat: OpenChat, store: Store, earlier: int, opens: threading.Event
    ) -> None:
        async with chat(conversation=earlier) as person:
            await person.type("!")
            opens.set()
            await person.until(lambda: composer(person).text == "and then!", "both texts")
            await until_drafted(person, store, "and then!")

    async def test_what_is_sent_before_it_is_open_is_asked_there(
        self, chat: OpenChat, earlier: int, opens: threading.Event
    ) -> None:
        async with chat(conversation=earlier) as person:
            await person.send("Who are you?")
            opens.set()
            await person.answered(3)
            assert [message.text for message in person.app.chat.history][4] == "Who are you?"

    async def test_the_start_says_that_text_is_unsent(self, chat: OpenChat, earlier: int) -> None:
        async with chat(size=(80, 40)) as person:
            await person.sees("unsent text is kept in 'Another day': Ctrl+L, then Enter opens it", "F1")

    async def test_a_question_without_answer_comes_back(self, chat: OpenChat, store: Store, red_circle: Path) -> None:
        state = State(asked=Draft("What is it?", (Media("image", red_circle),)), draft=Draft("and"))
        place = store.save(None, EARLIER[:2], 0, state)
        assert place is not None
        async with chat(conversation=place.id) as person:
            await person.sees("drawn shape.png · 400x300")
            assert composer(person).text == "What is it?\n\nand"
            await until_drafted(person, store, "What is it?\n\nand")
            assert draft(store).media == (Media("image", red_circle),)

    async def test_a_picture_that_is_gone_is_said(self, chat: OpenChat, store: Store, red_circle: Path) -> None:
        asked = user("What is in this picture?", Media("image", red_circle))
        place = store.save(None, [asked, EARLIER[1]], 0, State(draft=Draft("x", (Media("image", red_circle),))))
        assert place is not None
        red_circle.unlink()
        async with chat(conversation=place.id, size=(80, 40)) as person:
            await person.sees(
                "drawn shape.png is gone: the model reads a note in its place", "[a picture, drawn shape.png, is gone]"
            )
            await person.sees("no such file")
            await person.press("enter")
            await person.answered(2)
        # What lies on disk still says which picture it was.
        assert store.load(place.id)[0].messages[0] == asked

    async def test_while_the_model_answers(
        self, chat: OpenChat, store: Store, earlier: int, pausing: type[Session]
    ) -> None:
        async with chat(pausing) as person:
            await person.send("Who are you?")
            await person.sees("answering")
            await person.type("typed")
            await person.press("ctrl+l")
            await person.sees("Another day")
            await person.press("down", "enter")
            await person.sees("Many things.")
            assert composer(person).text == "and then"
            left = next(each for each in store.summaries() if each.id != earlier)
            saved, _ = store.load(left.id)
            assert (left.title, left.questions, saved.state.unsent) == ("Who are you?", 1, Draft("typed"))

    async def test_a_long_one_shows_its_end(self, chat: OpenChat, store: Store) -> None:
        turns = [one for number in range(40) for one in (user(f"question {number}"), EARLIER[3])]
        place = store.save(None, turns, 0, State())
        assert place is not None
        async with chat(conversation=place.id) as person:
            await person.sees("question 39")
            assert len(person.app.chat.query(Question)) == 30
            assert len(person.app.chat.history) == 80


class TestList:
    async def test_searches(self, chat: OpenChat, store: Store, earlier: int) -> None:
        store.save(None, [user("A red circle")], 0, State())
        async with chat() as person:
            await person.press("ctrl+l")
            await person.sees("Another day", "A red circle")
            await person.type("many")
            await person.until(lambda: "A red circle" not in person.screen, "the search")
            await person.sees("Another day", "Many things.")
            await person.type("xx")
            await person.sees("nothing found")
            await person.press("enter", "escape")
            await person.sees("Ask something")

    async def test_opens_what_was_searched_however_fast(
        self, chat: OpenChat, store: Store, earlier: int, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        store.save(None, [user("A red circle")], 0, State())
        async with chat() as person:
            await person.press("ctrl+l")
            await person.sees("Another day", "A red circle")
            summaries = Store.summaries
            monkeypatch.setattr(Store, "summaries", lambda *what: time.sleep(0.5) or summaries(*what))
            await person.send("many")
            await person.sees("Many things.")

    async def test_the_keys_move(self, chat: OpenChat, store: Store) -> None:
        for number in range(30):
            store.save(None, [user(f"question {number}")], 0, State())
        async with chat() as person:
            await person.press("ctrl+l")
            await person.sees("question 29")
            shown = person.app.screen.query_one(OptionList)
            for key, at in (("down", 1), ("up", 0)):
                await person.press(key)
                assert shown.highlighted == at
            await person.press("pagedown")
            assert shown.highlighted > 1
            await person.press("pageup")
            assert shown.highlighted == 0

    async def test_renames(self, chat: OpenChat, store: Store, earlier: int) -> None:
        async with chat() as person:
            await person.press("ctrl+l")
            await person.sees("Another day")
            await person.press("ctrl+r")
            await person.sees("Enter renames")
            await person.type(" off")
            # A search that ends late highlights another one.
            store.save(None, [user("A red circle")], 0, State())
            person.app.screen._search()
            await person.sees("A red circle")
            await person.press("enter")
            await person.sees("Another day off", "A red circle")
            assert store.load(earlier)[0].title == "Another day off"
            await person.press("ctrl+r", "ctrl+u", "enter")
            await person.sees("needs a title")
            await person.press("ctrl+r", "x", "escape")
            await person.sees("Another day off")
            assert isinstance(person.app.screen, ConversationsScreen)

    async def test_deletes_when_asked_twice(self, chat: OpenChat, store: Store, earlier: int) -> None:
        other = store.save(None, [user("A red circle")], 0, State())
        assert other is not None
        async with chat() as person:
            await person.press("ctrl+l")
            await person.sees("A red circle")
            await person.press("ctrl+d")
            await person.sees("Ctrl+D again")
            # Moving on is a change of mind.
            await person.press("down", "up", "ctrl+d", "escape")
            assert len(store.summaries()) == 2
            await person.press("ctrl+d", "ctrl+d")
            await person.until(lambda: len(store.summaries()) == 1, "the deletion")
            assert store.summaries()[0].id == earlier
            await person.until(lambda: "A red circle" not in person.screen, "the shorter list")

    async def test_the_open_one_is_not_deleted(self, chat: OpenChat, store: Store, earlier: int) -> None:
        async with chat(conversation=earlier) as person:
            await person.sees("Many things.")
            await person.press("ctrl+l")
            await person.sees("open · unsent text")
            await person.press("ctrl+d", "ctrl+d")
            await person.sees("this one is open")
            assert store.load(earlier)

    async def test_exports(self, chat: OpenChat, earlier: int, tmp_path: Path) -> None:
        async with chat() as person:
            await person.press("ctrl+l")
            await person.sees("Another day")
            await person.press("ctrl+e")
            await person.sees("Enter exports")
            await person.type(f"{tmp_path}/out.md --thinking")
            await person.press("enter")
            await person.until((tmp_path / "out.md").exists, "the file")
            assert "> Who am I?" in (tmp_path / "out.md").read_text()
            await person.press("ctrl+e")
            await person.type(f"{tmp_path}/out.md")
            await person.press("enter")
            await person.sees("give another name")
            await person.press("ctrl+e")
            person.app.screen.query_one(Input).value = f"{tmp_path}/{'long' * 99}.md"
            await person.press("enter")
            box = person.app.screen.query_one(Vertical)
            await person.until(lambda: "cannot be written" in str(box.border_subtitle), "the reason")

    async def test_forks(self, chat: OpenChat, store: Store, earlier: int) -> None:
        async with chat(size=(80, 50)) as person:
            await person.press("ctrl+l")
            await person.sees("Another day")
            await person.press("ctrl+f")
            await person.sees("this is a copy now: conversation 2", "Many things.")
            copy, original = store.load(2)[0], store.load(earlier)[0]
            assert copy.title == "Another day (fork)"
            assert copy.messages == original.messages == EARLIER

    @pytest.mark.parametrize("key", ["escape", "ctrl+c"])
    async def test_closes(self, chat: OpenChat, key: str) -> None:
        async with chat() as person:
            await person.press("ctrl+l")
            await person.sees("nothing was said yet")
            await person.press(key)
            await person.sees("Ask something")

    async def test_help_lists_its_keys(self, chat: OpenChat) -> None:
        async with chat(size=(80, 40)) as person:
            await person.press("ctrl+l")
            await person.sees("nothing was said yet")
            await person.press("f1")
            await person.sees("Ctrl+D, twice delete it for good")


class TestCommands:
    async def test_rename_and_export(self, chat: OpenChat, store: Store, earlier: int, tmp_path: Path) -> None:
        async with chat(conversation=earlier, size=(80, 50)) as person:
            await person.sees("Many things.")
            await person.press("ctrl+u")
            await person.send("/rename A good name")
            await person.sees("is called 'A good name' now")
            await person.send(f"/export {tmp_path}/out.json")
            await person.until((tmp_path / "out.json").exists, "the file")
            exported = json.loads((tmp_path / "out.json").read_text())
            assert exported["title"] == "A good name"
            assert len(exported["messages"]) == 4
            assert "Who am I?" not in (tmp_path / "out.json").read_text()
            await person.send("/export")
            await person.sees("say where: /export FILE")

    @pytest.mark.parametrize(
        ("command", "line"),
        [
            ("/rename x", "nothing was said yet"),
            ("/export x.md", "nothing was said yet"),
            ("/edit", "nothing was asked yet"),
            ("/fork", "there is nothing to fork yet"),
            ("/regenerate", "nothing was asked yet"),
            ("/edit x", "is no number of a question"),
        ],
    )
    async def test_before_anything_was_said(self, chat: OpenChat, command: str, line: str) -> None:
        async with chat() as person:
            await person.send(command)
            await person.sees(line)


class TestGoingBack:
    @pytest.mark.parametrize("way", ["command", "key"])
    async def test_an_earlier_question_is_edited(self, chat: OpenChat, store: Store, earlier: int, way: str) -> None:
        async with chat(conversation=earlier, size=(80, 50)) as person:
            await person.sees("Many things.")
            await person.press("ctrl+u")
            if way == "command":
                await person.send("/edit 1")
            else:
                person.app.chat.query(Question).first().focus()
                await person.sees("E edits")
                await person.press("e")
            await person.until(lambda: composer(person).text == "What are you?", "the question to edit")
            await person.sees("Editing a question")
            # Nothing has happened yet.
            await person.sees("Many things.")
            await person.type(" And you?")
            await person.press("enter")
            await person.answered()
            assert "Many things." not in person.screen
            assert "earlier answer" not in person.screen
            assert person.app.chat.history[0].text == "What are you? And you?"
            assert len(person.app.chat.query(Question)) == 1
            assert list(store.load(earlier)[0].messages) == person.app.chat.history
            assert len(store.summaries()) == 1

    async def test_a_question_that_is_no_longer_shown_is_edited(self, chat: OpenChat, store: Store) -> None:
        turns = [one for at in range(40) for one in (user(f"Question {at}?"), Message("assistant", (Text("Yes."),)))]
        place = store.save(None, turns, 0, State())
        assert place is not None
        async with chat(conversation=place.id, size=(80, 50)) as person:
            await person.sees("Question 39?")
            await person.send("/edit 3")
            await person.until(lambda: composer(person).text == "Question 2?", "the question to edit")
            await person.press("enter")
            await person.answered(3)
            shown = [question.message for question in person.app.chat.query(Question)]
            assert shown == [one for one in person.app.chat.history if one.role == "user"]
            assert len(shown) == 3

    async def test_esc_leaves_the_question_as_it_was(self, chat: OpenChat, store: Store, earlier: int) -> None:
        async with chat(conversation=earlier) as person:
            await person.sees("Many things.")
            await person.press("ctrl+u")
            await person.send("/edit")
            await person.until(lambda: composer(person).text == "What can you do?", "the question to edit")
            await person.press("escape")
            await person.until(lambda: not composer(person).text, "the composer to be empty")
            assert "Editing" not in person.screen
            await person.send("What now?")
            await person.answered(3)
            assert store.load(earlier)[0].messages[:4] == EARLIER

    async def test_an_edit_that_cannot_be_answered_loses_nothing(
        self, chat: OpenChat, store: Store, earlier: int
    ) -> None:
        async with chat(conversation=earlier, size=(80, 50)) as person:
            await person.sees("Many things.")
            await person.press("ctrl+u")
            await person.send("/edit 1")
            await person.until(lambda: composer(person).text == "What are you?", "the question to edit")
            composer(person).text = "again and again " * 4000
            await person.press("enter")
            await person.until(lambda: "the conversation takes" in person.screen, "the error")
            assert tuple(person.app.chat.history) == EARLIER
            assert len(person.app.chat.query(Question)) == 2
            assert store.load(earlier)[0].messages == EARLIER
            assert composer(person).text

    async def test_typed_text_is_not_overwritten(self, chat: OpenChat, earlier: int) -> None:
        async with chat(conversation=earlier, size=(80, 50)) as person:
            await person.sees("Many things.")
            person.app.chat.query(Question).first().focus()
            await person.press("e")
            await person.sees("send or clear first what is typed")
            assert composer(person).text == "and then"

    @pytest.mark.parametrize("way", ["ctrl+r", "/regenerate"])
    async def test_the_last_question_is_asked_again(
        self, chat: OpenChat, store: Store, earlier: int, red_circle: Path, way: str
    ) -> None:
        place = store.save(None, [user("What is in this picture?", Media("image", red_circle)), EARLIER[1]], 0, State())
        assert place is not None
        async with chat(conversation=place.id, size=(80, 50)) as person:
            await person.sees("I am an earlier answer.")
            await (person.send(way) if way.startswith("/") else person.press(way))
            await person.sees("red circle")
            await person.answered()
            assert "earlier" not in person.screen
            assert list(store.load(place.id)[0].messages) == person.app.chat.history
            assert "red circle" in person.app.chat.history[1].text

    async def test_asking_again_and_stopping_at_once_keeps_the_answer(
        self, chat: OpenChat, store: Store, earlier: int
    ) -> None:
        async with chat(conversation=earlier, size=(80, 50)) as person:
            await person.sees("Many things.")
            session, person.app.model.session = person.app.model.session, None
            await person.press("ctrl+r")
            await person.until(lambda: person.app.chat.answering, "the turn to begin")
            await person.press("escape")
            await person.until(lambda: not person.app.chat.answering, "the turn to end")
            person.app.model.session = session
            await person.sees("Many things.")
            assert store.load(earlier)[0].messages == EARLIER == tuple(person.app.chat.history)

    @pytest.mark.parametrize("way", ["command", "key"])
    async def test_a_copy_from_a_question_on(self, chat: OpenChat, store: Store, earlier: int, way: str) -> None:
        async with chat(conversation=earlier, size=(80, 50)) as person:
            await person.sees("Many things.")
            await person.press("ctrl+u")
            if way == "command":
                await person.send("/fork 1")
            else:
                person.app.chat.query(Question).first().focus()
                await person.press("f")
            await person.sees("this is a copy now: conversation 2")
            assert "Many things." not in person.screen
            assert tuple(person.app.chat.history) == EARLIER[:2] == store.load(2)[0].messages
            assert store.load(earlier)[0].messages == EARLIER
            await person.press("ctrl+l")
            await person.sees("Another day (fork)")

    async def test_there_is_no_such_question(self, chat: OpenChat, earlier: int) -> None:
        async with chat(conversation=earlier) as person:
            await person.sees("Many things.")
            await person.press("ctrl+u")
            await person.send("/edit 3")
            await person.sees("there is no question 3: there are 2")
            composer(person).text = f"/edit {'9' * 5000}"
            await person.press("enter")
            await person.sees("is no number of a question: 1 is the first one")
