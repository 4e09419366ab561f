"""A plan to a loaded model, by the library that its files are for."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from edgekit.engine.loaded_model import LoadedModel
from edgekit.engine.loops import TimedModel
from edgekit.fit.onnx_plan import OnnxPlan
from edgekit.fit.plan import Plan


def open_model(plan: Plan | OnnxPlan, on_progress: Callable[[float], None] | None = None) -> LoadedModel:
    """Load what a plan names; `on_progress` hears fractions from 0 to 1. Raises what the engines' `open` raise."""
    if isinstance(plan, OnnxPlan):
        from edgekit.engine.onnx.engine import OnnxEngine

        return OnnxEngine.open(plan, on_progress)
    from edgekit.engine.engine import Engine

    return Engine.open(plan, on_progress)


@contextmanager
def timed_model(plan: Plan | OnnxPlan, on_progress: Callable[[float], None] | None = None) -> Iterator[TimedModel]:
    """Load what a plan names, to be timed; as `open_model`."""
    if isinstance(plan, OnnxPlan):
        from edgekit.engine.onnx.engine import OnnxEngine
        from edgekit.engine.onnx.timed import TimedOnnx

        with OnnxEngine.open(plan, on_progress) as folder:
            yield TimedOnnx(folder)
        return
    from edgekit.engine.engine import Engine
    from edgekit.engine.timed_llama import TimedLlama

    with Engine.open(plan, on_progress) as engine:
        yield TimedLlama(engine)
