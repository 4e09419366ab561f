"""Pillow and FFmpeg for files of strangers: with decoders of their own only, and from files only."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from av.container import InputContainer
    from PIL import Image

# Pillow starts Ghostscript for EPS, and leaves the others to handlers or to Windows.
_FOREIGN_FORMATS = {"EPS", "WMF", "BUFR", "GRIB", "HDF5"}


@contextmanager
def picture_file(path: Path) -> Iterator[Image.Image]:
    """Open a picture with Pillow's own decoders; raises what Pillow raises, its warning of a huge one included."""
    from PIL import Image

    _know_heif()
    Image.init()
    formats = [name for name in Image.ID if name not in _FOREIGN_FORMATS]
    with warnings.catch_warnings():
        # Pillow's own limit: a small file may claim any size, and is unpacked whole.
        warnings.simplefilter("error", Image.DecompressionBombWarning)
        with Image.open(path, formats=formats) as image:
            yield image


@cache
def _know_heif() -> None:
    # The format of telephones' cameras, where the extra `heif` is installed.
    with suppress(ImportError):
        from pillow_heif import register_heif_opener

        register_heif_opener()


def sound_file(path: Path) -> InputContainer:
    """Open an audio or video file; raises what PyAV raises."""
    import av

    # FFmpeg takes any name with a colon for an address, and follows those inside playlists: files only.
    return av.open(f"file:{path.absolute()}", options={"protocol_whitelist": "file"})


def reason(problem: Exception) -> str:
    """Return why a decoder could not read a file."""
    # Without the number that the text of a system's error begins with.
    return getattr(problem, "strerror", None) or (str(problem).splitlines() or [type(problem).__name__])[0]
