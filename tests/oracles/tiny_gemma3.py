"""Tiny Gemma 3 and 3n checkpoints of random weights, saved by transformers, with a SentencePiece tokenizer."""

from __future__ import annotations

import io
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import sentencepiece
import torch
from oracles import tiny_checkpoint
from safetensors.torch import load_file, save_file
from transformers import (
    Gemma3Config,
    Gemma3ForCausalLM,
    Gemma3ForConditionalGeneration,
    Gemma3nForCausalLM,
    Gemma3nTextConfig,
    Gemma3TextConfig,
    GenerationConfig,
    PreTrainedModel,
)

VOCABULARY = 320
TEXT: dict[str, Any] = {
    "vocab_size": VOCABULARY,
    "hidden_size": 96,
    "intermediate_size": 80,
    "num_hidden_layers": 6,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "head_dim": 32,
    "sliding_window": 64,
    "max_position_embeddings": 4096,
    "query_pre_attn_scalar": 32,
}
# As the larger sizes: positions of global layers are stretched.
ROPE = {
    "full_attention": {"rope_type": "linear", "factor": 8.0, "rope_theta": 1e6},
    "sliding_attention": {"rope_type": "default", "rope_theta": 1e4},
}
VISION = {
    "hidden_size": 64,
    "intermediate_size": 112,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "image_size": 64,
    "patch_size": 8,
    "vision_use_head": False,
}
# 4 tokens of 4 x 4 patches, where llama.cpp expects 4 x 4 patches for each token too; 16 would be another factor.
PICTURE = {"image_mean": [0.5, 0.5, 0.5], "image_std": [0.5, 0.5, 0.5], "image_seq_length": 16}
SPECIAL = ["<pad>", "<eos>", "<bos>", "<unk>", "<mask>", "<start_of_turn>", "<end_of_turn>"]
DEFINED = ["<mask>", "<start_of_turn>", "<end_of_turn>", "\n\n"]
WORDS = ["red", "green", "circle", "rectangle", "dog", "read", "great"]


def text() -> PreTrainedModel:
    return Gemma3ForCausalLM(Gemma3TextConfig(**TEXT))


def seeing() -> PreTrainedModel:
    config = Gemma3Config(
        text_config=TEXT | {"rope_parameters": ROPE},
        vision_config=VISION,
        mm_tokens_per_image=16,
    )
    return Gemma3ForConditionalGeneration(config)


# llama.cpp's numbers for every Gemma 3n: 20 layers with keys and values of their own, 256 per layer, rank 64.
GEMMA3N: dict[str, Any] = TEXT | {
    "num_hidden_layers": 25,
    "num_kv_shared_layers": 5,
    "layer_types": (["sliding_attention"] * 4 + ["full_attention"]) * 5,
    "hidden_size_per_layer_input": 256,
    "vocab_size_per_layer_input": VOCABULARY - 20,
    "laurel_rank": 64,
}


def gemma3n() -> PreTrainedModel:
    values = {key: value for key, value in GEMMA3N.items() if key != "query_pre_attn_scalar"}
    return Gemma3nForCausalLM(Gemma3nTextConfig(**values))


# As Gemma 3 270M, which FunctionGemma is: one key head, and layers that are no multiple of six.
FUNCTIONS: dict[str, Any] = TEXT | {"num_hidden_layers": 8, "num_key_value_heads": 1}
# What marks calls and declarations in its prompts.
OF_FUNCTIONS = [
    *(f"<{edge}_function_{part}>" for part in ("declaration", "call", "response") for edge in ("start", "end")),
    "<escape>",
]
FUNCTION_TEMPLATE = """{{ bos_token }}{%- for tool in tools or [] -%}
<start_function_declaration>declaration:{{ tool.function.name }}{description:<escape>{{ tool.function.description }}\
<escape>}<end_function_declaration>
{%- endfor -%}{%- for m in messages %}<start_of_turn>{{ m.role }}
{{ m.content }}<end_of_turn>
{% endfor %}"""


def functions() -> PreTrainedModel:
    return Gemma3ForCausalLM(Gemma3TextConfig(**FUNCTIONS))


VARIANTS: dict[str, Callable[[], PreTrainedModel]] = {
    "gemma3": seeing,
    "gemma3-text": text,
    "functiongemma": functions,
    "gemma3n": gemma3n,
}


def write(folder: Path, made: PreTrainedModel, *, shared_kv: bool = True, spread: float = 0.3) -> Path:
    """Write a model with its tokenizer and processor settings to `folder` and return it.

    `shared_kv` adds keys and values on the layers that do not use them, which the releases have.
    """
    tiny_checkpoint.randomize(made, spread=spread)
    made.generation_config = GenerationConfig(do_sample=True, top_k=64, top_p=0.95, eos_token_id=[1, 6])
    made.to(tiny_checkpoint.Shape().dtype).save_pretrained(folder)
    (folder / "preprocessor_config.json").write_text(json.dumps(PICTURE), encoding="utf-8")
    release_names(folder / "model.safetensors")
    write_tokenizer(folder)
    if getattr(made.config, "num_hidden_layers", None) == FUNCTIONS["num_hidden_layers"]:
        _release_functions(folder)
    if shared_kv and getattr(made.config, "num_kv_shared_layers", 0):
        add_shared_kv(folder / "model.safetensors")
    return folder


def _release_functions(folder: Path) -> None:
    """Give a FunctionGemma the tokens and the template of the release, and its config's spelling of positions."""
    tokens = folder / "tokenizer_config.json"
    values = json.loads(tokens.read_text(encoding="utf-8"))
    marks = {str(number): {"content": token, "special": True} for number, token in enumerate(OF_FUNCTIONS, 300)}
    values["added_tokens_decoder"] |= marks
    values["sfr_token"] = "<start_function_response>"
    tokens.write_text(json.dumps(values), encoding="utf-8")
    (folder / "chat_template.jinja").write_text(FUNCTION_TEMPLATE, encoding="utf-8")
    path = folder / "config.json"
    config = json.loads(path.read_text(encoding="utf-8"))
    del config["rope_parameters"]
    config |= {"rope_theta": 1e6, "rope_local_base_freq": 1e4, "rope_scaling": None, "_sliding_window_pattern": 6}
    path.write_text(json.dumps(config), encoding="utf-8")


def release_names(path: Path) -> None:
    """Name the tower's tensors as the releases do: llama.cpp's converter does not know transformers 5's names."""
    weights = load_file(path)
    renamed = {re.sub(r"^vision_tower\.", "vision_tower.vision_model.", name): one for name, one in weights.items()}
    save_file(renamed, path, metadata={"format": "pt"})


def add_shared_kv(path: Path) -> None:
    weights = load_file(path)
    dice = torch.Generator().manual_seed(99)
    own = [name for name in weights if re.search(r"layers\.0\.self_attn\.(k_proj|v_proj|k_norm)\.", name)]
    for layer in range(20, GEMMA3N["num_hidden_layers"]):
        for name in own:
            like = weights[name]
            weights[name.replace("layers.0.", f"layers.{layer}.")] = torch.randn(like.shape, generator=dice).to(like)
    save_file(weights, path, metadata={"format": "pt"})


def write_tokenizer(folder: Path) -> None:
    """Write tokenizer.model, tokenizer.json and tokenizer_config.json as the releases have them."""
    tiny_checkpoint.tokenizer().save_pretrained(folder)
    lines = iter(" ".join(WORDS[(7 * line + word) % 7] for word in range(5)) for line in range(200))
    model = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=lines,
        model_writer=model,
        vocab_size=VOCABULARY - 2,
        model_type="bpe",
        byte_fallback=True,
        add_dummy_prefix=False,
        remove_extra_whitespaces=False,
        normalization_rule_name="identity",
        hard_vocab_limit=False,
        minloglevel=2,
        user_defined_symbols=DEFINED,
        **{f"{name}_id": number for number, name in enumerate(("pad", "eos", "bos", "unk"))},
        **{f"{name}_piece": f"<{name}>" for name in ("pad", "eos", "bos", "unk")},
    )
    (folder / "tokenizer.model").write_bytes(model.getvalue())
    added = {str(number): {"content": token, "special": token != "<mask>"} for number, token in enumerate(SPECIAL)}
    added |= {
        "7": {"content": "\n\n", "special": False},
        str(VOCABULARY - 1): {"content": "<image_soft_token>", "special": True},
    }
    path = folder / "tokenizer_config.json"
    values = json.loads(path.read_text(encoding="utf-8"))
    values |= {"added_tokens_decoder": added, "add_bos_token": True, "add_eos_token": False}
    path.write_text(json.dumps(values), encoding="utf-8")
