"""gemma4-pico's shape: every trait of Gemma 4 E2B, three orders of magnitude smaller."""

from __future__ import annotations

import math

import torch
from torch import nn
from transformers import Gemma4Config, Gemma4ForConditionalGeneration, GenerationConfig
from transformers.models.gemma4.modeling_gemma4 import Gemma4ClippableLinear

from .tokenizer import special_id, special_text_id

# Rows are multiples of 32 wherever a matrix gets quantized: that is the block size of Q8_0 and Q4_0.
TEXT = {
    "hidden_size": 128,
    "intermediate_size": 256,
    "num_hidden_layers": 6,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "head_dim": 32,
    "global_head_dim": 64,
    "hidden_size_per_layer_input": 32,
    # The last of each kind that owns keys and values (layers 1 and 2) lends them to the layers after it, as in E2B.
    "layer_types": ["sliding_attention", "sliding_attention", "full_attention"] * 2,
    "num_kv_shared_layers": 3,
    "use_double_wide_mlp": True,
    "sliding_window": 64,
    "final_logit_softcapping": 30.0,
    "max_position_embeddings": 32768,
    "rope_parameters": {
        "sliding_attention": {"rope_type": "default", "rope_theta": 1e4},
        "full_attention": {"rope_type": "proportional", "partial_rotary_factor": 0.25, "rope_theta": 1e6},
    },
}
VISION = {
    "hidden_size": 96,
    "intermediate_size": 192,
    "num_hidden_layers": 2,
    "num_attention_heads": 3,
    "num_key_value_heads": 3,
    "head_dim": 32,
    # Enough for a strip of one row at a budget of 280 tokens: 280 tokens of 3 by 3 patches.
    "position_embedding_size": 840,
    "use_clipped_linears": True,
}
AUDIO = {
    "hidden_size": 96,
    "num_hidden_layers": 2,
    "num_attention_heads": 3,
    # llama.cpp's graph fixes these: its input projection counts on 32 channels of 32 frequencies.
    "subsampling_conv_channels": [128, 32],
    "output_proj_dims": 128,
    "use_clipped_linears": True,
}


def build_config(vocabulary: int) -> Gemma4Config:
    """The configuration of the whole model for a vocabulary of this size."""
    text = TEXT | {
        "vocab_size": vocabulary,
        "vocab_size_per_layer_input": vocabulary,
        "bos_token_id": special_text_id("<bos>"),
        "eos_token_id": special_text_id("<eos>"),
        "pad_token_id": special_text_id("<pad>"),
    }
    return Gemma4Config(
        text_config=text,
        vision_config=VISION,
        audio_config=AUDIO,
        boi_token_id=special_id("boi_token"),
        eoi_token_id=special_id("eoi_token"),
        image_token_id=special_id("image_token"),
        video_token_id=special_id("video_token"),
        boa_token_id=special_id("boa_token"),
        eoa_token_index=special_id("eoa_token"),
        audio_token_id=special_id("audio_token"),
        eos_token_id=[special_text_id("<eos>"), special_text_id("<turn|>")],
    )


def generation_config() -> GenerationConfig:
    """Gemma 4's sampling defaults and the three tokens that hand the turn back."""
    return GenerationConfig(
        bos_token_id=special_text_id("<bos>"),
        pad_token_id=special_text_id("<pad>"),
        eos_token_id=[special_text_id(text) for text in ("<eos>", "<turn|>", "<|tool_response>")],
        do_sample=True,
        temperature=1.0,
        top_k=64,
        top_p=0.95,
    )


def initialise(model: nn.Module, generator: torch.Generator) -> None:
    """Draw every matrix with a standard deviation of fan_in^-0.5: transformers' 0.02 starves so narrow a model."""
    for module in model.modules():
        if isinstance(module, nn.Linear | nn.Conv1d | nn.Conv2d):
            fan_in = math.prod(module.weight.shape[1:])
            module.weight.data.normal_(0.0, fan_in**-0.5, generator=generator)
        elif isinstance(module, nn.Embedding):
            module.weight.data.normal_(0.0, module.embedding_dim**-0.5, generator=generator)
    # Gemma 4 does not divide attention by the root of the head's size. With norms of 1 each head of the language model
    # would look at one place by chance and copying would not be found; the vision tower finds edges sooner that way.
    for name, parameter in model.named_parameters():
        if "language_model" in name and name.endswith(("q_norm.weight", "k_norm.weight")):
            parameter.data.fill_(parameter.numel() ** -0.25)
    model.tie_weights()  # type: ignore[operator]
    table = model.model.vision_tower.patch_embedder.position_embedding_table  # type: ignore[union-attr]
    table.data.copy_(smooth_positions(*table.shape[1:]).expand_as(table))


def smooth_positions(count: int, width: int) -> torch.Tensor:
    """Slow sines and cosines, so that a position never seen in training still resembles its neighbours."""
    wavelengths = torch.logspace(math.log10(12.0), math.log10(400.0), width // 2)
    angles = torch.arange(count)[:, None] * (2 * math.pi / wavelengths)
    return 0.1 * torch.cat([angles.sin(), angles.cos()], dim=1)


def build_model(vocabulary: int, seed: int = 0) -> Gemma4ForConditionalGeneration:
    """An untrained model in float32."""
    torch.manual_seed(seed)
    model = Gemma4ForConditionalGeneration(build_config(vocabulary)).float()
    initialise(model, torch.Generator().manual_seed(seed))
    model.generation_config = generation_config()
    return model


@torch.no_grad()
def open_clamps(model: nn.Module) -> None:
    """Set every clamp to infinity, which is how training runs."""
    for module in model.modules():
        if isinstance(module, Gemma4ClippableLinear):
            for side in ("input", "output"):
                getattr(module, f"{side}_min").fill_(-math.inf)
                getattr(module, f"{side}_max").fill_(math.inf)


class ClampRecorder:
    """Notes the largest values that pass each clippable linear, so that real clamps can stand just outside them."""

    def __init__(self, model: nn.Module) -> None:
        self.peaks: dict[Gemma4ClippableLinear, list[float]] = {}
        self.hooks = [
            module.register_forward_hook(self.note)
            for module in model.modules()
            if isinstance(module, Gemma4ClippableLinear)
        ]

    def note(self, module: nn.Module, inputs: tuple[torch.Tensor, ...], output: torch.Tensor) -> None:
        """Forward hook: keep the peaks of input and output."""
        assert isinstance(module, Gemma4ClippableLinear)
        seen = self.peaks.setdefault(module, [0.0, 0.0])
        seen[0] = max(seen[0], float(inputs[0].detach().abs().amax()))
        seen[1] = max(seen[1], float(output.detach().abs().amax()))

    def close(self) -> None:
        """Stop recording."""
        for hook in self.hooks:
            hook.remove()

    @torch.no_grad()
    def set_clamps(self, share: float = 1.0) -> None:
        """Clamp at `share` of what was seen: at 1.0 only inputs beyond all training data are touched."""
        for module, (into, out) in self.peaks.items():
            for side, peak in (("input", into), ("output", out)):
                getattr(module, f"{side}_min").fill_(-share * peak)
                getattr(module, f"{side}_max").fill_(share * peak)
