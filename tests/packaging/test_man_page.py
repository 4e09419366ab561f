"""The manual page says what the command line says, and is troff that means what it shows."""

import re
from typing import Any

import man_page
import pytest
import typer

from edgekit.cli.app import app


@pytest.fixture(scope="module")
def page() -> str:
    return man_page.page()


def _commands(command: Any, name: str) -> dict[str, Any]:
    found = {name: command}
    for inner, its in getattr(command, "commands", {}).items():
        found |= _commands(its, f"{name} {inner}")
    return found


def test_names_every_command_and_each_of_its_options(page):
    root: Any = typer.main.get_command(app)
    sections = dict(re.findall(r'^\.SS "(.+)"\n((?:.*\n)*?)(?=\.S[SH] )', page, re.MULTILINE))
    commands = _commands(root, "edgekit")
    assert len(commands) > 12
    for name, command in commands.items():
        text = page if command is root else sections[name]
        for option in (option for one in command.params for option in (*one.opts, *one.secondary_opts)):
            if option.startswith("--"):
                assert re.search(re.escape(option.replace("-", r"\-")) + r"\b", text), (name, option)


def test_has_no_request_by_accident(page):
    requests = {line.split()[0] for line in page.splitlines() if line.startswith((".", "'"))}
    assert requests == {".TH", ".SH", ".SS", ".PP", ".TP", ".B"}
    assert man_page._escaped(".5 of it: --x ~") == r"\&.5 of it: \-\-x \(ti"


def test_is_the_same_on_every_terminal(page, monkeypatch):
    monkeypatch.setenv("COLUMNS", "40")
    assert man_page.page() == page
