"""What checkpoints, trainers and wrappers call the same tensor."""

from __future__ import annotations

import re

# By their plain names: what every model has, and what only those have that part it from the embeddings.
EMBEDDINGS = "embed_tokens.weight"
HEAD = "lm_head.weight"
# Segments that wrap a module without naming it: of compilers, of sharding, of peft, of a clipped layer's inner matrix,
# and of the 12B model's projection inside transformers.
_WRAPPERS = frozenset(
    {
        "_orig_mod",
        "_fsdp_wrapped_module",
        "_checkpoint_wrapped_module",
        "base_layer",
        "linear",
        "multimodal_embedder",
    }
)
# They differ between releases of transformers and between model classes.
_OUTER = frozenset({"base_model", "model", "language_model", "module"})
# The parts of the 12B model's vision embedder have other names inside transformers than in its files, and Gemma 3's
# tower lost a level in transformers 5.
_SPELLINGS = (
    (re.compile(r"^embed_vision\.(?=patch_|pos_)"), "vision_embedder."),
    (re.compile(r"^vision_tower\.vision_model\."), "vision_tower."),
)


def plain_name(name: str) -> str:
    """Return the part of a tensor's or a module's name that all spellings have in common."""
    parts = [part for part in name.split(".") if part not in _WRAPPERS]
    while len(parts) > 1 and parts[0] in _OUTER:
        parts.pop(0)
    plain = ".".join(parts)
    for spelling, usual in _SPELLINGS:
        plain = spelling.sub(usual, plain)
    return plain
