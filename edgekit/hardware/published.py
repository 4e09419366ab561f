"""What is published about boards and chips that everybody has the same of (profiles/bandwidths.toml)."""

from __future__ import annotations

from edgekit import paths
from edgekit.toml import read_toml


def published_bandwidth(board: str | None, processor: str) -> tuple[float, str] | None:
    """Return main memory's read bandwidth in bytes per second and its basis; None for what is not in the table."""
    rows = read_toml(paths.profiles_directory() / "bandwidths.toml")["memory"]
    known = [row for row in rows if (board or "").startswith(row["name"]) or processor.startswith(row["name"])]
    if not known:
        return None
    best = max(known, key=lambda row: len(row["name"]))
    return float(best["bandwidth"]), str(best["basis"])
