"""Valid GGUF files whose numbers cannot be: each ends with one line, none inside native code."""

from __future__ import annotations

import math
import struct

import pytest
from one_line import assert_one_line_error

from edgekit.engine.check import check_model, check_projector
from edgekit.errors import FileError

HUGE = 4_294_967_295
MODEL = {
    "gemma4.block_count": [0, 5, 7, 100_000, HUGE],
    "gemma4.attention.layer_norm_rms_epsilon": [math.nan, math.inf, -1.0],
    "gemma4.attention.shared_kv_layers": [6, HUGE],
    "gemma4.rope.dimension_count": [0, 7, 128, HUGE],
    "gemma4.rope.dimension_count_swa": [0, 7, 64, HUGE],
}
PROJECTOR = {
    "clip.vision.attention.head_count": [0, 6, 7, 100_000],
    "clip.audio.attention.head_count": [0, 6, 7, 100_000],
    "clip.vision.embedding_length": [0, 95, 192],
    "clip.audio.embedding_length": [0, 95, 192],
    "clip.vision.block_count": [0, 1, 3, 100_000, HUGE],
    "clip.audio.block_count": [0, 1, 3, 100_000, HUGE],
    "clip.vision.attention.layer_norm_epsilon": [math.nan, -1.0],
    "clip.vision.patch_size": [0, 15],
    "clip.audio.num_mel_bins": [0, 64, 256],
}
NEEDED = [
    "v.position_embd.weight",
    "v.patch_embd.weight",
    "v.blk.1.attn_q.weight",
    "mm.input_projection.weight",
    "mm.a.input_projection.weight",
    "a.conv1d.1.weight",
    "a.blk.0.attn_k_rel.weight",
]


def cases(table):
    return [(key, value) for key, values in table.items() for value in values]


def patched(source, out, key, value):
    """A copy with another number of four bytes behind a key and its type."""
    data = source.read_bytes()
    at = data.index(struct.pack("<Q", len(key)) + key.encode()) + 8 + len(key) + 4
    out.write_bytes(data[:at] + struct.pack("<f" if isinstance(value, float) else "<I", value) + data[at + 4 :])
    return out


def refused(check, *arguments):
    with pytest.raises(FileError) as problem:
        check(*arguments)
    assert "\n" not in str(problem.value)
    return str(problem.value)


@pytest.mark.parametrize(("key", "value"), cases(MODEL))
def test_impossible_models(key, value, q8_plan, tmp_path):
    refused(check_model, patched(q8_plan.model, tmp_path / "model.gguf", key, value))


@pytest.mark.parametrize(("key", "value"), cases(PROJECTOR))
def test_impossible_projectors(key, value, q8_plan, tmp_path):
    path = patched(q8_plan.projector, tmp_path / "mmproj.gguf", key, value)
    assert key in refused(check_projector, path, check_model(q8_plan.model))


@pytest.mark.parametrize("name", NEEDED)
def test_a_projector_without_a_tensor(name, q8_plan, tmp_path):
    path = tmp_path / "mmproj.gguf"
    path.write_bytes(q8_plan.projector.read_bytes().replace(name.encode(), name.encode()[:-1] + b"X"))
    assert name in refused(check_projector, path, check_model(q8_plan.model))


def test_a_table_of_no_positions(q8_plan, tmp_path):
    name, data = b"v.position_embd.weight", q8_plan.projector.read_bytes()
    rows = data.index(name) + len(name) + 4 + 8
    path = tmp_path / "mmproj.gguf"
    path.write_bytes(data[:rows] + bytes(8) + data[rows + 8 :])
    assert "v.position_embd.weight" in refused(check_projector, path, check_model(q8_plan.model))


def test_the_command_says_so_in_one_line(q8_plan, tmp_path, edgekit):
    """A process of its own, with a limit: native code would end it or never come back."""
    model = patched(q8_plan.model, tmp_path / "model.gguf", "gemma4.block_count", HUGE)
    line = assert_one_line_error(edgekit("run", model, "Hi", timeout=60))
    assert "gemma4.block_count" in line
    projector = patched(q8_plan.projector, tmp_path / "mmproj.gguf", "clip.vision.attention.head_count", 0)
    line = assert_one_line_error(edgekit("run", q8_plan.model, "Hi", "--projector", projector, timeout=60))
    assert "clip.vision.attention.head_count" in line
