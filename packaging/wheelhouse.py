"""Gather every wheel that edgekit needs on a target, so that it installs there offline and with no compiler.

Usage: python packaging/wheelhouse.py [--target aarch64] [--out FOLDER]

The wheels suit the Python that runs this. On the target:
pip install --no-index --find-links wheelhouse-aarch64-py3.11 'edgekit[all]'
"""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

import llama_cpp_wheel
from targets import PYTHON, ROOT, TARGETS, Target, parser, run

_PIP = (sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check")


def edgekit_wheel(out: Path) -> Path:
    """Build edgekit's own wheel in `out`."""
    for old in out.glob("edgekit-*.whl"):
        old.unlink()
    run(*_PIP, "wheel", "--no-deps", "--wheel-dir", out, ROOT)
    return next(out.glob("edgekit-*.whl"))


def folder_of(target: Target, out: Path) -> Path:
    """Return the folder of wheels in `out`."""
    return out / f"wheelhouse-{target.machine}-py{PYTHON}"


def found(target: Target, out: Path) -> list[Path]:
    """Return the wheels that `build` made in `out`; ends the program where it has not."""
    wheels = sorted(folder_of(target, out).glob("*.whl"))
    if not wheels:
        sys.exit(f"no wheels in {folder_of(target, out)}: run packaging/wheelhouse.py --target {target.machine} first")
    return wheels


def version(wheels: list[Path]) -> str:
    """Return the version of edgekit among these wheels."""
    return next(wheel.name.split("-")[1] for wheel in wheels if wheel.name.startswith("edgekit-"))


def build(target: Target, out: Path) -> Path:
    """Make the folder of wheels in `out`; returns it."""
    compiled = llama_cpp_wheel.build(target, out)
    folder = folder_of(target, out)
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    own = edgekit_wheel(folder)
    tags = [f"--platform={tag}" for tag in target.platforms]
    lock = ROOT / "requirements.lock"
    download = ["download", "--only-binary=:all:", f"--python-version={PYTHON}", *tags, f"--constraint={lock}"]
    run(*_PIP, *download, f"--find-links={compiled.parent}", f"--dest={folder}", f"{own}[all]")
    return folder


if __name__ == "__main__":
    asked = parser(__doc__).parse_args()
    print(build(TARGETS[asked.target], asked.out))
