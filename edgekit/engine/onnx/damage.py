"""What is damaged in a folder of ONNX files: checked by reading, nothing loaded."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial

from edgekit.engine.onnx.folder import OnnxFolder
from edgekit.engine.onnx.graph_file import check_graph
from edgekit.errors import FileError


def damages(folder: OnnxFolder) -> Iterator[str]:
    """Yield a sentence for each graph that is not whole, and for a tokenizer that is none."""
    checks = [partial(check_graph, graph) for graph in sorted((folder.path / "onnx").glob("*.onnx"))]
    found = map(_damage, [*checks, partial(_check_tokenizer, folder)])
    # Two decoders share their weights.
    yield from dict.fromkeys(filter(None, found))


def check_whole(folder: OnnxFolder) -> None:
    """Raise FileError with the first damage of a folder."""
    for damage in damages(folder):
        raise FileError(damage)


def _damage(check: Callable[[], None]) -> str | None:
    try:
        check()
    except FileError as problem:
        return str(problem)
    return None


def _check_tokenizer(folder: OnnxFolder) -> None:
    model = folder.json("tokenizer.json").get("model")
    if not isinstance(model, dict) or not model.get("vocab"):
        path = folder.path / "tokenizer.json"
        raise FileError(f"{path} is no tokenizer: it has no vocabulary; copy it from the checkpoint")
