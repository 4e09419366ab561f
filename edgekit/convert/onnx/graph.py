"""An ONNX graph under construction: nodes, constants and the tensors that lie beside it."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from hashlib import sha256
from pathlib import Path

import numpy as np
import numpy.typing as npt
import onnx
from onnx import TensorProto, helper, numpy_helper

from edgekit import __version__
from edgekit.convert.onnx.data_files import DataFiles, Place
from edgekit.convert.onnx.encoding import Encoding
from edgekit.convert.onnx.precision import Precision
from edgekit.convert.onnx.stored import Stored
from edgekit.convert.plan import TensorPlan

MICROSOFT = "com.microsoft"
# What onnxruntime 1.30 and transformers.js 4 read.
_OPSET = 21
_IR_VERSION = 10
_TYPES = {
    np.dtype(t): helper.np_dtype_to_tensor_dtype(np.dtype(t))
    for t in (np.float32, np.float16, np.int64, np.uint8, np.bool_)
}
Dimension = int | str
Attribute = int | float | str | Sequence[int]


class Graph:
    """A graph in a precision; names of values are passed from node to node.

    Its tensors' bytes are written later: `stored` says which, and `data` where.
    """

    def __init__(self, path: Path, precision: Precision, kept: Collection[str] = ()) -> None:
        """`kept` names the checkpoint's weights whose changes stay in a file of their own."""
        self.path = path
        self.kept = kept
        # What the graph calls those of them that it multiplies with.
        self.kept_names: dict[str, str] = {}
        self.precision = precision
        self.data = DataFiles(path)
        self.stored: list[Stored] = []
        self._nodes: list[onnx.NodeProto] = []
        self._initializers: dict[str, TensorProto] = {}
        self._inputs: list[onnx.ValueInfoProto] = []
        self._outputs: list[onnx.ValueInfoProto] = []

    def input(self, name: str, dtype: npt.DTypeLike, shape: Sequence[Dimension]) -> str:
        """Declare an input."""
        self._inputs.append(helper.make_tensor_value_info(name, _TYPES[np.dtype(dtype)], shape))
        return name

    def output(self, name: str, dtype: npt.DTypeLike, shape: Sequence[Dimension], value: str | None = None) -> None:
        """Declare an output, which a node has made under its name or under that of `value`."""
        self._outputs.append(helper.make_tensor_value_info(name, _TYPES[np.dtype(dtype)], shape))
        if value is not None:
            self._nodes.append(helper.make_node("Identity", [value], [name], name=f"{name}/Identity"))

    def op(self, kind: str, inputs: Sequence[str], name: str | None = None, **attributes: Attribute) -> str:
        """Add a node with one output and return its name."""
        return self.ops(kind, inputs, 1, name, **attributes)[0]

    def ops(
        self,
        kind: str,
        inputs: Sequence[str],
        outputs: int | Sequence[str],
        name: str | None = None,
        **attributes: Attribute,
    ) -> list[str]:
        """Add a node with several outputs, whose names are returned; `com.microsoft.X` names a kind of that domain."""
        domain, _, plain = kind.rpartition(".")
        name = name or f"/{plain}_{len(self._nodes)}"
        made = [f"{name}/output_{index}" for index in range(outputs)] if isinstance(outputs, int) else list(outputs)
        self._nodes.append(helper.make_node(plain, inputs, made, name, None, domain, None, **attributes))
        return made

    def constant(self, values: npt.ArrayLike, dtype: npt.DTypeLike | None = None) -> str:
        """Return a small constant, of the type that the graph computes in unless said otherwise."""
        array = np.array(values, self.precision.dtype if dtype is None else dtype)
        text = (
            "_".join(map(str, array.reshape(-1).tolist()))
            if array.size <= 8
            else sha256(array.tobytes()).hexdigest()[:16]
        )
        name = f"constant_{array.dtype}_{array.ndim}_{text}"
        if name not in self._initializers:
            self._initializers[name] = numpy_helper.from_array(array, name)
        return name

    def int64(self, values: npt.ArrayLike) -> str:
        """Return a constant of whole numbers: dimensions, axes, indices."""
        return self.constant(values, np.int64)

    def tensor(self, plan: TensorPlan, *, single: bool = False) -> str:
        """Return a small tensor of the checkpoint in the type that the graph computes in, or in float32."""
        return self.tensors(plan, Encoding(16 if self.precision.half and not single else 32))[0]

    def scalar(self, plan: TensorPlan) -> str:
        """Return a single number of the checkpoint as a tensor without dimensions."""
        name = self.tensor(plan)
        del self._initializers[name].dims[:]
        return name

    def conditional(self, condition: str, yes: Callable[[], str], no: Callable[[], str]) -> str:
        """Compute one of two values, whose nodes are added by functions; both may use all that was computed before."""
        branches = {"then_branch": self._branch(yes), "else_branch": self._branch(no)}
        name = f"/If_{len(self._nodes)}"
        made = helper.make_node("If", [condition], [f"{name}/output_0"], name, None, "", None, **branches)
        self._nodes.append(made)
        return f"{name}/output_0"

    def _branch(self, build: Callable[[], str]) -> onnx.GraphProto:
        outside, self._nodes = self._nodes, list(self._nodes)
        value = build()
        inside, self._nodes = self._nodes[len(outside) :], outside
        output = onnx.ValueInfoProto(name=value)
        output.type.tensor_type.elem_type = _TYPES[np.dtype(self.precision.dtype)]
        return helper.make_graph(inside, inside[-1].name, [], [output])

    def optional(self, name: str, shape: Sequence[Dimension], default: npt.NDArray[np.generic]) -> str:
        """Declare an input that has a default."""
        self._initializers[name] = numpy_helper.from_array(default, name)
        return self.input(name, default.dtype, shape)

    def tensors(self, plan: TensorPlan, encoding: Encoding, start: int = 0, stop: int | None = None) -> list[str]:
        """Return rows of a tensor in an encoding: its values, and where they are quantized scales and zero points."""
        stop = plan.height if stop is None else stop
        name = plan.name if stop - start == plan.height else f"{plan.name}.{start}"
        names, places = [], []
        for layout in encoding.layouts(plan.shape[1:]):
            place = self.data.take(layout.row_bytes * (stop - start))
            names.append(f"{name}{layout.ending}")
            places.append(place)
            if names[-1] in self._initializers:
                raise AssertionError(f"{names[-1]} stands twice in the graph")
            self._initializers[names[-1]] = _external(names[-1], layout.dtype, (stop - start, *layout.shape), place)
        self.stored.append(Stored(plan, start, stop, encoding, tuple(places)))
        return names

    def parts(self, plan: TensorPlan, encoding: Encoding) -> list[tuple[int, int]]:
        """Return the rows at which a tensor is cut so that each part fits into a data file."""
        largest = max(layout.row_bytes for layout in encoding.layouts(plan.shape[1:]))
        step = self.data.limit // largest
        return [(start, min(start + step, plan.height)) for start in range(0, plan.height, step)]

    def to_dtype(self, value: str) -> str:
        """Return a float32 value in the type that the graph computes in."""
        return self.op("Cast", [value], to=TensorProto.FLOAT16) if self.precision.half else value

    def to_float32(self, value: str) -> str:
        """Return a value of the type that the graph computes in as float32."""
        return self.op("Cast", [value], to=TensorProto.FLOAT) if self.precision.half else value

    def finish(self) -> onnx.ModelProto:
        """Return the graph as it is written to its file."""
        made = helper.make_graph(
            self._nodes, self.path.stem, self._inputs, self._outputs, list(self._initializers.values())
        )
        opsets = [helper.make_opsetid("", _OPSET), helper.make_opsetid(MICROSOFT, 1)]
        model = helper.make_model(made, opset_imports=opsets, ir_version=_IR_VERSION)
        model.producer_name, model.producer_version = "edgekit", __version__
        return model


def _external(name: str, dtype: npt.DTypeLike, shape: Sequence[int], place: Place) -> TensorProto:
    made = TensorProto(name=name, data_type=_TYPES[np.dtype(dtype)], dims=shape)
    made.data_location = TensorProto.EXTERNAL
    for key, value in (("location", place.path.name), ("offset", place.offset), ("length", place.bytes)):
        made.external_data.add(key=key, value=str(value))
    return made
