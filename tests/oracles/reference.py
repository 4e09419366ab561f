"""transformers' Gemma 4: what a checkpoint computes, in float32 and one position at a time."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from PIL import Image
from transformers import AutoTokenizer, Gemma4AudioFeatureExtractor, Gemma4ForConditionalGeneration, logging
from transformers.activations import GELUTanh
from transformers.models.gemma4.image_processing_pil_gemma4 import Gemma4ImageProcessorPil

Array = np.ndarray[Any, Any]

logging.disable_progress_bar()


class Seen(NamedTuple):
    """A picture or a sound as the model takes it in: embeddings of shape (tokens, width) and its inputs."""

    embeddings: Array
    inputs: dict[str, torch.Tensor]
    token: int


class Reference:
    """A checkpoint in transformers."""

    def __init__(self, checkpoint: Path) -> None:
        # Eager attention is the plain formula: nothing fused, nothing approximated.
        self.model = Gemma4ForConditionalGeneration.from_pretrained(
            checkpoint, dtype=torch.float32, attn_implementation="eager"
        ).eval()
        self.tokenizer = AutoTokenizer.from_pretrained(checkpoint)
        self._eyes = Gemma4ImageProcessorPil.from_pretrained(checkpoint)
        self._ears = Gemma4AudioFeatureExtractor.from_pretrained(checkpoint)

    def tokens(self, text: str) -> list[int]:
        ids: list[int] = self.tokenizer(text, add_special_tokens=False)["input_ids"]
        return ids

    @torch.inference_mode()
    def logits(self, ids: list[int], seen: Seen | None = None) -> Array:
        """Logits of shape (positions, vocabulary)."""
        inputs = seen.inputs if seen else {}
        out = self.model(input_ids=torch.tensor([ids]), mm_token_type_ids=self._kinds(ids), **inputs)
        array: Array = out.logits[0].numpy()
        return array

    @torch.inference_mode()
    def see(self, image: Image.Image, budget: int = 280) -> Seen:
        pixels = self._eyes(image, max_soft_tokens=budget, return_tensors="pt")
        pixels.pop("num_soft_tokens_per_image")
        out = self.model.model.get_image_features(**pixels, return_dict=True).pooler_output
        # One tensor for each picture.
        return Seen(torch.cat(tuple(out)).numpy(), dict(pixels), self.model.config.image_token_id)

    @torch.inference_mode()
    def hear(self, samples: Array) -> Seen:
        heard = self._ears([samples], return_tensors="pt")
        out = self.model.model.get_audio_features(**heard, return_dict=True)
        embeddings = out.pooler_output[0][out.attention_mask[0].bool()]
        return Seen(embeddings.numpy(), dict(heard), self.model.config.audio_token_id)

    @contextmanager
    def with_gelu_of_ggml(self) -> Iterator[None]:
        """Compute GELU as ggml does on a CPU: by a table of half precision."""
        found = [module for module in self.model.modules() if isinstance(module, GELUTanh)]
        assert found, "transformers names its GELU differently now"
        plain = found[0].act
        for module in found:
            module.act = lambda x: plain(x.half().float()).half().float()
        try:
            yield
        finally:
            for module in found:
                module.act = plain

    def _kinds(self, ids: list[int]) -> torch.Tensor:
        config = self.model.config
        kinds = {config.image_token_id: 1, config.video_token_id: 2, config.audio_token_id: 3}
        return torch.tensor([[kinds.get(token, 0) for token in ids]])


def relative_rms(found: Array, wanted: Array) -> float:
    """Root mean square of the difference, relative to what is wanted."""
    difference = np.asarray(found, np.float64) - np.asarray(wanted, np.float64)
    return float(np.sqrt(np.mean(difference**2) / np.mean(np.asarray(wanted, np.float64) ** 2)))


def divergence(found: Array, wanted: Array) -> float:
    """Kullback-Leibler divergence of the next token's distribution, in nats."""
    log_found, log_wanted = _log_softmax(found), _log_softmax(wanted)
    return float(np.sum(np.exp(log_wanted) * (log_wanted - log_found)))


def _log_softmax(logits: Array) -> Array:
    shifted = np.asarray(logits, np.float64) - np.max(logits)
    result: Array = shifted - np.log(np.sum(np.exp(shifted)))
    return result
