"""Samples as tensors: what transformers' processor would make of them, without its overhead per call."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from transformers import Gemma4AudioFeatureExtractor, GemmaTokenizer
from transformers.models.gemma4.image_processing_pil_gemma4 import get_aspect_ratio_preserving_size

from .conversations import Sample
from .digits import Samples
from .tokenizer import special_text_id

PATCH, POOL = 16, 3
IGNORED = -100
TURN, TURN_END = special_text_id("<|turn>"), special_text_id("<turn|>")
RESPONSE, RESPONSE_END = special_text_id("<|tool_response>"), special_text_id("<tool_response|>")
_ears = Gemma4AudioFeatureExtractor()


@dataclass
class Seen:
    """A picture as patches: (patches, 768) in 0..1, their (x, y), and the soft tokens that come of it."""

    pixels: Tensor
    positions: Tensor
    tokens: int


def see(image: Image.Image, budget: int) -> Seen:
    """Scale a picture to its token budget and cut it into patches, as Gemma4ImageProcessor does."""
    height, width = get_aspect_ratio_preserving_size(image.height, image.width, PATCH, budget * POOL**2, POOL)
    if (width, height) != image.size:
        image = image.resize((width, height), Image.Resampling.BICUBIC)
    rows, columns = height // PATCH, width // PATCH
    array = np.asarray(image, np.float32).reshape(rows, PATCH, columns, PATCH, 3) / 255
    patches = array.transpose(0, 2, 1, 3, 4).reshape(rows * columns, -1)
    x, y = np.meshgrid(np.arange(columns), np.arange(rows))
    positions = np.stack([x, y], axis=-1).reshape(-1, 2)
    return Seen(torch.from_numpy(np.ascontiguousarray(patches)), torch.from_numpy(positions), rows * columns // POOL**2)


def stack_pictures(seen: list[Seen]) -> dict[str, Tensor]:
    """Pad to the largest picture of the batch; a position of -1 marks padding."""
    longest = max(len(one.pixels) for one in seen)
    pixels = torch.zeros(len(seen), longest, seen[0].pixels.shape[1])
    positions = torch.full((len(seen), longest, 2), -1)
    for row, one in enumerate(seen):
        pixels[row, : len(one.pixels)] = one.pixels
        positions[row, : len(one.positions)] = one.positions
    return {"pixel_values": pixels, "image_position_ids": positions}


def hear(sounds: list[Samples]) -> dict[str, Tensor]:
    """Mel spectrograms of a batch of sounds, padded to the longest."""
    heard = _ears(list(sounds), return_tensors="pt")
    return {"input_features": heard["input_features"], "input_features_mask": heard["input_features_mask"]}


def sound_tokens(mask: Tensor) -> int:
    """Soft tokens of one sound: two convolutions of stride 2 over its valid frames."""
    return int(mask[::2][::2].sum())


@dataclass
class Encoded:
    """A sample as token ids, and labels that count on the target only."""

    ids: list[int]
    labels: list[int]


def encode(
    tokenizer: GemmaTokenizer, sample: Sample, pictures: list[int], sounds: list[int], history: bool = False
) -> Encoded:
    """Tokens of a sample whose media take so many soft tokens each; `history` lets earlier answers count as well."""
    prompt = sample.prompt
    for count in pictures:
        prompt = prompt.replace("<|image|>", "<|image>" + "\0" * count + "<image|>", 1)
    for count in sounds:
        prompt = prompt.replace("<|audio|>", "<|audio>" + "\1" * count + "<audio|>", 1)
    prompt = prompt.replace("\0", "<|image|>").replace("\1", "<|audio|>")
    before = tokenizer(prompt, add_special_tokens=False).input_ids
    after = tokenizer(sample.target, add_special_tokens=False).input_ids
    earlier = [IGNORED] * len(before)
    if history:
        earlier = spoken_by_model(before, tokenizer.convert_tokens_to_ids("model"))
    return Encoded(before + after, earlier + after)


def spoken_by_model(ids: list[int], model_role: int) -> list[int]:
    """Labels for a prompt: what the model itself said in earlier turns counts too, what others said does not."""
    labels, speaking = [], False
    for index, token in enumerate(ids):
        labels.append(token if speaking else IGNORED)
        if token in (TURN_END, RESPONSE):
            speaking = False
        elif token == RESPONSE_END or (index >= 2 and ids[index - 2] == TURN and ids[index - 1] == model_role):
            speaking = True
    return labels


def collate(tokenizer: GemmaTokenizer, samples: list[Sample], budget: int, history: bool = False) -> dict[str, Tensor]:
    """A batch for Gemma4ForConditionalGeneration, padded on the right: causal attention never looks there."""
    seen = [see(drawing.image, budget) for sample in samples for drawing in sample.drawings]
    all_sounds = [sound for sample in samples for sound in sample.sounds]
    batch: dict[str, Tensor] = stack_pictures(seen) if seen else {}
    if all_sounds:
        batch |= hear(all_sounds)
    picture_tokens = iter([one.tokens for one in seen])
    audio_tokens = iter([sound_tokens(mask) for mask in batch["input_features_mask"]] if all_sounds else [])
    encoded = [
        encode(
            tokenizer, s, [next(picture_tokens) for _ in s.drawings], [next(audio_tokens) for _ in s.sounds], history
        )
        for s in samples
    ]
    longest = max(len(one.ids) for one in encoded)
    pad = special_text_id("<pad>")
    batch["input_ids"] = torch.tensor([one.ids + [pad] * (longest - len(one.ids)) for one in encoded])
    batch["labels"] = torch.tensor([one.labels + [IGNORED] * (longest - len(one.labels)) for one in encoded])
    return batch
