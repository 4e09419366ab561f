"""MCP servers over stdio: real processes that work, fail, hang, die and print rubbish."""

from __future__ import annotations

import json
import shlex
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from edgekit.chat.calling import call_tool
from edgekit.chat.mcp_schema import plain_schema
from edgekit.chat.mcp_server import McpServer, start_servers
from edgekit.chat.message import ToolCall, user
from edgekit.chat.permission import Permission
from edgekit.chat.rounds import answer_with_tools
from edgekit.chat.session import Session
from edgekit.engine.sampling import Sampling
from edgekit.errors import EdgekitError

WEATHER = Path(__file__).parent.parent / "servers" / "weather.py"


def line(*tools: str) -> str:
    return shlex.join([sys.executable, str(WEATHER), *tools])


def python(code: str) -> str:
    return shlex.join([sys.executable, "-c", code])


def that_stays(first: str) -> str:
    return python(f"import sys, time\n{first}\nsys.stdout.flush()\ntime.sleep(600)")


def children() -> set[int]:
    return {child.pid for child in psutil.Process().children(recursive=True)}


@pytest.fixture(scope="module")
def server() -> Iterator[McpServer]:
    with McpServer(line()) as server:
        yield server


def call(server: McpServer, name: str, limit: float = 60, **arguments: object) -> object:
    return json.loads(call_tool(server.tools, ToolCall(name, arguments), limit=limit).text)


def test_tools_are_listed_with_schemas_that_templates_know(server):
    declared = {tool.name: tool.declaration["function"] for tool in server.tools}
    assert list(declared) == ["get_weather", "forecast", "say", "fail", "hang", "end"]
    assert declared["get_weather"]["description"] == "Get the weather."
    properties = declared["forecast"]["parameters"]["properties"]
    assert (properties["city"]["type"], properties["days"]["type"]) == ("string", "integer")
    assert properties["days"]["nullable"] is True
    assert "anyOf" not in properties["days"]


def test_calls_are_answered(server):
    assert call(server, "get_weather", city="Paris")["temperature"] == 21
    assert "naïve 你好" in json.dumps(call(server, "say", text="naïve 你好"), ensure_ascii=False)


def test_what_goes_wrong_is_for_the_model(server):
    assert "no such place" in call(server, "fail")["error"]
    assert call(server, "get_weather", town="Paris")["error"]


def test_a_call_that_hangs_is_given_up_and_the_server_goes_on(server):
    assert "no answer within 1 s: given up" in call(server, "hang", limit=1)["error"]
    assert call(server, "get_weather", city="Rome")["place"] == "Rome"


def test_the_process_ends_with_the_server():
    before = children()
    with McpServer(line("get_weather")):
        assert children() > before
    assert children() == before


def test_a_process_that_is_busy_ends_too():
    before = children()
    with McpServer(line("hang")) as server:
        call(server, "hang", limit=0.2)
    assert children() == before


def test_a_server_that_dies_is_an_error_for_the_model():
    with McpServer(line("end", "say")) as server:
        assert call(server, "end")["error"]
        assert call(server, "say", text="still there?")["error"]


def test_pico_calls_a_tool_and_uses_its_answer(q8_engine):
    with McpServer(line("get_weather")) as server:
        session = Session(q8_engine, tools=server.tools, sampling=Sampling(temperature=0, max_tokens=100))
        question = [user("What is the weather in Paris?")]
        *_, answer = answer_with_tools(session, question, permission=Permission(everything=True))
    assert answer.tool_calls == (ToolCall("get_weather", {"city": "Paris"}),)
    assert "21" in answer.answer
    assert [message.role for message in answer.messages] == ["assistant", "tool", "assistant"]


@pytest.mark.parametrize(
    ("command", "match"),
    [
        ("no-such-program --here", "there is no program no-such-program"),
        (python("import sys; sys.exit('give me a key')"), "it said: give me a key"),
        (python("print('Hello, I am no MCP server')"), "did not start"),
        (that_stays("print('{}\\n[1]\\nnoise')"), "said nothing that MCP knows"),
        (that_stays("sys.stdout.buffer.write(b'\\xff' * 9 + b'\\n')"), "said nothing that MCP knows"),
        (that_stays(""), "within 3 s"),
        ("unbalanced 'quote", "is no command"),
        ("", "takes a command"),
    ],
)
def test_servers_that_do_not_start(command, match, capfd):
    before = children()
    with pytest.raises(EdgekitError, match=match) as problem:
        McpServer(command, patience=3)
    assert "\n" not in str(problem.value)
    assert children() == before
    assert capfd.readouterr().err == ""


def test_where_one_does_not_start_the_others_end():
    before = children()
    with pytest.raises(EdgekitError, match="no program"):
        start_servers([line("say"), "no-such-program"])
    assert children() == before


def test_schemas_lose_their_references():
    schema = {
        "type": "object",
        "properties": {"tree": {"$ref": "#/$defs/Tree", "description": "a tree"}, "far": {"$ref": "#/$defs/None"}},
        "$defs": {"Tree": {"type": "object", "properties": {"left": {"$ref": "#/$defs/Tree"}}}},
    }
    tree = {"type": "object", "properties": {"left": {"type": "object"}}, "description": "a tree"}
    assert plain_schema(schema) == {"type": "object", "properties": {"tree": tree, "far": {}}}
