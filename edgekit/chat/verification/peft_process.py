"""A process of its own that asks transformers and peft: `python -m edgekit.chat.verification.peft_process`.

Reads one JSON object on stdin: `checkpoint`, `adapters` (folders), `texts` (token ids of each prompt with its path),
`starts` (where each path begins) and `out`. Writes log-probabilities to the file `out` (npz): `base0`, `merged0`, ...,
each of shape (path, vocabulary). The only place of edgekit that imports torch; nothing else imports this module.
"""

from __future__ import annotations

import inspect
import json
import sys
import warnings
from typing import Any

import numpy as np
import peft
import torch
import transformers

from edgekit.chat.verification.divergence import Floats, log_probabilities


def main() -> None:
    """Answer the one request."""
    request = json.load(sys.stdin)
    transformers.logging.disable_progress_bar()
    # A checkpoint's own class: others may find no weights under their names.
    kind = getattr(transformers, _architecture(request["checkpoint"]))
    model = kind.from_pretrained(request["checkpoint"], dtype=torch.float32, attn_implementation="eager").eval()
    found = {f"base{number}": rows for number, rows in enumerate(_ask(model, request))}
    for adapter in request["adapters"]:
        model = _merged(model, adapter)
    found |= {f"merged{number}": rows for number, rows in enumerate(_ask(model, request))}
    with open(request["out"], "wb") as file:  # noqa: PTH123 - numpy wants a file, or it adds an ending
        np.savez(file, **found)  # type: ignore[arg-type]


def _architecture(checkpoint: str) -> str:
    names: list[str] = transformers.AutoConfig.from_pretrained(checkpoint).architectures
    return names[0]


def _merged(model: Any, adapter: str) -> Any:  # noqa: ANN401 - torch is not there when types are checked
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        loaded = peft.PeftModel.from_pretrained(model, adapter)
    # peft then merges zeros without a word.
    if any("missing adapter keys" in str(warning.message) for warning in caught):
        raise SystemExit(f"peft does not find all of {adapter} in this model")
    return loaded.merge_and_unload().eval()


def _ask(model: Any, request: dict[str, Any]) -> list[Floats]:  # noqa: ANN401
    rows = []
    taken = inspect.signature(model.forward).parameters
    with torch.inference_mode():
        for ids, start in zip(request["texts"], request["starts"], strict=True):
            # Gemma 4 wants to know which tokens are pictures and sounds: none.
            inputs = {"input_ids": torch.tensor([ids]), "mm_token_type_ids": torch.zeros(1, len(ids), dtype=torch.long)}
            out = model(**{name: value for name, value in inputs.items() if name in taken})
            rows.append(log_probabilities(out.logits[0, start - 1 : len(ids) - 1].float().numpy()))
    return rows


if __name__ == "__main__":
    main()
