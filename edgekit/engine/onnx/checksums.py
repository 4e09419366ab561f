"""The checksums beside ONNX graphs, in the format of sha256sum: whether the bytes are still those that were written."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from hashlib import sha256
from pathlib import Path

from edgekit.errors import FileError
from edgekit.hub.checksum import feed

NAME = "SHA256SUMS"
# Of a file with a line for each graph and each 2 GiB of weights.
_LIMIT = 1 << 20
# Longer ones systems refuse to look for.
_LONGEST_NAME = 255
# A second space or a star: read as text, or as bytes.
_LINE = re.compile(r"([0-9a-f]{64}) [ *](.+)")


def text(folder: Path, digests: Mapping[Path, str]) -> bytes:
    """Return the file for the SHA-256 digests of a folder's files; `sha256sum -c` reads it there.

    It is of weights, graphs and the tokenizer: the settings beside them are for people to change.
    """
    summed = {
        path.relative_to(folder).as_posix(): digest
        for path, digest in digests.items()
        if path.parent != folder or path.suffix == ".onnx_adapter" or path.name == "tokenizer.json"
    }
    # An adapter may be called anything.
    return "".join(f"{digest}  {name}\n" for name, digest in summed.items() if _is_inside(name)).encode()


def changed(folder: Path, report: Callable[[float, float, str], None]) -> Iterator[str]:
    """Yield a sentence for each file of a folder whose bytes are not those of its checksum.

    What has none, and what is not there, is left out: part of a folder may have been downloaded. `report` hears how
    many bytes were read, of how many. Raises FileError where the checksums cannot be read.
    """
    sums = {path: digest for name, digest in _read(folder).items() if (path := folder / name).is_file()}
    sizes = {path: path.stat().st_size for path in sums}
    done = 0
    for path, wanted in sums.items():
        digest, before, name = sha256(), done, path.name
        try:
            feed(path, digest, lambda count: report(before + count, sum(sizes.values()), name))  # noqa: B023 - at once
        except OSError as problem:
            yield f"{path} cannot be read: {problem.strerror}"
            continue
        done += sizes[path]
        if digest.hexdigest() != wanted:
            yield f"{path} is damaged: its checksum is not that of {NAME}; convert or download it again"


def _read(folder: Path) -> dict[str, str]:
    """Return the checksums by names; none where nobody wrote any."""
    path = folder / NAME
    if not path.is_file():
        return {}
    try:
        with path.open("rb") as file:
            content = file.read(_LIMIT)
    except OSError as problem:
        raise FileError(f"{path} cannot be read: {problem.strerror}") from None
    # A byte that is no text becomes a character that no name may have.
    found = [_LINE.fullmatch(line) for line in content.decode("utf-8", "surrogateescape").splitlines()]
    if not all(match and _is_inside(match[2]) for match in found):
        raise FileError(f"{path} is damaged: a line of it is no checksum of a file here; convert or download it again")
    return {match[2]: match[1] for match in found if match}


def _is_inside(name: str) -> bool:
    path = Path(name)
    is_name = name.isprintable() and len(name.encode()) <= _LONGEST_NAME
    return is_name and not path.is_absolute() and ".." not in path.parts
