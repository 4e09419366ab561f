"""Ask llama.cpp what a GGUF would take, without its weights.

Usage: python dry_run.py FILE CONTEXT UBATCH OUTPUTS TYPE SWA_FULL

Prints one JSON object: the sizes in MiB that llama.cpp logs. A process of its own: llama.cpp aborts on mistakes.
"""

from __future__ import annotations

import ctypes
import json
import re
import subprocess
import sys
from pathlib import Path

_KV = re.compile(r"size =\s*([\d.]+) MiB \(\s*(\d+) cells,\s*(\d+) layers")
_COMPUTE = re.compile(r"CPU compute buffer size =\s*([\d.]+) MiB")


def ask(
    file: Path, context: int, ubatch: int = 512, outputs: int = 1, cache: str = "F16", swa_full: bool = False
) -> dict[str, list[float]]:
    """Return llama.cpp's own `{kv: [full, sliding], cells: [...], compute: [...]}`."""
    words = [sys.executable, __file__, str(file), *map(str, (context, ubatch, outputs, cache, int(swa_full)))]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    answer: dict[str, list[float]] = json.loads(done.stdout)
    return answer


def main(file: str, context: int, ubatch: int, outputs: int, cache: str, swa_full: bool) -> None:
    import gguf
    import llama_cpp

    lines: list[str] = []

    @llama_cpp.llama_log_callback
    def log(_level: int, text: bytes, _user: object) -> None:
        lines.append(text.decode(errors="replace"))

    llama_cpp.llama_log_set(log, ctypes.c_void_p(0))
    llama_cpp.llama_backend_init()
    settings = llama_cpp.llama_model_default_params()
    # A dry run asserts under mmap: load mode NONE.
    settings.no_alloc, settings.load_mode = True, 0
    model = llama_cpp.llama_model_load_from_file(file.encode(), settings)
    wanted = llama_cpp.llama_context_default_params()
    wanted.n_ctx, wanted.n_batch, wanted.n_ubatch, wanted.n_outputs_max = context, ubatch, ubatch, outputs
    wanted.type_k = wanted.type_v = gguf.GGMLQuantizationType[cache].value
    wanted.swa_full, wanted.flash_attn_type = swa_full, 1
    if not model or not llama_cpp.llama_init_from_model(model, wanted):
        sys.exit("".join(lines))
    said = "".join(lines)
    pools = _KV.findall(said)
    print(
        json.dumps(
            {
                "kv": [float(size) for size, _, _ in pools],
                "cells": [int(cells) for _, cells, _ in pools],
                "compute": [float(size) for size in _COMPUTE.findall(said)],
            }
        )
    )


if __name__ == "__main__":
    main(sys.argv[1], *map(int, sys.argv[2:5]), sys.argv[5], bool(int(sys.argv[6])))  # type: ignore[call-arg]
