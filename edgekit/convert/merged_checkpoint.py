"""The checkpoint itself, merged: the same files, in which only what adapters change is new."""

from __future__ import annotations

import hashlib
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

from edgekit.convert.adapter import Adapters
from edgekit.convert.checkpoint import Checkpoint
from edgekit.convert.checkpoint_pieces import Piece, pieces
from edgekit.convert.companions import companions
from edgekit.convert.folder import check_apart, check_replaceable, output_folder
from edgekit.convert.merging import Merging
from edgekit.convert.models import open_model
from edgekit.convert.output import Output
from edgekit.convert.progress import Progress
from edgekit.convert.shard import Shard
from edgekit.convert.tasks import in_order
from edgekit.convert.whole_file import WholeFile, whole_files
from edgekit.errors import FileError, UnsupportedError


class MergedCheckpoint:
    """A conversion from a checkpoint to the same checkpoint with adapters merged."""

    def __init__(self, out: Path, checkpoint: Checkpoint, adapters: Adapters) -> None:
        if not adapters.all:
            raise UnsupportedError("there is nothing to merge: name an adapter with --adapter, or copy the checkpoint")
        self.warnings: list[str] = []
        self._out = out
        self._checkpoint = checkpoint
        self._adapters = adapters
        adapters.prepare(checkpoint)
        unused = open_model(checkpoint).shared_kv
        self.merging = Merging(adapters.deltas(checkpoint.weights, unused), unused, adapters.refused)
        weights = checkpoint.weights.values()
        self._shards = [Shard(file, weights) for file in dict.fromkeys(weight.file for weight in weights)]
        self._companions = companions(checkpoint)
        self._check_folder([checkpoint.directory, *(adapter.directory for adapter in adapters.all)])

    @property
    def tensors(self) -> int:
        """How many tensors are read and written."""
        return len(self._checkpoint.weights)

    def tasks(self, merging: Merging) -> list[Piece]:
        """Return what is to be made."""
        return [piece for shard in self._shards for piece in pieces(shard, merging)]

    def plan(self) -> list[Output]:
        """Return what would be written, the shards first and config.json last."""
        shards = [Output(self._out / shard.file.path.name, "checkpoint", None, shard.bytes) for shard in self._shards]
        return shards + [
            Output(self._out / name, "checkpoint", None, companion.size) for name, companion in self._companions.items()
        ]

    def run(self, progress: Progress, room: int) -> list[Output]:
        """Write all files, or none; pieces at work take at most `room` bytes."""
        plan = self.plan()
        with ExitStack() as stack:
            for folder in dict.fromkeys([self._out, *(output.path.parent for output in plan)]):
                stack.enter_context(output_folder(folder))
            # config.json takes its name last: without it nobody loads a checkpoint.
            files = stack.enter_context(whole_files([output.path for output in plan]))
            digests = self._write_shards(files, progress, room) | self._copy_companions(files)
            self._checkpoint.check_unchanged()
            self._adapters.check_unchanged()
        return [replace(output, sha256=digests[output.path]) for output in plan]

    def _write_shards(self, files: dict[Path, WholeFile], progress: Progress, room: int) -> dict[Path, str]:
        total = sum(piece.bytes for piece in self.tasks(self.merging))
        done = 0
        digests = {}
        for shard in self._shards:
            path = self._out / shard.file.path.name
            digest = hashlib.sha256()
            found = list(pieces(shard, self.merging))
            for piece, made in zip(found, in_order(found, room), strict=True):
                for data in made.data:
                    files[path].write(data)
                    digest.update(data)
                done += piece.bytes
                progress(done, total, piece.name)
            digests[path] = digest.hexdigest()
        return digests

    def _copy_companions(self, files: dict[Path, WholeFile]) -> dict[Path, str]:
        digests = {}
        for name, companion in self._companions.items():
            data = companion.read()
            files[self._out / name].write(data)
            digests[self._out / name] = hashlib.sha256(data).hexdigest()
        return digests

    def _check_folder(self, sources: list[Path]) -> None:
        """Raise FileError where the result would mix with other files: loaders take whatever lies in a folder."""
        if not self._out.is_dir():
            return
        check_apart(self._out, sources)
        check_replaceable([output.path for output in self.plan()])
        expected = {output.path.relative_to(self._out).parts[0] for output in self.plan()}
        others = sorted(p.name for p in self._out.iterdir() if p.name not in expected and not p.name.startswith("."))
        if others:
            raise FileError(f"{self._out} holds other files, such as {others[0]}: choose another --out")
