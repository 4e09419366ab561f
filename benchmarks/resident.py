"""Resident memory of a real E2B Q4_K_M in edgekit's own engine, beside edgekit's estimate.

Usage: python benchmarks/resident.py [--model FILE.gguf]

Without --model, 3.4 GB of noise in E2B's shape are written to a temporary folder. Each row is a process that
opens the model, reads a whole batch and has one turn in the chat application, whose screen nobody sees; then its own
/proc/self/smaps is read: anonymous memory of the process, and the pages of the model's file. Linux only.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import subprocess
import sys
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from synthetic_model import write_synthetic

from edgekit.fit.estimate import estimate
from edgekit.fit.plan import Plan
from edgekit.fit.recognized import recognized
from edgekit.fit.settings import Settings
from edgekit.gguf_header import read_header
from edgekit.hardware.probe import probe

if TYPE_CHECKING:
    from edgekit.engine.engine import Engine

# Seconds for a turn.
_PATIENCE = 120
MIB = 1 << 20
SETTINGS = [
    Settings(context=context, batch=ubatch, ubatch=ubatch, repack=repack, cache_type_k=cache, cache_type_v=cache)
    for context, ubatch, repack, cache in (
        (4096, 512, False, "F16"),
        (4096, 512, True, "F16"),
        (4096, 128, False, "F16"),
        (32768, 512, False, "F16"),
        (32768, 512, False, "Q8_0"),
    )
]


def main() -> None:
    """Print predicted and measured memory of each setting, and the worst error."""
    arguments = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    arguments.add_argument("--model", type=Path)
    arguments.add_argument("--child", help=argparse.SUPPRESS)
    given = arguments.parse_args()
    if given.child:
        print(json.dumps(resident(given.model, Settings(**json.loads(given.child)))))
        return
    with tempfile.TemporaryDirectory() as folder:
        compare(given.model or write_synthetic("E2B", "Q4_K_M", Path(folder) / "gemma-4-E2B-it-Q4_K_M.gguf"))


def compare(model: Path) -> None:
    """Print a table of MiB and the worst error of each kind."""
    load, processor = recognized(read_header(model)), probe().processor
    assert load, f"{model} is no known variant"
    worst = {"anonymous": 0.0, "file": 0.0}
    print(f"{'context ubatch cache repack':32}{'anonymous':>26}{'file':>26}   predicted / measured, MiB")
    for settings in SETTINGS:
        line = [sys.executable, __file__, "--model", str(model), "--child", json.dumps(vars(settings))]
        measured = json.loads(subprocess.run(line, check=True, capture_output=True, text=True).stdout)
        lines = estimate(load, settings, processor).lines
        text = f"{settings.context:7} {settings.ubatch:6} {settings.cache_type_k:5} {settings.repack!s:12}"
        for kind, where in (("anonymous", "host"), ("file", "file")):
            predicted = sum(one.bytes for one in lines if one.where == where)
            error = predicted / measured[kind] - 1
            worst[kind] = max(worst[kind], error, key=abs)
            text += f"{predicted / MIB:10.0f} {measured[kind] / MIB:7.0f} {error:+7.1%}"
        print(text, flush=True)
    print(f"worst error: anonymous {worst['anonymous']:+.1%}, file {worst['file']:+.1%}")


def resident(model: Path, settings: Settings) -> dict[str, int]:
    """Open and use the model as chat does; return the bytes that are resident then."""
    from edgekit.engine.engine import Engine

    plan = Plan(model, **{name: getattr(settings, name) for name in vars(settings) if name in vars(Plan(model))})
    with Engine.open(replace(plan, threads=1)) as engine:
        for _ in engine.read([[2, *range(1000, 1000 + settings.ubatch)]]):
            continue
        return asyncio.run(asyncio.wait_for(_chat(engine, model), _PATIENCE))


async def _chat(engine: Engine, model: Path) -> dict[str, int]:
    """Ask a question in the terminal application, on a screen that nobody sees."""
    from edgekit.chat.session import Session
    from edgekit.engine.sampling import Sampling
    from edgekit.tui.app import ChatApp

    app = ChatApp(lambda progress: Session(engine, sampling=Sampling(max_tokens=8)), name=model.name)
    async with app.run_test() as pilot:
        await app.model.loaded.wait()
        await pilot.press(*"hello", "enter")
        await pilot.pause(1)
        while app.model.running:
            await pilot.pause(0.1)
        return _own_memory(model)


def _own_memory(model: Path) -> dict[str, int]:
    found = {"anonymous": 0, "file": 0}
    mapped = ""
    for line in Path("/proc/self/smaps").read_text().splitlines():
        name, _, value = line.partition(":")
        if name == "Anonymous":
            found["anonymous"] += int(value.split()[0]) << 10
        elif name == "Rss" and mapped == str(model.resolve()):
            found["file"] += int(value.split()[0]) << 10
        elif "-" in name.split(" ")[0]:
            mapped = line.split(maxsplit=5)[5] if len(line.split(maxsplit=5)) == 6 else ""
    return found


if __name__ == "__main__":
    main()
