"""The server of the page: loopback only, the folder only, and what browsers need to know."""

from __future__ import annotations

import http.client
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from edgekit.errors import EdgekitError
from edgekit.web.server import FolderServer


@pytest.fixture
def server(tmp_path: Path) -> Iterator[FolderServer]:
    folder = tmp_path / "model"
    for name in ("index.html", "web/worker.js", "web/a.mjs", "web/a.wasm", "onnx/a.onnx", "onnx/a.onnx_data_1"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(name)
    (folder / ".hidden.json").write_text("secret")
    (folder / "notes.txt").write_text("secret")
    (tmp_path / "outside.json").write_text("secret")
    with FolderServer(folder) as made:
        threading.Thread(target=made.serve_forever, daemon=True).start()
        yield made
        made.shutdown()


def ask(server: FolderServer, target: str, method: str = "GET", host: str = "") -> tuple[int, dict[str, str], str]:
    connection = http.client.HTTPConnection("127.0.0.1", server.server_port, timeout=10)
    connection.putrequest(method, target, skip_host=True)
    connection.putheader("Host", host or f"127.0.0.1:{server.server_port}")
    connection.endheaders()
    answer = connection.getresponse()
    found = answer.status, dict(answer.getheaders()), answer.read().decode()
    connection.close()
    return found


@pytest.mark.parametrize(
    ("target", "kind"),
    [
        ("/", "text/html; charset=utf-8"),
        ("/web/worker.js?a=b", "text/javascript; charset=utf-8"),
        ("/web/a.mjs", "text/javascript; charset=utf-8"),
        ("/web/a.wasm", "application/wasm"),
        ("/onnx/a.onnx", "application/octet-stream"),
        ("/onnx/a.onnx_data_1", "application/octet-stream"),
    ],
)
def test_files(target, kind, server):
    status, headers, text = ask(server, target)
    assert (status, headers["Content-Type"]) == (200, kind)
    assert text == (target.partition("?")[0].strip("/") or "index.html")
    assert headers["Cross-Origin-Opener-Policy"] == "same-origin"
    assert headers["Cross-Origin-Embedder-Policy"] == "require-corp"
    assert "default-src 'self'" in headers["Content-Security-Policy"]
    assert ask(server, target, "HEAD") == (200, {**headers, "Date": ask(server, target, "HEAD")[1]["Date"]}, "")


@pytest.mark.parametrize(
    "target",
    [
        "/../outside.json",
        "/%2e%2e/outside.json",
        "/web/..%2f..%2foutside.json",
        "/..\\outside.json",
        "//outside.json",
        "/web//../../outside.json",
        "/.hidden.json",
        "/notes.txt",
        "/web",
        "/web/",
        "/nothing.json",
        "/index.html%00",
        "http://elsewhere/../outside.json",
        "http://elsewhere",
        "http://[/outside.json",
        "outside.json",
        "*",
        f"/{'a' * 300}.json",
    ],
)
def test_nothing_else(target, server):
    status, _, text = ask(server, target)
    assert status == 404
    assert "secret" not in text


@pytest.mark.parametrize("host", ["evil.example", "evil.example:80", "127.0.0.1", "0.0.0.0"])
def test_other_names_of_this_machine_are_refused(host, server):
    """A site whose name is made to lead here must read nothing."""
    assert ask(server, "/", host=host)[0] == 421
    assert ask(server, "/", host=f"localhost:{server.server_port}")[0] == 200


def test_only_on_the_loopback_device(server):
    assert server.server_address[0] == "127.0.0.1"
    assert ask(server, "/", "POST")[0] == 501


def test_a_taken_port(server):
    with pytest.raises(EdgekitError, match=r"--port"):
        FolderServer(server.folder, server.server_port)
