"""Ask llama.cpp what GGUFs would take, without their weights, to the byte.

Usage: python dry_run.py < QUESTIONS

A process of its own: llama.cpp aborts on mistakes. QUESTIONS and the answer on stdout are lists in JSON.
"""

from __future__ import annotations

import ctypes
import json
import re
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, NamedTuple

from edgekit.hardware.build import load_backends

_CELLS = re.compile(r"size =\s*[\d.]+ MiB \(\s*(\d+) cells")
_POOLS = re.compile(r"size =\s*([\d.]+) MiB \(\s*\d+ cells")
_OUTPUT = re.compile(r"output buffer size =\s*([\d.]+) MiB")


@dataclass(frozen=True)
class Question:
    """A file and the settings of a context for it, in llama.cpp's terms."""

    file: str
    context: int
    ubatch: int = 512
    outputs: int = 1
    cache: str = "F16"
    swa_full: bool = False
    flash_attention: bool = True
    sequences: int = 1
    repack: bool = False
    # Of a drafter: the file of the model that it drafts for.
    target: str = ""


class Answer(NamedTuple):
    """llama.cpp's own numbers: bytes, cells of the two pools, and what it logs, in MiB to two decimals."""

    weights: int
    repacked: int
    cache: int
    compute: int
    cells: list[int]
    pools_mib: list[float]
    output_mib: float


def ask(questions: Sequence[Question]) -> list[Answer]:
    """Return what llama.cpp would take for each question."""
    text = json.dumps([asdict(one) for one in questions])
    done = subprocess.run([sys.executable, __file__], input=text, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    return [Answer(*one) for one in json.loads(done.stdout)]


class _Node(ctypes.Structure):
    """A node of libstdc++'s std::map<buffer type, llama_memory_breakdown_data> (llama-ext.h)."""

    _fields_ = (
        ("colour", ctypes.c_int),
        *((name, ctypes.c_void_p) for name in ("parent", "left", "right", "buffer_type")),
        *((name, ctypes.c_size_t) for name in ("model", "context", "compute")),
    )


class _Map(ctypes.Structure):
    _fields_ = (
        ("less", ctypes.c_void_p),
        ("colour", ctypes.c_int),
        *((name, ctypes.c_void_p) for name in ("root", "leftmost", "rightmost")),
        ("count", ctypes.c_size_t),
    )


class _LlamaCpp:
    """llama.cpp, its log kept, with the last model that was asked about."""

    def __init__(self) -> None:
        import llama_cpp

        self._llama: Any = llama_cpp
        self._lines: list[str] = []
        self._hear = llama_cpp.llama_log_callback(lambda _level, text, _user: self._lines.append(text.decode()))
        llama_cpp.llama_log_set(self._hear, ctypes.c_void_p(0))
        load_backends()
        llama_cpp.llama_backend_init()
        library: Any = llama_cpp.llama_cpp._lib
        # C++: the map comes back through a hidden first argument.
        self._breakdown = library._Z26llama_get_memory_breakdownPK13llama_context
        self._breakdown.restype, self._breakdown.argtypes = ctypes.c_void_p, [ctypes.c_void_p, ctypes.c_void_p]
        base = ctypes.CDLL(library._name.replace("libllama", "libggml-base"))
        self._name = base.ggml_backend_buft_name
        self._name.restype, self._name.argtypes = ctypes.c_char_p, [ctypes.c_void_p]
        self._model: tuple[tuple[str, bool], Any] | None = None

    def answer(self, question: Question) -> Answer:
        """Make the context that is asked about, without memory, and say what it would take."""
        model = self._loaded(question.file, question.repack)
        wanted = self._llama.llama_context_default_params()
        wanted.n_ctx, wanted.n_batch, wanted.n_ubatch = question.context, question.ubatch, question.ubatch
        wanted.n_outputs_max, wanted.n_seq_max, wanted.kv_unified = question.outputs, question.sequences, True
        wanted.type_k = wanted.type_v = getattr(self._llama, f"GGML_TYPE_{question.cache}")
        wanted.swa_full, wanted.flash_attn_type = question.swa_full, int(question.flash_attention)
        target = self._target(question) if question.target else None
        if target:
            # LLAMA_CONTEXT_TYPE_MTP.
            wanted.ctx_other, wanted.ctx_type = target, 1
        self._lines.clear()
        context = self._llama.llama_init_from_model(model, wanted)
        said = "".join(self._lines)
        assert context, said[-500:]
        buffers = self._buffers(context)
        self._llama.llama_free(context)
        plain, repacked = buffers["CPU"], buffers.get("CPU_REPACK", (0, 0, 0))
        return Answer(
            plain[0],
            repacked[0],
            *plain[1:],
            [int(cells) for cells in _CELLS.findall(said)],
            [float(size) for size in _POOLS.findall(said)],
            float(_OUTPUT.findall(said)[0]),
        )

    def _target(self, question: Question) -> Any:
        settings = self._llama.llama_model_default_params()
        settings.no_alloc, settings.load_mode, settings.use_extra_bufts = True, 0, False
        model = self._llama.llama_model_load_from_file(question.target.encode(), settings)
        wanted = self._llama.llama_context_default_params()
        wanted.n_ctx, wanted.n_batch, wanted.n_ubatch = question.context, question.ubatch, question.ubatch
        wanted.type_k = wanted.type_v = getattr(self._llama, f"GGML_TYPE_{question.cache}")
        wanted.n_outputs_max, wanted.swa_full, wanted.flash_attn_type = 1, False, 1
        # Kept: the drafter's context reads it, and the process ends with the last question.
        return self._llama.llama_init_from_model(model, wanted)

    def _loaded(self, file: str, repack: bool) -> Any:
        if self._model is None or self._model[0] != (file, repack):
            settings = self._llama.llama_model_default_params()
            # A dry run asserts under mmap: load mode NONE.
            settings.no_alloc, settings.load_mode, settings.use_extra_bufts = True, 0, repack
            model = self._llama.llama_model_load_from_file(file.encode(), settings)
            assert model, "".join(self._lines)[-500:]
            if self._model:
                self._llama.llama_model_free(self._model[1])
            self._model = (file, repack), model
        return self._model[1]

    def _buffers(self, context: Any) -> dict[str, tuple[int, int, int]]:
        found = _Map()
        self._breakdown(ctypes.byref(found), context)
        sizes: dict[str, tuple[int, int, int]] = {}
        waiting = [found.root]
        while waiting:
            if address := waiting.pop():
                node = _Node.from_address(address)
                sizes[self._name(node.buffer_type).decode()] = node.model, node.context, node.compute
                waiting += [node.left, node.right]
        return sizes


if __name__ == "__main__":
    llama_cpp = _LlamaCpp()
    print(json.dumps([llama_cpp.answer(Question(**one)) for one in json.load(sys.stdin)]))
