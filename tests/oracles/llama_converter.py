"""llama.cpp's own converter, at the commit of the installed bindings, in a process of its own."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

SOURCE = Path(__file__).parents[2] / ".oracles" / "llama.cpp"


def llama_convert(checkpoint: Path, outtype: str, out: Path, *, projector: bool = False) -> Path:
    """Convert `checkpoint` as `convert_hf_to_gguf.py --outtype` does (with --mmproj for the projector); return `out`."""
    script = SOURCE / "convert_hf_to_gguf.py"
    assert script.is_file(), "the oracle is missing: run `python tests/oracles/fetch.py` (make test does)"
    line = [sys.executable, str(script), str(checkpoint), "--outtype", outtype.lower(), "--outfile", str(out)]
    # gguf-py of the same commit is found beside the script; what is installed is never newer than that.
    result = subprocess.run(line + ["--mmproj"] * projector, capture_output=True, text=True, timeout=300, check=False)
    assert result.returncode == 0, result.stderr[-3000:]
    assert out.is_file(), result.stderr[-3000:]
    return out
