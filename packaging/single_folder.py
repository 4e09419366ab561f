"""Build a folder with edgekit and a Python of its own in it: unpack it anywhere and start `edgekit/edgekit`.

Usage: python packaging/single_folder.py [--out FOLDER]

For the architecture of this machine, from its wheelhouse. It runs on every Linux with the C library of Debian 12 or a
newer one; it is made with PyInstaller, which needs a Python with a shared library.
"""

from __future__ import annotations

import os
import shutil
import sys
import tarfile
from pathlib import Path

import wheelhouse
from targets import PYTHON, ROOT, TARGETS, Target, parser, run, this_machine

_PYINSTALLER = "pyinstaller>=6.11,<7"


def build(target: Target, out: Path) -> Path:
    """Make the archive of the folder in `out`; returns it."""
    wheels = wheelhouse.found(target, out)
    work = ROOT / f"build/packages/single-folder-py{PYTHON}"
    shutil.rmtree(work, ignore_errors=True)
    run(sys.executable, "-m", "venv", work / "venv")
    python = work / "venv/bin/python"
    pip = [python, "-m", "pip", "--quiet", "--disable-pip-version-check", "install"]
    run(*pip, "--no-index", "--find-links", wheels[0].parent, "edgekit[all]")
    run(*pip, _PYINSTALLER)
    made = [python, "-m", "PyInstaller", "--log-level=WARN", "--noconfirm", f"--distpath={work}/dist"]
    # Out of this folder's sight: what is packed is the wheel, with its profiles in it, and not the checkout.
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    spec = ROOT / "packaging/edgekit.spec"
    run(*made, f"--workpath={work}/build", spec, stdout=sys.stderr, cwd=work, env=environment)
    archive = out / f"edgekit-{wheelhouse.version(wheels)}-linux-{target.machine}.tar.gz"
    with tarfile.open(archive, "w:gz", compresslevel=6) as packed:
        packed.add(work / "dist/edgekit", "edgekit")
    return archive


if __name__ == "__main__":
    asked = parser(__doc__).parse_args()
    assert asked.target == this_machine(), "PyInstaller builds for the machine that it runs on only"
    print(build(TARGETS[asked.target], asked.out))
