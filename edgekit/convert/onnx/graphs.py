"""All graphs of a model in one precision, and the files that they become."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path

from edgekit.convert.gemma4.model import Gemma4
from edgekit.convert.onnx import audio_encoder, decoder, embed_tokens, vision_encoder
from edgekit.convert.onnx.configs import AUDIO, DECODER, EMBED, GENAI_DECODER, VISION
from edgekit.convert.onnx.graph import Graph
from edgekit.convert.onnx.precision import Precision
from edgekit.convert.onnx.weights import Weights


@dataclass(frozen=True)
class GraphMaker:
    """Makes the graphs of a model in a folder; `kept` names the weights whose changes stay apart."""

    folder: Path
    model: Gemma4
    weights: Weights
    has_encoders: bool
    kept: Collection[str] = ()

    def make(self, precision: Precision) -> Iterator[Graph]:
        """Yield the graphs in a precision."""
        config, weights = self.model.config, self.weights
        graph = self._graph(EMBED, precision)
        embed_tokens.build(graph, config.text, self.model.checkpoint.config, weights)
        yield graph
        graph = self._graph(DECODER, precision)
        decoder.build(graph, config.text, weights)
        yield graph
        if not self.has_encoders:
            return
        towers = ((VISION, config.vision, vision_encoder.build), (AUDIO, config.audio, audio_encoder.build))
        for name, section, build in towers:
            if section is not None:
                graph = self._graph(name, precision)
                build(graph, section, config.text.hidden_size, weights)
                yield graph

    def _graph(self, name: str, precision: Precision) -> Graph:
        return Graph(self.folder / f"{name}{precision.suffix}.onnx", precision, self.kept)


def files(graph: Graph) -> dict[Path, bytes]:
    """Return a graph's own file, and the second one of the decoder."""
    model = graph.finish()
    made = {graph.path: model}
    if graph.path.name.startswith(DECODER):
        made[graph.path.with_name(graph.path.name.replace(DECODER, GENAI_DECODER))] = decoder.for_genai(model)
    return {path: one.SerializeToString(deterministic=True) for path, one in made.items()}
