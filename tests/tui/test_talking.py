"""What a person types, attaches and reads: the application with the bundled model."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any

import pytest
from textual.widgets import Collapsible

from edgekit import paths
from edgekit.chat.session import Session
from edgekit.tui.attach import MediaTree
from edgekit.tui.chips import Chip
from edgekit.tui.composer import Composer
from edgekit.tui.picture import Picture
from edgekit.tui.question import Question

OpenChat = Callable[..., AbstractAsyncContextManager[Any]]


class TestPicture:
    async def test_names_the_colour_of_an_attached_picture(self, chat: OpenChat, red_circle: Path) -> None:
        async with chat() as person:
            await person.attach(red_circle)
            await person.sees("drawn shape.png · 400x300")
            await person.send("What is in this picture?")
            await person.sees("red circle")
            assert person.app.screen.query(Picture)

    @pytest.mark.parametrize("sample", ["blue star", "green triangle", "yellow square"])
    async def test_reads_other_colours_too(self, chat: OpenChat, sample: str) -> None:
        async with chat() as person:
            await person.attach(paths.demo_samples() / f"{sample.replace(' ', '-')}.png")
            await person.sees("400x300")
            await person.send("What is in this picture?")
            await person.sees(sample)

    async def test_hears_a_digit(self, chat: OpenChat) -> None:
        async with chat() as person:
            await person.attach(paths.demo_samples() / "seven.wav")
            await person.sees("♪ seven.wav")
            await person.send("Which digit was spoken?")
            await person.answered()
            assert "seven" in person.app.chat.history[-1].text

    async def test_a_dropped_file_is_attached(self, chat: OpenChat, red_circle: Path) -> None:
        async with chat() as person:
            dropped = str(red_circle).replace(" ", "\\ ")
            await person.paste(dropped)
            await person.sees("drawn shape.png · 400x300")
            await person.press("backspace")
            await person.until(lambda: not person.app.screen.query(Chip), "the file taken off again")
            await person.send(f"/attach {dropped}")
            await person.until(lambda: bool(person.app.screen.query(Chip)), "the file attached again")
            await person.send("/attach none")
            await person.until(lambda: not person.app.screen.query(Chip), "all files taken off")

    async def test_the_attach_key_opens_the_folders(self, chat: OpenChat, red_circle: Path) -> None:
        async with chat() as person:
            await person.press("ctrl+o")
            await person.sees("Attach a picture or a sound")
            await person.paste(str(red_circle))
            await person.press("enter")
            await person.sees("drawn shape.png · 400x300")

    async def test_the_folders_are_walked_with_the_keys(self, chat: OpenChat, red_circle: Path) -> None:
        (red_circle.parent / "below").mkdir()
        async with chat(folder=red_circle.parent / "below") as person:
            await person.press("ctrl+o", "down", "backspace")
            await person.sees("▸ below", "drawn shape.png")
            tree = person.app.screen.query_one(MediaTree)
            while str(tree.cursor_node and tree.cursor_node.label) != "drawn shape.png":
                await person.press("down")
            await person.press("enter")
            await person.sees("drawn shape.png · 400x300")

    async def test_a_file_that_is_no_picture_is_one_line(self, chat: OpenChat, tmp_path: Path) -> None:
        (tmp_path / "notes.png").write_text("no picture")
        async with chat() as person:
            await person.attach(tmp_path / "notes.png")
            await person.sees("notes.png is neither a picture, a sound nor a video")
            await person.attach(tmp_path / "missing.png")
            await person.sees("no such file")
            await person.send("What are you?")
            await person.answered()


class TestTurn:
    async def test_answers_a_question(self, chat: OpenChat) -> None:
        async with chat() as person:
            await person.send("What are you?")
            await person.answered()
            await person.sees("Q8_0", "decode")

    async def test_says_once_that_the_context_is_nearly_full(self, chat: OpenChat) -> None:
        async with chat() as person:
            person.app.chat.status.change(context=20)
            for turn in (1, 2):
                await person.send("What are you?")
                await person.answered(turn)
            await person.sees("the context is nearly full")
            assert person.screen.count("nearly full") == 1

    async def test_a_question_typed_while_the_model_loads_is_answered(self, chat: OpenChat) -> None:
        async with chat() as person:
            session, person.app.model.session = person.app.model.session, None
            await person.send("What are you?")
            await person.sees("What are you? …")
            person.app.model.session = session
            await person.answered()

    async def test_a_question_is_taken_back_while_the_model_loads(self, chat: OpenChat) -> None:
        async with chat() as person:
            session, person.app.model.session = person.app.model.session, None
            await person.send("What are you?")
            await person.sees("What are you? …")
            await person.press("escape")
            await person.until(lambda: not person.app.chat.answering, "the turn to end")
            person.app.model.session = session
            assert not person.app.chat.history

    async def test_a_stop_counts_before_the_model_has_begun(self, chat: OpenChat) -> None:
        async with chat() as person:
            person.app.chat.turns.ask("What are you?", ())
            person.app.chat.action_stop()
            await person.until(lambda: not person.app.chat.answering, "the turn to end")
            assert not person.app.chat.history

    async def test_a_thought_is_folded_and_unfolds(self, chat: OpenChat, red_circle: Path) -> None:
        async with chat(size=(100, 50)) as person:
            await person.press("ctrl+t")
            await person.sees("thinking on")
            await person.attach(red_circle)
            await person.sees("drawn shape.png · 400x300")
            await person.send("What is in this picture?")
            await person.answered()
            await person.sees("Thought for", "tokens")
            thought = person.app.screen.query_one(Collapsible)
            assert thought.collapsed
            await person.press("shift+tab", "enter")
            await person.until(lambda: not thought.collapsed, "the thought to unfold")

    async def test_stopping_keeps_the_half_answer(self, chat: OpenChat, pausing: type[Session]) -> None:
        async with chat(pausing) as person:
            await person.send("What are you?")
            await person.sees("Esc stops", "answering")
            await person.press("escape")
            await person.sees("■ stopped")
            await person.answered()
            half = person.app.chat.history[-1].text
            assert half
            assert half.split()[0] in person.screen

    async def test_ctrl_c_stops_too_and_never_leaves(self, chat: OpenChat, pausing: type[Session]) -> None:
        async with chat(pausing) as person:
            await person.send("What are you?")
            await person.sees("answering")
            await person.press("ctrl+c")
            await person.sees("■ stopped")
            await person.answered()
            await person.press("ctrl+c")
            await person.sees("Ctrl+Q leaves")

    async def test_an_error_is_one_line_and_gives_the_question_back(self, chat: OpenChat) -> None:
        async with chat() as person:
            person.app.chat.query_one(Composer).text = "again and again " * 4000
            await person.press("enter")
            await person.sees("✗ the conversation takes")
            assert person.app.chat.query_one(Composer).text
            assert not person.app.chat.history


class TestCommands:
    async def test_an_unknown_command_is_an_error_line(self, chat: OpenChat) -> None:
        async with chat() as person:
            await person.send("/nothing")
            await person.sees("unknown command /nothing: /help lists them")
            composer = person.app.chat.query_one(Composer)
            assert composer.text == ""
            await person.press("up")
            assert composer.text == "/nothing"

    async def test_what_the_system_says_is_told_as_by_every_command(self, chat: OpenChat) -> None:
        async with chat() as person:
            await person.app.chat.complain(OSError(28, "No space left on device", "kept.bin"))
            await person.sees("✗ No space left on device: kept.bin")

    async def test_new_forgets_the_conversation(self, chat: OpenChat) -> None:
        async with chat() as person:
            await person.send("What are you?")
            await person.answered()
            await person.send("/new")
            await person.sees("nothing leaves this machine", "0/")
            assert not person.app.chat.history
            assert not person.app.screen.query(Question)

    async def test_new_while_the_model_answers(self, chat: OpenChat, pausing: type[Session]) -> None:
        async with chat(pausing) as person:
            await person.send("What are you?")
            await person.sees("answering")
            await person.press("ctrl+n")
            await person.sees("nothing leaves this machine")
            assert not person.app.chat.history

    async def test_system_reaches_the_session(self, chat: OpenChat) -> None:
        async with chat() as person:
            await person.send("/system Give a short answer.")
            await person.sees("system prompt: Give a short answer.")
            assert person.app.model.session.system == "Give a short answer."
            await person.send("/system")
            await person.sees("no system prompt")

    async def test_copy_hands_the_last_answer_to_the_terminal(self, chat: OpenChat) -> None:
        async with chat() as person:
            await person.send("/copy")
            await person.sees("no answer to copy yet")
            await person.send("What are you?")
            await person.answered()
            await person.send("/copy")
            await person.until(lambda: person.app.clipboard == person.app.chat.history[-1].text, "the copy")

    async def test_theme_changes_between_dark_and_light(self, chat: OpenChat) -> None:
        async with chat() as person:
            await person.send("/theme")
            await person.until(lambda: person.app.theme == "edgekit-light", "the light theme")

    @pytest.mark.parametrize("way", ["f1", "/help"])
    async def test_help_lists_keys_and_commands(self, chat: OpenChat, way: str) -> None:
        async with chat(size=(80, 40)) as person:
            await (person.send(way) if way.startswith("/") else person.press(way))
            await person.sees("Ctrl+T", "/system [TEXT]")
            await person.press("escape")
            await person.sees("Ask something")


class TestKeys:
    async def test_pasted_text_is_there_once(self, chat: OpenChat) -> None:
        async with chat() as person:
            composer = person.app.screen.query_one(Composer)
            await person.paste("one\ntwo")
            await person.until(lambda: bool(composer.text), "the text")
            await person.pilot.pause(0.2)
            assert composer.text == "one\ntwo"

    @pytest.mark.parametrize("key", ["ctrl+j", "shift+enter"])
    async def test_a_new_line_is_not_sent(self, chat: OpenChat, key: str) -> None:
        async with chat() as person:
            await person.type("one")
            await person.press(key)
            await person.type("two")
            assert person.app.screen.query_one(Composer).text == "one\ntwo"

    async def test_tab_completes_and_up_recalls(self, chat: OpenChat) -> None:
        async with chat() as person:
            await person.type("/thi")
            await person.press("tab")
            assert person.app.screen.query_one(Composer).text == "/think"
            await person.press("enter")
            await person.sees("thinking on")
            await person.press("up")
            assert person.app.screen.query_one(Composer).text == "/think"
            await person.press("down")
            assert not person.app.screen.query_one(Composer).text
            await person.type("half a que")
            await person.press("up", "down")
            assert person.app.screen.query_one(Composer).text == "half a que"

    async def test_everything_is_there_at_40_by_12(self, chat: OpenChat, red_circle: Path) -> None:
        async with chat() as person:
            await person.attach(red_circle)
            await person.sees("drawn shape.png")
            await person.send("What is in this picture?")
            await person.sees("red circle")
            await person.pilot.resize_terminal(40, 12)
            await person.sees("red circle", "Ask something", "gemma4")
            assert all(len(line) == 40 for line in person.screen.splitlines())
