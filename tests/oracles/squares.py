"""What every weight inside a model's layers is multiplied by, seen by hooks in transformers."""

from __future__ import annotations

import re
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np
import torch
from transformers import Gemma4ForConditionalGeneration
from transformers.models.gemma4.modeling_gemma4 import Gemma4TextExperts

_NAMES = {
    "self_attn.q_proj": "attn_q",
    "self_attn.k_proj": "attn_k",
    "self_attn.v_proj": "attn_v",
    "self_attn.o_proj": "attn_output",
    "mlp.gate_proj": "ffn_gate",
    "mlp.up_proj": "ffn_up",
    "mlp.down_proj": "ffn_down",
    "per_layer_input_gate": "inp_gate",
    "per_layer_projection": "proj",
    "router.proj": "ffn_gate_inp",
}
_MODULE = re.compile(r"model\.language_model\.layers\.(\d+)\.(.+)")


class Seen:
    """Sums of squares of shape (experts, width) and counts by GGUF name, in double precision."""

    def __init__(self) -> None:
        self.sums: dict[str, np.ndarray] = {}
        self.counts: dict[str, np.ndarray] = {}

    def add(self, name: str, rows: torch.Tensor, expert: int = 0, experts: int = 1) -> None:
        squares = rows.detach().double().square().reshape(-1, rows.shape[-1]).numpy()
        self.sums.setdefault(name, np.zeros((experts, squares.shape[1])))[expert] += squares.sum(axis=0)
        self.counts.setdefault(name, np.zeros(experts, np.int64))[expert] += len(squares)


@torch.inference_mode()
def squares(checkpoint: Path, pieces: Sequence[Sequence[int]]) -> Seen:
    model = Gemma4ForConditionalGeneration.from_pretrained(
        checkpoint, dtype=torch.float32, attn_implementation="eager"
    ).eval()
    seen = Seen()
    with ExitStack() as stack:
        for path, module in model.named_modules():
            match = _MODULE.fullmatch(path)
            if match and isinstance(module, Gemma4TextExperts):
                hook = _experts_hook(seen, f"blk.{match[1]}.")
            elif match and match[2] in _NAMES:
                hook = _linear_hook(seen, f"blk.{match[1]}.{_NAMES[match[2]]}.weight")
            else:
                continue
            stack.callback(module.register_forward_pre_hook(hook).remove)
        for piece in pieces:
            model(input_ids=torch.tensor([piece]), mm_token_type_ids=torch.zeros((1, len(piece)), dtype=torch.long))
    return seen


def _linear_hook(seen: Seen, name: str) -> Any:
    return lambda _module, inputs: seen.add(name, inputs[0])


def _experts_hook(seen: Seen, prefix: str) -> Any:
    def hook(experts: Gemma4TextExperts, inputs: tuple[torch.Tensor, ...]) -> None:
        states, chosen = inputs[:2]
        for expert in range(experts.num_experts):
            rows = states[(chosen == expert).any(dim=-1)]
            gate, up = (rows @ experts.gate_up_proj[expert].T).chunk(2, dim=-1)
            seen.add(f"{prefix}ffn_gate_up_exps.weight", rows, expert, experts.num_experts)
            seen.add(f"{prefix}ffn_down_exps.weight", experts.act_fn(gate) * up, expert, experts.num_experts)

    return hook
