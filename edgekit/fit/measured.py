"""What `edgekit bench` measured and tuned on this machine, kept for pick, run and chat."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict, replace
from functools import lru_cache
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from edgekit import paths
from edgekit.fit.plan import Plan
from edgekit.fit.samples import Bench, Tuned, bench_from
from edgekit.hardware.kept import machine_key, write_whole
from edgekit.hardware.machine import Machine

if TYPE_CHECKING:
    from edgekit.gguf_header import Header

Record = TypeVar("Record", Bench, Tuned)

# The keys of a GGUF come first: a file's beginning and its length tell it from every other.
_BEGINNING = 1 << 20


def file() -> Path:
    """Return where it is kept."""
    return paths.data_directory() / "measurements.json"


def digest(model: Path) -> str:
    """Return what tells a model's file from others of its length, wherever it lies."""
    with model.open("rb") as opened:
        return sha256(opened.read(_BEGINNING)).hexdigest()[:16]


def keep(record: Bench | Tuned) -> None:
    """Keep a record in place of an older one of the same; OSError where the home cannot be written."""
    benches, tuned = _read()
    if isinstance(record, Bench):
        benches = [*(one for one in benches if not record.replaces(one)), record]
    else:
        tuned = [*(one for one in tuned if not record.replaces(one)), record]
    kept = {"benches": [asdict(one) for one in benches], "tuned": [asdict(one) for one in tuned]}
    write_whole(file(), json.dumps(kept, indent=1))


def benches(machine: Machine) -> list[Bench]:
    """Return the benches of a machine, the latest last."""
    key = machine_key(machine.processor, machine.memory)
    return [one for one in _read()[0] if one.machine == key]


def tuned(plan: Plan, header: Header, machine: Machine) -> Plan:
    """Return a plan with the settings that `edgekit bench --tune` found for its file here, as far as memory allows."""
    key = machine_key(machine.processor, machine.memory)
    same = [one for one in _read()[1] if (one.machine, one.bytes) == (key, header.bytes)]
    found = next((one for one in same if one.digest == digest(plan.model)), None)
    if found is None or plan.gpu_layers:
        return plan
    # A batch that was made to hold a picture in one piece stays as large as it is.
    ubatch = found.ubatch if plan.ubatch == Plan.ubatch else plan.ubatch
    return replace(
        plan,
        threads=min(found.threads, machine.processor.usable_threads),
        batch_threads=min(found.batch_threads, machine.processor.usable_threads),
        ubatch=ubatch,
        batch=ubatch,
        # The plan says whether the second copy has room now.
        repack=found.repack and plan.repack,
    )


def _read() -> tuple[list[Bench], list[Tuned]]:
    try:
        stamp = file().stat().st_mtime_ns
    except OSError:
        return [], []
    return _parsed(file(), stamp)


@lru_cache(maxsize=1)
def _parsed(path: Path, _stamp: int) -> tuple[list[Bench], list[Tuned]]:
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
        return _records(data["benches"], bench_from), _records(data["tuned"], lambda one: Tuned(**one))
    except (OSError, ValueError, TypeError, KeyError):
        # Of another version, or written by somebody else: measured again sooner or later.
        return [], []


def _records(items: Any, parse: Callable[[dict[str, Any]], Record]) -> list[Record]:  # noqa: ANN401 - JSON
    return [parse(one) for one in items]
