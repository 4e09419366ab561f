"""`edgekit convert --ollama` and `edgekit modelfile --create` where no Ollama runs, or another program does."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from edgekit import paths

Command = Callable[..., "subprocess.CompletedProcess[str]"]
# Nothing listens there: the port is not one that a program may take without being root.
NOBODY = "127.0.0.1:9"


@pytest.fixture
def edgekit_at(environment: dict[str, str]) -> Command:
    def command(host: str, *arguments: object) -> subprocess.CompletedProcess[str]:
        line = [sys.executable, "-m", "edgekit", *map(str, arguments)]
        found = environment | {"OLLAMA_HOST": host}
        return subprocess.run(line, capture_output=True, text=True, env=found, check=False, timeout=120)

    return command


@pytest.fixture
def another_program() -> Iterator[str]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_error(404)

        def log_message(self, *_: object) -> None:
            pass

    httpd = HTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=httpd.serve_forever, daemon=True).start()
    yield f"127.0.0.1:{httpd.server_port}"
    httpd.shutdown()
    httpd.server_close()


def test_where_nobody_answers_the_files_are_made_and_a_line_says_what_to_run(
    tmp_path: Path, edgekit_at: Command
) -> None:
    out = tmp_path / "out"
    result = edgekit_at(NOBODY, "convert", paths.demo_checkpoint(), "--ollama", "--name", "my model", "--out", out)
    assert result.returncode == 0, result.stderr
    [line] = [line for line in result.stderr.splitlines() if line.startswith("Not created")]
    assert f"no Ollama answers at http://{NOBODY}" in line
    assert line.endswith(f"ollama create my-model -f {out / 'Modelfile'}")
    assert (out / "Modelfile").is_file()


def test_json_says_that_nothing_was_created(tmp_path: Path, edgekit_at: Command) -> None:
    result = edgekit_at(NOBODY, "convert", paths.demo_checkpoint(), "--ollama", "--out", tmp_path / "out", "--json")
    found = json.loads(result.stdout)["ollama"]
    assert (found["name"], found["created"]) == ("gemma4-pico", False)
    assert found["command"].startswith("ollama create gemma4-pico -f ")


def test_what_refuses_is_an_error_and_the_files_stay(tmp_path: Path, edgekit_at: Command, another_program: str) -> None:
    out = tmp_path / "out"
    result = edgekit_at(another_program, "convert", paths.demo_checkpoint(), "--ollama", "--out", out)
    assert result.returncode == 1
    [line] = [line for line in result.stderr.splitlines() if line.startswith("error: ")]
    assert "Ollama refuses: 404" in line
    assert f"the files in {out} stay" in line
    assert len(list(out.iterdir())) == 3


def test_a_modelfile_made_elsewhere_is_handed_over_too(tmp_path: Path, edgekit_at: Command) -> None:
    edgekit_at(NOBODY, "convert", paths.demo_checkpoint(), "--name", "mine", "--out", tmp_path)
    model = tmp_path / "mine-Q8_0.gguf"
    result = edgekit_at(NOBODY, "modelfile", model, "--out", tmp_path / "Own", "--create", "own")
    assert result.returncode == 0, result.stderr
    assert f"ollama create own -f {tmp_path / 'Own'}" in result.stderr
    assert edgekit_at(NOBODY, "modelfile", model, "--create", "own").returncode == 2


def test_a_merged_checkpoint_is_nothing_for_ollama(tmp_path: Path, edgekit_at: Command) -> None:
    asked = ("--to", "safetensors", "--ollama", "--out", tmp_path / "out")
    assert edgekit_at(NOBODY, "convert", paths.demo_checkpoint(), *asked).returncode == 2
    assert not (tmp_path / "out").exists()
