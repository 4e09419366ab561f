"""The projector: pictures and sounds to embeddings, through llama.cpp's mtmd."""

from __future__ import annotations

import ctypes
import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from edgekit.engine import native
from edgekit.engine.embeddings import Embeddings
from edgekit.engine.media import SAMPLE_RATE, Picture, Sound
from edgekit.engine.native import StoppedError, llama, mtmd
from edgekit.engine.towers import longest_side
from edgekit.errors import FileError, UnsupportedError
from edgekit.gguf_header import read_header

if TYPE_CHECKING:
    import numpy as np

_PICTURE_TOKENS = 1120
# Operations of an encoder between two looks at the stop flag: often enough to stop at once, and rarely enough to cost
# nothing (a tower has some hundred).
_BETWEEN_LOOKS = 16


@dataclass(frozen=True, eq=False)
class MediaInput:
    """A picture or a sound as it stands in a prompt: `length` embeddings between the tokens that mark its ends."""

    content: Picture | Sound
    length: int
    before: tuple[int, ...]
    after: tuple[int, ...]

    @property
    def kind(self) -> Literal["image", "audio"]:
        """Return which of the two it is."""
        return "image" if isinstance(self.content, Picture) else "audio"

    @property
    def digest(self) -> str:
        """Return a name for the content."""
        return self.content.digest

    @property
    def bytes(self) -> int:
        """Return what it takes in memory."""
        return int(self.content.values.nbytes)


class Projector:
    """A loaded projector beside its model."""

    def __init__(
        self,
        path: Path,
        model: int,
        *,
        threads: int,
        flash_attention: bool,
        gpu: bool,
        on_progress: Callable[[float], None] | None = None,
    ) -> None:
        self._stop = threading.Event()
        self._looks = 0
        # llama.cpp keeps the pointers.
        self._look_callback = llama.ggml_backend_sched_eval_callback(self._look)
        progress = native.Progress(on_progress)
        params = mtmd.mtmd_context_params_default()
        params.use_gpu = gpu
        params.print_timings = False
        params.n_threads = threads
        params.warmup = False
        params.flash_attn_type = int(flash_attention)
        # Pictures arrive resized as the reference processor does: mtmd must keep them as they are.
        params.image_min_tokens, params.image_max_tokens = 1, _PICTURE_TOKENS
        params.cb_eval = self._look_callback
        params.progress_callback = mtmd.mtmd_progress_callback(progress.hear)
        native.forget_complaints()
        self._context = mtmd.mtmd_init_from_file(os.fsencode(path), model, params)
        try:
            progress.raise_again()
        except BaseException:
            self.close()
            raise
        if not self._context:
            raise FileError(f"{path} is no projector for this model: {native.complaints()}")
        self._longest_side = longest_side(read_header(path))
        self._width: int = llama.llama_model_n_embd_inp(model)
        self._embeddings = Embeddings(path, self._width)

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
        with self._chunks(media) as chunks:
            return _input(media, chunks)

    @contextmanager
    def _chunks(self, media: Picture | Sound) -> Iterator[list[int]]:
        """Let mtmd prepare a medium: chunks of tokens, and one of what is to be encoded."""
        bitmap = _bitmap(media)
        chunks = mtmd.mtmd_input_chunks_init()
        try:
            part = mtmd.mtmd_input_part(text=None, bitmap=bitmap)
            parts = (ctypes.POINTER(mtmd.mtmd_input_part) * 1)(ctypes.pointer(part))
            if mtmd.mtmd_tokenize_from_parts(self._context, chunks, parts, 1, False) != 0:
                raise UnsupportedError(f"the model cannot take this: {native.complaints()}")
            yield [mtmd.mtmd_input_chunks_get(chunks, index) for index in range(mtmd.mtmd_input_chunks_size(chunks))]
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

    def encode(self, media: MediaInput, stop: threading.Event) -> np.ndarray[Any, Any]:
        """Return embeddings of shape (length, width of the model), float32; computed once per content.

        Raises StoppedError when `stop` is set.
        """
        import numpy as np

        known = self._embeddings.get(media.digest, media.length)
        if known is not None:
            return known
        self._stop = stop
        with self._chunks(media.content) as chunks:
            if mtmd.mtmd_encode_chunk(self._context, next(chunk for chunk in chunks if not _is_text(chunk))) != 0:
                raise UnsupportedError(f"llama.cpp could not encode this: {native.complaints()}")
        if stop.is_set():
            # What came out is not finished.
            raise StoppedError
        address = mtmd.mtmd_get_output_embd(self._context)
        flat = np.ctypeslib.as_array(address, shape=(media.length * self._width,))
        embeddings = flat.reshape(media.length, self._width).copy()
        self._embeddings.put(media.digest, embeddings)
        return embeddings

    def _look(self, _tensor: int, asked: bool, _data: object) -> bool:
        # ggml asks first whether to halt behind an operation, and there whether to go on.
        if not asked:
            return not self._stop.is_set()
        self._looks += 1
        return self._looks % _BETWEEN_LOOKS == 0


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


def _is_text(chunk: int) -> bool:
    return bool(mtmd.mtmd_input_chunk_get_type(chunk) == mtmd.MTMD_INPUT_CHUNK_TYPE_TEXT)


def _input(media: Picture | Sound, chunks: list[int]) -> MediaInput:
    before: list[int] = []
    after: list[int] = []
    length = 0
    for chunk in chunks:
        if _is_text(chunk):
            count = ctypes.c_size_t()
            tokens = mtmd.mtmd_input_chunk_get_tokens_text(chunk, ctypes.byref(count))
            (after if length else before).extend(tokens[: count.value])
        elif length:
            raise UnsupportedError("this model cuts a picture or a sound into pieces, which edgekit does not do yet")
        else:
            length = mtmd.mtmd_input_chunk_get_n_tokens(chunk)
    if not length:
        raise UnsupportedError("llama.cpp made nothing of this picture or sound")
    return MediaInput(media, length, tuple(before), tuple(after))
