"""Where the tensors of a graph lie: files beside it, each small enough for a browser's buffer."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

# A browser's ArrayBuffer ends at 2 GiB.
LIMIT = (1 << 31) - (1 << 16)
# So that they can be mapped into memory, and read by any vector instruction.
_PAGE = 4096
_LINE = 64


@dataclass(frozen=True)
class Place:
    """Bytes of a data file."""

    path: Path
    offset: int
    bytes: int


@dataclass
class DataFiles:
    """The data files of the graph at a path, in the naming of transformers.js: X.onnx_data, X.onnx_data_1, ..."""

    graph: Path
    limit: int = field(default_factory=lambda: LIMIT)
    sizes: list[int] = field(default_factory=list)

    def take(self, count: int) -> Place:
        """Return the place for so many bytes, which are no more than fit into one file."""
        assert count <= self.limit
        end = self.sizes[-1] if self.sizes else 0
        unit = _PAGE if count >= _PAGE else _LINE
        offset = -(-end // unit) * unit
        if not self.sizes or offset + count > self.limit:
            self.sizes.append(0)
            offset = 0
        self.sizes[-1] = offset + count
        return Place(self.path(len(self.sizes) - 1), offset, count)

    def path(self, index: int) -> Path:
        """Return a data file's path."""
        return self.graph.with_name(f"{self.graph.name}_data{f'_{index}' if index else ''}")

    @property
    def files(self) -> list[tuple[Path, int]]:
        """The files and their sizes."""
        return [(self.path(index), size) for index, size in enumerate(self.sizes)]
