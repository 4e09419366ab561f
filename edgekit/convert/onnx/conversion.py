"""A conversion to a folder of ONNX graphs, which onnxruntime, onnxruntime-genai and transformers.js open."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from edgekit.convert.adapter import Adapters
from edgekit.convert.checkpoint import Checkpoint, read_json
from edgekit.convert.companions import CONFIG, companions
from edgekit.convert.folder import check_apart, check_replaceable, output_folder
from edgekit.convert.gemma4.model import Gemma4
from edgekit.convert.merging import Merging
from edgekit.convert.model import NO_TEMPLATE
from edgekit.convert.models import open_model
from edgekit.convert.names import EMBEDDINGS
from edgekit.convert.onnx import configs
from edgekit.convert.onnx.graph import Graph
from edgekit.convert.onnx.graphs import GraphMaker, files
from edgekit.convert.onnx.kept_adapter import KeptAdapters
from edgekit.convert.onnx.precision import PRECISIONS, check_precision
from edgekit.convert.onnx.stored import Rows, rows, write
from edgekit.convert.onnx.weights import Weights
from edgekit.convert.output import Output
from edgekit.convert.progress import Progress
from edgekit.convert.whole_file import WholeFile, whole_files
from edgekit.engine.onnx import checksums
from edgekit.errors import FileError, UnsupportedError

_GENERATION = "generation_config.json"
_GENAI = "genai_config.json"
# Of the checkpoint's files, those that say where its safetensors are.
_NOT_COPIED = ("model.safetensors.index.json",)
_BLIND = (
    "without pictures and sound: a large model's attention sees a picture as a whole, and these graphs word by word"
)
_TOO_LARGE = "{name} has values above 65504, which fp16 writes as infinity: choose another --quant"


class OnnxConversion:
    """A conversion from a checkpoint and adapters to ONNX graphs in one precision or more.

    Raises UnsupportedError for a model that has no such graphs.
    """

    def __init__(
        self,
        out: Path,
        checkpoint: Checkpoint,
        adapters: Adapters,
        precisions: Sequence[str],
        projector: str = "auto",
        *,
        keep_adapter: bool = False,
    ) -> None:
        self._out = out
        self._checkpoint = checkpoint
        self._adapters = adapters
        self._precisions = [PRECISIONS[name] for name in dict.fromkeys(map(check_precision, precisions))]
        adapters.prepare(checkpoint)
        self._model = _checked(checkpoint)
        self.warnings = [*self._model.warnings, *(() if self._model.has_template else (NO_TEMPLATE,))]
        weights = Weights(checkpoint)
        unused = dict(self._model.shared_kv)
        changes = adapters.deltas(checkpoint.weights, unused)
        kept = KeptAdapters.of(changes if keep_adapter else {}, unused)
        maker = GraphMaker(out / "onnx", self._model, weights, self._wants_encoders(projector), kept.changes.keys())
        self._graphs = [graph for precision in self._precisions for graph in maker.make(precision)]
        self._headers = {graph.path: files(graph) for graph in self._graphs}
        left = changes.keys() - weights.used - unused.keys()
        unused |= dict.fromkeys(left, "it belongs to a tower, and no encoder is written")
        merged = {name: made for name, made in changes.items() if name not in kept.changes}
        self.merging = Merging(merged, unused, [*kept.ledger(), *adapters.refused])
        self._settings = self._adapter_files(kept) | self._beside(weights.plan(EMBEDDINGS).height)
        check_apart(out, [checkpoint.directory, *(adapter.directory for adapter in adapters.all)])
        check_replaceable([output.path for output in self.plan()])
        self._check_folder()

    @property
    def tensors(self) -> int:
        """How many tensors are read and written."""
        return sum(len(graph.stored) for graph in self._graphs)

    def tasks(self, merging: Merging) -> list[Rows]:
        """Return what is to be made."""
        return rows((one for graph in self._graphs for one in graph.stored), merging)

    def plan(self) -> list[Output]:
        """Return what would be written: graphs with their data, then settings and checksums, config.json last."""
        made = []
        for graph in self._graphs:
            name = graph.precision.name
            made += [Output(path, "onnx", name, size) for path, size in graph.data.files]
            made += [Output(path, "onnx", name, len(data)) for path, data in self._headers[graph.path].items()]
        made += [Output(path, "onnx", None, len(data)) for path, data in self._settings.items()]
        sums = checksums.text(self._out, {output.path: "0" * 64 for output in made})
        return [*made[:-1], Output(self._out / checksums.NAME, "onnx", None, len(sums)), made[-1]]

    def run(self, progress: Progress, room: int) -> list[Output]:
        """Write all files, or none; blocks at work take at most `room` bytes."""
        plan = self.plan()
        small = dict(self._settings)
        for headers in self._headers.values():
            small |= headers
        with (
            output_folder(self._out),
            output_folder(self._out / "onnx"),
            whole_files([output.path for output in plan]) as written,
        ):
            too_large = write(self.tasks(self.merging), written, room, progress)
            self.warnings += [_TOO_LARGE.format(name=name) for name in too_large]
            for path, data in small.items():
                written[path].write(data)
            digests = self._finish(plan, small, written)
            self._checkpoint.check_unchanged()
            self._adapters.check_unchanged()
        return [replace(output, sha256=digests[output.path]) for output in plan]

    def _finish(
        self, plan: Sequence[Output], small: dict[Path, bytes], written: dict[Path, WholeFile]
    ) -> dict[Path, str]:
        """Write the checksums, and return the digest of every file."""
        path = self._out / checksums.NAME
        digests = {
            one.path: hashlib.sha256(small[one.path]).hexdigest() if one.path in small else written[one.path].digest()
            for one in plan
            if one.path != path
        }
        sums = checksums.text(self._out, digests)
        written[path].write(sums)
        return {**digests, path: hashlib.sha256(sums).hexdigest()}

    def _check_folder(self) -> None:
        """Raise FileError where something else would be written over, or graphs stay that config.json no longer counts.

        Earlier graphs of edgekit's, which come first onto the disk, tell that all the files are.
        """
        folder, mine = self._out / "onnx", {output.path for output in self.plan()}
        strange = [] if any(folder.glob(f"{configs.GENAI_DECODER}*.onnx")) else sorted(filter(Path.exists, mine))
        if strange:
            raise FileError(f"{self._out} holds other files, such as {strange[0].name}: choose another --out")
        found = sorted(folder.glob("*.onnx*")) if folder.is_dir() else []
        others = [path.name for path in found if path not in mine and not path.name.startswith(".")]
        if others:
            raise FileError(
                f"{folder} holds other graphs, such as {others[0]}: name every --quant at once, or choose another --out"
            )

    def _wants_encoders(self, projector: str) -> bool:
        model = self._model
        if not model.has_projector or projector == "none":
            return False
        if not model.config.text.per_layer_input:
            self.warnings.append(_BLIND)
            return False
        model.check_towers()
        return True

    def _adapter_files(self, kept: KeptAdapters) -> dict[Path, bytes]:
        """Return the adapters that stay apart, each in the floats that the graphs compute with."""
        graphs: dict[bool, Graph] = {}
        for graph in self._graphs:
            # The decoder's: other graphs have no names for what is kept.
            if graph.kept_names:
                graphs.setdefault(graph.precision.half, graph)
        return {
            self._out / f"{stem}{'_fp16' if half else ''}.onnx_adapter": kept.file(
                name, graph.kept_names, graph.precision.dtype
            )
            for half, graph in graphs.items()
            for name, stem in kept.stems.items()
        }

    def _beside(self, vocabulary: int) -> dict[Path, bytes]:
        """Return the small files by their paths, config.json last."""
        values, folder = self._checkpoint.config, self._out
        copied = {
            folder / name: companion.read()
            for name, companion in companions(self._checkpoint).items()
            if name not in (*_NOT_COPIED, CONFIG)
        }
        path = self._checkpoint.directory / _GENERATION
        generation: dict[str, Any] = read_json(path, "copy it from the base model") if path.is_file() else {}
        genai = configs.genai_json(self._model.config.text, values, generation, self._precisions[0], vocabulary)
        chunks = {graph.path.name: len(graph.data.files) for graph in self._graphs}
        settings = configs.config_json(values, chunks, self._precisions)
        return {**copied, folder / _GENAI: genai, folder / CONFIG: settings}


def _checked(checkpoint: Checkpoint) -> Gemma4:
    model = open_model(checkpoint)
    if not isinstance(model, Gemma4):
        raise UnsupportedError("Gemma 4 becomes ONNX here, and this is an older Gemma: leave out --to onnx")
    if model.config.is_drafter:
        raise UnsupportedError("a drafter has no use in ONNX: convert the model that it drafts for")
    if model.config.text.experts:
        raise UnsupportedError("no runtime computes experts in ONNX on small machines: leave out --to onnx")
    return model
