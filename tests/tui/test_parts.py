"""Single parts of the application."""

from __future__ import annotations

from pathlib import Path

import pytest
from textual.app import App, ComposeResult

from edgekit.chat.events import Finished, Prefilling, TextPiece, ThoughtPiece, Timings, ToolCallPiece, Usage
from edgekit.chat.message import Message, Text, ToolCall
from edgekit.tui import prose
from edgekit.tui.answer import Answer
from edgekit.tui.app import ChatApp
from edgekit.tui.conversation import Conversation
from edgekit.tui.feed import Emit, Feed
from edgekit.tui.notice import Notice
from edgekit.tui.printable import printable
from edgekit.tui.prose import MarkdownPart, Prose
from edgekit.tui.status import Status, gauge

_TURN = Finished(Message("assistant", (Text("x"),)), "stop", Usage(300, 100, 0, 50), Timings(1.0, 0.5, 2.0))


class AnswerApp(App[None]):
    """Shows one answer as the chat does."""

    CSS_PATH = ChatApp.CSS_PATH

    def compose(self) -> ComposeResult:
        yield Answer()

    @property
    def text(self) -> str:
        return "\n".join("".join(part.text for part in strip) for strip in self.screen._compositor.render_strips())


async def test_an_answer_shows_thought_text_and_tool_call() -> None:
    app = AnswerApp()
    async with app.run_test(size=(60, 24)) as pilot:
        answer = app.query_one(Answer)
        await answer.feed(Prefilling(64, 128))
        await pilot.pause()
        assert "reading 64 of 128 tokens" in app.text
        events = [ThoughtPiece("hm"), TextPiece("A **red** "), TextPiece("circle <b> and List<int>")]
        for event in [*events, ToolCallPiece(ToolCall("weather", {"city": "Zürich", "days": [1, 2]})), _TURN]:
            await answer.feed(event)
        parts = ("Thought for", "1 token", "A red circle <b> and List<int>", "⚙ weather", 'city "Zürich"', "[1, 2]")
        for _ in range(200):
            if all(part in app.text for part in parts):
                break
            await pilot.pause(0.05)
        assert "reading" not in app.text
        for part in parts:
            assert part in app.text


async def test_what_a_model_writes_cannot_reach_the_terminal() -> None:
    app = AnswerApp()
    async with app.run_test(size=(60, 24)) as pilot:
        answer = app.query_one(Answer)
        await answer.feed(TextPiece("before \x1b]0;title\x07\x1b[2J\x9b31m after"))
        await answer.feed(ToolCallPiece(ToolCall("\x1b[2J", {"\x1b": "\x07\u202e"})))
        await answer.abandon()
        await pilot.pause()
        assert "after" in app.text
        assert app.text == app.text.replace("\x1b", "").replace("\x07", "").replace("\x9b", "").replace("\u202e", "")


async def test_streamed_markdown_loses_no_word() -> None:
    words = [f"word{number}" for number in range(200)]

    class ProseApp(App[None]):
        def compose(self) -> ComposeResult:
            yield Prose()

    app = ProseApp()
    async with app.run_test() as pilot:
        shown = app.query_one(Prose)
        for word in words:
            await shown.write(f"{word} ")
        await shown.finish()
        await pilot.pause()
        assert shown.source.split() == words


async def test_a_long_list_has_no_gaps() -> None:
    class ListApp(App[None]):
        CSS_PATH = Path(prose.__file__).with_suffix(".tcss")

        def compose(self) -> ComposeResult:
            yield Prose()

    app = ListApp()
    async with app.run_test(size=(60, 50)) as pilot:
        shown = app.query_one(Prose)
        for number in range(40):
            await shown.write(f"- item {number}\n")
        await shown.finish()
        await pilot.pause()
        rows = ["".join(part.text for part in strip) for strip in app.screen._compositor.render_strips()]
        assert len(shown.query(MarkdownPart)) > 1
        assert all(f"item {number}" in rows[number] for number in range(40))


async def test_a_new_conversation_is_shown_from_its_top() -> None:
    class ConversationApp(AnswerApp):
        def compose(self) -> ComposeResult:
            yield Conversation()

    app = ConversationApp()
    async with app.run_test(size=(60, 12)) as pilot:
        conversation = app.query_one(Conversation)
        for number in range(30):
            await conversation.add(Notice(f"line {number}"), follow=True)
        await pilot.pause()
        await conversation.remove_children()
        # On a slow board the screen is laid out between any two steps, and more than once.
        app.screen._refresh_layout()
        await pilot.pause()
        await conversation.restart(Notice("welcome"))
        await pilot.pause()
        assert "welcome" in app.text
        assert conversation.scroll_offset.y == 0
        for number in range(30):
            await conversation.add(Notice(f"line {number}"), follow=True)
        await pilot.pause()
        assert "line 29" in app.text


def test_printable_keeps_newlines_and_tabs() -> None:
    assert printable("a\n\tb") == "a\n\tb"
    assert printable("a\x00\x7f") == "a\ufffd\ufffd"


def test_status_follows_a_turn() -> None:
    status = Status(context=1000).during(Prefilling(64, 128))
    assert (status.activity, status.used) == ("reading", 64)
    status = status.during(ThoughtPiece("a")).during(TextPiece("b"))
    assert (status.activity, status.used) == ("answering", 66)


def test_status_counts_only_what_was_read_anew() -> None:
    status = Status(context=1000).after(_TURN)
    assert (status.used, status.prefill, status.decode) == (350, 400, 25)


@pytest.mark.parametrize(("used", "bar"), [(0, "────"), (1, "━───"), (50, "━━──"), (100, "━━━━"), (120, "━━━━")])
def test_gauge(used: int, bar: str) -> None:
    assert gauge(used, 100, 4).plain == f"{bar} {used}/100"


class TestFeed:
    async def test_yields_in_order_and_ends(self) -> None:
        def work(emit: Emit[int]) -> None:
            for number in range(100):
                emit(number)

        assert [number async for number in Feed(work, "numbers")] == list(range(100))

    async def test_raises_what_the_thread_raises_after_what_it_emitted(self) -> None:
        def work(emit: Emit[int]) -> None:
            emit(1)
            raise ValueError("halfway")

        numbers = aiter(Feed(work, "numbers"))
        assert await anext(numbers) == 1
        with pytest.raises(ValueError, match="halfway"):
            await anext(numbers)
