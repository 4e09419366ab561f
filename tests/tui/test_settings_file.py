"""The file in which a person chooses theme and keys."""

from __future__ import annotations

from pathlib import Path

import pytest

from edgekit.errors import FileError
from edgekit.tui.app import BOUND, theme_names
from edgekit.tui.keys import key_names
from edgekit.tui.settings import Settings, read_settings


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "chat.toml"


def _read(file: Path, content: str) -> Settings:
    file.write_text(content)
    return read_settings(file, BOUND, theme_names())


def test_no_file_is_no_mistake(file: Path) -> None:
    assert read_settings(file, BOUND, theme_names()) == Settings()


def test_reads_theme_and_keys(file: Path) -> None:
    content = 'theme = "nord"\n[keys]\nthink = "ctrl+g"\nnew_line = "enter"\nsend = "ctrl+s,f5"\n'
    keys = {"think": "ctrl+g", "new_line": "enter", "send": "ctrl+s,f5"}
    assert _read(file, content) == Settings("nord", keys)


def test_two_actions_may_change_places(file: Path) -> None:
    assert _read(file, '[keys]\nthink = "ctrl+o"\nattach = "ctrl+t"\n').keys["think"] == "ctrl+o"


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        ('[keys]\nthnk = "ctrl+g"', "there is no action 'thnk' for a key: there are attach"),
        ('[keys]\nthink = "ctrl+o"', r"ctrl\+o cannot be the key of both"),
        ('[keys]\nthink = "t"', "'t' cannot be the key of think, because it is typed"),
        ('[keys]\nthink = "control-t"', "'control-t' is no key for think: write it as ctrl"),
        ('[keys]\nthink = ""', "'' is no key for think"),
        ("[keys]\nthink = 5", r"\[keys\] takes lines such as"),
        ("keys = 5", r"\[keys\] takes lines such as"),
        ('theme = "pink"', "there is no theme 'pink': there are"),
        ("theme = [1]", "there is no theme"),
        ("colour = 1", "there is no setting 'colour': there are theme and"),
        ("theme = ", "cannot read"),
    ],
)
def test_a_mistake_is_one_line(file: Path, content: str, problem: str) -> None:
    with pytest.raises(FileError, match=problem) as raised:
        _read(file, content)
    assert str(file) in str(raised.value)
    assert len(str(raised.value).splitlines()) == 1


def test_keys_are_named_as_people_read_them() -> None:
    assert key_names("ctrl+j,shift+enter") == "Ctrl+J, Shift+Enter"
    assert key_names("ctrl+underscore, pageup,f1,escape") == "Ctrl+_, PageUp, F1, Esc"
