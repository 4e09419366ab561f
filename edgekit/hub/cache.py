"""The Hugging Face cache on this machine, as huggingface_hub lays it out; read without asking the network.

models--OWNER--NAME/blobs holds contents by checksum, snapshots/COMMIT the names that point to them, refs/main the
newest commit that was asked for.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

from edgekit import paths
from edgekit.errors import FileError, UnavailableError
from edgekit.hub.names import kind, part_count, quantization
from edgekit.hub.remote import Listing, RemoteFile

UNFINISHED = ".incomplete"


def check_cache() -> None:
    """Raise UnavailableError where the cache's folder cannot be made or written."""
    folder = paths.models_directory()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as problem:
        why = "it is no folder" if isinstance(problem, (FileExistsError, NotADirectoryError)) else problem.strerror
        raise UnavailableError(
            f"models cannot come to {folder} ({why}): name another folder with HF_HUB_CACHE"
        ) from None


def repo_folder(repo: str) -> Path:
    """Return where a repository's files lie."""
    return paths.models_directory() / f"models--{repo.replace('/', '--')}"


def repos() -> Iterator[str]:
    """Yield the repositories of models that have a folder here."""
    for folder in sorted(paths.models_directory().glob("models--*--*")):
        yield folder.name.removeprefix("models--").replace("--", "/")


def newest_commit(repo: str) -> str:
    """Return the commit that was asked for last; nothing where none was."""
    try:
        return (repo_folder(repo) / "refs" / "main").read_text().strip()
    except OSError:
        return ""


def snapshots(repo: str) -> list[Path]:
    """Return the folders of the commits that are here: the one asked for last, then the others from the newest on."""
    found = sorted((repo_folder(repo) / "snapshots").glob("*"), key=lambda one: one.lstat().st_mtime, reverse=True)
    newest = newest_commit(repo)
    return sorted(filter(Path.is_dir, found), key=lambda one: one.name != newest)


def name_in_repo(path: Path) -> str:
    """Return what a file of a snapshot is called in its repository."""
    folder = next(parent for parent in path.parents if parent.parent.name == "snapshots")
    return path.relative_to(folder).as_posix()


def commit_of(path: Path) -> str:
    """Return the commit that a file of a snapshot is of."""
    return next(parent.name for parent in path.parents if parent.parent.name == "snapshots")


def cached_ggufs(repo: str) -> Iterator[Path]:
    """Yield the GGUFs of a repository in every revision that is here, the newest first."""
    for folder in snapshots(repo):
        yield from (path for path in sorted(folder.rglob("*.gguf")) if path.is_file())


def cached_file(repo: str, file: str) -> Path | None:
    """Return where the newest downloaded version of a repository's file lies; None where it was not downloaded."""
    return next((path for one in snapshots(repo) if (path := one / file).is_file()), None)


def cached_models(repo: str, wanted: str = "") -> list[Path]:
    """Return the text models of a repository, of a quantization if one is named; of several parts the first."""
    found: dict[str, Path] = {}
    for path in cached_ggufs(repo):
        name = name_in_repo(path)
        is_first = part_count(name) == 1 or "-00001-of-" in path.stem
        if kind(name) == "text" and is_first and wanted.upper() in ("", quantization(name)):
            found.setdefault(name, path)
    return list(found.values())


def look_here(repo: str) -> Listing:
    """Return what was downloaded of a repository, each file in its newest revision; FileError where nothing was."""
    contents = {_identity(one): one.name for one in (repo_folder(repo) / "blobs").glob("*") if one.is_file()}
    found: dict[str, RemoteFile] = {}
    for path in cached_ggufs(repo):
        name, commit = name_in_repo(path), commit_of(path)
        # Nobody knows the checksum of what something else than huggingface_hub and edgekit put there.
        if checksum := contents.get(_identity(path)):
            found.setdefault(name, RemoteFile(repo, commit, name, path.stat().st_size, checksum))
    if not found:
        raise FileError(f"nothing of {repo} was downloaded")
    return Listing(repo, newest_commit(repo), tuple(found.values()))


def named(file: RemoteFile) -> Path:
    """Return the name by which a file loads once it is here."""
    return repo_folder(file.repo) / "snapshots" / file.commit / file.path


def blob(file: RemoteFile) -> Path:
    """Return where a file's content lies once it is whole."""
    return repo_folder(file.repo) / "blobs" / file.checksum


def is_here(file: RemoteFile) -> bool:
    """Return whether a file's content is here, whole."""
    path = blob(file)
    return path.is_file() and path.stat().st_size == file.bytes


def publish(files: list[RemoteFile]) -> list[Path]:
    """Give contents their names in the snapshots, and return these; all must be here."""
    made = [_point(blob(file), named(file)) for file in files]
    for repo, commit in {file.repo: file.commit for file in files}.items():
        reference = repo_folder(repo) / "refs" / "main"
        reference.parent.mkdir(parents=True, exist_ok=True)
        beside = reference.with_name(f".main.{os.getpid()}")
        beside.write_text(commit)
        beside.replace(reference)
    return made


def _identity(path: Path) -> tuple[int, int]:
    found = path.stat()
    return found.st_dev, found.st_ino


def _point(content: Path, name: Path) -> Path:
    name.parent.mkdir(parents=True, exist_ok=True)
    beside = name.with_name(f".{name.name}.{os.getpid()}")
    beside.unlink(missing_ok=True)
    try:
        beside.symlink_to(os.path.relpath(content, name.parent))
    except OSError:
        # Windows without the right to make them, and some USB disks.
        beside.hardlink_to(content)
    beside.replace(name)
    return name
