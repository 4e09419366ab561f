"""Gather every wheel that edgekit needs on a target, so that it installs there offline and with no compiler.

Usage: python packaging/wheelhouse.py [--target aarch64] [--out FOLDER]

The wheels suit the Python that runs this. On the target:
pip install --no-index --find-links wheelhouse-aarch64-py3.11 edgekit
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


def build(target: Target, out: Path) -> Path:
    """Make the folder of wheels in `out`; returns it."""
    compiled = llama_cpp_wheel.build(target, out)
    folder = out / f"wheelhouse-{target.machine}-py{PYTHON}"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    own = edgekit_wheel(folder)
    tags = [f"--platform={tag}" for tag in target.platforms]
    lock = ROOT / "requirements.lock"
    download = ["download", "--only-binary=:all:", f"--python-version={PYTHON}", *tags, f"--constraint={lock}"]
    run(*_PIP, *download, f"--find-links={compiled.parent}", f"--dest={folder}", own)
    return folder


if __name__ == "__main__":
    asked = parser(__doc__).parse_args()
    print(build(TARGETS[asked.target], asked.out))
