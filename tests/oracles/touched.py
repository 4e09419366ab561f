"""Ask llama.cpp which weights one decoded token is really multiplied by, and in how many steps."""

from __future__ import annotations

import ctypes
from dataclasses import dataclass, field
from typing import Any

from edgekit.engine import native
from edgekit.engine.native import llama
from edgekit.fit.plan import Plan


class _Tensor(ctypes.Structure):
    """struct ggml_tensor (ggml.h)."""

    _fields_ = (
        ("type", ctypes.c_int),
        ("buffer", ctypes.c_void_p),
        ("ne", ctypes.c_int64 * 4),
        ("nb", ctypes.c_size_t * 4),
        ("op", ctypes.c_int),
        ("op_params", ctypes.c_int32 * 16),
        ("flags", ctypes.c_int32),
        ("src", ctypes.c_void_p * 10),
        ("view_src", ctypes.c_void_p),
        ("view_offs", ctypes.c_size_t),
        ("data", ctypes.c_void_p),
        ("name", ctypes.c_char * 64),
    )


@dataclass
class Touched:
    """What one token's graph does."""

    # Weights that are read whole, by name; tables of which rows are looked up are not.
    weights: set[str] = field(default_factory=set)
    tables: set[str] = field(default_factory=set)
    # Every operation that computes something, by ggml's name, in order.
    steps: list[str] = field(default_factory=list)
    # Cells of the cache that each layer's attention goes over, padding included.
    cells: list[int] = field(default_factory=list)


_NOTHING = {"NONE", "RESHAPE", "VIEW", "PERMUTE", "TRANSPOSE"}


def touched(plan: Plan, depth: int) -> Touched:
    """Decode one token after `depth` others and return what llama.cpp's own graph says it touches."""
    native.start()
    found, listening = Touched(), [False]
    operation = _operation_names()

    def hear(pointer: int, _ask: bool, _data: object) -> bool:
        if listening[0]:
            _note(found, _Tensor.from_address(pointer), operation)
        # Nothing is to be stopped for.
        return False

    settings = llama.llama_model_default_params()
    settings.use_extra_bufts = False
    model = llama.llama_model_load_from_file(str(plan.model).encode(), settings)
    wanted = llama.llama_context_default_params()
    wanted.n_ctx, wanted.n_threads, wanted.n_threads_batch, wanted.flash_attn_type = plan.context, 1, 1, 1
    wanted.swa_full = False
    callback = llama.ggml_backend_sched_eval_callback(hear)
    wanted.cb_eval = callback
    context = llama.llama_init_from_model(model, wanted)
    try:
        if depth:
            _decode(context, list(range(5, 5 + depth)))
        listening[0] = True
        _decode(context, [7])
    finally:
        llama.llama_free(context)
        llama.llama_model_free(model)
    return found


def _note(found: Touched, tensor: _Tensor, operation: Any) -> None:
    name = operation(tensor.op).decode()
    if name in _NOTHING:
        return
    found.steps.append(name)
    sources = [_Tensor.from_address(one) for one in tensor.src if one]
    weights = {one.name.decode() for one in sources if one.name.endswith((b".weight", b".scale"))}
    (found.tables if name == "GET_ROWS" else found.weights).update(weights)
    if name == "FLASH_ATTN_EXT":
        found.cells.append(sources[1].ne[1])


def _decode(context: int, tokens: list[int]) -> None:
    array = (llama.llama_token * len(tokens))(*tokens)
    assert llama.llama_decode(context, llama.llama_batch_get_one(array, len(tokens))) == 0


def _operation_names() -> Any:
    from edgekit.hardware.backends import library_folder

    folder = library_folder()
    assert folder
    name = ctypes.CDLL(str(next(folder.glob("libggml-base.*")))).ggml_op_name
    name.argtypes, name.restype = [ctypes.c_int], ctypes.c_char_p
    return name
