"""What a token is said to read, against llama.cpp's own graph of one decoded token."""

from __future__ import annotations

import pytest
from oracles.pico import q8_plan
from oracles.touched import Touched, touched

from edgekit.catalog.load import variants
from edgekit.catalog.quantization import BLOCKS
from edgekit.catalog.tensors import tensors
from edgekit.fit.estimate import Load
from edgekit.fit.plan import Plan
from edgekit.fit.recognized import file_load
from edgekit.fit.settings import Settings
from edgekit.fit.work import Work, cache_read, parameters, work
from edgekit.gguf_header import Header, read_header

__all__ = ["q8_plan"]

VARIANTS = {variant.name: variant for variant in variants()}
DEPTH = 300


@pytest.fixture(scope="module")
def header(q8_plan: Plan) -> Header:
    return read_header(q8_plan.model)


@pytest.fixture(scope="module")
def graph(q8_plan: Plan) -> Touched:
    return touched(q8_plan, DEPTH)


@pytest.fixture(scope="module")
def token(header: Header) -> Work:
    load = file_load(header)
    assert load
    return work(load, Settings(), DEPTH)


def test_every_byte_of_weights_that_llama_cpp_reads_is_counted_and_no_other(header, graph, token):
    read = sum(header.tensors[name].bytes for name in graph.weights)
    assert sum(token.weights.values()) == pytest.approx(read, rel=0.002)
    unread = set(header.tensors) - graph.weights
    assert "per_layer_token_embd.weight" in unread
    load = file_load(header)
    assert load
    sharing = range(load.variant.shape.num_hidden_layers - load.variant.shape.num_kv_shared_layers, len(graph.cells))
    idle = {f"blk.{layer}.attn_{name}.weight" for layer in sharing for name in ("k", "v", "k_norm")}
    assert unread - {"per_layer_token_embd.weight"} <= idle


def test_the_tied_output_matrix_is_read_and_the_per_layer_table_is_looked_up(graph):
    assert "token_embd.weight" in graph.weights
    assert "per_layer_token_embd.weight" in graph.tables - graph.weights


def test_the_bytes_are_of_the_types_in_the_file(header, graph, token):
    by_type: dict[str, int] = {}
    for name in graph.weights:
        place = header.tensors[name]
        by_type[place.type.name] = by_type.get(place.type.name, 0) + place.bytes
    large = {kind for kind, size in by_type.items() if size > 100_000}
    assert {kind: token.weights[kind] for kind in large} == pytest.approx(
        {kind: by_type[kind] for kind in large}, rel=0.02
    )


def test_every_layer_attends_even_where_it_shares_a_cache(graph, header, token):
    load = file_load(header)
    assert load
    shape = load.variant.shape
    assert len(graph.cells) == shape.num_hidden_layers
    seen = [min(DEPTH, shape.sliding_window) if shape.is_sliding(one) else DEPTH for one in range(len(graph.cells))]
    # llama.cpp goes over whole pages of 256 cells.
    assert all(mine <= cells < mine + 512 for mine, cells in zip(seen, graph.cells, strict=True))
    widths = [shape.num_attention_heads * shape.head_width(layer) for layer in range(len(seen))]
    assert token.attention == sum(2 * width * cells for width, cells in zip(widths, seen, strict=True))


def test_steps_are_those_of_the_graph(graph, token):
    # A norm and the product after it are one step.
    pairs = zip(graph.steps, graph.steps[1:], strict=False)
    fused = sum(pair == ("RMS_NORM", "MUL") for pair in pairs)
    assert token.steps == pytest.approx(len(graph.steps) - fused, rel=0.15)


def test_of_many_experts_only_the_active_ones_are_read():
    variant = VARIANTS["26B-A4B"]
    shape = variant.shape
    token = work(Load(variant, next(one for one in variant.files if one.quantization == "Q8_0")), Settings(), 0)
    experts = [one for one in tensors(shape) if one.role.endswith("_exps") and len(one.extents) == 3]
    idle = sum(one.count for one in experts) * (1 - shape.top_k_experts / shape.num_experts)
    whole = sum(one.count for one in tensors(shape) if one.layer is not None)
    assert sum(parameters(token.layers).values()) == pytest.approx(whole - idle, rel=0.01)


def test_the_cache_is_read_as_deep_as_asked_and_windows_no_deeper():
    shape = VARIANTS["E2B"].shape
    shallow, deep = (cache_read(shape, Settings(context=8192), depth) for depth in (512, 4096))
    for layer, (before, after) in enumerate(zip(shallow, deep, strict=True)):
        assert after == pytest.approx(before if shape.is_sliding(layer) else 8 * before)
    # Keys and values of 512 cells of half precision, one head.
    assert shallow[0] == 512 * 2 * 2 * 256
    assert cache_read(shape, Settings(context=8192), 0) == [0] * shape.num_hidden_layers


def test_parameters_follow_from_bytes():
    assert parameters({"Q8_0": 34, "BF16": 4}) == {"Q8_0": 32, "BF16": 2}
    assert set(BLOCKS) >= {"Q4_K", "Q6_K"}
