"""The projector: pictures and sounds to embeddings, through llama.cpp's mtmd."""

from __future__ import annotations

import ctypes
import os
import weakref
from collections import OrderedDict
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from edgekit.engine import native
from edgekit.engine.media import SAMPLE_RATE, Picture, Sound
from edgekit.engine.native import llama, mtmd
from edgekit.engine.towers import longest_side
from edgekit.errors import FileError, UnsupportedError
from edgekit.gguf_header import read_header

if TYPE_CHECKING:
    import numpy as np

# Encoded media that stay ready, so that a picture of an earlier turn is not encoded again.
_KEPT = 32
_PICTURE_TOKENS = 1120


@dataclass(frozen=True, eq=False)
class MediaInput:
    """A picture or a sound as it stands in a prompt: `length` embeddings between the tokens that mark its ends."""

    kind: Literal["image", "audio"]
    digest: str
    length: int
    before: tuple[int, ...]
    after: tuple[int, ...]
    # An mtmd_input_chunk, freed together with this object.
    chunk: int


class Projector:
    """A loaded projector beside its model."""

    def __init__(self, path: Path, model: int, *, threads: int, flash_attention: bool, gpu: bool) -> None:
        params = mtmd.mtmd_context_params_default()
        params.use_gpu = gpu
        params.print_timings = False
        params.n_threads = threads
        params.warmup = False
        params.flash_attn_type = int(flash_attention)
        # Pictures arrive resized as the reference processor does: mtmd must keep them as they are.
        params.image_min_tokens, params.image_max_tokens = 1, _PICTURE_TOKENS
        native.forget_complaints()
        self._context = mtmd.mtmd_init_from_file(os.fsencode(path), model, params)
        if not self._context:
            raise FileError(f"{path} is no projector for this model: {native.complaints()}")
        self._longest_side = longest_side(read_header(path))
        self._width: int = llama.llama_model_n_embd_inp(model)
        self._encoded: OrderedDict[str, np.ndarray[Any, Any]] = OrderedDict()

    def close(self) -> None:
        """Give the memory back; harmless when done twice."""
        if self._context:
            mtmd.mtmd_free(self._context)
            self._context = None

    @property
    def takes_pictures(self) -> bool:
        """Return whether it has a vision tower."""
        return bool(mtmd.mtmd_support_vision(self._context))

    @property
    def takes_sound(self) -> bool:
        """Return whether it has an audio tower for 16 kHz."""
        return bool(mtmd.mtmd_get_audio_sample_rate(self._context) == SAMPLE_RATE)

    def prepare(self, media: Picture | Sound) -> MediaInput:
        """Return how a picture or a sound stands in a prompt, not yet encoded."""
        if isinstance(media, Picture):
            self._check_sides(media)
        bitmap = _bitmap(media)
        chunks = mtmd.mtmd_input_chunks_init()
        try:
            part = mtmd.mtmd_input_part(text=None, bitmap=bitmap)
            parts = (ctypes.POINTER(mtmd.mtmd_input_part) * 1)(ctypes.pointer(part))
            if mtmd.mtmd_tokenize_from_parts(self._context, chunks, parts, 1, False) != 0:
                raise UnsupportedError(f"the model cannot take this: {native.complaints()}")
            return _from_chunks(chunks, "image" if isinstance(media, Picture) else "audio", media.digest)
        finally:
            mtmd.mtmd_input_chunks_free(chunks)
            mtmd.mtmd_bitmap_free(bitmap)

    def _check_sides(self, picture: Picture) -> None:
        # ggml would end the process.
        height, width, _ = picture.pixels.shape
        if self._longest_side and max(width, height) > self._longest_side:
            raise UnsupportedError(
                f"a picture this long and thin becomes {width}x{height} pixels, and the model sees at most "
                f"{self._longest_side} along a side: cut the picture, or use fewer image tokens"
            )

    def encode(self, media: MediaInput) -> np.ndarray[Any, Any]:
        """Return embeddings of shape (length, width of the model), float32; computed once per content."""
        import numpy as np

        if media.digest not in self._encoded:
            if mtmd.mtmd_encode_chunk(self._context, media.chunk) != 0:
                raise UnsupportedError(f"llama.cpp could not encode this: {native.complaints()}")
            address = mtmd.mtmd_get_output_embd(self._context)
            flat = np.ctypeslib.as_array(address, shape=(media.length * self._width,))
            self._encoded[media.digest] = flat.reshape(media.length, self._width).copy()
        self._encoded.move_to_end(media.digest)
        while len(self._encoded) > _KEPT:
            self._encoded.popitem(last=False)
        return self._encoded[media.digest]


def _bitmap(media: Picture | Sound) -> int:
    bitmap: int
    if isinstance(media, Picture):
        height, width, _ = media.pixels.shape
        bytes_ = media.pixels.ctypes.data_as(ctypes.POINTER(ctypes.c_uint8))
        bitmap = mtmd.mtmd_bitmap_init(width, height, bytes_)
    else:
        samples = media.samples.ctypes.data_as(ctypes.POINTER(ctypes.c_float))
        bitmap = mtmd.mtmd_bitmap_init_from_audio(len(media.samples), samples)
    return bitmap


def _from_chunks(chunks: int, kind: Literal["image", "audio"], digest: str) -> MediaInput:
    before: list[int] = []
    after: list[int] = []
    found = None
    for index in range(mtmd.mtmd_input_chunks_size(chunks)):
        chunk = mtmd.mtmd_input_chunks_get(chunks, index)
        if mtmd.mtmd_input_chunk_get_type(chunk) == mtmd.MTMD_INPUT_CHUNK_TYPE_TEXT:
            count = ctypes.c_size_t()
            tokens = mtmd.mtmd_input_chunk_get_tokens_text(chunk, ctypes.byref(count))
            (before if found is None else after).extend(tokens[: count.value])
        elif found is None:
            found = chunk
        else:
            raise UnsupportedError("this model cuts a picture or a sound into pieces, which edgekit does not do yet")
    if found is None:
        raise UnsupportedError("llama.cpp made nothing of this picture or sound")
    owned = mtmd.mtmd_input_chunk_copy(found)
    length = mtmd.mtmd_input_chunk_get_n_tokens(owned)
    media = MediaInput(kind, digest, length, tuple(before), tuple(after), owned)
    weakref.finalize(media, mtmd.mtmd_input_chunk_free, owned)
    return media
