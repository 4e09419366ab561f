"""Types of tensors against llama.cpp's own quantizer, on shapes that meet every one of its rules."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import gguf
import pytest
from oracles.header_only import write_header_only
from oracles.quantizer import quantized_types

from edgekit.catalog.load import variants
from edgekit.catalog.quantization import BASE_TYPES
from edgekit.catalog.recipe import Recipe
from edgekit.catalog.tensors import with_types
from edgekit.catalog.variant import Shape, Variant
from edgekit.convert import keys
from edgekit.convert.mixture import tensor_types
from edgekit.gguf_header import Array, read_header

# Rows that blocks of 256 divide, a head of its own for each query, an eighth and a sixteenth of the layers are whole.
PLAIN = Shape(
    hidden_size=256,
    num_hidden_layers=16,
    num_attention_heads=8,
    num_key_value_heads=8,
    num_global_key_value_heads=8,
    head_dim=32,
    global_head_dim=64,
    intermediate_size=256,
    sliding_window=64,
    full_attention_interval=3,
    vocab_size=320,
)
QUARTER: dict[str, Any] = {"num_key_value_heads": 2, "num_global_key_value_heads": 1}
# 704 as in 26B-A4B: only blocks of 32 divide it.
EXPERTS: dict[str, Any] = {"top_k_experts": 2, "moe_intermediate_size": 704}
SHAPES = {
    "a key head for each query": PLAIN,
    "a key head for four": replace(PLAIN, **QUARTER),
    "a key head for three": replace(PLAIN, num_attention_heads=6, num_key_value_heads=2),
    "no key head of eight divides": replace(PLAIN, num_key_value_heads=3),
    "one layer": replace(PLAIN, num_hidden_layers=1),
    "seven layers": replace(PLAIN, num_hidden_layers=7),
    "as many layers as the deepest": replace(PLAIN, num_hidden_layers=60, **QUARTER),
    "keys that serve as values": replace(PLAIN, num_hidden_layers=33, attention_k_eq_v=True),
    "layers that share keys": replace(
        PLAIN, num_hidden_layers=35, num_kv_shared_layers=20, hidden_size_per_layer_input=64, use_double_wide_mlp=True
    ),
    "rows that only 32 divides": replace(PLAIN, hidden_size=352, intermediate_size=704),
    "rows that nothing divides": replace(
        PLAIN, hidden_size=104, intermediate_size=80, head_dim=20, global_head_dim=40, hidden_size_per_layer_input=12
    ),
    "two experts": replace(PLAIN, num_experts=2, **EXPERTS),
    "three experts": replace(PLAIN, num_experts=3, **EXPERTS, **QUARTER),
    "four experts": replace(PLAIN, num_experts=4, **EXPERTS),
    "eight experts": replace(PLAIN, num_experts=8, **EXPERTS),
    "eight experts, a key head for four": replace(PLAIN, num_experts=8, num_hidden_layers=33, **EXPERTS, **QUARTER),
    "128 experts": replace(PLAIN, num_experts=128, num_hidden_layers=30, **EXPERTS),
    "one expert": replace(PLAIN, num_experts=1, **EXPERTS | {"top_k_experts": 1}),
}
QUANTIZATIONS = [name for name in BASE_TYPES if name not in ("F32", "F16", "BF16")]


def described(shape: Shape) -> Variant:
    return replace(next(iter(variants())), shape=shape, context=4096)


@pytest.fixture(scope="module", params=SHAPES)
def shape(request: pytest.FixtureRequest) -> Shape:
    return SHAPES[request.param]


@pytest.fixture(scope="module", params=["tied", "untied"])
def file(request: pytest.FixtureRequest, shape: Shape, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a GGUF of a shape without weights; an untied one has an output matrix."""
    path = tmp_path_factory.mktemp("shapes") / f"{request.param}.gguf"
    write_header_only(described(shape), "BF16", path, has_output=request.param == "untied")
    return path


def metadata(file: Path) -> dict[str, keys.Value]:
    found = {}
    for name, value in read_header(file).keys.items():
        if isinstance(value, Array):
            found[name] = keys.array(value.item, value.read())
        elif isinstance(value, int):
            found[name] = keys.u32(value)
        elif isinstance(value, str):
            found[name] = keys.text(value)
    return found


@pytest.mark.parametrize("has_importance", [False, True])
def test_every_tensor_gets_the_type_that_llama_quantize_gives_it(
    file: Path, shape: Shape, has_importance: bool
) -> None:
    tensors = {name: place.shape for name, place in read_header(file).tensors.items()}
    about = metadata(file)
    for quantization in QUANTIZATIONS:
        theirs = quantized_types(file, quantization, has_importance=has_importance)
        recipe = Recipe(quantization, has_importance)
        if quantization == "Q8_0":
            # The converter makes it without the quantizer.
            continue
        ours = tensor_types(recipe, gguf.GGMLQuantizationType.BF16, tensors, about)
        assert {name: kind.name for name, kind in zip(tensors, ours, strict=True)} == theirs, quantization
        if file.stem == "tied":
            estimated = with_types(shape, quantization, has_importance=has_importance)
            assert {tensor.name: kind for tensor, kind in estimated} == theirs, quantization


def test_the_shapes_meet_every_type_that_the_rules_know() -> None:
    seen = {
        (quantization, tensor.role, kind)
        for shape in SHAPES.values()
        for quantization in QUANTIZATIONS
        for has_importance in (False, True)
        for tensor, kind in with_types(shape, quantization, has_importance=has_importance)
    }
    assert {("Q4_K_M", "attn_v", kind) for kind in ("Q4_K", "Q6_K", "Q8_0", "Q5_0", "F16")} <= seen
    assert {("Q4_0", "ffn_down", "Q4_1"), ("IQ3_M", "ffn_down", "Q4_K"), ("Q3_K_M", "ffn_down", "Q5_K")} <= seen
