"""The Linux console: a font of few glyphs, sixteen colours."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest
from conftest import OpenChat
from rich.cells import cell_len
from rich.segment import Segment
from terminal import Terminal
from textual.color import Color

from edgekit import tui
from edgekit.tui import app
from edgekit.tui.console import FewGlyphs, console_glyphs
from edgekit.tui.settings import Settings


@pytest.fixture
def glyphs() -> FewGlyphs:
    """Those of the kernel's font: the tests' output is no console."""
    return console_glyphs()


def _written(glyphs: FewGlyphs, text: str) -> str:
    return "".join(one.text for one in glyphs.apply([Segment(text)], Color.parse("black")))


def test_what_the_font_has_stays(glyphs: FewGlyphs) -> None:
    text = "Äpfel · 20 °C ┌─┐ █▌▀ • → ½"
    assert _written(glyphs, text) == text


def test_what_it_lacks_becomes_something_like_it(glyphs: FewGlyphs) -> None:
    assert _written(glyphs, "╭━━╮ ▸ “it’s” – Škoda x⁴…") == '┌══┐ ► "it\'s" - Skoda x4.'


def test_everything_that_the_chat_itself_draws_is_there(glyphs: FewGlyphs) -> None:
    sources = "".join(path.read_text(encoding="utf-8") for path in Path(tui.__file__).parent.glob("*.py"))
    drawn = set(re.sub(r"[\x00-\x7f]", "", sources)) | set("╭╮╰╯─│▌▐▀▄▊▎▁▔█•▪‣⭑◦▶▼")
    assert not {one for one in drawn if _written(glyphs, one) == "?"}


@pytest.mark.parametrize("text", ["漢字", "👩‍👩‍👧 und", "❤️", "e\u0301te\u0301", "日本 Škoda"])
def test_what_nothing_is_like_takes_as_many_cells(glyphs: FewGlyphs, text: str) -> None:
    written = _written(glyphs, text)
    assert written != text
    assert len(written) == cell_len(text)
    assert _written(glyphs, "a🙂b") == "a? b"


async def test_a_conversation_in_such_a_font(chat: OpenChat, glyphs: FewGlyphs) -> None:
    async with chat(filters=[glyphs], settings=Settings("console")) as driver:
        await driver.send("Who are you?")
        await driver.answered()
        await driver.sees("I am gemma4-pico", "┌─", "─┘")
        assert _written(glyphs, driver.screen.replace("\n", "")) == driver.screen.replace("\n", "")


def test_started_by_no_shell(terminal: Terminal) -> None:
    """As the unit of a board's console does it."""
    terminal.start_shell("env", "TERM=linux", sys.executable, "-m", "edgekit", "chat", "demo")
    terminal.sees("┌─", "─┘", "gemma4-pico Q8_0", "Ask something")
    terminal.press("C-z")
    terminal.sees("there is no shell to go back to")
    terminal.type("Still here")
    terminal.sees("│ Still here")


def test_the_theme_suits_the_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "linux")
    assert app.saved_settings().theme == "console"
    monkeypatch.setenv("TERM", "xterm-256color")
    assert app.saved_settings().theme == "dark"
