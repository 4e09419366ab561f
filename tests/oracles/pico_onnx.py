"""The bundled model as a folder of ONNX files, converted by edgekit once for a run; import the fixtures by name."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from needed import needs_shared_keys

from edgekit import paths
from edgekit.convert.job import ConvertJob, convert
from edgekit.engine.onnx.engine import OnnxEngine
from edgekit.fit.onnx_plan import OnnxPlan

PRECISIONS = ("fp32", "q4")


@pytest.fixture(scope="session")
def onnx_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    needs_shared_keys()
    folder = tmp_path_factory.mktemp("pico-onnx")
    convert(ConvertJob(paths.demo_checkpoint(), folder, quantizations=PRECISIONS, to="onnx"))
    return folder


@pytest.fixture(scope="session")
def onnx_engine(onnx_folder: Path) -> Iterator[OnnxEngine]:
    """The whole of float32: nothing is rounded."""
    engine = OnnxEngine.open(OnnxPlan(onnx_folder, "fp32", context=2048, threads=1))
    yield engine
    engine.close()
