"""Files that are here and not what they should be: headers tell at once, checksums for sure."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from functools import lru_cache
from pathlib import Path

from edgekit.engine.check import check_file
from edgekit.errors import EdgekitError
from edgekit.hub.cache import blob, is_here, named
from edgekit.hub.checksum import feed, new_digest
from edgekit.hub.remote import RemoteFile


def is_whole(file: RemoteFile) -> bool:
    """Return whether a file's content is here and undamaged, as far as its header tells.

    What this edgekit cannot read may still be what the Hub has: then its checksum says so.
    """
    if not is_here(file):
        return False
    now = blob(file).stat()
    return _is_whole(file, now.st_size, now.st_mtime_ns)


def discard(file: RemoteFile) -> None:
    """Take a content away that is not what the Hub has, for a right one to come in its place."""
    blob(file).unlink(missing_ok=True)


@contextmanager
def unused(paths: Iterable[Path]) -> Iterator[None]:
    """Leave the times of files as they are: looking at a model is no use of it."""
    times = [(path, path.stat()) for path in paths]
    try:
        yield
    finally:
        for path, before in times:
            with suppress(OSError):
                os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


# Asked several times of each file; the size and the time of its last change say that it is still the same.
@lru_cache
def _is_whole(file: RemoteFile, bytes: int, changed: int) -> bool:
    # The parts of a model find one another by their names.
    path = named(file) if named(file).is_file() else blob(file)
    with unused([path]):
        try:
            check_file(path)
            return True
        except EdgekitError:
            digest = new_digest(file.checksum, bytes)
            feed(path, digest, lambda _: None)
            return digest.hexdigest() == file.checksum
