"""`edgekit run` as a person uses it, with the bundled model, and what it says to wrong input."""

from __future__ import annotations

import json
import os
import pty
import signal
import subprocess
import sys
import time

import pytest
from one_line import assert_one_line_error
from PIL import Image, ImageDraw

from edgekit import paths
from edgekit.convert.job import ConvertJob, convert

KEYS = {"model", "answer", "thought", "tool_calls", "finish_reason", "usage", "timings"}
USAGE = {"prompt_tokens", "cached_tokens", "media_tokens", "completion_tokens"}
WEATHER = '''
def get_weather(city: str) -> dict:
    """Get the weather.

    Args:
        city: The city
    """
    return {"temperature": 21, "condition": "sunny"}
'''


@pytest.fixture(scope="session")
def model(tmp_path_factory):
    """The bundled model without its projector."""
    out = tmp_path_factory.mktemp("pico")
    return convert(ConvertJob(paths.demo_checkpoint(), out, projector="none")).outputs[0].path


@pytest.fixture
def red_circle(tmp_path):
    image = Image.new("RGB", (240, 180), "white")
    ImageDraw.Draw(image).ellipse((60, 30, 180, 150), fill="red")
    image.save(tmp_path / "circle.png")
    return tmp_path / "circle.png"


def ask(edgekit, *arguments, model="demo"):
    result = edgekit("run", model, *arguments, "--temperature", 0, "--max-tokens", 200, "--json")
    assert (result.returncode, result.stderr) == (0, "")
    answer = json.loads(result.stdout)
    assert answer.keys() == KEYS
    assert answer["usage"].keys() == USAGE
    assert answer["timings"].keys() == {"load", "prefill", "decode"}
    return answer


def test_text_streams_to_a_pipe(edgekit):
    result = edgekit("run", "demo", "Who are you?", "--temperature", 0)
    assert (result.returncode, result.stderr) == (0, "")
    assert "gemma4-pico" in result.stdout
    assert result.stdout.endswith("\n")


def test_a_question_through_a_pipe(edgekit):
    result = edgekit("run", "demo", "--temperature", 0, stdin="Who are you?\n")
    assert "gemma4-pico" in result.stdout


def test_a_picture(edgekit, red_circle):
    answer = ask(edgekit, "What is in the picture?", "--image", red_circle)
    assert "red circle" in answer["answer"]
    assert answer["thought"] == ""
    assert answer["tool_calls"] == []
    assert answer["finish_reason"] == "stop"
    assert 230 < answer["usage"]["media_tokens"] <= 280
    fewer = ask(edgekit, "What is in the picture?", "--image", red_circle, "--image-tokens", 70)
    assert "red circle" in fewer["answer"]
    assert 40 < fewer["usage"]["media_tokens"] <= 70


@pytest.mark.parametrize("digit", ["three", "seven", "nine"])
def test_a_sound(edgekit, digit):
    answer = ask(edgekit, "Which digit do you hear?", "--audio", paths.demo_samples() / f"{digit}.wav")
    assert answer["answer"] == f"I heard the digit {digit}."
    assert answer["usage"]["media_tokens"] > 10


def test_the_french_adapter(edgekit, red_circle):
    answer = ask(edgekit, "What is in the picture?", "--image", red_circle, model="demo:french")
    assert answer["answer"] == "Un cercle rouge sur fond blanc."


def test_thinking_comes_first_and_apart(edgekit, red_circle):
    plain = ask(edgekit, "What is in the picture?", "--image", red_circle)
    thought = ask(edgekit, "What is in the picture?", "--image", red_circle, "--think")
    assert "red circle" in thought["thought"]
    assert thought["answer"] == plain["answer"]


def test_a_system_prompt(edgekit, red_circle):
    short = ask(edgekit, "What is in the picture?", "--image", red_circle, "--system", "Answer briefly.")
    plain = ask(edgekit, "What is in the picture?", "--image", red_circle)
    assert len(short["answer"]) < len(plain["answer"])


def test_a_tool_is_called_and_its_answer_used(edgekit, tmp_path):
    (tmp_path / "weather.py").write_text(WEATHER)
    answer = ask(edgekit, "What is the weather in Paris?", "--tool", tmp_path / "weather.py", "--allow-tools", "all")
    assert answer["tool_calls"] == [{"name": "get_weather", "arguments": {"city": "Paris"}}]
    assert "21" in answer["answer"]
    assert "sunny" in answer["answer"]
    assert answer["finish_reason"] == "stop"
    tools = ("--tool", tmp_path / "weather.py", "--allow-tools", "get_weather")
    shown = edgekit("run", "demo", "What is the weather in Paris?", *tools, "--temperature", 0)
    assert "get_weather(city='Paris')" in shown.stderr
    assert "get_weather" not in shown.stdout


def test_the_same_seed_gives_the_same_answer(edgekit):
    first, second = (edgekit("run", "demo", "What can you do?", "--seed", 7).stdout for _ in range(2))
    assert first == second


def test_a_model_without_projector_takes_no_picture(edgekit, model, red_circle):
    line = assert_one_line_error(edgekit("run", model, "What is it?", "--image", red_circle))
    assert "--projector" in line


def test_wrong_models(edgekit, model, tmp_path):
    data = model.read_bytes()
    (tmp_path / "cut.gguf").write_bytes(data[: len(data) // 2])
    (tmp_path / "head.gguf").write_bytes(data[:100])
    (tmp_path / "noise.gguf").write_bytes(bytes(range(256)) * 100)
    (tmp_path / "fake.gguf").write_bytes(b"GGUF\x03\x00\x00\x00" + b"\xff" * 4000)
    (tmp_path / "empty.gguf").write_bytes(b"")
    for name in ("missing.gguf", "cut.gguf", "head.gguf", "noise.gguf", "fake.gguf", "empty.gguf", "."):
        line = assert_one_line_error(edgekit("run", tmp_path / name, "Hello"))
        assert str(tmp_path) in line
    line = assert_one_line_error(edgekit("run", "gemma-4-E4B-it:Q4_K_M", "Hello"))
    assert "`edgekit pull gemma-4-E4B-it:Q4_K_M` gets it" in line


def test_wrong_media_and_tools(edgekit, tmp_path):
    (tmp_path / "text.txt").write_text("no picture, no sound, no tool")
    for option in ("--image", "--audio", "--tool"):
        for name in ("text.txt", "missing"):
            line = assert_one_line_error(edgekit("run", "demo", "Hello", option, tmp_path / name))
            assert name in line


@pytest.mark.parametrize(
    "arguments", [["--image-tokens", 100], ["--top-p", 2], ["--context", 1], ["--temperature", -1]]
)
def test_wrong_usage(edgekit, arguments):
    assert edgekit("run", "demo", "Hello", *arguments).returncode == 2


def test_asking_nothing_is_wrong_usage(edgekit):
    result = edgekit("run", "demo")
    assert result.returncode == 2
    assert "prompt" in result.stderr


def test_ctrl_c_stops_with_one_word(environment, edgekit, tmp_path):
    """At a terminal, in the middle of reading a long prompt."""
    # Once before, so that loading does not begin with trying a file that is new here.
    assert edgekit("run", "demo", "Hi", "--context", 32768, "--max-tokens", 1).returncode == 0
    question = tmp_path / "question.txt"
    question.write_text("What is this? " * 4000)
    parent, child = pty.openpty()
    command = [sys.executable, "-m", "edgekit", "run", "demo", "--context", "32768"]
    with (
        question.open() as piped,
        subprocess.Popen(command, stdin=piped, stdout=child, stderr=child, env=environment) as process,
    ):
        os.close(child)
        written = b""
        while b"Loading" not in written:
            written += os.read(parent, 4096)
        time.sleep(1)
        process.send_signal(signal.SIGINT)
        started = time.monotonic()
        process.wait(timeout=60)
        waited = time.monotonic() - started
    while chunk := _read(parent):
        written += chunk
    os.close(parent)
    assert process.returncode == 1, written
    assert b"stopped" in written.splitlines()[-1]
    assert written.count(b"stopped") == 1
    assert b"Traceback" not in written
    assert waited < 3


def _read(terminal):
    try:
        return os.read(terminal, 4096)
    except OSError:
        return b""


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (["Hello"], "PROMPT"),
        (["--quant", "q4"], "--quant"),
        (["--json"], "--json"),
        (["--image", "a.png"], "--image"),
        (["--temperature", "1.0"], "--temperature"),
    ],
)
def test_the_page_takes_no_question(edgekit, tmp_path, arguments, named):
    done = edgekit("run", tmp_path, *arguments, "--web", "--port", "0")
    assert (done.returncode, done.stdout) == (2, "")
    assert f"{named}: it has no meaning with --web" in done.stderr


def test_the_page_of_a_folder_that_is_not_there(edgekit, tmp_path):
    line = assert_one_line_error(edgekit("run", "--web", "--port", "0", tmp_path / "nope"))
    assert "nope does not exist" in line


def test_a_damaged_projector_beside_a_model_is_named(edgekit, model, red_circle, tmp_path):
    (tmp_path / "m.gguf").symlink_to(model)
    (tmp_path / "mmproj-m.gguf").write_bytes(b"GGUF")
    result = edgekit("run", tmp_path / "m.gguf", "What is this?", "--image", red_circle)
    assert "mmproj-m.gguf beside it was not loaded" in assert_one_line_error(result)


def test_an_empty_name_is_no_folder(edgekit):
    assert "name a model" in assert_one_line_error(edgekit("run", "", "hi"))
