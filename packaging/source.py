"""Build the source archive and the wheel of edgekit alone, for PyPI and for pip.

Usage: python packaging/source.py [--out FOLDER]
"""

from __future__ import annotations

import sys
from pathlib import Path

from targets import ROOT, parser, run

_BUILD = "build>=1.2,<2"


def build(out: Path) -> None:
    """Make both in `out`, the wheel from what the source archive holds."""
    environment = ROOT / "build/packages/venv-build"
    run(sys.executable, "-m", "venv", environment)
    python = environment / "bin/python"
    run(python, "-m", "pip", "--quiet", "--disable-pip-version-check", "install", _BUILD)
    run(python, "-m", "build", "--outdir", out, ROOT, stdout=sys.stderr)


if __name__ == "__main__":
    build(parser(__doc__).parse_args().out)
