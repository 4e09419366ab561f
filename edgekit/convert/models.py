"""Which model a checkpoint is."""

from __future__ import annotations

from edgekit.convert.checkpoint import Checkpoint
from edgekit.convert.gemma3.config import ARCHITECTURES as GEMMA3
from edgekit.convert.gemma3.model import Gemma3
from edgekit.convert.gemma3n.config import ARCHITECTURES as GEMMA3N
from edgekit.convert.gemma3n.model import Gemma3n
from edgekit.convert.gemma4.config import ARCHITECTURES as GEMMA4
from edgekit.convert.gemma4.config import architecture
from edgekit.convert.gemma4.model import Gemma4
from edgekit.convert.model import Model
from edgekit.errors import UnsupportedError

_MODELS: dict[str, type[Model]] = {
    **dict.fromkeys(GEMMA4, Gemma4),
    **dict.fromkeys(GEMMA3, Gemma3),
    **dict.fromkeys(GEMMA3N, Gemma3n),
}


def open_model(checkpoint: Checkpoint) -> Model:
    """Return what a checkpoint holds.

    Raises UnsupportedError for an architecture that edgekit does not convert or weights that are quantized already,
    FileError for an incomplete checkpoint.
    """
    name = architecture(checkpoint.config)
    if name not in _MODELS:
        raise UnsupportedError(f"the checkpoint is a {name}; edgekit converts {', '.join(_MODELS)}")
    quantized = checkpoint.config.get("quantization_config")
    if quantized:
        method = quantized.get("quant_method") if isinstance(quantized, dict) else None
        raise UnsupportedError(
            f"the checkpoint is quantized already ({method or 'quantization_config'}): "
            "start from the checkpoint before that, or merge and save it in 16 bits"
        )
    return _MODELS[name](checkpoint)
