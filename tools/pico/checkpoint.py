"""Write a checkpoint folder as transformers and llama.cpp's converter both read it."""

from __future__ import annotations

import json
from pathlib import Path

import torch
from transformers import (
    Gemma4AudioFeatureExtractor,
    Gemma4ForConditionalGeneration,
    Gemma4ImageProcessorPil,
    Gemma4Processor,
    GemmaTokenizer,
)

from .tokenizer import save_tokenizer

TEMPLATE = Path(__file__).with_name("chat_template.jinja")


def save_checkpoint(model: Gemma4ForConditionalGeneration, tokenizer: GemmaTokenizer, folder: Path) -> None:
    """Write config, weights in bf16, tokenizer, chat template and processor into `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    frozen = Gemma4ForConditionalGeneration(model.config)
    frozen.load_state_dict(model.state_dict())
    frozen.generation_config = model.generation_config
    frozen.to(torch.bfloat16).save_pretrained(folder)
    save_tokenizer(tokenizer, folder)
    save_processor(folder)


def save_processor(folder: Path) -> None:
    """Write processor_config.json for transformers and preprocessor_config.json for llama.cpp's converter."""
    images = Gemma4ImageProcessorPil().to_dict()
    # llama.cpp reads these as floats and refuses integers.
    images |= {
        "image_mean": [0.0, 0.0, 0.0],
        "image_std": [1.0, 1.0, 1.0],
        "image_processor_type": "Gemma4ImageProcessor",
    }
    sounds = Gemma4AudioFeatureExtractor().to_dict()
    videos = images | {"max_soft_tokens": 70, "num_frames": 32, "video_processor_type": "Gemma4VideoProcessor"}
    videos.pop("image_processor_type")
    combined = {
        "processor_class": Gemma4Processor.__name__,
        "image_processor": images,
        "feature_extractor": sounds,
        "video_processor": videos,
        "image_seq_length": 280,
        "audio_seq_length": 750,
        "audio_ms_per_token": 40,
    }
    write_json(folder / "processor_config.json", combined)
    flat = images | {"processor_class": Gemma4Processor.__name__, "image_seq_length": 280, "audio_seq_length": 750}
    write_json(folder / "preprocessor_config.json", flat)


def write_json(path: Path, value: object) -> None:
    """Write JSON with a newline at its end; numpy's scalars become Python's."""
    path.write_text(json.dumps(value, indent=2, default=float) + "\n", encoding="utf-8")
