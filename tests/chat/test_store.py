"""Conversations on disk: what goes in comes out, and neither a kill, nor another process, nor damage loses any."""

from __future__ import annotations

import os
import random
import shutil
import signal
import sqlite3
import stat
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as some

from edgekit.chat import store as store_module
from edgekit.chat.lost import file_digest, without_lost
from edgekit.chat.message import Media, Message, Text, ToolCall, user
from edgekit.chat.saved import Draft, Settings, State, message_as_json, message_from_json, title_of
from edgekit.chat.store import Store
from edgekit.errors import EdgekitError, FileError

TYPED = State(Settings("demo", "Be brief.", True, 560, {"temperature": 0.5, "seed": 7}), Draft("half a sen"))


def answer(text):
    return Message("assistant", (Text(text),))


@pytest.fixture
def path(tmp_path):
    return tmp_path / "data" / "conversations.db"


@pytest.fixture
def lines():
    """What the store had to say."""
    return []


@pytest.fixture
def store(path, lines):
    store = Store(path, lines.append)
    yield store
    store.close()


def save(store, *messages, place=None, keep=0, state=State(), **how):  # noqa: B008 - frozen
    return store.save(place, messages, keep, state, **how)


class TestMessages:
    def test_everything_comes_back(self, store, tmp_path):
        (tmp_path / "shape.png").write_bytes(b"pixels")
        picture = Media("image", tmp_path / "shape.png")
        calls = (ToolCall("weather", {"city": "Zürich", "days": [1, 2.5, None, True, {"deep": "{"}]}),)
        messages = (
            user("What\0 is\n this? \u2028 👍", picture, Media("audio", tmp_path / "gone.wav")),
            Message("assistant", thought="Let me see.", tool_calls=calls),
            Message("tool", (Text('{"temperature": 21}'),), name="weather"),
            answer("21 degrees."),
        )
        place = save(store, *messages, state=TYPED)
        saved, again = store.load(place.id)
        assert (saved.messages, saved.state, again) == (messages, TYPED, place)
        shape, sound = saved.messages[0].media
        assert shape.sha256 == file_digest(picture.path) != ""
        assert sound.sha256 == ""

    def test_a_name_that_is_no_text(self, store, tmp_path):
        strange = Path(os.fsdecode(os.fsencode(tmp_path) + b"/\xff\xfe.png"))
        place = save(
            store, user("", Media("image", strange)), state=State(draft=Draft("x", (Media("audio", strange),)))
        )
        saved, _ = store.load(place.id)
        assert saved.messages[0].media[0].path == saved.state.draft.media[0].path == strange
        assert store.summaries("png")

    @given(some.text(), some.text(), some.dictionaries(some.text(), some.integers() | some.text()))
    def test_any_text(self, text, thought, arguments):
        message = Message("assistant", (Text(text),), thought, (ToolCall("f", arguments),))
        assert message_from_json(message_as_json(message)) == message

    def test_settings_of_a_newer_edgekit_are_left_out(self, store, path):
        place = save(store, user("Hello"), state=TYPED)
        store.close()
        with sqlite3.connect(path) as db:
            db.execute('UPDATE conversation SET state = replace(state, \'"model"\', \'"new": 1, "model"\')')
        db.close()
        assert store.load(place.id)[0].state == TYPED

    @pytest.mark.parametrize(
        ("messages", "title"),
        [
            ([user("  What\n is it?  ")], "What is it?"),
            ([user("", Media("image", Path("/x/a b.png")))], "a b.png"),
            ([user("word " * 40)], "word " * 11 + "word…"),
            ([], ""),
        ],
    )
    def test_titles(self, messages, title):
        assert title_of(messages) == title


class TestSaving:
    def test_turns_are_appended(self, store):
        first = (user("One"), answer("1"))
        place = save(store, *first)
        both = (*first, user("Two"), answer("2"))
        place = save(store, *both, place=place, keep=2)
        assert store.load(place.id)[0].messages == both
        assert [each.questions for each in store.summaries()] == [2]

    def test_what_came_after_a_question_is_replaced(self, store):
        place = save(store, user("One"), answer("1"), user("Two"), answer("2"))
        place = save(store, user("One"), answer("1"), user("Zwei"), place=place, keep=2)
        assert [message.text for message in store.load(place.id)[0].messages] == ["One", "1", "Zwei"]

    def test_a_draft_alone_is_a_conversation_until_it_is_cleared(self, store):
        place = save(store, state=TYPED, durable=False)
        [summary] = store.summaries()
        assert (summary.id, summary.title, summary.questions, summary.unsent) == (place.id, "half a sen", 0, True)
        assert store.latest() == summary
        assert save(store, place=place) is None
        assert store.summaries() == []
        assert store.latest() is None

    def test_nothing_makes_no_file(self, store, path):
        assert save(store) is None
        assert not path.exists()

    def test_the_title_stays(self, store):
        place = save(store, user("One"), title="A name")
        place = save(store, user("Other"), place=place)
        assert store.load(place.id)[0].title == "A name"

    def test_released_text_is_gone_and_turns_are_not(self, store):
        talked, typed = save(store, user("One"), state=TYPED), save(store, state=TYPED)
        store.release(talked)
        store.release(typed)
        assert [each.id for each in store.summaries()] == [talked.id]
        state = store.load(talked.id)[0].state
        assert (state.unsent, state.settings) == (Draft(), TYPED.settings)

    def test_only_its_owner_may_read_it(self, store, path):
        save(store, user("One"))
        files = list(path.parent.iterdir())
        assert len(files) == 3
        assert {stat.S_IMODE(file.stat().st_mode) for file in files} == {0o600}


class TestUnsent:
    @pytest.mark.parametrize(
        ("asked", "draft", "unsent"),
        [("", "", ""), ("a", "", "a"), ("", "b", "b"), ("a", "b", "a\n\nb"), ("a", "a", "a"), ("a", "a b", "a b")],
    )
    def test_text(self, asked, draft, unsent):
        assert State(draft=Draft(draft), asked=Draft(asked)).unsent == Draft(unsent)

    def test_media(self):
        one, two = Media("image", Path("/1.png")), Media("image", Path("/2.png"))
        state = State(draft=Draft("", (two,)), asked=Draft("", (one,)))
        assert state.unsent == Draft("", (one, two))


class TestListing:
    def test_the_last_changed_comes_first(self, store):
        first, second = save(store, user("One")), save(store, user("Two"))
        assert [each.title for each in store.summaries()] == ["Two", "One"]
        save(store, user("One"), user("more"), place=first, keep=1)
        assert [each.title for each in store.summaries()] == ["One", "Two"]
        assert store.latest().id == first.id != second.id

    def test_renamed_and_still_gone_on_with(self, store):
        place = save(store, user("One"))
        store.rename(place.id, "  Another\n name ")
        assert store.load(place.id)[0].title == "Another name"
        assert save(store, user("One"), user("Two"), place=place, keep=1).id == place.id

    def test_what_is_not_there(self, store):
        with pytest.raises(FileError, match="there is no conversation 7: `edgekit conversations` lists them"):
            store.load(7)
        with pytest.raises(FileError, match="no conversation 7"):
            store.rename(7, "x")
        place = save(store, user("One"))
        with pytest.raises(FileError, match="no conversation 7"):
            store.delete(place.id, 7)
        assert store.load(place.id)
        with pytest.raises(EdgekitError, match="needs a title"):
            store.rename(place.id, " ")

    def test_a_number_that_sqlite_cannot_count_to(self, store):
        for work in (store.load, store.delete, lambda id: store.rename(id, "x")):
            with pytest.raises(FileError, match="there is no conversation 1000"):
                work(10**20)

    def test_deleted_words_are_not_in_the_file_any_more(self, store, path):
        gone, kept = save(store, user("my secret is xyzzy")), save(store, user("plugh"))
        assert store.summaries("xyzzy")
        store.delete(gone.id)
        assert [each.id for each in store.summaries()] == [kept.id]
        store.close()
        assert all(b"xyzzy" not in file.read_bytes() for file in path.parent.iterdir())
        assert b"plugh" in path.read_bytes()

    def test_numbers_are_not_used_again(self, store):
        place = save(store, user("One"))
        store.delete(place.id)
        assert save(store, user("Two")).id > place.id


@pytest.fixture(params=["index", "none"])
def either_way(request, monkeypatch):
    """With SQLite's full-text index and, as where SQLite was built without, by reading everything."""
    if request.param == "none":
        monkeypatch.setattr(store_module, "indexed", lambda _: False)


@pytest.mark.usefixtures("either_way")
class TestSearch:
    @pytest.mark.parametrize(
        ("words", "found"),
        [
            ("circle", {"shapes"}),
            ("CIRC red", {"shapes"}),
            ("strasse", {"town"}),
            ("ÄPFEL", {"town"}),
            ("天気", {"weather"}),
            ("天気は", {"weather"}),
            ("is", {"shapes", "town"}),
            ('say "hi" OR', {"town"}),
            ("100%", {"town"}),
            ("shape.png", {"shapes"}),
            ("weather", {"weather"}),
            ("circle äpfel", set()),
            ("*", set()),
            ("nothing", set()),
            ("", {"shapes", "town", "weather"}),
            ("\udcff\0x", set()),
        ],
    )
    def test_finds_words_anywhere(self, store, words, found):
        save(store, user("What is it?", Media("image", Path("/x/shape.png"))), answer("A RED circle"), title="shapes")
        save(store, user('Say "hi" or "ho": Äpfel in der Straße, 100% fresh, is it?'), title="town")
        save(store, user("今日の天気は?"), title="weather")
        assert {each.title for each in store.summaries(words)} == found

    def test_shows_what_stands_around(self, store):
        save(store, user("before " * 20 + "the needle" + " after" * 20))
        [found] = store.summaries("NEEDLE")
        assert "the needle after" in found.excerpt
        assert found.excerpt.startswith("…")
        assert found.excerpt.endswith("…")
        assert len(found.excerpt) < 110

    def test_sees_what_is_new_and_not_what_is_gone(self, store):
        place = save(store, user("apple"), title="-")
        assert store.summaries("apple")
        place = save(store, user("banana"), place=place)
        assert not store.summaries("apple")
        assert store.summaries("banana")
        store.delete(place.id)
        assert not store.summaries("banana")


@settings(max_examples=40, deadline=None)
@given(
    texts=some.lists(some.text("aAßäÄ 天b\"'%", max_size=12), max_size=6), words=some.text("aAßä 天b\"'%", max_size=6)
)
def test_both_ways_of_searching_find_the_same(tmp_path_factory, texts, words):
    store = Store(tmp_path_factory.mktemp("search") / "c.db")
    for text in texts:
        save(store, user(text), title="-")
    with_index = store.summaries(words)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(store_module, "indexed", lambda _: False)
        assert store.summaries(words) == with_index
    store.close()


class TestTwoAtOnce:
    def test_both_go_on_in_one_conversation(self, store, path):
        place = save(store, user("One"), answer("1"))
        other = Store(path)
        theirs, their_place = other.load(place.id)
        their_place = other.save(their_place, [*theirs.messages, user("Theirs"), answer("t")], 2, State())
        mine = save(store, user("One"), answer("1"), user("Mine"), answer("m"), place=place, keep=2)
        assert their_place.id == place.id != mine.id
        texts = {each.id: [message.text for message in store.load(each.id)[0].messages] for each in store.summaries()}
        assert texts == {place.id: ["One", "1", "Theirs", "t"], mine.id: ["One", "1", "Mine", "m"]}
        other.close()

    def test_what_somebody_else_deleted_is_saved_whole(self, store):
        place = save(store, user("One"), answer("1"))
        store.delete(place.id)
        again = save(store, user("One"), answer("1"), place=place, keep=2, state=TYPED)
        assert len(store.load(again.id)[0].messages) == 2
        store.delete(again.id)
        assert save(store, place=again) is None

    def test_a_file_that_was_deleted_is_made_again(self, store, path):
        place = save(store, user("One"), answer("1"))
        shutil.rmtree(path.parent)
        place = save(store, user("One"), answer("1"), place=place, keep=2)
        assert len(store.load(place.id)[0].messages) == 2

    def test_processes_that_begin_and_write_at_once(self, path):
        writers = [subprocess.Popen([sys.executable, "-c", WRITER, str(path), "20"], stdout=-1) for _ in range(4)]
        printed = [writer.communicate(timeout=300)[0].split() for writer in writers]
        assert [writer.returncode for writer in writers] == [0] * 4
        store = Store(path)
        assert {len(store.load(int(out[-2]))[0].messages) for out in printed} == {40}
        assert len(store.summaries()) == 4


# Saves turn after turn and says after each in which conversation it lies and which turn it was.
WRITER = """
import sys
from pathlib import Path
from edgekit.chat.message import Message, Text, user
from edgekit.chat.saved import Draft, State
from edgekit.chat.store import Store
store, place, messages = Store(Path(sys.argv[1])), None, []
for turn in range(int(sys.argv[2])):
    for typed in range(3):
        place = store.save(place, messages, len(messages), State(draft=Draft("x" * typed)), durable=False)
    messages += [user(f"question {turn} " * 50), Message("assistant", (Text(f"answer {turn}"),))]
    place = store.save(place, messages, len(messages) - 2, State())
    print(place.id, turn, flush=True)
"""


def test_a_killed_process_loses_nothing_that_was_saved(path):
    chance = random.Random(5)
    for _ in range(12):
        with subprocess.Popen([sys.executable, "-c", WRITER, str(path), "100000"], stdout=-1, text=True) as process:
            for _ in range(chance.randint(1, 60)):
                line = process.stdout.readline()
            process.send_signal(signal.SIGKILL)
        id, turn = map(int, line.split())
        lines = []
        store = Store(path, lines.append)
        texts = [message.text for message in store.load(id)[0].messages]
        assert len(texts) % 2 == 0
        assert len(texts) >= 2 * (turn + 1)
        assert texts[1::2] == [f"answer {number}" for number in range(len(texts) // 2)]
        assert not lines
        store.close()


def fill(path):
    """Make a database of many pages."""
    store = Store(path)
    place = None
    for number in range(20):
        place = save(store, user(f"{number} " * 4000), answer("yes"))
    store.close()
    return place


class TestDamage:
    @pytest.mark.parametrize("kind", ["text", "head", "cut", "middle", "foreign"])
    def test_is_set_aside_with_one_line(self, path, lines, kind):
        place = fill(path)
        whole = path.read_bytes()
        if kind == "foreign":
            path.unlink()
            with sqlite3.connect(path) as db:
                db.execute("CREATE TABLE other (x)")
            db.close()
        else:
            half = len(whole) // 2
            kinds = {
                "text": b"no database\n" * 100,
                "head": b"\xff" * 4096 + whole[4096:],
                "cut": whole[:half],
                "middle": whole[:8192] + os.urandom(len(whole) - 8192),
            }
            path.write_bytes(kinds[kind])
        damaged = path.read_bytes()
        store = Store(path, lines.append)
        with pytest.raises(FileError, match="no conversation"):
            store.load(place.id)
        [aside] = path.parent.glob("conversations.damaged-*.db")
        assert aside.read_bytes() == damaged
        assert lines == [f"the saved conversations in {path} were damaged: set aside as {aside.name}, begun anew"]
        saved = save(store, user("New"))
        assert store.load(saved.id)
        store.close()

    def test_of_a_conversation_that_goes_on(self, path, lines):
        fill(path)
        store = Store(path, lines.append)
        place = save(store, user("Open"), answer("yes"))
        store.close()
        with path.open("r+b") as file:
            file.seek(8192)
            file.write(os.urandom(path.stat().st_size - 8192))
        again = save(store, user("Open"), answer("yes"), user("More"), place=place, keep=2)
        assert [message.text for message in store.load(again.id)[0].messages] == ["Open", "yes", "More"]
        assert len(lines) == 1
        store.close()

    def test_two_find_it_and_one_sets_it_aside(self, path, lines):
        path.parent.mkdir()
        path.write_bytes(b"no database\n" * 100)
        one, two = Store(path, lines.append), Store(path, lines.append)
        assert one.summaries() == two.summaries() == []
        assert len(lines) == 1

    def test_a_damaged_row_is_named_and_the_others_are_there(self, store, path):
        bad, good = save(store, user("Bad")), save(store, user("Good"))
        store.close()
        with sqlite3.connect(path) as db:
            db.execute("UPDATE conversation SET state = '[' WHERE id = ?", (bad.id,))
        db.close()
        with pytest.raises(FileError, match=f"conversation {bad.id} is damaged"):
            store.load(bad.id)
        assert store.load(good.id)
        assert [each.id for each in store.summaries()] == [good.id, bad.id]

    def test_a_newer_one_is_left_alone(self, store, path, lines):
        save(store, user("One"))
        store.close()
        with sqlite3.connect(path) as db:
            db.execute("PRAGMA user_version = 99")
        db.close()
        with pytest.raises(FileError, match="written by a newer edgekit: update this one"):
            store.summaries()
        assert [file.name for file in path.parent.iterdir()] == [path.name]
        assert not lines

    def test_where_no_file_can_be(self, tmp_path):
        (tmp_path / "file").touch()
        with pytest.raises(FileError, match="conversations cannot be kept in"):
            Store(tmp_path / "file" / "c.db").summaries()
        (tmp_path / "c.db").mkdir()
        with pytest.raises(FileError, match="cannot be used"):
            Store(tmp_path / "c.db").summaries()


class TestLostMedia:
    def test_the_model_reads_a_note(self, tmp_path):
        files = {name: tmp_path / name for name in ("here.png", "gone.png", "other.wav")}
        for file in files.values():
            file.write_bytes(b"content")
        message = user("What?", *(Media("image", file, file_digest(file)) for file in files.values()))
        assert without_lost(message) == (message, [])
        files["gone.png"].unlink()
        files["other.wav"].write_bytes(b"changed")
        readable, lines = without_lost(message)
        assert lines == ["gone.png is gone", "other.wav has changed since"]
        assert [medium.path for medium in readable.media] == [files["here.png"]]
        assert readable.text == "[a picture, gone.png, is gone]\n[a picture, other.wav, has changed since]\nWhat?"

    def test_a_pipe_is_not_waited_for(self, tmp_path):
        os.mkfifo(tmp_path / "pipe")
        assert file_digest(tmp_path / "pipe") == ""
