"""llama.cpp's own converter, at the commit of the installed bindings, in a process of its own."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

SOURCE = Path(__file__).parents[2] / ".oracles" / "llama.cpp"
# One process for many conversions: most of its time goes into importing torch. The script finds gguf-py beside itself.
_DRIVER = """
import json, sys
sys.path.insert(0, sys.argv[1])
import convert_hf_to_gguf
for arguments in json.loads(sys.argv[2]):
    sys.argv = ["convert_hf_to_gguf.py", *arguments]
    convert_hf_to_gguf.main()
"""
PROJECTOR = "mmproj-"


def llama_convert(
    checkpoint: Path,
    folder: Path,
    quantizations: Sequence[str],
    projectors: Sequence[str] = (),
    options: Sequence[str] = (),
) -> Path:
    """Convert a checkpoint as `convert_hf_to_gguf.py --outtype Q [--mmproj]` does to Q.gguf and mmproj-Q.gguf."""
    assert (SOURCE / "convert_hf_to_gguf.py").is_file(), "the oracle is missing: run tests/oracles/fetch.py"
    folder.mkdir(parents=True, exist_ok=True)
    runs = [[*_arguments(checkpoint, name, folder / f"{name}.gguf"), *options] for name in quantizations]
    runs += [[*_arguments(checkpoint, name, folder / f"{PROJECTOR}{name}.gguf"), "--mmproj"] for name in projectors]
    line = [sys.executable, "-c", _DRIVER, str(SOURCE), json.dumps(runs)]
    result = subprocess.run(line, capture_output=True, text=True, timeout=600, check=False)
    assert result.returncode == 0, result.stderr[-3000:]
    return folder


def _arguments(checkpoint: Path, quantization: str, out: Path) -> list[str]:
    return [str(checkpoint), "--outtype", quantization.lower(), "--outfile", str(out)]
