"""Which files llama.cpp has opened before without harm: remembered by what they are, not by their names."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from hashlib import sha256
from pathlib import Path

from edgekit import paths
from edgekit.fit.settings import Settings
from edgekit.gguf_header import read_header


class Known:
    """Files that are opened together, with settings: true where that went well before, with this llama.cpp."""

    def __init__(self, files: Sequence[Path], settings: Settings) -> None:
        self._files = files
        import llama_cpp

        # Loaded already by whoever opens a model: what another version did is no proof.
        self._settings = f"{llama_cpp.__version__} {settings}"
        # Where nobody touched them since, there is no need to read anything.
        self._untouched = self._record(*map(_state, files))

    def __bool__(self) -> bool:
        if self._untouched.is_file():
            return True
        if not self._same().is_file():
            return False
        _make(self._untouched)
        return True

    def add(self) -> None:
        """Remember them; a home that cannot be written only means trying them again."""
        _make(self._untouched)
        _make(self._same())

    def _same(self) -> Path:
        return self._record(*map(_header_digest, self._files))

    def _record(self, *identities: str) -> Path:
        return records() / sha256(" ".join((self._settings, *identities)).encode()).hexdigest()


def records() -> Path:
    """Return the folder that holds one empty file for each."""
    return paths.cache_directory() / "opened"


def _make(record: Path) -> None:
    with suppress(OSError):
        record.parent.mkdir(parents=True, exist_ok=True)
        record.touch()


def _state(file: Path) -> str:
    state = file.stat()
    # The time of the last change of any kind cannot be set back, that of the content can.
    return f"{file.resolve()} {state.st_ino} {state.st_size} {state.st_mtime_ns} {state.st_ctime_ns}"


def _header_digest(file: Path) -> str:
    header = read_header(file)
    with file.open("rb") as opened:
        return f"{header.bytes} {sha256(opened.read(header.data_offset)).hexdigest()}"
