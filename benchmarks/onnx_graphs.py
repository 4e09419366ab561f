"""The ONNX graphs of a full-size E2B: what making them takes, and how fast onnxruntime answers beside llama.cpp.

Usage: python benchmarks/onnx_graphs.py FOLDER [--small] [--rounds N] [--keep]

The checkpoint of noise in FOLDER (E2B: 9.3 GB) is made where it is missing and stays. It becomes q4 graphs and a Q4_0
GGUF (7 GB together) within the usual budget of 1 GB of memory; then both answer in turns, on the same number of
threads. Wants a quiet machine for the rates; the ratio of turns is fair on a busy one.
"""

from __future__ import annotations

import argparse
import os
import shutil
import sys
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median

import llama_cpp
import numpy as np
import onnxruntime
from measured_process import measure
from synthetic_checkpoint import small, write_checkpoint

from edgekit.catalog.load import variants
from edgekit.engine import native
from edgekit.hardware.probe import probe

_CONTEXT = 512
_PROMPT = 128
# Tokens of one turn.
_TURN = 8
Step = Callable[[int], None]


def converted(checkpoint: Path, out: Path, *options: str) -> Path:
    """Convert and print what it took."""
    line = [sys.executable, "-m", "edgekit", "convert", checkpoint, "--projector", "none", "--out", out, *options]
    took = measure(line, out.with_suffix(".log"))
    size = sum(path.stat().st_size for path in out.rglob("*") if path.is_file())
    print(
        f"{' '.join(options):28} wall {took.wall:6.1f} s, CPU {took.processor:6.1f} s, "
        f"anonymous {took.anonymous / 1e6:4.0f} MB, {size / 1e9:.2f} GB written",
        flush=True,
    )
    return out


def onnx_step(folder: Path, threads: int) -> Step:
    """Return what computes the next token with onnxruntime, after a prompt."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    # Otherwise its threads keep the cores busy while the other side has its turn.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    embed, decoder = (
        onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
        for path in (folder / "onnx" / f"{name}_q4.onnx" for name in ("embed_tokens", "decoder_model_merged"))
    )
    past = {
        one.name: np.zeros([1, one.shape[1], 0, one.shape[3]], np.float32)
        for one in decoder.get_inputs()
        if one.name.startswith("past_key_values.")
    }
    names = [one.name.replace("present", "past_key_values") for one in decoder.get_outputs()[1:]]

    def run(ids: list[int]) -> None:
        found = dict(zip((one.name for one in embed.get_outputs()), embed.run(None, {"input_ids": [ids]}), strict=True))
        mask = np.ones((1, next(iter(past.values())).shape[2] + len(ids)), np.int64)
        _, *present = decoder.run(
            None, {**found, **past, "attention_mask": mask, "num_logits_to_keep": np.array(1, np.int64)}
        )
        past.update(zip(names, present, strict=True))

    run(list(range(100, 100 + _PROMPT)))
    return lambda token: run([token])


def llama_step(path: Path, threads: int) -> Step:
    """Return what computes the next token with llama.cpp, after a prompt."""
    native.start()
    model = llama_cpp.Llama(str(path), n_ctx=_CONTEXT, n_threads=threads, n_threads_batch=threads, verbose=False)
    model.eval(list(range(100, 100 + _PROMPT)))
    return lambda token: model.eval([token])


def rate(step: Step) -> float:
    """Return tokens per second of one turn."""
    start = time.perf_counter()
    for token in range(_TURN):
        step(500 + token)
    return _TURN / (time.perf_counter() - start)


def main() -> None:
    """Convert, then answer in turns."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--small", action="store_true", help="a reduced shape, a minute in all")
    parser.add_argument("--rounds", type=int, default=8)
    parser.add_argument("--keep", action="store_true", help="leave what was converted, and take it where it is there")
    asked = parser.parse_args()
    shape = next(one.shape for one in variants() if one.name == "E2B")
    checkpoint, work = asked.folder / ("small" if asked.small else "E2B"), asked.folder / "onnx-work"
    if not (checkpoint / "config.json").exists():
        write_checkpoint(small(shape) if asked.small else shape, checkpoint)
    try:
        work.mkdir(exist_ok=True)
        onnx, gguf = work / f"{checkpoint.name}-ONNX", work / f"{checkpoint.name}-GGUF"
        if not (onnx / "config.json").exists():
            converted(checkpoint, onnx, "--to", "onnx", "--quant", "q4")
        if not list(gguf.glob("*.gguf")):
            converted(checkpoint, gguf, "--quant", "Q4_0")
        threads = probe().processor.physical_cores
        steps = {"onnxruntime": onnx_step(onnx, threads), "llama.cpp": llama_step(next(gguf.glob("*.gguf")), threads)}
        rates: dict[str, list[float]] = {name: [] for name in steps}
        for _ in range(asked.rounds):
            for name, step in steps.items():
                rates[name].append(rate(step))
    finally:
        if not asked.keep:
            shutil.rmtree(work, ignore_errors=True)
    print(f"decode on {threads} threads after {_PROMPT} tokens, load average {os.getloadavg()[0]:.1f}")
    for name, found in rates.items():
        print(f"{name:14} {median(found):6.2f} tokens/s in the middle, {max(found):6.2f} at best")
    pairs = zip(rates["onnxruntime"], rates["llama.cpp"], strict=True)
    print(f"onnxruntime q4 of llama.cpp Q4_0, turn by turn: {median(one / other for one, other in pairs):.2f}")


if __name__ == "__main__":
    main()
