"""Take files out of the Hugging Face cache: their names first, then what no name points to any more."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable
from pathlib import Path

from edgekit import paths
from edgekit.errors import FileError
from edgekit.hub.cache import (
    UNFINISHED,
    cached_ggufs,
    name_in_repo,
    newest_commit,
    repo_folder,
    repos,
    snapshots,
)


def remove(repo: str, files: Iterable[str]) -> int:
    """Remove files of a repository, in all revisions that are here, and return how many bytes that frees."""
    wanted = [folder / file for folder in snapshots(repo) for file in files]
    return _remove(repo, [path for path in wanted if os.path.lexists(path)])


def superseded(repo: str) -> list[Path]:
    """Return the names in older revisions whose file the newest one has with another content."""
    newest = repo_folder(repo) / "snapshots" / newest_commit(repo)
    return [
        path for path in cached_ggufs(repo) if (now := newest / name_in_repo(path)).is_file() and not now.samefile(path)
    ]


def remove_superseded() -> int:
    """Remove what `superseded` finds in all repositories, and return how many bytes that frees."""
    return sum(_remove(repo, superseded(repo)) for repo in list(repos()))


def lost() -> list[Path]:
    """Return the names of models whose content is gone, as with the disk or the program that it was linked from."""
    named = paths.models_directory().glob("models--*/snapshots/*/**/*.gguf")
    return sorted(path for path in named if path.is_symlink() and not path.exists())


def remove_lost() -> int:
    """Remove the names that `lost` finds, and return how many bytes that frees: what else is in their folders."""
    return sum(_remove(repo, [path for path in lost() if repo_folder(repo) in path.parents]) for repo in list(repos()))


def unfinished() -> list[Path]:
    """Return the downloads of models that broke off."""
    return sorted(paths.models_directory().glob(f"models--*/blobs/*{UNFINISHED}"))


def remove_unfinished() -> int:
    """Remove downloads that broke off, and return how many bytes that frees."""
    freed = 0
    for path in unfinished():
        freed += path.stat().st_size
        _unlink(path)
        _tidy(path.parent.parent)
    return freed


def _remove(repo: str, names: list[Path]) -> int:
    contents = {_content(name) for name in names}
    freed = sum(_freed(name) for name in names if not name.is_symlink())
    for name in names:
        _unlink(name)
    still = {_content(path) for path in (repo_folder(repo) / "snapshots").rglob("*") if path.is_symlink()}
    for content in contents - still:
        if os.path.lexists(content):
            freed += _freed(content)
            _unlink(content)
    _tidy(repo_folder(repo))
    return freed


def _unlink(path: Path) -> None:
    try:
        path.unlink(missing_ok=True)
    except OSError as problem:
        raise FileError(
            f"{path} cannot be removed ({problem.strerror}): it needs a disk and a folder that you may write to"
        ) from None


def _content(name: Path) -> Path:
    # One step only: a content may itself point to another program's file, which stays.
    return Path(os.path.normpath(name.parent / name.readlink())) if name.is_symlink() else name


def _freed(content: Path) -> int:
    """Return what deleting a file frees: nothing where it is a link, or another program's file, too."""
    found = content.lstat()
    return 0 if content.is_symlink() or found.st_nlink > 1 else found.st_size


def _tidy(folder: Path) -> None:
    """Delete folders that became empty, and the repository's own once it has no file."""
    for path in _deepest_first(folder / "snapshots"):
        if path.is_dir() and not path.is_symlink() and not any(path.iterdir()):
            path.rmdir()
    left = [*_deepest_first(folder / "snapshots"), *_deepest_first(folder / "blobs")]
    if not any(path.is_symlink() or path.is_file() for path in left):
        shutil.rmtree(folder, ignore_errors=True)


def _deepest_first(folder: Path) -> list[Path]:
    return sorted(folder.rglob("*"), key=lambda one: len(one.parts), reverse=True)
