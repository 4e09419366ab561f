"""Read the TOML files of profiles/."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from edgekit.errors import FileError

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib


def read_toml(path: Path) -> dict[str, Any]:
    """Return the contents of a TOML file; FileError names the file and the place of a mistake."""
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as problem:
        raise FileError(f"cannot read {path}: {problem}") from problem
