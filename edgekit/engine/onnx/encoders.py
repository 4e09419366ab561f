"""Pictures and sounds to embeddings, by the encoders of a folder."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from edgekit.engine.embeddings import Embeddings
from edgekit.engine.media import CELL, Picture, Sound
from edgekit.engine.onnx.features import PATCH, log_mel, patches, picture_length, sound_length
from edgekit.engine.onnx.folder import OnnxFolder, Part, weight_files
from edgekit.engine.onnx.runtime import Graph, Run
from edgekit.engine.projector import MediaInput
from edgekit.errors import FileError, UnsupportedError

MediaKind = Literal["image", "audio"]


@dataclass(frozen=True)
class _Kind:
    """An encoder by the names of onnx-community; its tokens, in its place and around it, by those of config.json."""

    part: Part
    inputs: tuple[str, str]
    output: str
    place: str
    begin: str
    # Released checkpoints say eoa_token_index where one would expect eoa_token_id.
    end: tuple[str, ...]


_KINDS: dict[MediaKind, _Kind] = {
    "image": _Kind(
        "vision_encoder",
        ("pixel_values", "pixel_position_ids"),
        "image_features",
        "image_token_id",
        "boi_token_id",
        ("eoi_token_id",),
    ),
    "audio": _Kind(
        "audio_encoder",
        ("input_features", "input_features_mask"),
        "audio_features",
        "audio_token_id",
        "boa_token_id",
        ("eoa_token_index", "eoa_token_id"),
    ),
}


class Encoder:
    """One loaded encoder and what it made of media before."""

    def __init__(self, folder: OnnxFolder, graph: Graph, kind: MediaKind) -> None:
        """Raise FileError where the graph is of another layout, or the config names no tokens around a medium."""
        names = _KINDS[kind]
        graph.need(set(names.inputs), {names.output})
        self._graph, self._names = graph, names
        self._width = _number(folder, folder.text_config, "hidden_size")
        # What stands in its place before its embeddings are there.
        self.token = _number(folder, folder.config, names.place)
        self._begin, self._end = (_number(folder, folder.config, *each) for each in ((names.begin,), names.end))
        self._kept = Embeddings(graph.path, self._width, "onnxruntime", weight_files(graph.path))

    def prepare(self, media: Picture | Sound) -> MediaInput:
        """Return how a medium stands in a prompt, not yet encoded."""
        length = picture_length(media) if isinstance(media, Picture) else sound_length(media)
        return MediaInput(media, length, (self._begin,), (self._end,))

    def encode(self, media: MediaInput, run: Run) -> np.ndarray[Any, Any]:
        """Return embeddings of shape (length, width of the model), float32; computed once per content."""
        known = self._kept.get(media.digest, media.length)
        if known is None:
            known = self._compute(media, run)
            self._kept.put(media.digest, known)
        return known

    def _compute(self, media: MediaInput, run: Run) -> np.ndarray[Any, Any]:
        content = media.content
        inputs = patches(content) if isinstance(content, Picture) else log_mel(content)
        feeds = dict(zip(self._names.inputs, inputs, strict=True))
        found = self._graph.run(feeds, run)[self._names.output].reshape(-1, self._width)
        if len(found) < media.length:
            raise FileError(f"{self._graph.path} makes {len(found)} embeddings of what takes {media.length}")
        return np.ascontiguousarray(found[: media.length], np.float32)


def load_encoders(folder: OnnxFolder, graphs: dict[Part, Graph]) -> dict[MediaKind, Encoder]:
    """Return the encoders whose graphs are there; UnsupportedError where pictures are cut otherwise than here."""
    found = {kind: Encoder(folder, graphs[names.part], kind) for kind, names in _KINDS.items() if names.part in graphs}
    vision = folder.config.get("vision_config")
    settings = vision if isinstance(vision, dict) else {}
    cut = settings.get("patch_size", PATCH), settings.get("pooling_kernel_size", CELL // PATCH)
    if "image" in found and cut != (PATCH, CELL // PATCH):
        raise UnsupportedError(
            f"{folder.path} takes patches of {cut[0]} pixels, pooled by {cut[1]}: edgekit cuts 16 by 3"
        )
    return found


def _number(folder: OnnxFolder, settings: dict[str, Any], *names: str) -> int:
    number = next((settings[name] for name in names if isinstance(settings.get(name), int)), None)
    if number is None:
        raise FileError(f"{folder.path / 'config.json'} does not say {names[0]}: copy it from the checkpoint")
    return int(number)
