"""Give the engine one spoiled model, projector, drafter, picture or sound after the other; say what it cannot stand.

`python tests/mutated_models.py FOLDER --count 3000 --seed 0 [--kind model]`: FOLDER is made and filled where it is not
there. Each is opened and used as `edgekit run` does, in a process that lives on; the process is a child of this script,
so that one that does not live on is known by its number. Prints how many were taken, refused or ended it.
"""

from __future__ import annotations

import argparse
import collections
import faulthandler
import json
import os
import random
import resource
import signal
import struct
import subprocess
import sys
import traceback
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from gguf import GGML_QUANT_SIZES
from mutated_media import write_pictures, write_sounds
from mutations import spoiled_bytes
from oracles import rewritten
from oracles.header_only import write_drafter, write_header_only

from edgekit import paths
from edgekit.catalog.load import variants
from edgekit.chat.message import Media, user
from edgekit.chat.models import find_plan
from edgekit.chat.session import Session
from edgekit.cli import output
from edgekit.convert.job import ConvertJob, convert
from edgekit.engine.check import check_model
from edgekit.engine.engine import Engine
from edgekit.engine.media import open_picture, open_sound
from edgekit.engine.sampling import Sampling
from edgekit.engine.trial import Files, try_out
from edgekit.errors import EdgekitError
from edgekit.fit.settings import Settings
from edgekit.gguf_header import Header, read_header

Act = Callable[[], object]
# How many of a hundred each kind gets.
SHARES = {"model": 34, "projector": 26, "drafter": 10, "picture": 20, "sound": 10}
# Of processor time, for one file.
_SECONDS = 100
_LARGEST = 0xFFFFFFFF
_ASK = Sampling(temperature=0, max_tokens=2)


def prepare(folder: Path) -> Path:
    """Make one sound file of each kind."""
    folder.mkdir(parents=True)
    for made in convert(ConvertJob(paths.demo_checkpoint(), folder / "made")).outputs:
        name = {"text": "model.gguf", "projector": "mmproj.gguf"}.get(made.kind)
        if name:
            made.path.rename(folder / name)
    write_header_only(variants()[0], "Q4_0", folder / "target.gguf")
    write_drafter(variants()[0], folder / "drafter.gguf")
    for kind, write in (("pictures", write_pictures), ("sounds", write_sounds)):
        (folder / kind).mkdir()
        assert len(write(folder / kind)) > 5
    return folder


def _spoiled_gguf(data: bytes, header: Header, dice: random.Random) -> bytes:
    """Spoil keys, vocabulary, the table of tensors or, seldom, weights."""
    first = min(place.offset for place in header.tensors.values())
    name = next(iter(header.tensors)).encode()
    table = data.index(struct.pack("<Q", len(name)) + name)
    start, end = dice.choice(((0, 3000), (0, table), (table, first), (table, first), (first, len(data))))
    if dice.random() < 0.3 and start == table:
        return data[:table] + _retyped(data[table:first], dice) + data[first:]
    return data[:start] + spoiled_bytes(data[start:end], dice, end - start) + data[end:]


def _retyped(table: bytes, dice: random.Random) -> bytes:
    """Change small numbers of the table: types and extents, so that what is made is often a sound table."""
    made = bytearray(table)
    for _ in range(dice.choice((1, 2, 4))):
        at = dice.randrange(len(made) - 8)
        made[at : at + 4] = struct.pack("<I", dice.choice((0, 1, 2, 3, 8, 14, 24, 26, 30, 32, 64, 96, 128, 256)))
    return bytes(made)


def _renumbered(data: bytes, header: Header, dice: random.Random) -> bytes:
    """Change the number of a key where it stands."""
    name = dice.choice([name for name, value in header.keys.items() if type(value) is int]).encode()
    at = data.index(struct.pack("<Q", len(name)) + name) + 8 + len(name) + 4
    value = int.from_bytes(data[at : at + 4], "little")
    other = dice.choice((0, 1, 2, 7, 64, 1000, _LARGEST, value ^ 1, value // 2, value))
    return data[:at] + struct.pack("<I", other) + data[at + 4 :]


def _meant(source: Path, dice: random.Random, file: Path) -> Path:
    """Write a sound file that says what cannot be: other numbers, and tensors of other types."""
    header = read_header(source)
    numbers = {name: value for name, value in header.keys.items() if type(value) is int}
    keys = {
        name: rewritten.number(dice.choice((0, 1, 2, 3, 7, 64, 1000, _LARGEST, numbers[name] ^ 1, numbers[name] // 2)))
        for name in dice.sample(sorted(numbers), dice.choice((0, 0, 1, 2)))
    }
    types = {}
    for place in dice.sample(list(header.tensors.values()), dice.choice((0, 1, 1, 3))):
        fitting = [kind for kind, (block, _) in GGML_QUANT_SIZES.items() if place.shape[-1] % block == 0]
        types[place.name] = dice.choice(fitting)
    return rewritten.rewrite(source, file, keys, types)


def _ask(model: Path, projector: Path | None = None) -> None:
    """Talk with a model as `edgekit run` does, about a picture and a sound where it has a projector."""
    plan = find_plan(str(model), projector=projector, media=projector is not None, context=512)
    samples = paths.demo_samples()
    media = [Media("image", samples / "red-circle.png"), Media("audio", samples / "seven.wav")]
    with Engine.open(replace(plan, threads=1)) as engine:
        shown = [one for one in media if (engine.takes_pictures if one.kind == "image" else engine.takes_sound)]
        for _ in Session(engine, sampling=_ASK, image_tokens=70).answer([user("Hi <|turn>", *shown)]):
            pass


def _model(folder: Path, dice: random.Random, scratch: Path) -> Act:
    file = _spoiled_file(folder / "model.gguf", dice, scratch)
    return lambda: _ask(file)


def _projector(folder: Path, dice: random.Random, scratch: Path) -> Act:
    file = _spoiled_file(folder / "mmproj.gguf", dice, scratch)
    return lambda: _ask(folder / "model.gguf", file)


def _spoiled_file(source: Path, dice: random.Random, scratch: Path) -> Path:
    file = scratch / source.name
    if dice.random() < 0.4:
        return _meant(source, dice, file)
    file.write_bytes(_spoiled_gguf(source.read_bytes(), read_header(source), dice))
    return file


def _drafter(folder: Path, dice: random.Random, scratch: Path) -> Act:
    # There is none as small as the bundled model: a header of E2B's, behind it nothing.
    header = read_header(folder / "drafter.gguf")
    with header.path.open("rb") as opened:
        data = opened.read(header.data_offset)
    file = scratch / "drafter.gguf"
    with file.open("wb") as made:
        made.write(spoiled_bytes(data, dice, len(data)) if dice.random() < 0.4 else _renumbered(data, header, dice))
        made.truncate(header.bytes)
    target = check_model(folder / "target.gguf")
    return lambda: try_out(Files(target, drafter=check_model(file)), [Settings(context=512)])


def _picture(folder: Path, dice: random.Random, scratch: Path) -> Act:
    file = _spoiled_medium(folder / "pictures", dice, scratch)
    return lambda: open_picture(file, 70)


def _sound(folder: Path, dice: random.Random, scratch: Path) -> Act:
    file = _spoiled_medium(folder / "sounds", dice, scratch)
    return lambda: open_sound(file)


def _spoiled_medium(folder: Path, dice: random.Random, scratch: Path) -> Path:
    source = dice.choice(sorted(folder.iterdir()))
    data = source.read_bytes()
    file = scratch / source.name
    file.write_bytes(spoiled_bytes(data, dice, dice.choice((64, 512, len(data)))))
    return file


_MAKE = {"model": _model, "projector": _projector, "drafter": _drafter, "picture": _picture, "sound": _sound}


def work(folder: Path, kind: str, seed: int, first: int, last: int) -> None:
    """Try the files numbered so; print the outcome of each in a line."""
    # A file must not get what its size does not ask for.
    faulthandler.enable()
    size = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (size + (4 << 30), resource.RLIM_INFINITY))
    scratch = folder / f"scratch-{os.getpid()}"
    scratch.mkdir()
    for number in range(first, last):
        dice = random.Random(f"{kind} {seed} {number}")
        try:
            act = _MAKE[kind](folder, dice, scratch)
        except OSError as problem:
            raise SystemExit(f"cannot make {number}: {problem}") from None
        signal.setitimer(signal.ITIMER_PROF, _SECONDS)
        print(json.dumps({"number": number, "outcome": _outcome(act)}), flush=True)


def _outcome(act: Act) -> str:
    try:
        act()
    except EdgekitError as problem:
        # As the command line prints it.
        line = output.plain(" ".join(str(problem).split()))
        if not line.isprintable():
            return f"no plain line: {line!r}"
        return "crashed in its own process" if "would end edgekit" in line else "refused"
    except BaseException:
        return traceback.format_exc()
    return "taken"


def run(folder: Path, kind: str, seed: int, count: int, first: int = 0) -> tuple[collections.Counter[str], list[str]]:
    """Try so many files; return the outcomes and what must not be."""
    outcomes: collections.Counter[str] = collections.Counter()
    wrong = []
    at, last = first, first + count
    while at < last:
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), "XDG_CACHE_HOME": str(folder / "cache")}
        line = [sys.executable, __file__, str(folder), "--kind", kind, "--seed", str(seed), "--from", str(at)]
        line += ["--to", str(last)]
        process = subprocess.run(line, capture_output=True, text=True, env=environment, check=False)
        # Native code may print, too.
        for said in (json.loads(line) for line in process.stdout.splitlines() if line.startswith('{"number"')):
            at = said["number"] + 1
            known = said["outcome"] in ("taken", "refused", "crashed in its own process")
            outcomes[said["outcome"] if known else "wrong"] += 1
            wrong += [] if known else [f"{kind} {said['number']}: {said['outcome']}"]
        if at < last:
            outcomes["ended the process"] += 1
            wrong.append(f"{kind} {at}: exit {process.returncode}: {process.stdout[-300:]} {process.stderr[-1500:]}")
            at += 1
    return outcomes, wrong


def main() -> None:
    """Read the command line."""
    words = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    words.add_argument("folder", type=Path)
    words.add_argument("--kind", choices=SHARES)
    words.add_argument("--seed", type=int, default=0)
    words.add_argument("--count", type=int, default=3000)
    words.add_argument("--from", type=int, dest="first", default=0)
    words.add_argument("--to", type=int, dest="last")
    given: Any = words.parse_args()
    if given.last is not None:
        work(given.folder, given.kind, given.seed, given.first, given.last)
        return
    if not given.folder.exists():
        prepare(given.folder)
    bad = []
    for kind in [given.kind] if given.kind else SHARES:
        count = given.count if given.kind else given.count * SHARES[kind] // 100
        outcomes, wrong = run(given.folder, kind, given.seed, count, given.first)
        print(kind, count, dict(outcomes), flush=True)
        bad += wrong
    print("\n\n".join(bad))
    sys.exit(bool(bad))


if __name__ == "__main__":
    main()
