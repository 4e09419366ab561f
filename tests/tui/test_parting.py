"""Cutting a long Markdown text into parts that look as the whole does."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from edgekit.tui.parting import Parting

_WORD = st.text("ab*_`~#-+.) 1", min_size=1, max_size=12)
_BLOCKS = st.one_of(
    st.lists(_WORD, min_size=1, max_size=5).map(" ".join),
    st.lists(_WORD, min_size=1, max_size=8).map(lambda rows: "\n".join(f"- {row}" for row in rows)),
    st.lists(_WORD, min_size=1, max_size=8).map(lambda rows: "\n".join(f"{n}. {row}" for n, row in enumerate(rows, 1))),
    st.lists(_WORD, max_size=8).map(lambda rows: "\n".join(["```python", *rows, "", "- x", "", "```"])),
    st.lists(_WORD, max_size=4).map(lambda rows: "\n".join(["~~~~", "```", *rows, "", "# no heading", "~~~~"])),
    st.just("| a | b |\n| - | - |\n| 1 | 2 |"),
    st.just("## Heading"),
)
_TEXT = st.lists(_BLOCKS, max_size=12).map("\n\n".join)


def _parts(text: str, cuts: list[int], part: int) -> list[str]:
    parting, parts = Parting(part), [""]
    edges = [0, *sorted(cut % (len(text) + 1) for cut in cuts), len(text)]
    pieces = [text[start:end] for start, end in pairwise(edges)]
    for index, piece in enumerate(pieces):
        for begins, given_out in parting.feed(piece, last=index == len(pieces) - 1):
            if begins:
                parts.append("")
            parts[-1] += given_out
    return parts


@given(st.text("a\n`~ -#1.\t\r", max_size=200), st.lists(st.integers(0, 10_000), max_size=20), st.integers(1, 50))
@settings(max_examples=400, deadline=None)
def test_loses_no_character(text: str, cuts: list[int], part: int) -> None:
    assert "".join(_parts(text, cuts, part)) == text


@given(_TEXT, st.lists(st.integers(0, 10_000), max_size=20), st.integers(1, 60))
@settings(max_examples=400, deadline=None)
def test_parts_read_as_the_whole(text: str, cuts: list[int], part: int) -> None:
    parser = MarkdownIt("gfm-like", {"html": False})

    def content(markdown: str) -> list[tuple[str, str]]:
        return [(token.type, token.content) for token in parser.parse(markdown) if token.content]

    assert [one for markdown in _parts(text, cuts, part) for one in content(markdown)] == content(text)


def test_a_long_list_is_cut_between_items() -> None:
    text = "\n".join(f"- item {number}" for number in range(100))
    parts = _parts(text, list(range(0, len(text), 3)), 100)
    assert len(parts) > 5
    assert all(part.startswith("- item") for part in parts)


def test_a_long_block_of_code_stays_whole() -> None:
    text = "```\n" + "\n\n- code\n" * 200 + "```\n\nend"
    assert len(_parts(text, list(range(0, len(text), 7)), 100)) == 2
