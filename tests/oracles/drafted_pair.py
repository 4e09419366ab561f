"""A tiny Gemma 4 with a drafter for it: either of random weights, or such that each token decides the next one."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import torch
from oracles import tiny_checkpoint, tiny_variants
from transformers import Gemma4AssistantConfig, Gemma4AssistantForCausalLM, Gemma4TextConfig, PreTrainedModel

from edgekit.convert.job import ConvertJob, convert

_WIDTH, _NARROW = 96, 64
# As the released drafters.
_LAYERS = ["sliding_attention"] * 3 + ["full_attention"]
_CHANGES = {
    "hidden_size": _NARROW,
    "num_hidden_layers": len(_LAYERS),
    "num_kv_shared_layers": len(_LAYERS),
    "layer_types": _LAYERS,
    "vocab_size_per_layer_input": 0,
}
# Tokens that end nothing and mean nothing.
CYCLE = range(20, 320)


@dataclass(frozen=True)
class Pair:
    """Checkpoints and GGUFs (F32) of a model and its drafter."""

    checkpoint: Path
    drafter_checkpoint: Path
    model: Path
    drafter: Path


def random_pair(folder: Path) -> Pair:
    """Write a pair of noise: the drafter is never right."""
    # Of the E variants, as which transformers hands keys and values over.
    model, drafter = tiny_checkpoint.model(tiny_checkpoint.Shape(dtype=torch.float32)), _drafter(heads=1)
    tiny_checkpoint.randomize(drafter)
    return _write(folder, model, drafter)


def agreeing_pair(folder: Path, *, wrong: float = 0) -> Pair:
    """Write a pair that agrees but for a share of the tokens: the text walks through `CYCLE`, which takes 300 tokens.

    What a layer adds is multiplied by nothing, so that the last token alone decides.
    """
    model, drafter = tiny_variants.dense(tied=False), _drafter(heads=2)
    for one in (model, drafter):
        tiny_checkpoint.randomize(one)
        _silence(one)
    dice = torch.Generator().manual_seed(1)
    here = torch.tensor(CYCLE)
    following = here.roll(-1)
    with torch.no_grad():
        embeddings = model.get_input_embeddings().weight
        model.get_output_embeddings().weight.zero_()
        model.get_output_embeddings().weight[following] = _normed(embeddings[here])
        down = torch.randn(_NARROW, _WIDTH, generator=dice) / _WIDTH**0.5
        drafter.pre_projection.weight.copy_(torch.cat([down, torch.zeros_like(down)], dim=1))
        known = torch.rand(len(here), generator=dice) >= wrong
        drafter.get_input_embeddings().weight[following[known]] = _normed(embeddings[here[known]] @ down.T)
    return _write(folder, model, drafter)


def _drafter(heads: int) -> PreTrainedModel:
    with tiny_variants.drafters_allowed():
        text = Gemma4TextConfig(**(tiny_variants.DENSE | _CHANGES | {"num_key_value_heads": heads}))
        return Gemma4AssistantForCausalLM(Gemma4AssistantConfig(text_config=text, backbone_hidden_size=_WIDTH))


def _silence(model: torch.nn.Module) -> None:
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if name.endswith(("post_attention_layernorm.weight", "post_feedforward_layernorm.weight")):
                parameter.zero_()
            elif name.endswith("norm.weight"):
                parameter.fill_(1)
        for name, buffer in model.named_buffers():
            if name.endswith("layer_scalar"):
                buffer.fill_(1)


def _normed(rows: torch.Tensor) -> torch.Tensor:
    return rows / rows.norm(dim=-1, keepdim=True)


def _write(folder: Path, model: PreTrainedModel, drafter: PreTrainedModel) -> Pair:
    (checkpoint, file), (other, small) = _one(folder, "model", model), _one(folder, "drafter", drafter)
    return Pair(checkpoint, other, file, small)


def _one(folder: Path, name: str, model: PreTrainedModel) -> tuple[Path, Path]:
    model.generation_config = tiny_variants.GENERATION
    with tiny_variants.drafters_allowed():
        model.save_pretrained(folder / name)
    tiny_checkpoint.tokenizer().save_pretrained(folder / name)
    made = convert(ConvertJob(folder / name, folder, (), ("F32",), "none", name=name))
    return folder / name, made.outputs[0].path
