"""Give edgekit one input after the other that is spoiled at random, and say which it does not refuse as it should.

`python mutated_inputs.py FOLDER KIND FIRST LAST`: FOLDER holds what `prepare` made. A process of its own, with limits
on memory and processor time: native code might end it or never come back. Prints a JSON object.
"""

from __future__ import annotations

import io
import json
import random
import resource
import shutil
import signal
import sys
import tempfile
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from mutations import spoiled_bytes, spoiled_json, spoiled_safetensors
from typer.main import get_command

from edgekit.cli import output
from edgekit.cli.app import app
from edgekit.convert.checkpoint import INDEX
from edgekit.convert.imatrix_writer import write_imatrix, write_legacy_imatrix
from edgekit.convert.job import ConvertJob, convert
from edgekit.convert.safetensors import SafetensorsFile
from edgekit.engine.imatrix import Squares
from edgekit.errors import EdgekitError
from edgekit.gguf_header import read_header

# The command without what turns its errors into lines; made once, since that takes longer than most refusals.
_EDGEKIT = get_command(app)
Spoil = Callable[[bytes, random.Random], bytes]
# More than one input needs; a file that asks for much more must not get it.
_MEMORY = 1 << 30
_SECONDS = 20
# Where a GGUF's counts, types and lengths lie, and where those of its tensors: between them are the tokens.
_HEAD, _TAIL = 3000, 60_000

CHECKPOINT = (
    *("config.json", "tokenizer.json", "tokenizer_config.json", "generation_config.json", "processor_config.json"),
    *("preprocessor_config.json", "model.safetensors", "model.safetensors.index.json"),
)
ADAPTER = ("adapter_config.json", "adapter_model.safetensors")
IMATRIX = ("imatrix.gguf", "imatrix.dat")
GGUF = ("model.gguf", "mmproj.gguf")
KINDS = (*CHECKPOINT, *ADAPTER, *IMATRIX, *GGUF)


def _spoiled_gguf(data: bytes, dice: random.Random) -> bytes:
    if dice.random() < 0.5:
        return spoiled_bytes(data, dice, _HEAD)
    start = data.rindex(b"output_norm.weight") - _TAIL // 2 if b"output_norm.weight" in data else 0
    start = max(0, start)
    return data[:start] + spoiled_bytes(data[start:], dice, _TAIL)


def _spoiled_imatrix(data: bytes, dice: random.Random) -> bytes:
    return spoiled_bytes(data, dice, dice.choice((300, 4000, len(data))))


def _spoil_of(kind: str) -> Spoil:
    if kind in IMATRIX:
        return _spoiled_imatrix
    return {".json": spoiled_json, ".safetensors": spoiled_safetensors, ".gguf": _spoiled_gguf}[Path(kind).suffix]


def _commands(kind: str, folder: Path, dice: random.Random) -> list[list[str]]:
    """Return the commands that read a kind of file, with other options each time."""
    checkpoint, adapter = str(folder / "checkpoint"), str(folder / "adapter")
    convert = ["convert", checkpoint, "--out", str(folder / "out"), "--yes"]
    # Most refusals come before the first byte is written; some inputs are read only later.
    convert += ["--dry-run"] if dice.random() < 0.8 else []
    as_json = dice.choice(([], ["--json"]))
    if kind in CHECKPOINT:
        return [[*convert, *as_json], ["inspect", checkpoint, *as_json]]
    if kind in ADAPTER:
        to = ["--to", dice.choice(("gguf", "safetensors")), *dice.choice(([], ["--allow-unmerged"]))]
        return [[*convert, *as_json, "--adapter", adapter, *to], ["inspect", adapter, checkpoint, *as_json]]
    file = str(folder / kind)
    if kind in IMATRIX:
        return [[*convert, "--imatrix", file, "--quant", "IQ2_M", "--projector", "none"]]
    partner = str(folder / {"model.gguf": "mmproj.gguf", "mmproj.gguf": "model.gguf"}[kind])
    return [
        ["inspect", file, *as_json],
        ["inspect", *dice.choice(([file, partner], [partner, file])), *as_json],
        ["inspect", file, str(folder / f"whole-{kind}"), *as_json],
        ["modelfile", str(folder / "model.gguf"), "--projector", str(folder / "mmproj.gguf")],
    ]


def _complaint(command: list[str]) -> tuple[bool, str]:
    """Run a command; return whether it went well and, where it ended otherwise than it should, how."""
    said, told = _Stream(), _Stream()
    streams, (sys.stdout, sys.stderr) = (sys.stdout, sys.stderr), (said, told)
    done = True
    try:
        _EDGEKIT(args=command, prog_name="edgekit")
    except SystemExit as end:
        if end.code:
            return False, f"exit code {end.code}: {told.text()[-400:]}"
    except EdgekitError as problem:
        done = False
        told.truncate(told.seek(0))
        output.error(str(problem))
        if told.text().count("\n") != 1:
            return False, f"not one line: {told.text()!r}"
    except BaseException:
        return False, traceback.format_exc()
    finally:
        sys.stdout, sys.stderr = streams
    return done, _wrong_text(said.text(), is_json="--json" in command and done) or _wrong_text(told.text())


def _wrong_text(text: str, *, is_json: bool = False) -> str:
    if is_json:
        try:
            json.loads(text, parse_constant=_no_json)
        except ValueError as problem:
            return f"no JSON ({problem}): {text[-400:]}"
    # What a file holds must not reach the terminal as orders to it.
    return "" if is_json or text.replace("\n", "").isprintable() else f"no plain text: {text!r}"


def _no_json(constant: str) -> None:
    raise ValueError(constant)


class _Stream(io.TextIOWrapper):
    """As strict as a real one: takes nothing that UTF-8 does not have."""

    def __init__(self) -> None:
        super().__init__(io.BytesIO(), encoding="utf-8", write_through=True)

    def text(self) -> str:
        self.flush()
        return self.buffer.getvalue().decode()  # type: ignore[attr-defined]


def _limit() -> int:
    """Limit memory to somewhat more than is in use; return the most resident memory so far, in KiB."""
    size = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (size + _MEMORY, size + _MEMORY))
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def _run(folder: Path, kind: str, numbers: range) -> dict[str, Any]:
    path = next(p for p in (folder / kind, folder / "checkpoint" / kind, folder / "adapter" / kind) if p.exists())
    out, whole, spoil = folder / "out", path.read_bytes(), _spoil_of(kind)
    for command in _commands(kind, folder, random.Random(0)):
        assert _complaint(command) == (True, ""), command
    shutil.rmtree(out, ignore_errors=True)
    complaints, taken, before = {}, 0, _limit()
    for number in numbers:
        # Said before: of a crash it is all that is known.
        print(f"{kind} {number}", file=sys.stderr, flush=True)
        dice = random.Random(f"{kind} {number}")
        path.write_bytes(spoil(whole, dice))
        command = dice.choice(_commands(kind, folder, dice))
        signal.setitimer(signal.ITIMER_PROF, _SECONDS)
        done, complaint = _complaint(command)
        taken += done
        if not done and out.exists():
            complaint = f"{complaint}\nleft {list(out.iterdir())}"
        if complaint:
            complaints[f"{kind} {number} {command[0]}"] = complaint
        shutil.rmtree(out, ignore_errors=True)
    signal.setitimer(signal.ITIMER_PROF, 0)
    used = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    return {"complaints": complaints, "taken": taken, "tried": len(numbers), "memory": used << 10}


def prepare(folder: Path, checkpoint: Path, adapter: Path | None = None) -> Path:
    """Put one sound file of each kind into a new folder, made from a checkpoint."""
    shutil.copytree(checkpoint, folder / "checkpoint", copy_function=shutil.copyfile)
    if adapter:
        shutil.copytree(adapter, folder / "adapter", copy_function=shutil.copyfile)
    for made in convert(ConvertJob(checkpoint, folder / "made")).outputs:
        name = {"text": "model.gguf", "drafter": "model.gguf", "projector": "mmproj.gguf"}.get(made.kind)
        if name:
            shutil.copyfile(made.path, folder / name)
            shutil.move(made.path, folder / f"whole-{name}")
    shutil.rmtree(folder / "made")
    squares = {
        tensor.name: Squares(np.ones((1, tensor.shape[-1])), np.full(1, 9))
        for tensor in read_header(folder / "model.gguf").tensors.values()
        if tensor.name.startswith("blk.") and len(tensor.shape) == 2
    }
    for name, write in zip(IMATRIX, (write_imatrix, write_legacy_imatrix), strict=True):
        write(folder / name, squares, ["a text"], 3, 64)
    weights = folder / "checkpoint" / "model.safetensors"
    with SafetensorsFile(weights) as file:
        index = {"metadata": {}, "weight_map": dict.fromkeys(file.entries, weights.name)}
    (weights.parent / INDEX).write_text(json.dumps(index))
    return folder


def run(source: Path, kind: str, first: int, last: int) -> None:
    """Try the inputs numbered so in a copy of the folder."""
    with tempfile.TemporaryDirectory() as scratch:
        folder = shutil.copytree(source, Path(scratch) / "copy")
        print(json.dumps(_run(folder, kind, range(first, last))))


if __name__ == "__main__":
    run(Path(sys.argv[1]), sys.argv[2], int(sys.argv[3]), int(sys.argv[4]))
