"""Machines that one does not have: profiles/machines/*.toml."""

from __future__ import annotations

from pathlib import Path

from edgekit import paths
from edgekit.errors import EdgekitError, FileError
from edgekit.hardware.machine import Accelerator, Machine, Memory, Processor
from edgekit.toml import read_toml


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
        return Machine(
            name=path.stem,
            memory=Memory(**data["memory"]),
            processor=Processor(**{**data["processor"], "features": tuple(data["processor"].get("features", ()))}),
            accelerators=tuple(Accelerator(usable=True, **entry) for entry in data.get("accelerators", ())),
            board=data.get("board"),
            container=data.get("container"),
            memory_bandwidth=data["memory_bandwidth"],
            bandwidth_basis=data["bandwidth_basis"],
        )
    except (KeyError, TypeError) as problem:
        raise FileError(f"{path} is no complete machine profile: {problem}") from problem


def _folder() -> Path:
    return paths.profiles_directory() / "machines"
