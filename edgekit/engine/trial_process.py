"""A process of its own in which llama.cpp opens files that it has not seen before; started by edgekit/engine/trial.py.

Reads one JSON object on stdin and writes a line of JSON to stdout before each step, so that the one
in which native code ended the process is known, and one with the answer.
"""

from __future__ import annotations

import json
import os
import sys
import threading
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any, TextIO

from edgekit.engine import native
from edgekit.engine.dry_run import DryRun, dry_run
from edgekit.engine.native import llama
from edgekit.engine.vocabulary import LlamaVocabulary
from edgekit.errors import EdgekitError, UnsupportedError
from edgekit.fit.settings import Settings

# Letters, digits, spaces, lines, and what no vocabulary has: a tokenizer meets each kind.
_TEXT = "Hello, world 42!\n\n\tGrüße, 世界 🙂 \u200b<|turn>\ufffd"


def main() -> None:
    """Answer the one request."""
    # What native code prints is none of the answer.
    out = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    request = json.load(sys.stdin)
    answer: dict[str, Any]
    try:
        answer = {"buffers": _try(request, out)}
    except (EdgekitError, MemoryError) as problem:
        answer = {"kind": type(problem).__name__, "problem": str(problem)}
    _tell(out, answer)
    # What libraries do when a process ends is no fault of the file.
    os._exit(0)


def _tell(out: TextIO, line: dict[str, Any]) -> None:
    print(json.dumps(line), file=out, flush=True)


def _try(request: dict[str, Any], out: TextIO) -> list[dict[str, int] | None]:
    native.start()
    _limit(request["seconds"], request["memory"])
    asked = [Settings(**one) for one in request["settings"]]
    _tell(out, {"step": "model"})
    with dry_run(Path(request["model"]), repack=asked[0].repack) as run:
        if request["talk"]:
            _talk(Path(request["model"]), run)
        found = [_buffers(run, settings) for settings in asked]
        if not any(found):
            # Says why.
            with run.context(asked[0]):
                pass
        if request["projector"]:
            _tell(out, {"step": "projector"})
            _encode(Path(request["projector"]), run, flash_attention=asked[0].flash_attention)
        if request["drafter"]:
            _tell(out, {"step": "drafter"})
            _draft(Path(request["drafter"]), run, asked[0])
    return found


def _limit(seconds: int, memory: int) -> None:
    try:
        import resource
    except ImportError:
        # Windows: only the one who waits for this process limits it.
        return
    # What Python and the libraries have mapped is no fault of the file; elsewhere than on Linux it is not known.
    limits = {resource.RLIMIT_CORE: 0, resource.RLIMIT_CPU: seconds}
    with suppress(OSError):
        pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[0])
        limits[resource.RLIMIT_AS] = pages * resource.getpagesize() + memory
    for kind, value in limits.items():
        # A limit that is lower already stays.
        with suppress(ValueError, OSError):
            resource.setrlimit(kind, (value, value))


def _talk(path: Path, run: DryRun) -> None:
    # Without one, llama.cpp ends the process when it is asked for tokens.
    if llama.llama_vocab_type(llama.llama_model_get_vocab(run.model)) == llama.LLAMA_VOCAB_TYPE_NONE:
        raise UnsupportedError(f"{path} has no vocabulary: it cannot be talked to")
    vocabulary = LlamaVocabulary(run.model)
    for token in vocabulary.tokenize(_TEXT)[:64]:
        vocabulary.piece(token)


def _buffers(run: DryRun, settings: Settings) -> dict[str, int] | None:
    try:
        with run.context(settings) as tried:
            return asdict(tried.buffers)
    except UnsupportedError:
        return None


def _encode(path: Path, run: DryRun, *, flash_attention: bool) -> None:
    """Let the towers see and hear next to nothing: what their tensors do to each other shows only then."""
    import numpy as np

    from edgekit.engine.media import CELL, SAMPLE_RATE, Picture, Sound
    from edgekit.engine.projector import Projector

    projector = Projector(path, run.model, threads=1, flash_attention=flash_attention, gpu=False)
    try:
        if projector.takes_pictures:
            picture = Picture(np.zeros((CELL, 2 * CELL, 3), np.uint8))
            projector.encode(projector.prepare(picture), threading.Event())
        if projector.takes_sound:
            sound = Sound(np.zeros(SAMPLE_RATE // 4, np.float32))
            projector.encode(projector.prepare(sound), threading.Event())
    finally:
        projector.close()


def _draft(path: Path, target: DryRun, settings: Settings) -> None:
    with dry_run(path) as drafter, target.context(settings) as made, drafter.context(settings, made.context):
        pass


if __name__ == "__main__":
    main()
