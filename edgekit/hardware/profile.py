"""Machines that one does not have: profiles/machines/*.toml."""

from __future__ import annotations

from pathlib import Path

from edgekit import paths
from edgekit.errors import EdgekitError, FileError
from edgekit.hardware.machine import Accelerator, Machine, Memory, Processor
from edgekit.toml import read_toml

# What a bandwidth may be: the memory's own, a measured one, or what published decode speeds come to.
BANDWIDTH_BASES = ("peak", "measured", "decode")


def profile_names() -> list[str]:
    """Return the names of the profiles that ship with edgekit."""
    return sorted(path.stem for path in _folder().glob("*.toml"))


def profile_title(name: str) -> str:
    """Return a profile's one-line description."""
    return str(read_toml(_folder() / f"{name}.toml").get("title", name))


def read_profile(name: str) -> Machine:
    """Return the machine that a profile describes; `name` may be the path of a TOML file."""
    own = Path(name)
    if own.suffix == ".toml" and own.is_file():
        return _machine(own)
    if name not in profile_names():
        raise EdgekitError(f"there is no profile named {name!r}; `edgekit pick --profiles` lists them")
    return _machine(_folder() / f"{name}.toml")


def _machine(path: Path) -> Machine:
    data = read_toml(path)
    try:
        machine = Machine(
            name=path.stem,
            memory=Memory(**data["memory"]),
            processor=Processor(**{**data["processor"], "features": tuple(data["processor"].get("features", ()))}),
            accelerators=tuple(Accelerator(usable=True, **entry) for entry in data.get("accelerators", ())),
            board=data.get("board"),
            container=data.get("container"),
            memory_bandwidth=data["memory_bandwidth"],
            bandwidth_basis=data["bandwidth_basis"],
        )
    except KeyError as problem:
        raise FileError(f"{path} is no machine profile: it lacks {problem}") from problem
    except (TypeError, AttributeError) as problem:
        raise FileError(f"{path} is no machine profile: see profiles/machines for examples ({problem})") from problem
    _check(path, machine)
    return machine


def _check(path: Path, machine: Machine) -> None:
    memory, processor = machine.memory, machine.processor
    for name, value in (
        ("memory.total", memory.total),
        ("memory.available", memory.available),
        ("processor.physical_cores", processor.physical_cores),
        ("processor.usable_threads", processor.usable_threads),
        ("memory_bandwidth", machine.memory_bandwidth),
        *(("accelerators.memory_total", one.memory_total) for one in machine.accelerators),
    ):
        # NaN is not above zero either.
        if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < float("inf"):
            raise FileError(f"{path}: {name} is {value!r}, but has to be a number above zero")
    if memory.available > memory.total:
        raise FileError(f"{path}: memory.available is more than memory.total")
    if machine.bandwidth_basis not in BANDWIDTH_BASES:
        raise FileError(f"{path}: bandwidth_basis is {machine.bandwidth_basis!r}: use {', '.join(BANDWIDTH_BASES)}")


def _folder() -> Path:
    return paths.profiles_directory() / "machines"
