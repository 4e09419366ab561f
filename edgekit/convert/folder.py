"""The folder that a conversion writes into."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from edgekit.convert.whole_file import remove_leftovers
from edgekit.errors import FileError


@contextmanager
def output_folder(folder: Path) -> Iterator[None]:
    """Make a folder and clear it of what killed conversions left; after an error the new folders are gone again."""
    missing = [path for path in (folder, *folder.parents) if not path.exists()]
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except FileExistsError as problem:
        raise FileError(f"{folder} is a file: choose a folder for --out") from problem
    except OSError as problem:
        raise FileError(f"{folder} cannot be made: {problem.strerror}") from problem
    try:
        remove_leftovers(folder)
        yield
    except BaseException:
        for path in missing:
            with suppress(OSError):
                path.rmdir()
        raise


def check_replaceable(paths: Sequence[Path]) -> None:
    """Raise FileError where a folder has the name of a file to be written: it would be noticed only at the end."""
    for path in paths:
        if path.is_dir():
            raise FileError(f"{path} is a folder where a file is to be written: choose another --out or --name")
