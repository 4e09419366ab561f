"""What helps while typing: dropped paths, completion, slash commands."""

from __future__ import annotations

from pathlib import Path

import pytest

from edgekit.errors import EdgekitError
from edgekit.tui.commands import COMMANDS, parse_command
from edgekit.tui.completion import complete, complete_path
from edgekit.tui.pasted import pasted_files


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("one two.png", "sound.wav", "notes.txt"):
        (tmp_path / name).touch()
    (tmp_path / "pictures").mkdir()
    return tmp_path


class TestPastedFiles:
    @pytest.mark.parametrize("form", ["{}", "'{}'", '"{}"', "{} ", "\n{}\n"])
    def test_takes_the_forms_in_which_terminals_paste_paths(self, folder: Path, form: str) -> None:
        path = folder / "one two.png"
        assert pasted_files(form.format(path)) == [path]

    def test_takes_escaped_spaces_and_addresses(self, folder: Path) -> None:
        path = folder / "one two.png"
        assert pasted_files(str(path).replace(" ", "\\ ")) == [path]
        assert pasted_files(path.as_uri()) == [path]

    def test_takes_several(self, folder: Path) -> None:
        paths = [folder / "one two.png", folder / "sound.wav"]
        assert pasted_files(" ".join(f"'{path}'" for path in paths)) == paths

    @pytest.mark.parametrize(
        "text", ["", "hello there", "/attach", "it's", "~nobody/x.png", "a\0b", "x" * 5000, "file://[x"]
    )
    def test_leaves_text_alone(self, text: str) -> None:
        assert pasted_files(text) == []

    def test_leaves_a_sentence_with_a_path_alone(self, folder: Path) -> None:
        assert pasted_files(f"what is in {folder / 'sound.wav'}") == []


class TestCompletion:
    def test_of_commands(self) -> None:
        assert complete("/att") == "ach "
        assert complete("/q") == "uit"
        assert complete("/") == complete("hello") == complete("/nothing") == ""

    def test_of_paths(self, folder: Path) -> None:
        assert complete(f"/attach {folder}/one") == " two.png"
        assert complete(f"/attach {folder}/pic") == "tures/"

    def test_offers_only_what_can_be_attached(self, folder: Path) -> None:
        assert complete_path("note", folder) == ""
        assert complete_path("so", folder) == "und.wav"

    def test_of_a_folder_that_is_not_there(self, folder: Path) -> None:
        assert complete_path(f"{folder}/missing/x") == ""
        assert complete_path("~nobody-of-that-name/x") == ""

    def test_of_what_is_no_address(self) -> None:
        assert complete("/attach file://[x/y") == ""

    def test_a_link_that_leads_to_itself_is_passed_over(self, folder: Path) -> None:
        (folder / "pi").symlink_to("pi")
        assert complete_path("pi", folder) == "ctures/"


class TestCommands:
    def test_splits_name_and_argument(self) -> None:
        assert parse_command("/system be  brief ") == ("system", "be  brief")
        assert parse_command("/new") == ("new", "")

    def test_a_question_is_none(self) -> None:
        assert parse_command("what is 1/2?") is None

    def test_an_unknown_one_is_refused(self) -> None:
        with pytest.raises(EdgekitError, match="unknown command /atach"):
            parse_command("/atach x")

    def test_usage_shows_the_argument(self) -> None:
        assert [command.usage for command in COMMANDS][:2] == ["/attach PATH", "/paste"]
