"""The command's shell: help, exit codes, one line for every error, and a quick start."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from edgekit import __version__, paths
from edgekit.cli import app, output
from edgekit.errors import FileError

COMMANDS = ["probe", "pick", "convert", "modelfile", "run", "chat", "demo"]
HEAVY = ["llama_cpp", "numpy", "gguf", "textual", "PIL", "av", "jinja2", "huggingface_hub", "psutil", "safetensors"]


def test_help_lists_every_command(edgekit):
    result = edgekit("--help")
    assert result.returncode == 0
    assert [name for name in COMMANDS if f"  {name} " not in result.stdout] == []


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_explains_itself(edgekit, name):
    result = edgekit(name, "--help")
    assert result.returncode == 0
    assert result.stdout.startswith(f"Usage: edgekit {name}")


def test_version(edgekit):
    assert edgekit("--version").stdout == f"edgekit {__version__}\n"


@pytest.mark.parametrize("arguments", [["nope"], ["--nope"], ["pick", "--nope"]])
def test_wrong_usage_is_exit_code_2(edgekit, arguments):
    assert edgekit(*arguments).returncode == 2


def test_the_command_line_imports_nothing_heavy():
    code = f"import sys, edgekit.cli.app; print([name for name in {HEAVY} if name in sys.modules])"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n"


@pytest.mark.parametrize(
    ("problem", "line"),
    [
        (FileError("x.gguf is cut;\n  download it again"), "error: x.gguf is cut; download it again\n"),
        (OSError(28, "No space left on device", "out.gguf"), "error: No space left on device: out.gguf\n"),
    ],
)
def test_an_error_is_one_line(monkeypatch, capsys, problem, line):
    def fail(**_: object) -> None:
        raise problem

    monkeypatch.setattr(app, "app", fail)
    with pytest.raises(SystemExit) as stop:
        app.main(["probe"])
    assert stop.value.code == 1
    assert capsys.readouterr().err == line


@pytest.mark.parametrize(
    ("debug", "said"),
    [
        ("", "error: No space left on device: out.gguf\n"),
        ("1", "OSError: [Errno 28] No space left on device: 'out.gguf'\n"),
    ],
)
def test_an_error_that_ends_a_running_model_is_told_as_any_other(environment, debug, said):
    code = "from edgekit.cli import chat; chat._end_at_once(OSError(28, 'No space left on device', 'out.gguf'))"
    line, asked = [sys.executable, "-c", code], environment | {"EDGEKIT_DEBUG": debug}
    done = subprocess.run(line, capture_output=True, text=True, env=asked, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (1, "", said)


def test_debug_shows_the_traceback(monkeypatch):
    def fail(**_: object) -> None:
        raise FileError("x")

    # main sets it for the engine: set here first, it is taken back after the test.
    monkeypatch.setenv("EDGEKIT_DEBUG", "")
    monkeypatch.setattr(app, "app", fail)
    with pytest.raises(FileError):
        app.main(["--debug", "probe"])


@pytest.mark.parametrize(("count", "text"), [(0, "0.0 MiB"), (3 << 19, "1.5 MiB"), (5 << 29, "2.50 GiB")])
def test_sizes_read_as_people_read_them(count, text):
    assert output.size(count) == text


@pytest.mark.parametrize("closed", ["<&-", ">&-", "2>&-"])
def test_a_closed_stream_is_no_crash(environment, closed):
    line = f"'{sys.executable}' -m edgekit pick --profile laptop-16gb {closed}"
    result = subprocess.run(["bash", "-c", line], capture_output=True, text=True, env=environment, check=False)
    assert (result.returncode, result.stderr) == (0, "")


ASCII_ONLY = [
    {"PYTHONIOENCODING": "ascii"},
    {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"},
]


@pytest.mark.parametrize("asked", ASCII_ONLY, ids=["asked for", "the locale's"])
def test_a_stream_without_its_signs_gets_the_nearest(environment, asked):
    def said(*arguments: str, question: bytes = b"") -> str:
        line = [sys.executable, "-m", "edgekit", *arguments]
        done = subprocess.run(line, input=question, capture_output=True, env=environment | asked, check=False)
        assert (done.returncode, done.stderr) == (0, b"")
        return done.stdout.decode("ascii")

    table = said("pick", "--profile", "raspberry-pi-5-8gb")
    assert ">  E2B      UD-Q4_K_XL    yes            ###.....   3.0 GiB   6.5-8.4" in table
    # A program reads the letters that there are.
    picture = str(paths.demo_samples() / "yellow-square.png")
    answer = said("run", "demo:french", "What do you see?", "--image", picture, "--temperature", "0", "--json")
    assert "carré" in json.loads(answer)["answer"]
    said("run", "demo", question="Süß?".encode())


def test_bytes_that_are_no_letters_are_a_question_too(environment):
    line = [sys.executable, "-m", "edgekit", "run", "demo"]
    strict = environment | {"PYTHONIOENCODING": "utf-8:strict"}
    done = subprocess.run(line, input=b"What \xff are you?", capture_output=True, env=strict, check=False)
    assert (done.returncode, done.stderr) == (0, b"")


def test_a_terminal_that_has_no_width_yet_is_not_believed(environment):
    line = [sys.executable, "-m", "edgekit", "pick", "--profile", "raspberry-pi-5-8gb"]
    asked = [environment | {"COLUMNS": width} for width in ("0", "80")]
    none, usual = (subprocess.run(line, capture_output=True, env=each, check=True).stdout for each in asked)
    assert none == usual
