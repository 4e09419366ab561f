"""onnxruntime: what computes here, and graphs loaded from files."""

from __future__ import annotations

import _thread
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from edgekit.engine.native import StoppedError
from edgekit.errors import FileError, UnsupportedError
from edgekit.installation import command_for

CPU = "CPUExecutionProvider"
_ENDING = "ExecutionProvider"
# Only what ends the process; what goes wrong comes as an exception, too.
_FATAL = 4
_POLL = 0.02
_SHARES_KEYS = (1, 30)
_TYPES: dict[str, Any] = {
    "tensor(float)": np.float32,
    "tensor(float16)": np.float16,
    "tensor(int64)": np.int64,
    "tensor(int32)": np.int32,
    "tensor(bool)": np.bool_,
}


def onnxruntime() -> Any:  # noqa: ANN401 - its native part has no types
    """Return the library with its log turned down; UnsupportedError where it is not installed."""
    try:
        import onnxruntime as library
    except ImportError:
        raise UnsupportedError(f"to run ONNX files onnxruntime is needed: `{command_for('onnx')}` brings it") from None
    library.set_default_logger_severity(_FATAL)
    return library


def check_version() -> None:
    """Raise UnsupportedError where onnxruntime's attention cannot share keys and values between layers yet."""
    version = str(onnxruntime().__version__)
    if tuple(int(part) for part in re.findall(r"\d+", version)[:2]) < _SHARES_KEYS:
        wanted = ".".join(map(str, _SHARES_KEYS))
        raise UnsupportedError(
            f"onnxruntime {version} cannot compute this model: it takes {wanted} or newer, which wants Python 3.11"
        )


def find_provider(name: str | None) -> str:
    """Return an execution provider by a short name such as cuda, dml or coreml; UnsupportedError says what is there."""
    if name is None:
        return CPU
    known = onnxruntime().get_available_providers()
    wanted = name.lower().removesuffix(_ENDING.lower())
    for one in known:
        if one.removesuffix(_ENDING).lower() == wanted:
            return str(one)
    names = ", ".join(one.removesuffix(_ENDING).lower() for one in known)
    raise UnsupportedError(f"the installed onnxruntime has no provider {name}: it has {names}")


class Run:
    """Options of computations that end between two operations once they are stopped."""

    def __init__(self, stop: threading.Event | None = None) -> None:
        self._stop = stop or threading.Event()
        self.options = onnxruntime().RunOptions()
        self.options.log_severity_level = _FATAL

    @property
    def stopped(self) -> bool:
        """Return whether they are to end."""
        return bool(self.options.terminate) or self._stop.is_set()

    def stop(self) -> None:
        """End what is computed now, and what would be computed next."""
        self.options.terminate = True


@contextmanager
def stoppable(stop: threading.Event | None) -> Iterator[Run]:
    """Yield the options of runs that end once `stop` is set."""
    run, over = Run(stop), threading.Event()

    def watch(event: threading.Event) -> None:
        while not over.is_set():
            if event.wait(_POLL):
                run.stop()
                return

    if stop is not None:
        # threading.Thread would wait here until the thread has begun.
        _thread.start_new_thread(watch, (stop,))
    try:
        yield run
    finally:
        over.set()


class Graph:
    """One loaded ONNX file."""

    def __init__(self, path: Path, provider: str, threads: int) -> None:
        """Load a file; FileError where onnxruntime does not take it."""
        library = onnxruntime()
        options = library.SessionOptions()
        options.intra_op_num_threads = threads
        options.log_severity_level = _FATAL
        chosen = [provider] if provider == CPU else [provider, CPU]
        try:
            # Its own second try prints to stdout, and would hide that a provider does not work.
            self.session = library.InferenceSession(str(path), options, providers=chosen, enable_fallback=0)
        # onnxruntime's exceptions have no common class of their own.
        except Exception as problem:
            raise FileError(f"onnxruntime does not load {path}: {_reason(problem)}") from None
        self.path = path
        # What has a default may be fed, too.
        every = [*self.session.get_inputs(), *self.session.get_overridable_initializers()]
        self.inputs = {one.name: one for one in every}
        self.outputs = [one.name for one in self.session.get_outputs()]

    def need(self, inputs: set[str], outputs: set[str]) -> None:
        """Refuse a graph that lacks inputs or outputs of the layout; FileError says which."""
        missing = sorted((inputs - set(self.inputs)) | (outputs - set(self.outputs)))
        if missing:
            raise FileError(f"{self.path} has no {', '.join(missing)}: it is not in the layout of onnx-community")

    def dtype(self, name: str) -> Any:  # noqa: ANN401 - numpy's type of types
        """Return the numpy type of an input; UnsupportedError where it is none that is fed here."""
        kind = self.inputs[name].type
        if kind not in _TYPES:
            raise UnsupportedError(f"{self.path} takes {name} as {kind}, which edgekit does not feed")
        return _TYPES[kind]

    def run(self, feeds: dict[str, Any], run: Run) -> dict[str, Any]:
        """Return the outputs by name; inputs that the graph does not have are left out. Raises StoppedError."""
        given = {name: value.astype(self.dtype(name)) for name, value in feeds.items() if name in self.inputs}
        with self._explained(run):
            found = self.session.run(self.outputs, given, run.options)
        return dict(zip(self.outputs, found, strict=True))

    def run_bound(self, binding: Any, run: Run) -> None:  # noqa: ANN401 - its native part has no types
        """Run with the inputs and outputs of a binding; raises StoppedError."""
        with self._explained(run):
            self.session.run_with_iobinding(binding, run.options)

    @contextmanager
    def _explained(self, run: Run) -> Iterator[None]:
        if run.stopped:
            raise StoppedError
        try:
            yield
        except Exception as problem:
            if run.stopped:
                raise StoppedError from None
            raise FileError(f"onnxruntime cannot compute {self.path}: {_reason(problem)}") from None


def _reason(problem: Exception) -> str:
    # "[ONNXRuntimeError] : 7 : INVALID_PROTOBUF : Load model from ... failed: Protobuf parsing failed."
    return " ".join(str(problem).rpartition("] : ")[2].split())[:300]
