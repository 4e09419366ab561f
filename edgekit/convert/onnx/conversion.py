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
from edgekit.convert.folder import check_replaceable, output_folder
from edgekit.convert.gemma4.model import Gemma4
from edgekit.convert.merging import Merging
from edgekit.convert.models import open_model
from edgekit.convert.names import EMBEDDINGS
from edgekit.convert.onnx import audio_encoder, configs, decoder, embed_tokens, vision_encoder
from edgekit.convert.onnx.graph import Graph
from edgekit.convert.onnx.precision import PRECISIONS, Precision, check_precision
from edgekit.convert.onnx.stored import Rows, rows, write
from edgekit.convert.onnx.weights import Weights
from edgekit.convert.output import Output
from edgekit.convert.progress import Progress
from edgekit.convert.whole_file import whole_files
from edgekit.errors import UnsupportedError

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
        self, out: Path, checkpoint: Checkpoint, adapters: Adapters, precisions: Sequence[str], projector: str = "auto"
    ) -> None:
        self._out = out
        self._checkpoint = checkpoint
        self._adapters = adapters
        self._precisions = [PRECISIONS[name] for name in dict.fromkeys(map(check_precision, precisions))]
        adapters.prepare(checkpoint)
        self._model = _checked(checkpoint)
        self.warnings: list[str] = []
        self._weights = Weights(checkpoint)
        self._has_encoders = self._wants_encoders(projector)
        self._graphs = [graph for precision in self._precisions for graph in self._made(precision)]
        self._headers = {graph.path: self._files(graph) for graph in self._graphs}
        self.merging = self._merging()
        self._settings = self._beside()
        check_replaceable([output.path for output in self.plan()])

    @property
    def tensors(self) -> int:
        """How many tensors are read and written."""
        return sum(len(graph.stored) for graph in self._graphs)

    def tasks(self, merging: Merging) -> list[Rows]:
        """Return what is to be made."""
        return rows((one for graph in self._graphs for one in graph.stored), merging)

    def plan(self) -> list[Output]:
        """Return what would be written: graphs with their data, then settings, config.json last."""
        made = []
        for graph in self._graphs:
            name = graph.precision.name
            made += [Output(path, "onnx", name, size) for path, size in graph.data.files]
            made += [Output(path, "onnx", name, len(data)) for path, data in self._headers[graph.path].items()]
        return made + [Output(path, "onnx", None, len(data)) for path, data in self._settings.items()]

    def run(self, progress: Progress, room: int) -> list[Output]:
        """Write all files, or none; blocks at work take at most `room` bytes."""
        plan = self.plan()
        small = dict(self._settings)
        for headers in self._headers.values():
            small |= headers
        with (
            output_folder(self._out),
            output_folder(self._out / "onnx"),
            whole_files([output.path for output in plan]) as files,
        ):
            too_large = write(self.tasks(self.merging), files, room, progress)
            self.warnings += [_TOO_LARGE.format(name=name) for name in too_large]
            for path, data in small.items():
                files[path].write(data)
            digests = {
                path: hashlib.sha256(small[path]).hexdigest() if path in small else file.digest()
                for path, file in files.items()
            }
            self._checkpoint.check_unchanged()
            self._adapters.check_unchanged()
        return [replace(output, sha256=digests[output.path]) for output in plan]

    def _made(self, precision: Precision) -> list[Graph]:
        config, folder = self._model.config.text, self._out / "onnx"
        embed = Graph(folder / f"{configs.EMBED}{precision.suffix}.onnx", precision)
        embed_tokens.build(embed, config, self._checkpoint.config, self._weights)
        language = Graph(folder / f"{configs.DECODER}{precision.suffix}.onnx", precision)
        decoder.build(language, config, self._weights)
        return [embed, language, *self._encoders(precision)]

    def _encoders(self, precision: Precision) -> list[Graph]:
        """Return the graphs of the towers that are wanted and can be written."""
        config, folder, made = self._model.config, self._out / "onnx", []
        if not self._has_encoders:
            return []
        for name, section, build in (
            (configs.VISION, config.vision, vision_encoder.build),
            (configs.AUDIO, config.audio, audio_encoder.build),
        ):
            if section is not None:
                graph = Graph(folder / f"{name}{precision.suffix}.onnx", precision)
                build(graph, section, config.text.hidden_size, self._weights)
                made.append(graph)
        return made

    def _files(self, graph: Graph) -> dict[Path, bytes]:
        """Return a graph's own file, and the decoder's second one."""
        model = graph.finish()
        made = {graph.path: model}
        if graph.path.name.startswith(configs.DECODER):
            name = graph.path.name.replace(configs.DECODER, configs.GENAI_DECODER)
            made[graph.path.with_name(name)] = decoder.for_genai(model)
        return {path: one.SerializeToString(deterministic=True) for path, one in made.items()}

    def _wants_encoders(self, projector: str) -> bool:
        model = self._model
        if not model.has_projector or projector == "none":
            return False
        if not model.config.text.per_layer_input:
            self.warnings.append(_BLIND)
            return False
        model.check_towers()
        return True

    def _merging(self) -> Merging:
        unused = dict(self._model.shared_kv)
        deltas = self._adapters.deltas(self._checkpoint.weights, unused)
        left = deltas.keys() - self._weights.used - unused.keys()
        unused |= dict.fromkeys(left, "it belongs to a tower, and no encoder is written")
        return Merging(deltas, unused, self._adapters.refused)

    def _beside(self) -> dict[Path, bytes]:
        """Return the small files by their paths, config.json last."""
        values, folder = self._checkpoint.config, self._out
        copied = {
            folder / name: companion.read()
            for name, companion in companions(self._checkpoint).items()
            if name not in (*_NOT_COPIED, CONFIG)
        }
        path = self._checkpoint.directory / _GENERATION
        generation: dict[str, Any] = read_json(path, "copy it from the base model") if path.is_file() else {}
        vocabulary = self._weights.plan(EMBEDDINGS).height
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
