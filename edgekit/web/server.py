"""Serves a folder to browsers on this very machine, and to nobody else."""

from __future__ import annotations

import shutil
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from edgekit.errors import EdgekitError

HOST = "127.0.0.1"
_TYPES = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".mjs": "text/javascript; charset=utf-8",
    ".json": "application/json",
    ".jinja": "text/plain; charset=utf-8",
    ".wasm": "application/wasm",
    ".onnx": "application/octet-stream",
}
# Threads of WebAssembly share memory, which browsers allow to a page that nothing of elsewhere can look into; and the
# page can ask nobody else for anything.
_HEADERS = {
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Embedder-Policy": "require-corp",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Content-Security-Policy": (
        "default-src 'self'; script-src 'self' 'wasm-unsafe-eval' blob:; worker-src 'self' blob:; "
        "img-src 'self' blob: data:; media-src blob:; connect-src 'self' blob: data:; frame-ancestors 'none'; "
        "form-action 'none'; base-uri 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-cache",
}


class FolderServer(ThreadingHTTPServer):
    """A server of one folder on the loopback device; `port` 0 takes a free one."""

    daemon_threads = True

    def __init__(self, folder: Path, port: int = 0) -> None:
        """Raise EdgekitError where the port is taken."""
        self.folder = folder
        try:
            super().__init__((HOST, port), _Handler)
        except OSError as problem:
            raise EdgekitError(f"port {port} cannot be used: {problem.strerror}; choose another with --port") from None

    @property
    def url(self) -> str:
        """Return the address of the page."""
        return f"http://{HOST}:{self.server_port}/"

    @property
    def hosts(self) -> tuple[str, ...]:
        """Return the names that a browser may ask for: a foreign site's name that leads here is none of them."""
        return tuple(f"{name}:{self.server_port}" for name in (HOST, "localhost"))

    def find(self, target: str) -> Path | None:
        """Return the file that a request asks for; None where there is none that may be read."""
        try:
            return self._inside(target)
        # No address, or a name longer than the disk's may be.
        except (ValueError, OSError):
            return None

    def _inside(self, target: str) -> Path | None:
        _, *parts = unquote(urlsplit(target).path).split("/")
        if parts[-1:] == [""]:
            parts[-1] = "index.html"
        # Nothing above the folder, nothing hidden, no drive and no other stream of Windows.
        if any(not part or part.startswith(".") or set(part) & set("\\:\0") for part in parts):
            return None
        path = self.folder.joinpath(*parts)
        return path if _type(path) and path.is_file() else None

    def handle_error(self, request: Any, client_address: Any) -> None:  # noqa: ANN401 - as socketserver has it
        """Say nothing of browsers that hang up."""


class _Handler(BaseHTTPRequestHandler):
    server: FolderServer
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        """Send a file."""
        self._send(with_content=True)

    def do_HEAD(self) -> None:
        """Send what precedes a file."""
        self._send(with_content=False)

    def version_string(self) -> str:
        """Name no versions."""
        return "edgekit"

    def log_message(self, format: str, *arguments: object) -> None:
        """Keep the terminal as it is."""

    def end_headers(self) -> None:
        """Add what every answer carries."""
        for name, value in _HEADERS.items():
            self.send_header(name, value)
        super().end_headers()

    def _send(self, *, with_content: bool) -> None:
        if self.headers.get("Host") not in self.server.hosts:
            self.send_error(HTTPStatus.MISDIRECTED_REQUEST)
            return
        path = self.server.find(self.path)
        if path is None:
            self.send_error(HTTPStatus.NOT_FOUND)
            return
        with path.open("rb") as file:
            self.send_response(HTTPStatus.OK)
            self.send_header("Content-Type", _type(path))
            self.send_header("Content-Length", str(path.stat().st_size))
            self.end_headers()
            if with_content:
                shutil.copyfileobj(file, self.wfile, 1 << 20)


def _type(path: Path) -> str:
    # Beside graphs lie their weights: NAME.onnx_data, NAME.onnx_data_1.
    return _TYPES[".onnx"] if path.suffix.startswith(".onnx_data") else _TYPES.get(path.suffix, "")
