"""An adapter kept apart from its model, as `edgekit convert --keep-adapter` writes it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from edgekit.engine.onnx.runtime import Graph, onnxruntime
from edgekit.errors import AdapterError, FileError


def read_adapter(path: Path, decoder: Graph) -> dict[str, Any]:
    """Return the matrices of an adapter by the decoder's inputs that they stand for, as onnxruntime's values.

    Raises FileError for a file that is none, AdapterError for one of another model or of other floats.
    """
    if not path.is_file():
        raise FileError(f"no such adapter: {path}")
    try:
        values: dict[str, Any] = onnxruntime().AdapterFormat.read_adapter(str(path)).get_parameters()
    # The library says no more than that its check failed.
    except Exception:
        raise FileError(
            f"{path} is no .onnx_adapter, or damaged: `edgekit convert --keep-adapter` writes one"
        ) from None
    for name, value in values.items():
        wanted = decoder.inputs.get(name)
        if wanted is None:
            raise AdapterError(f"{path} belongs to another model: {decoder.path.name} does not take its {name}")
        if wanted.type != value.data_type():
            raise AdapterError(f"{path} is of other floats than {decoder.path.name}: its folder holds one for each")
    return values
