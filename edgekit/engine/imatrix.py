"""How much each column of a weight matters: squares of what a running model multiplies it by, as llama-imatrix does."""

from __future__ import annotations

import ctypes
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from edgekit.engine import native
from edgekit.engine.check import check_context, check_model
from edgekit.engine.ggml_tensor import Tensor, is_f32, operation, values
from edgekit.engine.loading import load_model
from edgekit.engine.native import StoppedError, llama
from edgekit.engine.threads import physical_cores
from edgekit.engine.trial import Files, check_unseen
from edgekit.engine.vocabulary import LlamaVocabulary
from edgekit.errors import DoesNotFitError, EdgekitError, FileError, UnsupportedError

if TYPE_CHECKING:
    from edgekit.fit.plan import Plan

# Every token's logits are computed, as without them the last layer would be for one token only: a row of 262,144 for
# each token of a batch.
_BATCH = 128


@dataclass(frozen=True)
class Squares:
    """What one weight was multiplied by: sums of squares, of shape (experts, width), over `counts` vectors each."""

    sums: npt.NDArray[np.float64]
    counts: npt.NDArray[np.int64]


def collect(
    plan: Plan,
    texts: Sequence[str],
    *,
    chunk: int,
    limit: int | None = None,
    progress: Callable[[float, float, str], None],
    stop: threading.Event | None = None,
) -> tuple[dict[str, Squares], int]:
    """Let a model read texts in pieces of `chunk` tokens; return what its weights saw, and how many pieces there were.

    At most `limit` pieces are read; `progress` hears tokens. Raises UnsupportedError where the texts are shorter than
    a piece, FileError and DoesNotFitError as `Engine.open` does, StoppedError when `stop` is set.
    """
    header = check_model(plan.model)
    check_context(header, chunk)
    check_unseen(Files(header), replace(plan, context=chunk))
    native.start()
    with ExitStack() as stack:
        model = load_model(plan, None)
        stack.callback(llama.llama_model_free, model)
        pieces = list(_pieces(model, texts, chunk))[:limit]
        if not pieces:
            raise UnsupportedError(
                f"the texts have fewer than {chunk} tokens: give more of them, or a smaller --context"
            )
        collector = _Collector(stop)
        context = _context(plan, model, chunk, collector)
        stack.callback(llama.llama_free, context)
        for index, piece in enumerate(pieces):
            llama.llama_memory_clear(llama.llama_get_memory(context), True)
            for start, tokens in _batches(piece):
                _decode(context, tokens, start, collector)
                progress(index * chunk + start + len(tokens), len(pieces) * chunk, f"piece {index + 1}/{len(pieces)}")
    return collector.found, len(pieces)


def read_text(path: Path) -> str:
    """Return the text of a file; raises FileError where it is missing or no UTF-8."""
    if path.exists() and not path.is_file():
        raise FileError(f"{path} is no file: name a text")
    try:
        return path.read_text(encoding="utf-8")
    except OSError as problem:
        raise FileError(f"{path} cannot be read: {problem.strerror}") from problem
    except UnicodeDecodeError as problem:
        raise FileError(f"{path} is no text in UTF-8: save it as such") from problem


class _Collector:
    """Hears of every operation of a computation and keeps account of the multiplications by weights."""

    def __init__(self, stop: threading.Event | None) -> None:
        self.found: dict[str, Squares] = {}
        # What was raised here, Ctrl+C above all, would be lost in native code.
        self.problem: BaseException | None = None
        self._stop = stop
        self.callback = llama.ggml_backend_sched_eval_callback(self._hear)

    def _hear(self, address: int, ask: bool, _data: object) -> bool:
        """Answer, when asked, whether a tensor is wanted, and take it once it is computed; False then ends the work."""
        try:
            if self._stop and self._stop.is_set():
                raise StoppedError
            tensor = Tensor.from_address(address)
            if ask:
                return self.problem is not None or _is_wanted(tensor)
            if self.problem is None:
                self._take(tensor)
        except BaseException as problem:
            self.problem = self.problem or problem
        return self.problem is None or ask

    def _take(self, tensor: Tensor) -> None:
        weight, inputs = tensor.src[0].contents, tensor.src[1].contents
        squares = np.square(values(inputs), dtype=np.float64)
        if not np.isfinite(squares).all():
            raise EdgekitError(f"{_weight_name(tensor)} is multiplied by NaN or infinity: the model is damaged")
        experts, width = weight.ne[2], inputs.ne[0]
        kept = self.found.setdefault(
            _weight_name(tensor), Squares(np.zeros((experts, width)), np.zeros(experts, np.int64))
        )
        if operation(tensor) == "MUL_MAT":
            rows = squares.reshape(-1, width)
            kept.sums[0] += rows.sum(axis=0)
            kept.counts[0] += len(rows)
            return
        # Of shape (tokens, experts that each is sent to); inputs may be the same for all of those.
        sent = values(tensor.src[2].contents, np.int32)[0, 0]
        for slot in range(sent.shape[1]):
            chosen = sent[:, slot] == np.arange(experts)[:, np.newaxis]
            kept.sums[:] += chosen.astype(np.float64) @ squares[0, :, slot % squares.shape[2]]
            kept.counts[:] += chosen.sum(axis=1)


def _is_wanted(tensor: Tensor) -> bool:
    if operation(tensor) not in ("MUL_MAT", "MUL_MAT_ID"):
        return False
    return _weight_name(tensor).startswith("blk.") and is_f32(tensor.src[1].contents)


def _weight_name(tensor: Tensor) -> str:
    # A copy on an accelerator is called CUDA0#blk.0.attn_k.weight#0.
    parts = tensor.src[0].contents.name.decode("utf-8", "replace").split("#")
    return str(parts[1] if len(parts) > 1 else parts[0])


def _pieces(model: int, texts: Sequence[str], chunk: int) -> Iterator[list[int]]:
    vocabulary = LlamaVocabulary(model)
    begins = [vocabulary.bos] if llama.llama_vocab_get_add_bos(llama.llama_model_get_vocab(model)) else []
    tokens = [token for text in texts for token in begins + vocabulary.tokenize(text, control=False)]
    for start in range(0, len(tokens) - chunk + 1, chunk):
        # A piece begins as a text does.
        yield begins + tokens[start + len(begins) : start + chunk]


def _batches(piece: list[int]) -> Iterator[tuple[int, list[int]]]:
    for start in range(0, len(piece), _BATCH):
        yield start, piece[start : start + _BATCH]


def _context(plan: Plan, model: int, chunk: int, collector: _Collector) -> int:
    params = llama.llama_context_default_params()
    size = min(chunk, _BATCH)
    params.n_ctx, params.n_batch, params.n_ubatch, params.n_seq_max = chunk, size, size, 1
    threads = plan.threads or physical_cores()
    params.n_threads, params.n_threads_batch = threads, plan.batch_threads or threads
    params.flash_attn_type = int(plan.flash_attention)
    params.type_k = getattr(llama, f"GGML_TYPE_{plan.cache_type_k}")
    params.type_v = getattr(llama, f"GGML_TYPE_{plan.cache_type_v}")
    params.cb_eval = collector.callback
    native.forget_complaints()
    context: int | None = llama.llama_init_from_model(model, params)
    if not context:
        raise DoesNotFitError(f"a context of {chunk} tokens cannot be made: {native.complaints()}")
    return context


def _decode(context: int, tokens: list[int], position: int, collector: _Collector) -> None:
    count = len(tokens)
    first = ctypes.pointer(llama.llama_seq_id(0))
    batch = llama.llama_batch(
        n_tokens=count,
        token=(llama.llama_token * count)(*tokens),
        pos=(llama.llama_pos * count)(*range(position, position + count)),
        n_seq_id=(ctypes.c_int32 * count)(*[1] * count),
        seq_id=(ctypes.POINTER(llama.llama_seq_id) * count)(*[first] * count),
        logits=(ctypes.c_int8 * count)(*[1] * count),
    )
    status = llama.llama_decode(context, batch)
    if collector.problem:
        raise collector.problem
    if status:
        raise EdgekitError(f"llama.cpp could not compute (status {status}): {native.complaints()}")
