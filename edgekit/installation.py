"""How edgekit came onto this machine, and what therefore brings more of it."""

from __future__ import annotations

import shlex
import shutil
import sys
import sysconfig
from pathlib import Path
from typing import Literal

Kind = Literal["single folder", "Debian package", "pipx", "uv tool", "virtual environment", "system's Python"]

# packaging/deb.py
_DEBIAN = Path("/usr/lib/edgekit")
_OWN = "~/edgekit-env"


def kind() -> Kind:
    """Return how edgekit was installed."""
    prefix = Path(sys.prefix)
    if getattr(sys, "frozen", False):
        return "single folder"
    if prefix == _DEBIAN:
        return "Debian package"
    if (prefix / "pipx_metadata.json").is_file():
        return "pipx"
    if (prefix / "uv-receipt.toml").is_file():
        return "uv tool"
    return "virtual environment" if sys.prefix != sys.base_prefix else "system's Python"


def pip() -> str:
    """Return how pip is called for the environment that edgekit runs in, or for one of its own where that is closed."""
    if _is_closed():
        return f"{_OWN}/bin/pip install"
    if kind() == "pipx":
        return "pipx runpip edgekit install"
    programs = str(Path(sys.prefix) / ("Scripts" if sys.platform == "win32" else "bin"))
    if not (found := shutil.which("pip", path=programs)):
        # uv makes environments without pip.
        return f"uv pip install --python {shlex.quote(sys.executable)}"
    return "pip install" if shutil.which("pip") == found else f"{shlex.quote(found)} install"


def before_pip() -> str:
    """Return what must come before a call of `pip`: another environment with edgekit where its own is closed."""
    return f"python3 -m venv {_OWN} && {pip()} edgekit && " if _is_closed() else ""


def command_for(extra: str) -> str:
    """Return the command that adds an extra of edgekit's, as in `pip install 'edgekit[onnx]'`."""
    if kind() == "uv tool":
        return f"uv tool install 'edgekit[{extra}]'"
    first = f"python3 -m venv {_OWN} && " if _is_closed() else ""
    return f"{first}{pip()} 'edgekit[{extra}]'"


def _is_closed() -> bool:
    """Return whether pip cannot, or must not (PEP 668), install beside edgekit."""
    is_managed = Path(sysconfig.get_path("stdlib"), "EXTERNALLY-MANAGED").is_file()
    return kind() in ("single folder", "Debian package") or (kind() == "system's Python" and is_managed)
