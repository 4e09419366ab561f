"""Which kind of thing a path is."""

from __future__ import annotations

from pathlib import Path

from gguf import Keys

from edgekit.convert.adapter import CONFIG as ADAPTER_CONFIG
from edgekit.convert.inspection.adapter import inspect_adapter
from edgekit.convert.inspection.checkpoint import inspect_checkpoint
from edgekit.convert.inspection.gguf import inspect_gguf
from edgekit.convert.inspection.modelfile import inspect_modelfile
from edgekit.convert.inspection.onnx_folder import inspect_onnx
from edgekit.convert.inspection.report import Report
from edgekit.convert.progress import Progress, silent
from edgekit.engine.onnx.folder import is_onnx_folder
from edgekit.errors import FileError
from edgekit.gguf_header import read_header

_MAGIC = b"GGUF"


def inspect(path: Path, progress: Progress = silent) -> Report:
    """Describe a checkpoint, an adapter, a GGUF, an ONNX folder or a Modelfile; FileError for others.

    `progress` hears how much of an ONNX folder was compared with its checksums.
    """
    _check_exists(path)
    if is_onnx_folder(path):
        return inspect_onnx(path, progress)
    if path.is_dir():
        return inspect_adapter(path) if is_adapter(path) else _inspect_checkpoint(path)
    if is_gguf(path):
        return inspect_gguf(path)
    if path.suffix == ".gguf":
        raise FileError(f"{path} is no GGUF file: it does not begin with GGUF; download or convert it again")
    if path.suffix in (".safetensors", ".json"):
        raise FileError(f"{path} is one file of a checkpoint or an adapter: name its folder")
    if path.suffix == ".onnx_adapter":
        raise FileError(f"{path} is an adapter kept apart from ONNX graphs: name their folder, or run them with it")
    if path.suffix.startswith(".onnx"):
        raise FileError(f"{path} is one file of an ONNX folder: name the folder that has config.json")
    return inspect_modelfile(path)


def inspect_pair(first: Path, second: Path) -> Report:
    """Describe the first with regard to the second: an adapter and its base model, or a projector and its model.

    Adapter and projector may be either; FileError where the two cannot belong together.
    """
    _check_exists(first)
    _check_exists(second)
    if first.is_file() and second.is_file() and is_gguf(first) and is_gguf(second):
        return inspect_gguf(first, second)
    if first.is_dir() and second.is_dir() and is_adapter(first) != is_adapter(second):
        adapter, base = (first, second) if is_adapter(first) else (second, first)
        return inspect_adapter(adapter, base)
    raise FileError(
        f"{first} and {second} are no pair: name two GGUF files, an adapter and its base model, or a projector and its "
        "model"
    )


def comparable(first: Path, second: Path) -> bool:
    """Return whether two paths are GGUF files of one kind, and not a model and its projector."""
    if not all(path.is_file() and is_gguf(path) for path in (first, second)):
        return False
    kinds = [read_header(path).text(Keys.General.ARCHITECTURE) == "clip" for path in (first, second)]
    return kinds[0] == kinds[1]


def is_gguf(path: Path) -> bool:
    """Return whether a file begins as a GGUF does; raises FileError where it cannot be read."""
    try:
        with path.open("rb") as file:
            return file.read(len(_MAGIC)) == _MAGIC
    except OSError as problem:
        raise FileError(f"{path} cannot be read: {problem.strerror}") from problem


def is_adapter(folder: Path) -> bool:
    """Return whether a folder holds an adapter and no model."""
    has_model = (folder / "config.json").is_file() and any(folder.glob("model*.safetensors"))
    return (folder / ADAPTER_CONFIG).is_file() and not has_model


def _check_exists(path: Path) -> None:
    if not path.exists():
        raise FileError(f"{path} does not exist: name a checkpoint, an adapter, a GGUF or a Modelfile")
    if not (path.is_file() or path.is_dir()):
        # Such a one may be waited for, or never end.
        raise FileError(
            f"{path} is no file but a pipe or a device: name a checkpoint, an adapter, a GGUF or a Modelfile"
        )


def _inspect_checkpoint(path: Path) -> Report:
    files = sorted(path.glob("*.gguf"))
    if files and not (path / "config.json").is_file():
        raise FileError(f"{path} is a folder of GGUF files: name one of them, such as {files[0].name}")
    return inspect_checkpoint(path)
