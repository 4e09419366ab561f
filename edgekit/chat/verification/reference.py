"""What transformers makes of the checkpoint and peft of the adapters, where they are installed and have the room."""

from __future__ import annotations

import json
import math
import os
import subprocess
import sys
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path

import numpy as np

from edgekit.chat.verification.answers import Answer
from edgekit.chat.verification.divergence import Floats
from edgekit.convert.checkpoint import Checkpoint
from edgekit.convert.job import ConvertJob
from edgekit.errors import EdgekitError
from edgekit.hardware.probe import probe

_PROCESS = "edgekit.chat.verification.peft_process"
_NEEDED = ("torch", "transformers", "peft")
_GIB = 1 << 30
# Weights in float32, and what merging one of them and computing with all takes besides.
_BYTES_EACH, _SPARE = 4, 1.5


class NotAskedError(EdgekitError):
    """transformers was not asked; the message says why."""


class Reference:
    """Log-probabilities by transformers along the paths of answers to texts: of the base, and of it merged."""

    def __init__(self, job: ConvertJob, answers: Sequence[Answer], scratch: Path) -> None:
        """Ask them; NotAskedError where that cannot be."""
        _check_possible(job)
        # Pictures and sounds go through processors of their own: texts show whether a merge is right.
        self.numbers = [number for number, answer in enumerate(answers) if answer.tokens]
        texts = [(answers[number].tokens or (), answers[number].path) for number in self.numbers]
        out = scratch / "reference.npz"
        request = {
            "checkpoint": str(job.checkpoint.resolve()),
            "adapters": [str(adapter.resolve()) for adapter in job.adapters],
            "texts": [[*tokens, *path] for tokens, path in texts],
            "starts": [len(tokens) for tokens, _ in texts],
            "out": str(out.resolve()),
        }
        _run(json.dumps(request))
        with np.load(out) as found:
            self.base: list[Floats] = [found[f"base{number}"] for number in range(len(texts))]
            self.merged: list[Floats] = [found[f"merged{number}"] for number in range(len(texts))]
        out.unlink()


def _check_possible(job: ConvertJob) -> None:
    missing = [name for name in _NEEDED if not find_spec(name)]
    if missing:
        raise NotAskedError(f"not compared with transformers and peft: {', '.join(missing)} not installed here")
    if any(weight != 1 for weight in job.adapter_weights):
        raise NotAskedError("not compared with transformers and peft: peft merges an adapter as a whole")
    with Checkpoint(job.checkpoint) as checkpoint:
        count = sum(math.prod(weight.shape) for weight in checkpoint.weights.values())
    needed, free = round(count * _BYTES_EACH * _SPARE), probe().memory.available
    if needed > free:
        raise NotAskedError(
            f"not compared with transformers and peft: they need {needed / _GIB:.1f} GiB of memory for this model, "
            f"and {free / _GIB:.1f} are free"
        )


def _run(request: str) -> None:
    command = [sys.executable, "-m", _PROCESS]
    # All of it lies here: nothing is looked up anywhere.
    environment = os.environ | {"HF_HUB_OFFLINE": "1"}
    done = subprocess.run(command, input=request, capture_output=True, text=True, check=False, env=environment)
    if done.returncode:
        said = done.stderr.strip().splitlines() or [f"ended with {done.returncode}"]
        raise NotAskedError(f"not compared with transformers and peft: {said[-1]}")
