"""One table of substitutes, for encodings of few letters and for fonts of few glyphs."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from rich.cells import cell_len

import edgekit
from edgekit.tui.substitutes import _LIKE, substitute


def in_ascii(text: str) -> str:
    return "".join(one if one.isascii() else substitute(one, str.isascii) for one in text)


def test_ascii_has_the_nearest_of_everything() -> None:
    assert in_ascii("▸ “it’s” – Škoda x⁴… ✓ ✗ 20 · ±3 ╭─┬─╮ ███▌░") == '> "it\'s" - Skoda x4. v x 20 - +-3 +-+-+ ####.'


@pytest.mark.parametrize("text", ["漢字", "🙂 und", "e\u0301te\u0301", "½"])
def test_what_nothing_is_like_takes_as_many_cells(text: str) -> None:
    assert in_ascii(text).isascii()
    assert len(in_ascii(text)) == cell_len(text)


def test_what_there_is_and_is_liker_comes_first() -> None:
    of_dos = "".join(map(chr, range(32, 127))) + bytes(range(128, 256)).decode("cp437")
    assert [substitute(one, of_dos.__contains__) for one in "╭▸✓Š"] == ["┌", ">", "√", "S"]


def test_every_sign_of_edgekit_has_a_substitute_in_ascii() -> None:
    folder = Path(edgekit.__file__).parent
    sources = [*folder.glob("[cdf]*/*.py"), folder / "tui" / "attachment.py"]
    signs = set(re.sub(r"[\x00-\x7f]", "", "".join(path.read_text(encoding="utf-8") for path in sources)))
    assert {"→", "░", "█", "♪"} <= signs
    assert not {one for one in signs | set(_LIKE) if "?" in in_ascii(one)}
    assert all(likes[-1].isascii() for likes in _LIKE.values())
