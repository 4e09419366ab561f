"""`edgekit conversations`: what was said in `edgekit chat`, listed, shown, exported, renamed and deleted."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest
from one_line import assert_one_line_error

from edgekit.chat.message import Media, Message, Text, ToolCall, user
from edgekit.chat.saved import Draft, Settings, State
from edgekit.chat.store import Store

STATE = State(Settings("/models/gemma.gguf", "Be brief."), Draft("and then"))


@pytest.fixture
def data(tmp_path):
    """A home of this test's own, with two conversations."""
    picture = tmp_path / "a shape (1).png"
    picture.write_bytes(b"pixels")
    store = Store(tmp_path / "edgekit" / "conversations.db")
    call = ToolCall("look", {"at": "[it]"})
    store.save(
        None,
        [
            user("What is it?", Media("image", picture)),
            Message("assistant", thought="Hm.\n\nA shape.", tool_calls=(call,)),
            Message("tool", (Text('{"shape": "```circle"}'),), name="look"),
            Message("assistant", (Text("A *red* circle.\x1b[2J"),)),
        ],
        0,
        STATE,
    )
    store.save(None, [user("Hello"), Message("assistant", (Text("Hi."),))], 0, State())
    store.close()
    return tmp_path


@pytest.fixture
def conversations(data, environment):
    def command(*arguments):
        line = [sys.executable, "-m", "edgekit", "conversations", *map(str, arguments)]
        return subprocess.run(
            line,
            capture_output=True,
            text=True,
            timeout=300,
            env=environment | {"XDG_DATA_HOME": str(data)},
            check=False,
            cwd=data,
        )

    return command


def test_lists_the_last_changed_first(conversations):
    for result in (conversations(), conversations("list")):
        assert (result.returncode, result.stderr) == (0, "")
        lines = result.stdout.splitlines()
        assert [line.split()[0] for line in lines] == ["ID", "2", "1"]
        assert lines[2].endswith("What is it? (unsent text)")


def test_lists_as_json(conversations):
    found = json.loads(conversations("list", "--json").stdout)["conversations"]
    keys = {"id", "title", "model", "created", "changed", "questions", "unsent", "excerpt"}
    assert [(each["id"], each["title"], each.keys()) for each in found] == [
        (2, "Hello", keys),
        (1, "What is it?", keys),
    ]
    assert found[1]["changed"].endswith("Z")
    assert found[1]["unsent"] is True


def test_searches(conversations):
    assert "A *red* circle" in conversations("list", "RED circle").stdout
    [found] = json.loads(conversations("list", "shape (1)", "--json").stdout)["conversations"]
    assert found["id"] == 1
    nothing = conversations("list", "octopus")
    assert (nothing.returncode, nothing.stdout) == (0, "")
    assert "No conversation holds 'octopus'" in nothing.stderr


def test_shows_markdown_without_thoughts(conversations, data):
    text = conversations("show", 1).stdout
    assert text.startswith("# What is it?\n\n*gemma.gguf, ")
    assert "## System\n\nBe brief.\n\n## You\n\n" in text
    assert f"![a shape (1).png](<{data}/a shape (1).png>)\n\nWhat is it?\n\n## Model" in text
    assert '```\nlook(at="[it]")\n```' in text
    assert '````\nlook: {"shape": "```circle"}\n````' in text
    assert "A *red* circle." in text
    assert "Hm." not in text
    # A model cannot clear the screen.
    assert "\x1b" not in text


def test_shows_thoughts_when_asked(conversations):
    assert "> Hm.\n>\n> A shape." in conversations("show", 1, "--thinking").stdout


@pytest.mark.parametrize("thinking", [False, True])
def test_shows_and_exports_the_same_json(conversations, data, thinking):
    option = ["--thinking"] * thinking
    shown = json.loads(conversations("show", 1, "--json", *option).stdout)
    assert conversations("export", 1, "out.json", *option).returncode == 0
    assert json.loads((data / "out.json").read_text()) == shown
    assert shown["settings"]["system"] == "Be brief."
    question, asks, tool, answer = shown["messages"]
    assert question["parts"][0]["kind"] == "image"
    assert len(question["parts"][0]["sha256"]) == 64
    assert asks["tool_calls"] == [{"name": "look", "arguments": {"at": "[it]"}}]
    assert (tool["name"], answer["role"]) == ("look", "assistant")
    assert [message.get("thought", "") for message in shown["messages"]] == ["", "Hm.\n\nA shape." * thinking, "", ""]


def test_exports_markdown_and_overwrites_nothing(conversations, data):
    assert conversations("export", 2, "out.md").returncode == 0
    text = (data / "out.md").read_text()
    assert text.endswith("## You\n\nHello\n\n## Model\n\nHi.\n")
    assert "there is a file out.md already" in assert_one_line_error(conversations("export", 1, "out.md"))
    assert (data / "out.md").read_text() == text
    assert_one_line_error(conversations("export", 1, "missing/out.md"))


def test_renames_and_deletes(conversations):
    assert conversations("rename", 1, "A shape").returncode == 0
    assert "A shape" in conversations().stdout
    assert conversations("delete", 2).returncode == 0
    assert [line.split()[0] for line in conversations().stdout.splitlines()] == ["ID", "1"]


@pytest.mark.parametrize(
    "arguments", [["show", 9], ["export", 9, "x.md"], ["rename", 9, "x"], ["delete", 1, 9], ["rename", 1, " "]]
)
def test_what_is_not_there_is_one_line(conversations, data, arguments):
    assert_one_line_error(conversations(*arguments))
    assert not (data / "x.md").exists()
    assert len(json.loads(conversations("list", "--json").stdout)["conversations"]) == 2


def test_a_damaged_file_is_one_line(conversations, data):
    (data / "edgekit" / "conversations.db").write_bytes(b"no database\n" * 100)
    result = conversations()
    assert (result.returncode, result.stdout) == (0, "")
    first, second = result.stderr.splitlines()
    assert "set aside as conversations.damaged-" in first
    assert second == "There is no conversation yet: `edgekit chat` begins one."


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (["--continue"], "there is no conversation"),
        (["--conversation", "9"], "there is no conversation 9"),
    ],
)
def test_chat_cannot_go_on_with_nothing(environment, tmp_path, arguments, line):
    """Said before the terminal is asked for."""
    result = subprocess.run(
        [sys.executable, "-m", "edgekit", "chat", *arguments],
        capture_output=True,
        text=True,
        env=environment | {"XDG_DATA_HOME": str(tmp_path)},
        check=False,
    )
    assert line in assert_one_line_error(result)


def test_continue_is_one_of_two(edgekit):
    assert edgekit("chat", "--continue", "--conversation", 1).returncode == 2
