"""Gemma 3n's eyes: what llama.cpp's converter makes of them, byte by byte, and llama.cpp sees with the file."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from oracles import tiny_gemma3n
from oracles.gguf_compare import differences
from oracles.llama_converter import llama_convert
from oracles.tiny_checkpoint import CONVERTED
from oracles.tiny_variants import rename
from safetensors.torch import load_file, save_file

from edgekit.convert.general import OWN_KEYS
from edgekit.convert.job import ConvertJob, ConvertResult, convert
from edgekit.errors import FileError, UnsupportedError

Made = Callable[[str], Path]
WEIGHTS = "model.safetensors"
# ggml's depthwise convolutions end the process with kernels of another type.
USABLE = ("F16", "Q8_0")
# Sees a picture of 768 pixels, which is what the tower takes, and prints how many embeddings come out.
SEE = """
import ctypes, sys
import llama_cpp
import numpy as np
from llama_cpp import mtmd_cpp
from edgekit.hardware.build import load_backends
text, projector = (path.encode() for path in sys.argv[1:])
load_backends()
llama_cpp.llama_backend_init()
settings = llama_cpp.llama_model_default_params()
model = llama_cpp.llama_model_load_from_file(text, settings)
wanted = mtmd_cpp.mtmd_context_params_default()
wanted.use_gpu, wanted.n_threads, wanted.warmup = False, 2, False
context = mtmd_cpp.mtmd_init_from_file(projector, model, wanted)
assert context and mtmd_cpp.mtmd_support_vision(context) and not mtmd_cpp.mtmd_support_audio(context)
pixels = np.random.default_rng(0).integers(0, 256, 768 * 768 * 3).astype(np.uint8)
picture = mtmd_cpp.mtmd_bitmap_init(768, 768, pixels.ctypes.data_as(ctypes.POINTER(ctypes.c_uint8)))
chunks = mtmd_cpp.mtmd_input_chunks_init()
marker = mtmd_cpp.mtmd_default_marker()
given = mtmd_cpp.mtmd_input_text(marker, len(marker), True, True)
pictures = (mtmd_cpp.mtmd_bitmap_p_ctypes * 1)(picture)
assert mtmd_cpp.mtmd_tokenize(context, chunks, ctypes.byref(given), pictures, 1) == 0
for number in range(mtmd_cpp.mtmd_input_chunks_size(chunks)):
    chunk = mtmd_cpp.mtmd_input_chunks_get(chunks, number)
    if mtmd_cpp.mtmd_input_chunk_get_type(chunk) == mtmd_cpp.MTMD_INPUT_CHUNK_TYPE_IMAGE:
        assert mtmd_cpp.mtmd_encode_chunk(context, chunk) == 0
        tokens = mtmd_cpp.mtmd_input_chunk_get_n_tokens(chunk)
        found = np.ctypeslib.as_array(mtmd_cpp.mtmd_get_output_embd(context), (tokens, 96))
        print(tokens, np.isfinite(found).all(), found.std() > 0)
"""


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a checkpoint with eyes and ears."""
    return tiny_gemma3n.write(tmp_path_factory.mktemp("gemma3n") / "gemma3n-E2B-it")


@pytest.fixture(scope="module")
def theirs(whole: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return llama.cpp's files; its converter has no names for the ears, and stops at them."""
    deaf = rename(whole, tmp_path_factory.mktemp("deaf") / whole.name, lambda name: name)
    weights = {name: tensor for name, tensor in load_file(whole / WEIGHTS).items() if "audio" not in name}
    save_file(weights, deaf / WEIGHTS, metadata={"format": "pt"})
    return llama_convert(deaf, deaf.with_name("llama"), CONVERTED, CONVERTED)


@pytest.fixture(scope="module")
def ours(whole: Path, tmp_path_factory: pytest.TempPathFactory) -> Made:
    """Return the folder of our two files in one quantization."""
    folder = tmp_path_factory.mktemp("ours")

    def make(quantization: str) -> Path:
        if not (folder / quantization).exists():
            projector = quantization if quantization in USABLE else "auto"
            convert(ConvertJob(whole, folder / quantization, (), (quantization,), projector))
        return folder / quantization

    return make


def only(folder: Path, prefix: str) -> Path:
    found = [path for path in folder.glob("*.gguf") if path.name.startswith(prefix)]
    assert len(found) == 1
    return found[0]


@pytest.mark.parametrize("quantization", CONVERTED)
def test_both_files_equal_llama_cpps(quantization: str, ours: Made, theirs: Path) -> None:
    folder, own = ours(quantization), frozenset(OWN_KEYS)
    assert differences(only(folder, "gemma3n"), theirs / f"{quantization}.gguf", allowed=own) == []
    projector = quantization if quantization in USABLE else "F16"
    assert only(folder, "mmproj").stem.endswith(projector)
    found = differences(only(folder, "mmproj"), theirs / f"mmproj-{projector}.gguf", allowed=own)
    # Its file says that it has ears, which it has not.
    assert all("audio" in line and line.endswith("is missing") for line in found), found


def see(text: Path, projector: Path) -> subprocess.CompletedProcess[str]:
    line = [sys.executable, "-c", SEE, str(text), str(projector)]
    # Two threads that abort at once wait for one another while they print where they were.
    environment = os.environ | {"GGML_NO_BACKTRACE": "1"}
    return subprocess.run(line, capture_output=True, text=True, timeout=300, check=False, env=environment)


@pytest.mark.parametrize("quantization", USABLE)
def test_llama_cpp_sees_with_it(quantization: str, ours: Made) -> None:
    result = see(only(ours(quantization), "gemma3n"), only(ours(quantization), "mmproj"))
    assert result.returncode == 0, result.stderr[-2000:]
    assert result.stdout.split() == ["256", "True", "True"]


@pytest.mark.parametrize("quantization", [name for name in CONVERTED if name not in USABLE])
def test_what_ends_llama_cpps_process_is_refused(
    quantization: str, whole: Path, ours: Made, theirs: Path, tmp_path: Path
) -> None:
    seen = see(only(ours("F16"), "gemma3n"), theirs / f"mmproj-{quantization}.gguf")
    assert seen.returncode == -signal.SIGABRT
    with pytest.raises(UnsupportedError, match=f"cannot compute with a {quantization} projector"):
        convert(ConvertJob(whole, tmp_path / "out", (), ("Q8_0",), quantization))


def test_what_is_left_out_is_said(whole: Path, tmp_path: Path) -> None:
    result: ConvertResult = convert(ConvertJob(whole, tmp_path, (), ("Q8_0",)))
    assert [output.kind for output in result.outputs][:2] == ["text", "projector"]
    assert [line for line in result.warnings if line.startswith("no ears: ")]


def changed(whole: Path, folder: Path, name: str, tensor: torch.Tensor | None) -> Path:
    made = rename(whole, folder, lambda name: name)
    weights = load_file(whole / WEIGHTS)
    if tensor is None:
        del weights[name]
    else:
        weights[name] = tensor
    save_file(weights, made / WEIGHTS, metadata={"format": "pt"})
    return made


INSIDE = "model.vision_tower.timm_model."


def test_another_tower_is_refused(whole: Path, tmp_path: Path) -> None:
    missing = changed(whole, tmp_path / "missing", f"{INSIDE}blocks.2.17.attn.key.norm.weight", None)
    with pytest.raises(FileError, match=r"has no vision_tower\.timm_model\.blocks\.2\.17\.attn\.key\.norm"):
        convert(ConvertJob(missing, tmp_path / "out"))
    further = changed(whole, tmp_path / "further", f"{INSIDE}blocks.4.0.bn1.weight", torch.ones(24))
    with pytest.raises(UnsupportedError, match=r"blocks\.4\.0\.bn1\.weight has no place in llama.cpp's projector"):
        convert(ConvertJob(further, tmp_path / "out"))
    other = changed(whole, tmp_path / "other", f"{INSIDE}conv_stem.conv.weight", torch.ones(24, 3, 5, 5))
    with pytest.raises(FileError, match=r"config\.json belongs to another model"):
        convert(ConvertJob(other, tmp_path / "out"))
    values = json.loads((whole / "config.json").read_text())
    blind = changed(whole, tmp_path / "blind", f"{INSIDE}conv_stem.conv.weight", None)
    (blind / "config.json").write_text(json.dumps(values | {"vision_config": None}))
    with pytest.raises(UnsupportedError, match="has no place in llama"):
        convert(ConvertJob(blind, tmp_path / "out"))
