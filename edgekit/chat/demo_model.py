"""The bundled model, converted on first use and kept."""

from __future__ import annotations

import shutil
import tempfile
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING

from edgekit import __version__, paths
from edgekit.errors import DoesNotFitError, FileError

if TYPE_CHECKING:
    from edgekit.convert.progress import Progress

_QUANTIZATION = "Q8_0"
DEMO_NAMES = ("demo", "demo:french")


def demo_files(name: str, progress: Progress) -> tuple[Path, Path]:
    """Return model and projector of `demo` or `demo:french`, made where they are not there yet."""
    checkpoint = paths.demo_checkpoint()
    adapters = (paths.demo_adapter(),) if name == "demo:french" else ()
    if not (checkpoint / "config.json").is_file():
        raise FileError(f"the bundled model is missing: there is no {checkpoint}")
    folder = paths.cache_directory() / "demo" / _digest(checkpoint, *adapters)
    if not folder.is_dir():
        _convert(checkpoint, adapters, folder, progress)
    [projector] = folder.glob("mmproj-*.gguf")
    [model] = set(folder.glob("*.gguf")) - {projector}
    return model, projector


def _convert(checkpoint: Path, adapters: tuple[Path, ...], folder: Path, progress: Progress) -> None:
    from edgekit.convert.job import ConvertJob, convert

    advice = "name another cache folder with XDG_CACHE_HOME"
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        made = Path(tempfile.mkdtemp(prefix=".making-", dir=folder.parent))
    except OSError as problem:
        why = f"the bundled model cannot be made in {folder.parent} ({problem.strerror})"
        raise FileError(f"{why}: {advice}") from problem
    try:
        name = "-".join((checkpoint.name, *(adapter.name for adapter in adapters)))
        convert(ConvertJob(checkpoint, made, adapters, (_QUANTIZATION,), name=name), progress)
        # Another process may have been faster: its folder holds the same.
        if not folder.is_dir():
            made.rename(folder)
    except DoesNotFitError as problem:
        # Of --out and --quant, which the converter speaks of, chat and run know nothing.
        raise DoesNotFitError(
            f"the disk of {folder.parent} has no room for the bundled model: free some space, or {advice}"
        ) from problem
    finally:
        shutil.rmtree(made, ignore_errors=True)


def _digest(*folders: Path) -> str:
    digest = sha256(__version__.encode())
    for folder in folders:
        for path in sorted(filter(Path.is_file, folder.iterdir())):
            digest.update(path.name.encode() + sha256(path.read_bytes()).digest())
    return digest.hexdigest()[:16]
