"""Everything needed to run a folder of ONNX files; the counterpart of `Plan`."""

from dataclasses import dataclass
from pathlib import Path


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
    # None lets the engine take the machine's physical cores.
    threads: int | None = None
