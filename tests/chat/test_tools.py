"""Tools out of Python files: declared as transformers declares them, called, and what goes wrong said in one line."""

from __future__ import annotations

import json
from textwrap import dedent
from typing import Any, Literal, Optional, Union

import pytest
from transformers.utils import get_json_schema

from edgekit.chat.calling import call_tool
from edgekit.chat.message import ToolCall
from edgekit.chat.schema import SchemaError, declare
from edgekit.chat.tools import load_all, load_tools
from edgekit.errors import FileError


def get_weather(city: str, days: int = 1, unit: Literal["C", "F"] = "C") -> dict[str, float]:
    """Get the weather.

    It looks some days ahead.

    Args:
        city: The city,
            with its country if that is not clear
        days: How many days
        unit: The unit (choices: ["C", "F"])

    Returns:
        Degrees by day
    """
    return {city: float(days)}


def search(
    names: list[str],
    where: dict[str, list[int]],
    limit: Optional[int] = None,  # noqa: UP045 - both ways to write it
    exact: bool | None = None,
    size: Union[int, float] = 1,  # noqa: UP007
    pair: tuple[int, str] = (1, ""),
    level: Literal[1, "high"] = 1,
    either: Union[str, list[str]] = "",  # noqa: UP007
    anything: Any = None,
):
    """Search for names.

    Args:
        names: What to look for
        where: Numbers: a colon in the text
        limit: At most this many
        exact: Whether case counts
        size: How large
        pair: Two things
        level: How deep
        either: One or many
        anything: Whatever

    Raises:
        ValueError: never
    """


def now() -> str:
    """Tell the time."""
    return "12:00"


@pytest.mark.parametrize("function", [get_weather, search, now])
def test_declarations_equal_transformers(function):
    assert declare(function) == get_json_schema(function)


def test_what_cannot_be_declared():
    def silent(city: str) -> str:
        return city

    def untyped(city):
        """Do it.

        Args:
            city: The city
        """

    def undescribed(city: str):
        """Do it."""

    def odd(city: object):
        """Do it.

        Args:
            city: The city
        """

    def unquoted(city: str):
        """Do it.

        Args:
            city: The city (choices: Paris, London)
        """

    def listed(city: [str]):
        """Do it.

        Args:
            city: The city
        """

    def raw(city: Literal[b"Paris"]):
        """Do it.

        Args:
            city: The city
        """

    problems = {silent: "no docstring", untyped: "no type", undescribed: "do not describe city", odd: "no type that"}
    problems |= {unquoted: "choices of city are no JSON", listed: "no type that", raw: "no type that"}
    for function, match in problems.items():
        with pytest.raises(SchemaError, match=match):
            declare(function)


@pytest.fixture
def tool_file(tmp_path):
    path = tmp_path / "tools.py"
    path.write_text(
        dedent('''
        from __future__ import annotations
        from json import dumps

        def double(number: int) -> int:
            """Double a number.

            Args:
                number: Any number
            """
            return _twice(number)

        def fail() -> None:
            """Always go wrong."""
            raise ValueError("no luck")

        def _twice(number):
            return 2 * number
        ''')
    )
    return path


def test_public_functions_of_a_file(tool_file):
    tools = load_tools(tool_file)
    assert [tool.name for tool in tools] == ["double", "fail"]
    assert tools[0].declaration["function"]["parameters"]["properties"]["number"]["type"] == "integer"


def answer(tools, name, **arguments):
    message = call_tool(tools, ToolCall(name, arguments))
    assert (message.role, message.name) == ("tool", name)
    return json.loads(message.text)


def test_calls_are_answered_whatever_happens(tool_file):
    tools = load_tools(tool_file)
    assert answer(tools, "double", number=21) == 42
    assert answer(tools, "fail") == {"error": "ValueError: no luck"}
    assert answer(tools, "unheard_of") == {"error": "there is no tool named unheard_of: there are double, fail"}
    assert "unexpected keyword" in answer(tools, "double", digit=1)["error"]


@pytest.mark.parametrize(
    ("text", "match"),
    [
        ("def broken(:", "does not run: SyntaxError"),
        ("import nothing_of_this_name", "ModuleNotFoundError"),
        ("1 / 0", "ZeroDivisionError"),
        ("x = 1", "no function"),
        ("def f(x: int): pass", "no docstring"),
    ],
)
def test_files_that_hold_no_tools(text, match, tmp_path):
    (tmp_path / "tools.py").write_text(text)
    with pytest.raises(FileError, match=match) as problem:
        load_tools(tmp_path / "tools.py")
    assert "\n" not in str(problem.value)


def test_a_missing_file(tmp_path):
    with pytest.raises(FileError, match="no such file"):
        load_tools(tmp_path / "missing.py")


def test_what_a_tool_prints_goes_to_stderr(tmp_path, capsys):
    loud = tmp_path / "loud.py"
    shout = 'def shout() -> str:\n    """Shout."""\n    print("inside")\n    return "done"\n'
    loud.write_text(f'print("at the top")\n{shout}')
    message = call_tool(load_tools(loud), ToolCall("shout", {}))
    assert message.text == '"done"'
    printed = capsys.readouterr()
    assert (printed.out, printed.err) == ("", "at the top\ninside\n")


@pytest.mark.parametrize("line", ["raise SystemExit(3)", "class Own(BaseException): ...\nraise Own"])
def test_a_file_of_tools_cannot_end_edgekit(line, tmp_path):
    path = tmp_path / "tools.py"
    path.write_text(line)
    with pytest.raises(FileError, match="does not run"):
        load_tools(path)


def test_a_call_cannot_end_edgekit(tmp_path):
    path = tmp_path / "tools.py"
    path.write_text('import sys\ndef leave() -> str:\n    """Leave."""\n    sys.exit(3)\n')
    assert "SystemExit" in call_tool(load_tools(path), ToolCall("leave", {})).text


def test_a_type_that_is_not_there(tmp_path):
    path = tmp_path / "tools.py"
    path.write_text('def f(a: "Nope") -> str:\n    """Do.\n\n    Args:\n        a: It.\n    """\n')
    with pytest.raises(FileError, match="Nope"):
        load_tools(path)


def test_two_tools_of_one_name(tool_file):
    with pytest.raises(FileError, match="two tools are named"):
        load_all([tool_file, tool_file])
