"""A Hub on this machine: listings, redirects to another host for the bytes, ranges, checksums, refusals, breakdowns.

It speaks what huggingface_hub asks: /api/models/ID/revision/main?blobs=true, /ID/resolve/COMMIT/FILE, with the headers
that the Hub gave in 2026. Contents in Xet come from a second port, as from the Hub's CDN, under addresses that run out;
small files, which are in git, from /api/resolve-cache. Redirects on the Hub itself are relative.
"""

from __future__ import annotations

import hashlib
import json
import re
import threading
import time
from collections import Counter, defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, unquote, urlsplit

TOKEN = "hf_" + "a" * 34
# Names of the catalog.
E2B, E2B_FILE = "google/gemma-4-E2B-it-qat-q4_0-gguf", "gemma-4-E2B_q4_0-it.gguf"
PROJECTORS, PROJECTOR = "ggml-org/gemma-4-E2B-it-GGUF", "mmproj-gemma-4-E2B-it-Q8_0.gguf"
_CHUNK = 1 << 16


@dataclass
class Fault:
    """What happens to one request instead of a proper answer."""

    status: int = 0
    headers: dict[str, str] = field(default_factory=dict)
    # Close the connection after so many bytes of the body.
    cut_after: int | None = None
    # Change a byte of the body.
    corrupt: bool = False
    # Answer 200 with everything, whatever range was asked for.
    whole: bool = False
    # Bytes that come after the file's own.
    tail: bytes = b""
    # A body that is no JSON, as login pages of hotels are.
    body: bytes = b""


@dataclass
class Repo:
    files: dict[str, bytes]
    commit: str
    gated: bool = False
    # LFS and Xet, as all large files; else the bytes are in git and come from the Hub itself.
    large: bool = True
    # Sizes that the listing says instead of the true ones.
    claims: dict[str, int] = field(default_factory=dict)


class Hub:
    """Repositories, what is to go wrong, and what was asked."""

    def __init__(self) -> None:
        self.repos: dict[str, Repo] = {}
        # By place (list, resolve, cdn): consumed one by one, the last one kept where `forever` says so.
        self.faults: dict[str, list[Fault]] = defaultdict(list)
        self.forever: dict[str, Fault] = {}
        self.asked: Counter[str] = Counter()
        self.ranges: list[str] = []
        self.sent: Counter[str] = Counter()
        self.tokens_at_cdn: list[str] = []
        # Old names of repositories.
        self.renamed: dict[str, str] = {}
        # The address of the Hub that this one sends everybody on to, as some mirrors do.
        self.sends_to = ""
        # Where a mirror lies below its host, as in /mirror.
        self.prefix = ""
        # Bytes per second; without limit where it is 0.
        self.rate = 0.0
        # Set for every piece of a body that went out.
        self.moved = threading.Condition()
        # After so many answers a signed address runs out.
        self.address_lasts = 1 << 30
        self._hub = _serve(_HubHandler, self)
        self._cdn = _serve(_CdnHandler, self)
        self.address = f"http://127.0.0.1:{self._hub.server_port}"
        self.cdn_address = f"http://127.0.0.1:{self._cdn.server_port}"

    def add(self, repo: str, files: dict[str, bytes], *, gated: bool = False, large: bool = True) -> Repo:
        commit = hashlib.sha1(repr(sorted((name, _git(data)) for name, data in files.items())).encode()).hexdigest()
        self.repos[repo] = Repo(files, commit, gated, large)
        return self.repos[repo]

    def close(self) -> None:
        for server in (self._hub, self._cdn):
            server.shutdown()
            server.server_close()

    def fault(self, place: str) -> Fault:
        self.asked[place] += 1
        return self.faults[place].pop(0) if self.faults[place] else self.forever.get(place, Fault())

    def wait_sent(self, count: int, patience: float) -> bool:
        """Wait until so many bytes of contents went out in all."""
        with self.moved:
            return self.moved.wait_for(lambda: sum(self.sent.values()) >= count, patience)


@contextmanager
def hub() -> Iterator[Hub]:
    server = Hub()
    try:
        yield server
    finally:
        server.close()


def _serve(handler: type[_Handler], state: Hub) -> ThreadingHTTPServer:
    server = ThreadingHTTPServer(("127.0.0.1", 0), type(handler.__name__, (handler,), {"hub": state}))
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
    return server


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    hub: Hub

    def log_message(self, format: str, *arguments: object) -> None:
        """Say nothing."""

    def answer(self, status: int, headers: dict[str, str] | None = None, body: bytes = b"") -> None:
        self.send_response(status)
        for name, value in {"Content-Length": str(len(body)), **(headers or {})}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def broke(self, fault: Fault) -> bool:
        if fault.status:
            self.answer(fault.status, fault.headers, fault.body)
        elif fault.body:
            self.answer(200, {"Content-Type": "text/html"}, fault.body)
        return bool(fault.status or fault.body)


class _HubHandler(_Handler):
    def do_HEAD(self) -> None:
        self.do_GET()

    def do_GET(self) -> None:
        path = urlsplit(self.path)
        if self.hub.sends_to:
            self.answer(308, {"Location": self.hub.sends_to + self.path})
            return
        listed = re.fullmatch(self.hub.prefix + r"/api/models/([^/]+/[^/]+)/revision/main", path.path)
        if not listed:
            self._resolve()
        elif not self.broke(self.hub.fault("list")) and not self._moved(listed[1]):
            assert parse_qs(path.query).get("blobs") == ["True"] or parse_qs(path.query).get("blobs") == ["true"]
            self._list(listed[1])

    def _moved(self, name: str) -> bool:
        """Send whoever asks for an old name to the new one, by an address without a host as the Hub does."""
        if new := self.hub.renamed.get(name):
            self.answer(307, {"Location": self.path.replace(name, new)})
        return bool(new)

    def _list(self, name: str) -> None:
        repo = self.hub.repos.get(name)
        if repo is None:
            # What the Hub says to anybody who is not logged in.
            self.answer(401, {"X-Error-Code": "RepoNotFound", "X-Error-Message": "Repository not found"})
            return
        siblings = [_sibling(path, data, repo) for path, data in repo.files.items()]
        found = {"id": name, "modelId": name, "sha": repo.commit, "gated": repo.gated, "siblings": siblings}
        self.answer(200, {"Content-Type": "application/json"}, json.dumps(found).encode())

    def _resolve(self) -> None:
        path = unquote(urlsplit(self.path).path)
        place = r"(?:/([^/]+/[^/]+)/resolve|/api/resolve-cache/models/([^/]+/[^/]+))/([^/]+)/(.+)"
        found = re.fullmatch(self.hub.prefix + place, path)
        asked = ("", found[1] or found[2], found[3], found[4]) if found else None
        if self.broke(self.hub.fault("resolve")) or (asked and self._moved(asked[1])):
            return
        repo = self.hub.repos.get(asked[1]) if asked else None
        if not asked or repo is None:
            self.answer(404, {"X-Error-Code": "RepoNotFound"})
            return
        if repo.gated and self.headers.get("Authorization") != f"Bearer {TOKEN}":
            # With a token that is none the Hub says just what it says without one.
            self.answer(401, {"X-Error-Code": "GatedRepo", "X-Error-Message": "Access to model is restricted."})
            return
        data = repo.files.get(asked[3])
        if data is None or asked[2] not in (repo.commit, "main"):
            self.answer(404, {"X-Error-Code": "EntryNotFound", "X-Repo-Commit": repo.commit})
            return
        said = {"X-Repo-Commit": repo.commit}
        if not repo.large:
            if found and found[1]:
                cached = f"{self.hub.prefix}/api/resolve-cache/models/{asked[1]}/{repo.commit}/{asked[3]}"
                self.answer(307, {**said, "Location": f"{cached}?etag=%22{_git(data)}%22"}, b"Temporary Redirect")
            else:
                self.answer(200, {**said, "ETag": f'"{_git(data)}"', "Accept-Ranges": "bytes"}, data)
            return
        digest = hashlib.sha256(data).hexdigest()
        count = self.hub.asked["resolve"]
        self.answer(
            302,
            {
                **said,
                "Accept-Ranges": "bytes",
                "RateLimit": '"resolvers";r=2976;t=166',
                "RateLimit-Policy": '"fixed window";"resolvers";q=3000;w=300',
                "X-Linked-Size": str(len(data)),
                "X-Linked-ETag": f'"{digest}"',
                "X-Xet-Hash": _xet(data),
                "Link": f'<{self.hub.address}/api/models/{asked[1]}/xet-read-token/{repo.commit}>; rel="xet-auth", '
                f'<https://cas-server.xethub.hf.co/v1/reconstructions/{_xet(data)}>; rel="xet-reconstruction-info"',
                "Location": f"{self.hub.cdn_address}/{asked[1]}/{asked[3]}?signature={count}",
            },
            b"Found. Redirecting to the CDN",
        )


class _CdnHandler(_Handler):
    def do_GET(self) -> None:
        address = urlsplit(self.path)
        owner, name, path = unquote(address.path)[1:].split("/", 2)
        data, fault = self.hub.repos[f"{owner}/{name}"].files[path], self.hub.fault("cdn")
        if token := self.headers.get("Authorization"):
            self.hub.tokens_at_cdn.append(token)
        if self.broke(fault):
            return
        signature = int(parse_qs(address.query)["signature"][0])
        if self.hub.asked["resolve"] - signature >= self.hub.address_lasts:
            self.answer(403, {}, b"<Error><Code>AccessDenied</Code></Error>")
            return
        begin = self._begin(fault, len(data))
        if begin is None:
            self.answer(416, {"Content-Range": f"bytes */{len(data)}"})
            return
        self._send(data, begin, fault, path)

    def _begin(self, fault: Fault, length: int) -> int | None:
        asked = re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range", ""))
        self.hub.ranges.append(self.headers.get("Range", ""))
        if not asked or fault.whole:
            return 0
        return int(asked[1]) if int(asked[1]) < length else None

    def _send(self, data: bytes, begin: int, fault: Fault, path: str) -> None:
        partly = "Range" in self.headers and not fault.whole
        body = bytearray(data[begin:]) + fault.tail
        if fault.corrupt:
            body[len(body) // 2] ^= 1
        self.send_response(206 if partly else 200)
        if fault.tail:
            # Without a length, as servers that make up what they send.
            self.send_header("Connection", "close")
        else:
            self.send_header("Content-Length", str(len(body)))
        # Of the Xet store: nothing that the listing says.
        self.send_header("ETag", f'"{_xet(data)}"')
        if partly:
            self.send_header("Content-Range", f"bytes {begin}-{len(data) - 1}/{len(data)}")
        self.end_headers()
        end = len(body) if fault.cut_after is None else min(fault.cut_after, len(body))
        for start in range(0, end, _CHUNK):
            piece = body[start : min(start + _CHUNK, end)]
            try:
                self.wfile.write(piece)
            except OSError:
                self.close_connection = True
                return
            with self.hub.moved:
                self.hub.sent[path] += len(piece)
                self.hub.moved.notify_all()
            if self.hub.rate:
                time.sleep(len(piece) / self.hub.rate)
        if end < len(body):
            self.close_connection = True


def _sibling(path: str, data: bytes, repo: Repo) -> dict[str, object]:
    size = repo.claims.get(path, len(data))
    about: dict[str, object] = {"rfilename": path, "size": size, "blobId": _git(data)}
    if repo.large:
        about["lfs"] = {"sha256": hashlib.sha256(data).hexdigest(), "size": size, "pointerSize": 135}
    return about


def _xet(data: bytes) -> str:
    return hashlib.blake2b(data, digest_size=32).hexdigest()


def _git(data: bytes) -> str:
    return hashlib.sha1(b"blob %d\0" % len(data) + data).hexdigest()
