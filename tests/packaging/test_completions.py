"""Shells complete edgekit's commands and options, by asking it."""

import os
import subprocess
import sys
from pathlib import Path

import completions
import pytest

_ASK = """
source "$1"
COMP_WORDS=("${@:2}")
COMP_CWORD=$((${#COMP_WORDS[@]} - 1))
_edgekit_completion edgekit
printf '%s\\n' "${COMPREPLY[@]}"
"""


@pytest.fixture(scope="module")
def share(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("share")
    completions.write(folder)
    program = folder / "bin" / "edgekit"
    program.parent.mkdir()
    program.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m edgekit "$@"\n')
    program.chmod(0o755)
    return folder


@pytest.mark.parametrize(
    ("line", "offered"),
    [("edgekit pi", ["pick"]), ("edgekit pick --pref", ["--prefer"]), ("edgekit conversations exp", ["export"])],
)
def test_bash_completes(share, line, offered):
    environment = {**os.environ, "PATH": f"{share}/bin:{os.environ['PATH']}"}
    ask = ["bash", "-c", _ASK, "bash", share / completions.PLACES["bash"], *line.split()]
    found = subprocess.run(ask, env=environment, capture_output=True, text=True, check=True)
    assert found.stdout.split() == offered
    assert not found.stderr


def test_zsh_completes_at_the_first_tab(share):
    script = (share / completions.PLACES["zsh"]).read_text()
    assert script.startswith("#compdef edgekit\n")
    assert script.endswith('\n_edgekit_completion "$@"\n')


def test_fish_is_given_its_script(share):
    assert (share / completions.PLACES["fish"]).read_text().startswith("complete --command edgekit")
