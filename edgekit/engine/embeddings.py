"""Embeddings of pictures and sounds that were encoded before: in memory, then on disk, each within a bound."""

from __future__ import annotations

import os
from collections import OrderedDict
from collections.abc import Sequence
from contextlib import suppress
from hashlib import sha256
from importlib import import_module
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import TYPE_CHECKING, Any

from edgekit import paths

if TYPE_CHECKING:
    import numpy as np

# In bytes: five pictures of 1,120 tokens for E2B, and some hundred on disk.
ROOM = 32 << 20
ROOM_ON_DISK = 1 << 30
_DIGEST = 32


class Embeddings:
    """What one projector made of media, by their digests; arrays of shape (length, width), float32."""

    def __init__(self, projector: Path, width: int, library: str = "llama_cpp", weights: Sequence[Path] = ()) -> None:
        """Take a projector's file, the library that computes it, and the files of weights that lie beside it."""
        self._folder = paths.cache_directory() / "embeddings"
        self._projector = _identity([projector, *weights], library)
        self._width = width
        self._kept: OrderedDict[str, np.ndarray[Any, Any]] = OrderedDict()

    def get(self, digest: str, length: int) -> np.ndarray[Any, Any] | None:
        """Return the embeddings of a medium, or None where they are not at hand."""
        found = self._kept.get(digest)
        if found is None:
            found = self._read(digest, length)
        if found is not None:
            self._keep(digest, found)
        return found

    def put(self, digest: str, embeddings: np.ndarray[Any, Any]) -> None:
        """Keep embeddings; a disk that takes them not is no harm."""
        self._keep(digest, embeddings)
        with suppress(OSError):
            self._write(digest, embeddings)

    def _keep(self, digest: str, embeddings: np.ndarray[Any, Any]) -> None:
        self._kept[digest] = embeddings
        self._kept.move_to_end(digest)
        while len(self._kept) > 1 and sum(each.nbytes for each in self._kept.values()) > ROOM:
            self._kept.popitem(last=False)

    def _file(self, digest: str) -> Path:
        return self._folder / sha256(f"{self._projector} {digest}".encode()).hexdigest()

    def _read(self, digest: str, length: int) -> np.ndarray[Any, Any] | None:
        import numpy as np

        file = self._file(digest)
        try:
            content = file.read_bytes()
            # The file used last is dropped last.
            os.utime(file)
        except OSError:
            return None
        values = content[_DIGEST:]
        if len(values) != 4 * length * self._width or sha256(values).digest() != content[:_DIGEST]:
            return None
        return np.frombuffer(values, np.float32).reshape(length, self._width)

    def _write(self, digest: str, embeddings: np.ndarray[Any, Any]) -> None:
        # A picture's embeddings tell what was in it.
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        values = embeddings.tobytes()
        self._make_room(len(values))
        with NamedTemporaryFile(dir=self._folder, delete=False) as file:
            try:
                file.write(sha256(values).digest() + values)
                file.close()
                Path(file.name).replace(self._file(digest))
            except BaseException:
                Path(file.name).unlink(missing_ok=True)
                raise

    def _make_room(self, size: int) -> None:
        found = sorted((entry.stat().st_mtime, entry.stat().st_size, entry.path) for entry in os.scandir(self._folder))
        too_much = sum(size for _, size, _ in found) + size - ROOM_ON_DISK
        for _, freed, path in found:
            if too_much <= 0:
                return
            Path(path).unlink(missing_ok=True)
            too_much -= freed


def _identity(projector: list[Path], library: str) -> str:
    """Return what tells a projector, and the library that computes it, from others."""
    files = [f"{path.resolve()} {path.stat().st_size} {path.stat().st_mtime_ns}" for path in projector]
    return " ".join([import_module(library).__version__, *files])
