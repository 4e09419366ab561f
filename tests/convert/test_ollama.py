"""Talking to Ollama: where it is looked for, and what goes wrong on the way.

The server here only misbehaves: that Ollama takes what edgekit sends was seen on Ollama's own server.
"""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from edgekit.convert import ollama_client
from edgekit.convert.modelfile import Dialect, Modelfile
from edgekit.convert.ollama_client import NotRunningError, Ollama
from edgekit.convert.ollama_create import _differences, _missing, create, model_name
from edgekit.convert.progress import silent
from edgekit.errors import UnsupportedError

# Status and body, by method and path.
Answers = dict[tuple[str, str], tuple[int, str]]


@contextmanager
def server(answers: Answers, seen: list[tuple[str, str, bytes]] | None = None) -> Iterator[Ollama]:
    class Handler(BaseHTTPRequestHandler):
        def answer(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            path = self.path if "/blobs/" not in self.path else "/api/blobs"
            if seen is not None:
                seen.append((self.command, self.path, body))
            status, text = answers[self.command, path]
            self.send_response(status)
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(text.encode())

        do_GET = do_POST = do_HEAD = answer  # noqa: N815

        def log_message(self, *_: object) -> None:
            pass

    httpd = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=httpd.serve_forever, daemon=True)
    thread.start()
    try:
        yield Ollama(f"127.0.0.1:{httpd.server_port}")
    finally:
        httpd.shutdown()
        httpd.server_close()
        thread.join()


VERSION = {("GET", "/api/version"): (200, '{"version": "0.33.0"}')}
NO_BLOB = {("HEAD", "/api/blobs"): (404, ""), ("POST", "/api/blobs"): (201, "")}
MADE = {("POST", "/api/create"): (200, '{"status":"writing manifest"}\n{"status":"success"}\n')}


@pytest.fixture
def file(tmp_path: Path) -> Path:
    (tmp_path / "a.gguf").write_bytes(b"x" * 3_000_000)
    return tmp_path / "a.gguf"


@pytest.mark.parametrize(
    ("host", "address"),
    [
        ("", "http://127.0.0.1:11434"),
        ("0.0.0.0", "http://127.0.0.1:11434"),
        (":1234", "http://127.0.0.1:1234"),
        ("box:1234", "http://box:1234"),
        ("http://box", "http://box:80"),
        ("https://box/under", "https://box:443/under"),
        ("[::]:1234", "http://[::1]:1234"),
    ],
)
def test_the_address_is_that_of_ollamas_own_client(host: str, address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OLLAMA_HOST", host)
    assert Ollama().address == address


def test_an_address_that_is_none_is_refused() -> None:
    with pytest.raises(UnsupportedError, match="which is no address"):
        Ollama("box:many")


def test_nobody_there_is_said() -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        port = unused.getsockname()[1]
    with pytest.raises(NotRunningError, match=f"no Ollama answers at http://127.0.0.1:{port}"):
        Ollama(f"127.0.0.1:{port}").version()


def test_one_that_never_answers_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ollama_client, "_ANSWERS_WITHIN", 0.2)
    with socket.create_server(("127.0.0.1", 0)) as mute:
        ollama = Ollama(f"127.0.0.1:{mute.getsockname()[1]}")
        with pytest.raises(UnsupportedError, match="does not answer in time"):
            ollama.version()


@pytest.mark.parametrize(
    ("status", "body", "said"),
    [
        (500, '{"error": "no space left on device"}', "Ollama refuses: no space left on device"),
        (502, "<html>", "Ollama refuses: 502"),
        (200, "<html>", "is no Ollama"),
        (200, "[]", "is no Ollama"),
    ],
)
def test_answers_that_are_no_success_are_one_line(status: int, body: str, said: str) -> None:
    with server({("GET", "/api/version"): (status, body)}) as ollama, pytest.raises(UnsupportedError, match=said):
        ollama.version()


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (
            '{"status":"parsing GGUF"}\n{"error":"invalid file magic"}\n',
            "could not create the model: invalid file magic",
        ),
        ('{"status":"parsing GGUF"}\n', "broke off"),
        ("", "broke off"),
    ],
)
def test_a_creation_that_fails_on_the_way_is_said(body: str, said: str) -> None:
    with server({("POST", "/api/create"): (200, body)}) as ollama, pytest.raises(UnsupportedError, match=said):
        ollama.create({"model": "m"})


def test_files_are_sent_whole_and_once(file: Path) -> None:
    seen: list[tuple[str, str, bytes]] = []
    shown = {("POST", "/api/show"): (200, json.dumps({"modelfile": "FROM /x"}))}
    with server(VERSION | NO_BLOB | MADE | shown, seen) as ollama:
        made = create(ollama, "m", Modelfile("a.gguf", parameters=()), file.parent, {file: "ab" * 32}, silent)
    assert [(method, path) for method, path, _ in seen] == [
        ("GET", "/api/version"),
        ("HEAD", f"/api/blobs/sha256:{'ab' * 32}"),
        ("POST", f"/api/blobs/sha256:{'ab' * 32}"),
        ("POST", "/api/create"),
        ("POST", "/api/show"),
    ]
    assert seen[2][2] == file.read_bytes()
    assert made.differences == ("requires is None and not '0.30.5'",)


def test_a_file_that_is_there_is_not_sent_again(file: Path) -> None:
    seen: list[tuple[str, str, bytes]] = []
    shown = {("POST", "/api/show"): (200, json.dumps({"modelfile": "FROM /x", "requires": "0.30.5"}))}
    with server(VERSION | {("HEAD", "/api/blobs"): (200, "")} | MADE | shown, seen) as ollama:
        create(ollama, "m", Modelfile("a.gguf", parameters=()), file.parent, {}, silent)
    assert not [path for method, path, _ in seen if method == "POST" and "/blobs/" in path]


def test_an_ollama_that_is_too_old_is_told_apart(file: Path) -> None:
    old = {("GET", "/api/version"): (200, '{"version": "0.20.1-rc0"}')}
    with server(old) as ollama, pytest.raises(UnsupportedError, match=r"0\.20\.1-rc0 runs here.*need 0\.30\.5"):
        create(ollama, "m", Modelfile("a.gguf"), file.parent, {}, silent)


@pytest.mark.parametrize(
    ("wanted", "name"), [("My Model (v2)", "My-Model--v2-"), (".hidden", "hidden"), ("gemma-4_E2B.x", "gemma-4_E2B.x")]
)
def test_a_name_is_one_that_ollama_takes(wanted: str, name: str) -> None:
    assert model_name(wanted) == name


def test_a_name_of_nothing_but_signs_is_refused() -> None:
    with pytest.raises(UnsupportedError, match="--name"):
        model_name("...")


# What Ollama 0.33 (fb30760) showed of a model that was created with these.
REQUEST = {
    "requires": "0.30.5",
    "renderer": "gemma4-small",
    "parser": "gemma4",
    "template": "{{ .Prompt }}",
    "system": 'Say "yes"\nand """ no""" not',
    "parameters": {"stop": ["a b", '"q"'], "top_p": 0.95, "top_k": 64, "num_ctx": 512, "use_mmap": False},
}
KEPT = {"mmproj.gguf": "sha256:22"}
SHOWN = {
    "system": REQUEST["system"],
    "template": "{{ .Prompt }}",
    "requires": "0.30.5",
    "modelfile": """# Modelfile generated by "ollama show"
# To build a new Modelfile based on this, replace FROM with:
# FROM pico:latest

FROM /models/blobs/sha256-33
FROM /models/blobs/sha256-22
TEMPLATE {{ .Prompt }}
SYSTEM \"\"\"Say "yes"
and \"\"\" no\"\"\" not\"\"\"
RENDERER gemma4-small
PARSER gemma4
PARAMETER stop a b
PARAMETER stop "q"
PARAMETER top_p 0.95
PARAMETER top_k 64
PARAMETER num_ctx 512
PARAMETER use_mmap false
""",
}


def test_what_was_asked_for_is_what_is_there() -> None:
    assert list(_differences(REQUEST, SHOWN)) == []
    assert list(_missing(KEPT, SHOWN)) == []


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda text: text.replace("gemma4-small", "gemma4"), "RENDERER is gemma4 and not gemma4-small"),
        (lambda text: text.replace("PARSER gemma4\n", ""), "PARSER is None and not gemma4"),
        (lambda text: text.replace("top_k 64", "top_k 40"), "PARAMETER top_k is 40 and not 64"),
        (lambda text: text.replace("PARAMETER stop a b\n", ""), "PARAMETER stop is ['q']"),
        (lambda text: text.replace("sha256-22", "sha256-44"), "mmproj.gguf is not among its files"),
        (lambda text: text.replace("FROM /models/blobs/sha256-22\n", ""), "it has 1 files and not 2"),
    ],
)
def test_what_is_otherwise_is_named(change: Callable[[str], str], said: str) -> None:
    shown = SHOWN | {"modelfile": change(SHOWN["modelfile"])}
    found = [*_differences(REQUEST, shown), *_missing(KEPT, shown)]
    assert any(line.startswith(said) for line in found), found


def test_another_system_text_is_named() -> None:
    [line] = _differences(REQUEST, SHOWN | {"system": ""})
    assert line.startswith("system is ''")


def test_a_dialect_is_asked_for_by_name(file: Path) -> None:
    seen: list[tuple[str, str, bytes]] = []
    wanted = Modelfile("a.gguf", dialect=Dialect("gemma4-large", "gemma4"), drafter="a.gguf", system="Be brief.")
    shown = {("POST", "/api/show"): (200, json.dumps(SHOWN))}
    with server(VERSION | NO_BLOB | MADE | shown, seen) as ollama:
        create(ollama, "m", wanted, file.parent, {file: "ab" * 32}, silent)
    [sent] = [json.loads(body) for _, path, body in seen if path == "/api/create"]
    assert sent == {
        "model": "m",
        "files": {"a.gguf": f"sha256:{'ab' * 32}"},
        "draft_files": {"a.gguf": f"sha256:{'ab' * 32}"},
        "requires": "0.31.0",
        "renderer": "gemma4-large",
        "parser": "gemma4",
        "template": "{{ .Prompt }}",
        "system": "Be brief.",
        "parameters": {"temperature": 1.0, "top_k": 64, "top_p": 0.95, "draft_num_predict": 3},
    }
