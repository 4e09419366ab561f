"""A running Ollama, through its HTTP API (docs/api.md; `draft_files` and `requires` are in api/types.go only)."""

from __future__ import annotations

import http.client
import ipaddress
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from edgekit.convert.progress import Progress, silent
from edgekit.errors import EdgekitError, UnsupportedError

_PORT = 11434
_ANSWERS_WITHIN = 10.0
# Ollama copies a model before it says anything more about it.
_CREATES_WITHIN = 3600.0
_BLOCK = 1 << 20


class NotRunningError(EdgekitError):
    """No Ollama answers; the message says where it was looked for."""


class Ollama:
    """The server that the `ollama` command would talk to: OLLAMA_HOST says where, this machine by default.

    Raises NotRunningError where nobody answers, UnsupportedError with Ollama's own words where it refuses.
    """

    def __init__(self, host: str | None = None) -> None:
        self.address = _address(os.environ.get("OLLAMA_HOST", "") if host is None else host)

    def version(self) -> str:
        """Return the server's version."""
        return str(self._ask("GET", "/api/version").get("version", ""))

    def has_blob(self, digest: str) -> bool:
        """Return whether it has a file, by `sha256:` and its digest."""
        with self._sent("HEAD", f"/api/blobs/{digest}", None, _ANSWERS_WITHIN) as response:
            return response.status == http.client.OK

    def push_blob(self, path: Path, digest: str, progress: Progress = silent) -> None:
        """Give it a file; `progress` hears the bytes."""
        size = path.stat().st_size

        def blocks() -> Iterator[bytes]:
            done = 0
            with path.open("rb") as file:
                while block := file.read(_BLOCK):
                    yield block
                    done += len(block)
                    progress(done, size, path.name)

        headers = {"Content-Length": str(size)}
        with self._sent("POST", f"/api/blobs/{digest}", blocks(), _CREATES_WITHIN, headers) as response:
            _check(response)

    def create(self, request: dict[str, Any], progress: Progress = silent) -> None:
        """Create a model; `progress` hears what it is doing."""
        with self._sent("POST", "/api/create", json.dumps(request).encode(), _CREATES_WITHIN) as response:
            _check(response)
            last: dict[str, Any] = {}
            for line in response:
                last = _object(line)
                if "error" in last:
                    raise UnsupportedError(f"Ollama could not create the model: {last['error']}")
                progress(last.get("completed", 0), last.get("total", 0) or 1, str(last.get("status", "")))
        if last.get("status") != "success":
            raise UnsupportedError("Ollama broke off before the model was created: look into its log")

    def show(self, name: str) -> dict[str, Any]:
        """Return what it says about a model: `modelfile`, `system`, `template`, `requires`, `capabilities`."""
        return self._ask("POST", "/api/show", {"model": name})

    def _ask(self, method: str, path: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
        data = None if body is None else json.dumps(body).encode()
        with self._sent(method, path, data, _ANSWERS_WITHIN) as response:
            _check(response)
            return _object(response.read())

    @contextmanager
    def _sent(
        self,
        method: str,
        path: str,
        body: bytes | Iterator[bytes] | None,
        timeout: float,
        headers: dict[str, str] | None = None,
    ) -> Iterator[http.client.HTTPResponse]:
        parts = urlsplit(self.address)
        kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
        connection = kind(parts.hostname or "", parts.port, timeout=timeout)
        try:
            try:
                connection.timeout = _ANSWERS_WITHIN
                connection.connect()
                connection.sock.settimeout(timeout)
            except OSError as problem:
                raise NotRunningError(f"no Ollama answers at {self.address} ({_reason(problem)})") from problem
            connection.request(method, parts.path.rstrip("/") + path, body, headers or {})
            yield connection.getresponse()
        except (OSError, http.client.HTTPException) as problem:
            raise UnsupportedError(f"Ollama at {self.address} broke off: {_reason(problem)}") from problem
        finally:
            connection.close()


def _address(host: str) -> str:
    """Return a URL as Ollama's own client makes it of OLLAMA_HOST (envconfig.ConnectableHost)."""
    given, sign, rest = host.strip().partition("://")
    scheme, place = (given, rest) if sign else ("http", given)
    port = {"http": 80, "https": 443}.get(scheme, _PORT) if sign else _PORT
    place, slash, path = place.partition("/")
    try:
        parts = urlsplit(f"//{place}")
        name, port = parts.hostname or "127.0.0.1", parts.port or port
    except ValueError:
        raise UnsupportedError(f"OLLAMA_HOST is {host!r}, which is no address: HOST:PORT or a URL") from None
    # An address that servers listen at and nobody can go to.
    name = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(name, name)
    with suppress(ValueError):
        name = f"[{name}]" if ipaddress.ip_address(name).version == 6 else name
    return f"{scheme}://{name}:{port}{slash}{path}"


def _check(response: http.client.HTTPResponse) -> None:
    if response.status < http.client.BAD_REQUEST:
        return
    try:
        said = _object(response.read()).get("error")
    except UnsupportedError:
        said = None
    raise UnsupportedError(f"Ollama refuses: {said or f'{response.status} {response.reason}'}")


def _object(data: bytes) -> dict[str, Any]:
    try:
        found = json.loads(data)
    except ValueError:
        found = None
    if not isinstance(found, dict):
        raise UnsupportedError("what answers there is no Ollama: look at OLLAMA_HOST")
    return found


def _reason(problem: Exception) -> str:
    if isinstance(problem, TimeoutError):
        return "it does not answer in time"
    return getattr(problem, "strerror", None) or str(problem) or type(problem).__name__
