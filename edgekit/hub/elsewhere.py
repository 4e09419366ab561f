"""The same content kept by another program: used in place, without a second copy."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path

from edgekit import paths
from edgekit.hub.cache import blob
from edgekit.hub.checksum import feed, new_digest
from edgekit.hub.remote import RemoteFile


def adopt(file: RemoteFile, folders: Sequence[Path], report: Callable[[int], None]) -> Path | None:
    """Link a file's content from where another program keeps it, if its checksum is right; return that place.

    `folders` are of LM Studio, whose files are found by their size. A hard link survives the other program's deleting
    it; where the disk is another one, or the file somebody else's, it is a symbolic link.
    """
    for found in (*_by_checksum(file), *_ggufs(folders)):
        with suppress(OSError):
            if found.stat().st_size != file.bytes:
                continue
            digest = new_digest(file.checksum, file.bytes)
            feed(found, digest, report)
            if digest.hexdigest() == file.checksum:
                _link(found.resolve(), blob(file))
                return found
    return None


def ollama_folders() -> list[Path]:
    """Return where Ollama keeps its models: as it is told, a person's own, those of its service on Linux and macOS."""
    named = os.environ.get("OLLAMA_MODELS")
    usual = (Path.home() / ".ollama" / "models", Path("/usr/share/ollama/.ollama/models"))
    return [Path(named).expanduser()] if named else list(usual)


def _by_checksum(file: RemoteFile) -> Iterator[Path]:
    yield from paths.models_directory().glob(f"models--*/blobs/{file.checksum}")
    # Ollama names contents by SHA-256: server/modelpath.go.
    yield from (folder / "blobs" / f"sha256-{file.checksum}" for folder in ollama_folders())


def _ggufs(folders: Sequence[Path]) -> Iterator[Path]:
    for folder in folders:
        # Publisher, model, file.
        yield from sorted(folder.glob("*/*/*.gguf"))


def _link(target: Path, name: Path) -> None:
    name.parent.mkdir(parents=True, exist_ok=True)
    beside = name.with_name(f".{name.name}.{os.getpid()}")
    beside.unlink(missing_ok=True)
    try:
        beside.hardlink_to(target)
    except OSError:
        beside.symlink_to(target)
    beside.replace(name)
