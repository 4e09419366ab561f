"""Everything needed to run a folder of ONNX files; the counterpart of `Plan`."""

from dataclasses import dataclass
from pathlib import Path

# Tokens of a run; the engine takes fewer where a graph computes logits after each of them.
BATCH = 512


@dataclass(frozen=True)
class OnnxPlan:
    """How to run one folder; nothing in it is decided a second time."""

    # The folder that holds config.json and onnx/.
    model: Path
    # Which of the folder's files: fp32, fp16, int8, q4 or q4f16, as `onnx/*_q4.onnx`.
    precision: str
    # Tokens that the cache may grow to.
    context: int = 8192
    # onnxruntime's name of what computes: CPUExecutionProvider and others.
    provider: str = "CPUExecutionProvider"
    # An adapter that was kept apart, to be switched on.
    adapter: Path | None = None
    # None lets the engine take the machine's physical cores.
    threads: int | None = None
