"""Every key that the help names, pressed; and keys that a person has changed."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any

import pytest
from textual.command import CommandPalette
from textual.widgets import Collapsible

from edgekit import paths
from edgekit.chat.events import TextPiece, ThoughtPiece
from edgekit.chat.session import Session
from edgekit.tui.answer import Answer
from edgekit.tui.app import BOUND
from edgekit.tui.attach import AttachScreen, MediaTree
from edgekit.tui.code_block import CodeBlock
from edgekit.tui.composer import Composer
from edgekit.tui.conversation import Conversation
from edgekit.tui.help import FIXED_KEYS
from edgekit.tui.notice import Notice
from edgekit.tui.settings import Settings
from edgekit.tui.welcome import Welcome

OpenChat = Callable[..., AbstractAsyncContextManager[Any]]
Trial = Callable[[Any], Awaitable[None]]
TRIALS: dict[str, Trial] = {}


def tries(key: str) -> Callable[[Trial], Trial]:
    """Register what presses a key: by its action's id, or by its row in the help."""

    def register(trial: Trial) -> Trial:
        TRIALS[key] = trial
        return trial

    return register


def _typed(person: Any) -> str:
    text: str = person.app.chat.query_one(Composer).text
    return text


async def _show_answer(person: Any) -> Answer:
    answer = Answer()
    await person.app.chat.say(answer)
    await answer.feed(ThoughtPiece("first this"))
    await answer.feed(TextPiece("```python\nprint(1)\n```\n"))
    await answer.abandon()
    return answer


@tries("send")
async def _send(person: Any) -> None:
    await person.type("What are you?")
    await person.press("enter")
    await person.sees("answering")


@tries("new_line")
async def _new_line(person: Any) -> None:
    for key in ("ctrl+j", "shift+enter", "alt+enter"):
        await person.type("a")
        await person.press(key)
    assert _typed(person) == "a\na\na\n"


@tries("undo")
async def _undo(person: Any) -> None:
    await person.type("word")
    await person.press("ctrl+underscore")
    assert not _typed(person)


async def _long(person: Any) -> Conversation:
    for number in range(40):
        await person.app.chat.say(Notice(f"line {number}"))
    await person.sees("line 39")
    conversation: Conversation = person.app.chat.query_one(Conversation)
    return conversation


@tries("page_up")
async def _page_up(person: Any) -> None:
    await _long(person)
    await person.press("pageup")
    await person.until(lambda: "line 39" not in person.screen, "an earlier page")


@tries("page_down")
async def _page_down(person: Any) -> None:
    conversation = await _long(person)
    conversation.scroll_home(animate=False)
    await person.sees("line 0")
    await person.press("pagedown")
    await person.until(lambda: "line 0 " not in person.screen, "a later page")


@tries("stop")
async def _stop(person: Any) -> None:
    await _send(person)
    await person.press("escape")
    await person.sees("■ stopped")


@tries("copy_or_stop")
async def _copy_or_stop(person: Any) -> None:
    await person.type("copy this")
    person.app.chat.query_one(Composer).select_all()
    await person.press("ctrl+c")
    assert person.app.clipboard == "copy this"
    await person.press("end", "enter")
    await person.sees("answering")
    await person.press("ctrl+c")
    await person.sees("■ stopped")


@tries("think")
async def _think(person: Any) -> None:
    await person.press("ctrl+t")
    await person.sees("thinking on")


@tries("attach")
async def _attach(person: Any) -> None:
    await person.press("ctrl+o")
    await person.sees("Attach a picture or a sound")


@tries("new")
async def _new(person: Any) -> None:
    await person.app.chat.say(Notice("old"))
    assert not person.app.chat.query(Welcome)
    await person.press("ctrl+n")
    await person.until(lambda: bool(person.app.chat.query(Welcome)), "the welcome")


@tries("help")
async def _help(person: Any) -> None:
    await person.press("f1")
    await person.sees("Help", "Shift+Enter")
    await person.press("f1")
    await person.until(lambda: person.app.screen is person.app.chat, "the help to close")


@tries("suspend")
async def _suspend(person: Any) -> None:
    # Only a terminal can suspend: test_terminal_moments.py does.
    assert person.app.screen.active_bindings["ctrl+z"].binding.action == "suspend_process"


@tries("quit")
async def _quit(person: Any) -> None:
    await person.press("ctrl+q")
    await person.until(lambda: not person.app.is_running or person.app.return_code == 0, "the end")


@tries("conversations")
async def _conversations(person: Any) -> None:
    await person.press("ctrl+l")
    await person.sees("nothing was said yet")


@tries("regenerate")
async def _regenerate(person: Any) -> None:
    await person.press("ctrl+r")
    await person.sees("nothing was asked yet")


@tries("E, F")
async def _revise(person: Any) -> None:
    await _stop(person)
    await person.answered()
    await person.press("shift+tab")
    await person.sees("E edits")
    await person.press("f")
    await person.sees("this is a copy now")
    await person.press("shift+tab", "e")
    await person.until(lambda: _typed(person) == "What are you?", "the question to edit")


@tries("Up, Down")
async def _recall(person: Any) -> None:
    await person.send("/think")
    await person.press("up")
    assert _typed(person) == "/think"
    await person.press("down")
    assert not _typed(person)


@tries("Tab")
async def _tab(person: Any) -> None:
    await person.type("/thi")
    await person.press("tab")
    assert _typed(person) == "/think"
    person.app.chat.query_one(Composer).clear()
    await _show_answer(person)
    await person.press("tab")
    await person.until(lambda: not isinstance(person.app.focused, Composer), "the focus to move")


@tries("Enter there")
async def _enter_there(person: Any) -> None:
    answer = await _show_answer(person)
    code, thought = answer.query_one(CodeBlock), answer.query_one(Collapsible)
    code.focus()
    await person.press("enter")
    assert person.app.clipboard == "print(1)"
    thought.query_one("CollapsibleTitle").focus()
    await person.press("enter")
    await person.sees("first this")


@tries("Backspace")
async def _backspace(person: Any) -> None:
    await person.attach(paths.demo_samples() / "red-circle.png")
    await person.sees("red-circle.png · ")
    await person.press("backspace")
    await person.until(lambda: "red-circle.png · " not in person.screen, "the file taken off")


@tries("Ctrl+P")
async def _palette(person: Any) -> None:
    await person.press("ctrl+p")
    await person.until(lambda: isinstance(person.app.screen, CommandPalette), "the palette")
    await person.type("thinking")
    await person.sees("Thinking on or off")


@tries("attach: Tab")
async def _attach_tab(person: Any) -> None:
    await person.press("ctrl+o")
    await person.sees("Attach a picture")
    await person.type("red-c")
    await person.pilot.pause(0.3)
    await person.press("tab")
    await person.sees("red-circle.png")
    await person.press("tab")
    await person.until(lambda: isinstance(person.app.focused, MediaTree), "the folders to have the focus")


@tries("attach: Enter")
async def _attach_enter(person: Any) -> None:
    await person.press("ctrl+o")
    await person.type("red-circle.png")
    await person.press("enter")
    await person.sees("red-circle.png · 400x300")


@tries("attach: Backspace")
async def _attach_backspace(person: Any) -> None:
    await person.press("ctrl+o", "down", "backspace")
    await person.sees("▸ samples")


@tries("attach: Esc")
async def _attach_escape(person: Any) -> None:
    await person.press("ctrl+o")
    await person.sees("Attach a picture")
    await person.press("escape")
    await person.until(lambda: person.app.screen is person.app.chat, "the list to close")


def _keys_in_the_help() -> set[str]:
    return {*BOUND, *(key for key, _ in FIXED_KEYS), *(f"attach: {key}" for key, _ in AttachScreen.KEY_HELP)}


def test_every_key_in_the_help_has_a_test() -> None:
    assert set(TRIALS) == _keys_in_the_help()


@pytest.mark.parametrize("key", TRIALS)
async def test_key(key: str, chat: OpenChat, pausing: type[Session]) -> None:
    async with chat(pausing, folder=paths.demo_samples()) as person:
        await TRIALS[key](person)


async def test_a_key_from_the_settings_file_takes_the_place_of_the_first(chat: OpenChat) -> None:
    async with chat(settings=Settings(keys={"think": "ctrl+g", "send": "f5", "new_line": "enter"})) as person:
        await person.press("ctrl+t")
        assert not person.app.model.session.think
        await person.press("ctrl+g")
        await person.sees("thinking on")
        await person.type("/system x")
        await person.press("enter")
        assert _typed(person) == "/system x\n"
        await person.press("f5")
        await person.sees("system prompt: x")
        await person.press("f1")
        await person.sees("Ctrl+G", "F5")


async def test_a_key_is_changed_while_running(chat: OpenChat, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(paths, "settings_file", lambda: tmp_path / "chat.toml")
    async with chat(size=(120, 30)) as person:
        await person.send("/key think f6")
        await person.sees('think is F6 now; to keep it, write think = "f6" under [keys]')
        await person.press("f6")
        await person.sees("thinking on")
        await person.send("/key think ctrl+o")
        await person.sees("ctrl+o cannot be the key of both")
        await person.send("/key nothing f7")
        await person.sees("there is no action 'nothing'")
        await person.send("/key")
        await person.sees("think f6")


async def test_help_on_the_screen_for_files_names_its_keys(chat: OpenChat) -> None:
    async with chat() as person:
        await person.press("ctrl+o")
        await person.sees("Attach a picture")
        await person.press("f1")
        await person.sees("complete the path")
        await person.press("escape")
        await person.sees("Attach a picture")


async def test_the_palette_lists_keys_and_commands(chat: OpenChat) -> None:
    async with chat() as person:
        found = {command.title for command in person.app.get_system_commands(person.app.chat)}
        assert {"Thinking on or off", "Leave", "/compact", "/model MODEL", "/set [NAME VALUE]"} <= found


async def test_a_command_from_the_palette_runs_or_waits_for_its_argument(chat: OpenChat) -> None:
    async with chat() as person:
        await person.press("ctrl+p")
        await person.type("/think")
        await person.sees("thinking on or off")
        await person.press("down", "enter")
        await person.sees("thinking on")
        await person.press("ctrl+p")
        await person.type("/pull")
        await person.sees("download a model")
        await person.press("down", "enter")
        await person.until(lambda: _typed(person) == "/pull ", "the command in the composer, not on its way")
