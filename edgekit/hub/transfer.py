"""One file of the Hub becomes a content of the cache: gone on with where it broke off, kept only if it is right."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO
from urllib.parse import urljoin, urlsplit

from edgekit import __version__, paths
from edgekit.errors import EdgekitError, FileError
from edgekit.hub.cache import UNFINISHED, blob, is_here, repo_folder
from edgekit.hub.checksum import Digest, feed, new_digest
from edgekit.hub.complaints import CutError
from edgekit.hub.patience import Patience
from edgekit.hub.remote import RemoteFile

if TYPE_CHECKING:
    import httpx2

# Hears how many bytes of a file are here, and in a few words what is waited for.
Report = Callable[[int, str], None]
_CHUNK = 1 << 20


def unfinished(file: RemoteFile) -> Path:
    """Return where a file grows until it is whole; huggingface_hub before 2.0 went on with files of this name."""
    return blob(file).with_name(file.checksum + UNFINISHED)


def fetch(file: RemoteFile, report: Report) -> None:
    """Download a file into the cache, from where an earlier run left off; on return its content is here and right.

    Raises an EdgekitError where the Hub cannot be reached or refuses, and FileError where what arrives has another
    checksum than the Hub says: then nothing of it is kept.
    """
    partial = unfinished(file)
    partial.parent.mkdir(parents=True, exist_ok=True)
    with _alone(file, report):
        if is_here(file):
            return
        resumed = partial.exists() and partial.stat().st_size > 0
        found = _fill(file, partial, report)
        if resumed and found != file.checksum:
            # What an earlier run left may be what is wrong, after a power cut for one.
            partial.unlink()
            found = _fill(file, partial, report)
        if found != file.checksum:
            partial.unlink()
            raise FileError(
                f"{file.path} of {file.repo} arrived damaged: its checksum is {found[:12]}..., not "
                f"{file.checksum[:12]}...; nothing was kept: run it again, if it stays so over another network"
            )
        partial.replace(blob(file))


@contextmanager
def _alone(file: RemoteFile, report: Report) -> Iterator[None]:
    """Hold the lock that huggingface_hub holds while it downloads this file."""
    from filelock import Timeout
    from huggingface_hub.utils import WeakFileLock  # type: ignore[attr-defined]

    lock = paths.models_directory() / ".locks" / repo_folder(file.repo).name / f"{file.checksum}.lock"
    lock.parent.mkdir(parents=True, exist_ok=True)
    try:
        with WeakFileLock(lock, timeout=1):
            yield
        return
    except Timeout:
        report(0, "waiting: another program downloads this file")
    with WeakFileLock(lock):
        report(0, "")
        yield


def _fill(file: RemoteFile, partial: Path, report: Report) -> str:
    """Download what is missing and return the checksum of the whole."""
    with partial.open("a+b") as out:
        growing = _Growing(file, partial, out, report)
        patience = Patience(file.repo, lambda text: report(growing.length, text))
        while growing.length < file.bytes:
            before = growing.length
            try:
                _receive(file, growing)
            except EdgekitError:
                raise
            except Exception as problem:
                patience.lost(problem, progressed=growing.length > before, underway=True, kept=growing.length > 0)
        out.flush()
        os.fsync(out.fileno())
    return growing.digest.hexdigest()


class _Growing:
    """An unfinished file with the checksum of what it holds."""

    def __init__(self, file: RemoteFile, path: Path, out: BinaryIO, report: Report) -> None:
        self._file, self._out, self._report = file, out, report
        self.length = path.stat().st_size
        self.digest = self._empty()
        if self.length > file.bytes:
            self.restart()
        elif self.length:
            feed(path, self.digest, lambda done: report(done, "checking what is here"))
        report(self.length, "")

    def _empty(self) -> Digest:
        return new_digest(self._file.checksum, self._file.bytes)

    def restart(self) -> None:
        self._out.seek(0)
        self._out.truncate()
        self.length, self.digest = 0, self._empty()

    def add(self, data: bytes) -> None:
        if self.length + len(data) > self._file.bytes:
            raise FileError(
                f"{self._file.path} of {self._file.repo} is longer than the Hub says: a proxy or mirror gives "
                "something else; check HF_ENDPOINT and the network"
            )
        self._out.write(data)
        self.digest.update(data)
        self.length += len(data)
        self._report(self.length, "")


def _receive(file: RemoteFile, growing: _Growing) -> None:
    from huggingface_hub import constants, get_session, hf_raise_for_status

    address, headers = _address(file)
    headers |= {"Accept-Encoding": "identity"}
    if growing.length:
        headers |= {"Range": f"bytes={growing.length}-"}
    timeout = constants.HF_HUB_DOWNLOAD_TIMEOUT
    with get_session().stream("GET", address, headers=headers, timeout=timeout, follow_redirects=True) as response:
        if response.status_code in (403, 416):
            # A signed address that ran out, or a server that takes another length for right: the next try asks anew.
            raise CutError(f"{response.status_code}")
        hf_raise_for_status(response)
        _check_answer(file, response)
        begins = response.headers.get("Content-Range", "").removeprefix("bytes ").partition("-")[0]
        if growing.length and (response.status_code != 206 or begins != str(growing.length)):
            # It sends everything again, whatever was asked for.
            growing.restart()
            if response.status_code == 206:
                raise CutError("another range than asked for")
        for data in response.iter_bytes(_CHUNK):
            growing.add(data)
    if growing.length < file.bytes:
        raise CutError("the connection ended early")


def _check_answer(file: RemoteFile, response: httpx2.Response) -> None:
    """Raise FileError where something else answers, as a network's login page does: it must not replace a file."""
    headers = response.headers
    begun = response.status_code == 206
    whole = headers.get("Content-Range", "").rpartition("/")[2] if begun else headers.get("Content-Length", "")
    is_page = "text/html" in headers.get("Content-Type", "")
    if is_page or (whole.isdigit() and "Content-Encoding" not in headers and int(whole) != file.bytes):
        raise _unfaithful(file)


def _unfaithful(file: RemoteFile) -> FileError:
    return FileError(
        f"{file.path} of {file.repo} is not what its listing says: the server is no faithful mirror; "
        "check HF_ENDPOINT and the proxy"
    )


def _address(file: RemoteFile) -> tuple[str, dict[str, str]]:
    """Return where a file's bytes are now and the headers to ask with; a token goes to the Hub alone."""
    from huggingface_hub import constants, get_hf_file_metadata, hf_hub_url
    from huggingface_hub.utils import build_hf_headers  # type: ignore[attr-defined]

    address = hf_hub_url(file.repo, file.path, revision=file.commit)
    told = get_hf_file_metadata(address, timeout=constants.HF_HUB_ETAG_TIMEOUT, library_name="edgekit")
    location = urljoin(address, told.location)
    stays = urlsplit(location)[:2] == urlsplit(address)[:2]
    # Mirrors may send one elsewhere without a word of the file: then only the bytes tell.
    silent = told.etag is None and not stays
    if (told.etag != file.checksum and not silent) or told.size not in (None, file.bytes):
        raise _unfaithful(file)
    token = None if stays else False
    return location, build_hf_headers(token=token, library_name="edgekit", library_version=__version__)
