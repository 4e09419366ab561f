"""Tools that take too long, are stopped, or give what is no JSON."""

from __future__ import annotations

import json
import threading

import pytest

from edgekit.chat.calling import call_tool
from edgekit.chat.message import ToolCall
from edgekit.chat.tools import Tool


def tool(function) -> Tool:
    return Tool(function.__name__, {"type": "function", "function": {"name": function.__name__}}, function)


def call(function, *, limit: float = 60, stop: threading.Event | None = None) -> object:
    return json.loads(call_tool([tool(function)], ToolCall(function.__name__, {}), limit=limit, stop=stop).text)


def threads() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == "edgekit-tool"]


def test_a_tool_that_hangs_is_given_up_and_prints_aside_for_ever(capsys):
    go_on = threading.Event()

    def hang():
        go_on.wait(60)
        print("late")

    assert call(hang, limit=0.2) == {"error": "no answer within 0.2 s: given up, the tool may still be at work"}
    print("the answer")
    go_on.set()
    for thread in threads():
        thread.join(60)
    printed = capsys.readouterr()
    assert (printed.out, printed.err) == ("the answer\n", "late\n")


def test_stop_ends_the_wait():
    stop, go_on = threading.Event(), threading.Event()

    def stopping():
        stop.set()
        go_on.wait(60)

    assert call(stopping, stop=stop) == {"error": "the person stopped this; the tool may still be at work"}
    go_on.set()


def circle():
    inner: list[object] = []
    inner.append(inner)
    return inner


def odd_keys():
    return {(1, 2): 3}


def time_out():
    raise TimeoutError("the other side is slow")


@pytest.mark.parametrize(
    ("function", "words"),
    [(circle, "Circular"), (odd_keys, "keys must be"), (time_out, "TimeoutError: the other side is slow")],
)
def test_what_is_no_answer_is_an_error(function, words):
    assert words in call(function)["error"]


def test_what_json_does_not_know_is_written_down():
    def sizes():
        return {"sizes": {1}, "number": 0.5}

    assert call(sizes) == {"sizes": "{1}", "number": 0.5}
