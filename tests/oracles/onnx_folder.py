"""A folder of ONNX graphs in plain onnxruntime: what it computes, in one go, in chunks and step by step."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime

Array = np.ndarray[Any, Any]


class OnnxFolder:
    """The graphs of one precision."""

    def __init__(self, folder: Path, precision: str = "fp32") -> None:
        self.folder = folder
        self.suffix = "" if precision == "fp32" else f"_{precision}"
        self.embed = self.session("embed_tokens")
        self.decoder = self.session("decoder_model_merged")
        self.past: dict[str, Array] = {}
        self.forget()

    def path(self, name: str) -> Path:
        return self.folder / "onnx" / f"{name}{self.suffix}.onnx"

    def session(self, name: str) -> onnxruntime.InferenceSession:
        onnx.checker.check_model(str(self.path(name)), full_check=True)
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        return onnxruntime.InferenceSession(str(self.path(name)), options, providers=["CPUExecutionProvider"])

    def forget(self) -> None:
        """Begin a new conversation."""
        half = {"tensor(float16)": np.float16, "tensor(float)": np.float32}
        self.past = {
            one.name: np.zeros([1, one.shape[1], 0, one.shape[3]], half[one.type])
            for one in self.decoder.get_inputs()
            if one.name.startswith("past_key_values.")
        }

    @property
    def length(self) -> int:
        """How many tokens are behind."""
        return int(next(iter(self.past.values())).shape[2])

    def logits(self, ids: Sequence[int], kept: int = 0, features: tuple[int, Array] | None = None) -> Array:
        """Logits of shape (positions, vocabulary) of the next tokens; features replace the embeddings of a token."""
        names = [one.name for one in self.embed.get_outputs()]
        found = dict(zip(names, self.embed.run(None, {"input_ids": [ids]}), strict=True))
        if features is not None:
            token, values = features
            found["inputs_embeds"][0, np.array(ids) == token] = values
        mask = np.ones((1, self.length + len(ids)), np.int64)
        inputs = {**found, **self.past, "attention_mask": mask, "num_logits_to_keep": np.array(kept, np.int64)}
        logits, *present = self.decoder.run(None, inputs)
        names = [one.name.replace("present", "past_key_values") for one in self.decoder.get_outputs()[1:]]
        self.past = dict(zip(names, present, strict=True))
        array: Array = logits[0]
        return array

    def greedy(
        self, ids: Sequence[int], count: int, banned: Sequence[int] = (), features: tuple[int, Array] | None = None
    ) -> list[int]:
        """The likeliest tokens that follow, one after the other, but for banned ones."""
        self.forget()
        made: list[int] = []
        found = self.logits(ids, 1, features)
        for _ in range(count):
            found[-1, list(banned)] = -np.inf
            made.append(int(found[-1].argmax()))
            found = self.logits(made[-1:], 1)
        return made
