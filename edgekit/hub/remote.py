"""What a repository on the Hub holds, asked for once: nothing is guessed from names."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from edgekit.errors import FileError
from edgekit.hub.address import check_endpoint
from edgekit.hub.patience import Patience, Say, silent


@dataclass(frozen=True)
class RemoteFile:
    """A file at one commit of a repository."""

    repo: str
    commit: str
    path: str
    bytes: int
    # What the Hub says of its content: SHA-256 of large files, git's SHA-1 of small ones.
    checksum: str


@dataclass(frozen=True)
class Listing:
    """A repository at its newest commit; `files` are the GGUFs."""

    repo: str
    commit: str
    files: tuple[RemoteFile, ...]


Look = Callable[[str], Listing]


def look(repo: str, say: Say = silent) -> Listing:
    """Return what a repository holds now; an EdgekitError says why it cannot be had and what to do."""
    check_endpoint()
    from huggingface_hub import HfApi

    from edgekit import __version__

    api = HfApi(library_name="edgekit", library_version=__version__)
    patience = Patience(repo, say)
    while True:
        try:
            found = api.model_info(repo, revision="main", files_metadata=True, timeout=30)
            break
        except Exception as problem:
            patience.lost(problem)
    commit = found.sha or ""
    siblings = [one for one in found.siblings or () if one.rfilename.endswith(".gguf")]
    return Listing(
        repo,
        commit,
        tuple(
            _file(repo, commit, one.rfilename, one.size, one.lfs.sha256 if one.lfs else one.blob_id) for one in siblings
        ),
    )


def _file(repo: str, commit: str, path: str, size: int | None, checksum: str | None) -> RemoteFile:
    if not (commit and size is not None and checksum):
        raise FileError(
            f"{repo} says no commit, size or checksum of {path}: a mirror that leaves them out cannot be used; "
            "unset HF_ENDPOINT or name another"
        )
    if len(checksum) not in (40, 64) or set(checksum) - set("0123456789abcdef"):
        raise FileError(f"{repo} has no usable checksum of {path}: report it to whoever runs that server")
    # It becomes a path here: nothing may lead out of the cache.
    if path.startswith("/") or {"", ".", ".."} & set(path.split("/")) or "\\" in path or ":" in path:
        raise FileError(f"{repo} has a file of an unsafe name: {path!r}")
    return RemoteFile(repo, commit, path, size, checksum)
