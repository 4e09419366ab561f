"""`edgekit convert` against the usual chain, on the same checkpoint and adapter in the same run.

Usage: python benchmarks/convert.py FOLDER [--small] [--quant Q4_K_M] [--cold] [--runs N]

The chain is peft's merge, llama.cpp's converter and llama.cpp's quantizer. FOLDER keeps the checkpoint for the next run
(E2B: 9.3 GB, and 26 GB more while the chain runs); what was converted is deleted. Needs what the tests need: the
oracles and .oracles/llama.cpp. Linux only.
"""

from __future__ import annotations

import argparse
import os
import shutil
import sys
from collections.abc import Iterable
from pathlib import Path

from measured_process import Measured, measure
from synthetic_checkpoint import small, write_checkpoint

from edgekit.catalog.load import variants
from edgekit.gguf_header import read_header

_CONVERTER = Path(__file__).parent.parent / ".oracles" / "llama.cpp" / "convert_hf_to_gguf.py"
_MERGE = """
import sys, torch
from peft import PeftModel
from transformers import AutoModelForImageTextToText
model = AutoModelForImageTextToText.from_pretrained(sys.argv[1], dtype=torch.bfloat16)
PeftModel.from_pretrained(model, sys.argv[2]).merge_and_unload().save_pretrained(sys.argv[3])
"""
_QUANTIZE = """
import ctypes, os, sys
import llama_cpp
settings = llama_cpp.llama_model_quantize_default_params()
settings.nthread = len(os.sched_getaffinity(0))
settings.ftype = getattr(llama_cpp, "LLAMA_FTYPE_MOSTLY_" + sys.argv[3])
sys.exit(llama_cpp.llama_model_quantize(sys.argv[1].encode(), sys.argv[2].encode(), ctypes.byref(settings)))
"""


def run_chain(checkpoint: Path, adapter: Path, work: Path, quantization: str) -> dict[str, Measured]:
    """Run the three steps, and return each; the result is FOLDER/chain.gguf."""
    merged, whole, result = work / "merged", work / "bf16.gguf", work / "chain.gguf"
    steps = {"merge (peft)": measure([sys.executable, "-c", _MERGE, checkpoint, adapter, merged], work / "merge.log")}
    for path in checkpoint.glob("tokenizer*.json"):
        shutil.copy(path, merged / path.name)
    line = [sys.executable, _CONVERTER, merged, "--outfile", whole, "--outtype", "bf16"]
    steps["convert (llama.cpp)"] = measure(line, work / "convert.log")
    shutil.rmtree(merged)
    line = [sys.executable, "-c", _QUANTIZE, whole, result, quantization]
    steps["quantize (llama.cpp)"] = measure(line, work / "quantize.log")
    whole.unlink()
    return steps


def run_edgekit(checkpoint: Path, adapter: Path, work: Path, quantization: str) -> Measured:
    """Run edgekit; the result is FOLDER/edgekit/x-QUANTIZATION.gguf."""
    line = [sys.executable, "-m", "edgekit", "convert", checkpoint, "--adapter", adapter, "--quant", quantization]
    return measure([*line, "--name", "x", "--out", work / "edgekit"], work / "edgekit.log")


def read_once(folders: Iterable[Path], *, cold: bool) -> None:
    """Put the files into the page cache, or out of it."""
    for path in (path for folder in folders for path in folder.iterdir()):
        with path.open("rb") as file:
            if cold:
                os.fsync(file.fileno())
                os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
            else:
                while file.read(1 << 24):
                    pass


def compare(checkpoint: Path, adapter: Path, work: Path, quantization: str, *, cold: bool) -> None:
    """Run both ways and print the table and the ratios."""
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir()
    try:
        read_once((checkpoint, adapter), cold=cold)
        ours = run_edgekit(checkpoint, adapter, work, quantization)
        read_once((checkpoint, adapter), cold=cold)
        steps = run_chain(checkpoint, adapter, work, quantization)
        made, theirs = work / "edgekit" / f"x-{quantization}.gguf", work / "chain.gguf"
        show(ours, steps, made.stat().st_size, "cold" if cold else "warm")
        types = [{name: place.type for name, place in read_header(path).tensors.items()} for path in (made, theirs)]
        shared = sorted(types[0].keys() & types[1].keys())
        others = [name for name in shared if types[0][name] != types[1][name]]
        # peft's merge leaves out projections that no layer uses, and llama.cpp counts layers by those that are there.
        print(f"same type in both: {len(shared) - len(others)} of {len(shared)} tensors; not {others}\n")
    finally:
        shutil.rmtree(work, ignore_errors=True)


def show(ours: Measured, steps: dict[str, Measured], size: int, cache: str) -> None:
    """Print what was measured and how the two ways compare."""
    first, *others = steps.values()
    chain = sum(others, start=first)
    cores = len(os.sched_getaffinity(0))
    print(f"{cache} cache, {cores} cores{'':12} wall s   CPU s  anonymous MB  written MB")
    for name, took in {**steps, "the chain": chain, "edgekit": ours}.items():
        memory, written = took.anonymous / 1e6, took.written / 1e6
        print(f"{name:30} {took.wall:8.1f} {took.processor:7.1f} {memory:13.0f} {written:11.0f}")
    floor = steps["quantize (llama.cpp)"].processor / cores
    print(f"wall time of the chain's:                  {ours.wall / chain.wall:.3f}")
    print(f"wall time of the quantizer's CPU / cores:  {ours.wall / floor:.3f}")
    print(f"bytes written of the result's {size / 1e6:.0f} MB:  {ours.written / size:.3f}")


def main() -> None:
    """Make the checkpoint where it is missing, then compare."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--small", action="store_true", help="a reduced shape, a minute in all")
    parser.add_argument("--quant", default="Q4_K_M")
    parser.add_argument("--cold", action="store_true", help="with the source out of the page cache")
    parser.add_argument("--runs", type=int, default=1)
    asked = parser.parse_args()
    shape = next(one.shape for one in variants() if one.name == "E2B")
    checkpoint = asked.folder / ("small" if asked.small else "E2B")
    adapter = checkpoint.with_name(f"{checkpoint.name}-lora")
    if not (adapter / "adapter_config.json").exists():
        shutil.rmtree(checkpoint, ignore_errors=True)
        shutil.rmtree(adapter, ignore_errors=True)
        write_checkpoint(small(shape) if asked.small else shape, checkpoint)
    for _ in range(asked.runs):
        compare(checkpoint, adapter, asked.folder / "work", asked.quant, cold=asked.cold)


if __name__ == "__main__":
    main()
