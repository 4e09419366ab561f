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
from edgekit.convert.onnx.kept_adapter import factor_names
from edgekit.convert.onnx.precision import Bits, Precision
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
        """Return a small constant, of the graph's own floats unless said otherwise."""
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

    def whole(self, values: npt.ArrayLike) -> str:
        """Return a constant of whole numbers: dimensions, axes, indices."""
        return self.constant(values, np.int64)

    def tensor(self, plan: TensorPlan) -> str:
        """Return a small tensor of the checkpoint in the floats that the graph computes with."""
        return self.tensors(plan, Encoding(16 if self.precision.half else 32))[0]

    def scalar(self, plan: TensorPlan) -> str:
        """Return a single number of the checkpoint as a tensor without dimensions."""
        name = self.tensor(plan)
        del self._initializers[name].dims[:]
        return name

    def either(self, condition: str, yes: Callable[[], str], no: Callable[[], str]) -> str:
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

    def floats(self, value: str) -> str:
        """Return a float32 value in the graph's own floats."""
        return self.op("Cast", [value], to=TensorProto.FLOAT16) if self.precision.half else value

    def singles(self, value: str) -> str:
        """Return a value of the graph's own floats as float32."""
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

    def linear(self, value: str, plan: TensorPlan, bits: Bits, name: str) -> str:
        """Multiply rows of a value of shape (rows, width) with a matrix of shape (outputs, width)."""
        encoding = Encoding(bits, self.precision.half)
        made = [
            self._multiply(value, plan, encoding, start, stop, name if not start else f"{name}_{start}")
            for start, stop in self.parts(plan, encoding)
        ]
        whole = made[0] if len(made) == 1 else self.op("Concat", made, axis=-1)
        if plan.weight is not None and plan.weight.name in self.kept:
            self.kept_names[plan.weight.name] = plan.name
            return self.op("Add", [whole, self._change(value, plan, name)])
        return whole

    def _change(self, value: str, plan: TensorPlan, name: str) -> str:
        """Multiply with the factors of an adapter, which are of rank 0 where none is given."""
        height, width = plan.shape
        for factor, shape, rank in zip(factor_names(plan.name), ([width, 0], [0, height]), (1, 0), strict=True):
            dimensions: list[Dimension] = list(shape)
            dimensions[rank] = "adapter_rank"
            self.input(factor, self.precision.dtype, dimensions)
            self._initializers[factor] = numpy_helper.from_array(np.zeros(shape, self.precision.dtype), factor)
        low, high = factor_names(plan.name)
        return self.op("MatMul", [self.op("MatMul", [value, low], f"{name}_lora_A"), high], f"{name}_lora_B")

    def _multiply(self, value: str, plan: TensorPlan, encoding: Encoding, start: int, stop: int, name: str) -> str:
        tensors = self.tensors(plan, encoding, start, stop)
        if not encoding.is_quantized:
            return self.op("Gemm", [value, *tensors], name, transB=1)
        return self.op(
            f"{MICROSOFT}.MatMulNBits",
            [value, *tensors],
            name,
            K=plan.shape[1],
            N=stop - start,
            bits=encoding.bits,
            block_size=32,
            # Activations in 8 bits, as llama.cpp has them: kernels for that are several times as fast.
            accuracy_level=4,
        )

    def gather(self, ids: str, plan: TensorPlan, bits: Bits, name: str) -> str:
        """Look rows of a table up, as float32."""
        encoding = Encoding(bits, self.precision.half, blocked=False)
        parts = self.parts(plan, encoding)
        found = self._look_up(ids, plan, encoding, parts[0], name) if len(parts) == 1 else ""
        for start, stop in parts if len(parts) > 1 else ():
            # Of a table in parts, each looks up what is nearest to it, and the right one counts.
            near = self.op(
                "Clip", [self.op("Sub", [ids, self.whole(start)]), self.whole(0), self.whole(stop - start - 1)]
            )
            rows = self._look_up(near, plan, encoding, (start, stop), f"{name}_{start}")
            if not start:
                found = rows
                continue
            beyond = self.op("GreaterOrEqual", [ids, self.whole(start)])
            found = self.op("Where", [self.op("Unsqueeze", [beyond, self.whole([-1])]), rows, found])
        return found

    def _look_up(self, ids: str, plan: TensorPlan, encoding: Encoding, part: tuple[int, int], name: str) -> str:
        tensors = self.tensors(plan, encoding, *part)
        if not encoding.is_quantized:
            found = self.op("Gather", [tensors[0], ids], name, axis=0)
            return self.op("Cast", [found], to=TensorProto.FLOAT) if encoding.bits == 16 else found
        values, *others = tensors
        found = self.op(
            f"{MICROSOFT}.GatherBlockQuantized",
            [values, ids, *others],
            name,
            bits=encoding.bits,
            block_size=32,
            gather_axis=0,
            quantize_axis=1,
        )
        return self.singles(found)

    def norm(self, value: str, scale: str, epsilon: float, name: str) -> str:
        """Divide by the root mean square of the last dimension, then multiply with a scale."""
        # In ONNX's own operators, which every runtime has; onnxruntime makes one kernel of them.
        wide = self.singles(value)
        square = self.op("Pow", [wide, self.constant(2, np.float32)], f"{name}/Pow")
        mean = self.op("ReduceMean", [square, self.whole([-1])], f"{name}/ReduceMean", keepdims=1)
        root = self.op(
            "Sqrt", [self.op("Add", [mean, self.constant(epsilon, np.float32)], f"{name}/Add")], f"{name}/Sqrt"
        )
        normed = self.floats(self.op("Div", [wide, root], f"{name}/Div"))
        return self.op("Mul", [normed, scale], f"{name}/Mul")


def _external(name: str, dtype: npt.DTypeLike, shape: Sequence[int], place: Place) -> TensorProto:
    made = TensorProto(name=name, data_type=_TYPES[np.dtype(dtype)], dims=shape)
    made.data_location = TensorProto.EXTERNAL
    for key, value in (("location", place.path.name), ("offset", place.offset), ("length", place.bytes)):
        made.external_data.add(key=key, value=str(value))
    return made
