"""What graphs compute with tensors of the checkpoint: products with matrices, rows of tables, norms."""

from __future__ import annotations

import numpy as np
from onnx import TensorProto

from edgekit.convert.onnx.encoding import BLOCK, Encoding
from edgekit.convert.onnx.graph import MICROSOFT, Graph
from edgekit.convert.onnx.kept_adapter import factor_names
from edgekit.convert.onnx.precision import Bits
from edgekit.convert.plan import TensorPlan


def linear(graph: Graph, value: str, plan: TensorPlan, bits: Bits, name: str, *, single: bool = False) -> str:
    """Multiply rows of a value of shape (rows, width) with a matrix of shape (outputs, width).

    In the type of the graph, or in `single` precision whatever that is.
    """
    encoding = Encoding(32 if single and bits == 16 else bits, graph.precision.half and not single)
    made = [
        _multiply(graph, value, plan, encoding, part, name if not part[0] else f"{name}_{part[0]}")
        for part in graph.parts(plan, encoding)
    ]
    whole = made[0] if len(made) == 1 else graph.op("Concat", made, axis=-1)
    if plan.weight is not None and plan.weight.name in graph.kept:
        graph.kept_names[plan.weight.name] = plan.name
        change = _change(graph, graph.to_dtype(value) if single else value, plan, name)
        return graph.op("Add", [whole, graph.to_float32(change) if single else change])
    return whole


def _multiply(graph: Graph, value: str, plan: TensorPlan, encoding: Encoding, part: tuple[int, int], name: str) -> str:
    tensors = graph.tensors(plan, encoding, *part)
    if not encoding.is_quantized:
        return graph.op("Gemm", [value, *tensors], name, transB=1)
    return graph.op(
        f"{MICROSOFT}.MatMulNBits",
        [value, *tensors],
        name,
        K=plan.shape[1],
        N=part[1] - part[0],
        bits=encoding.bits,
        block_size=BLOCK,
        # Activations in 8 bits, as llama.cpp has them: kernels for that are several times as fast.
        accuracy_level=4,
    )


def _change(graph: Graph, value: str, plan: TensorPlan, name: str) -> str:
    """Multiply with the factors of an adapter, which are of rank 0 where none is given."""
    (height, width), dtype, (low, high) = plan.shape, graph.precision.dtype, factor_names(plan.name)
    graph.optional(low, [width, "adapter_rank"], np.zeros((width, 0), dtype))
    graph.optional(high, ["adapter_rank", height], np.zeros((0, height), dtype))
    return graph.op("MatMul", [graph.op("MatMul", [value, low], f"{name}_lora_A"), high], f"{name}_lora_B")


def gather(graph: Graph, ids: str, plan: TensorPlan, bits: Bits, name: str) -> str:
    """Look rows of a table up, as float32."""
    # Tables, unlike matrices, must be whole blocks wide.
    encoding = Encoding(bits if plan.shape[1] % BLOCK == 0 or bits > 16 else 16, graph.precision.half, blocked=False)
    parts = graph.parts(plan, encoding)
    if len(parts) == 1:
        return _look_up(graph, ids, plan, encoding, parts[0], name)
    found = ""
    for start, stop in parts:
        # Of a table in parts, each looks up what is nearest to it, and the right one counts.
        ends = [graph.int64(0), graph.int64(stop - start - 1)]
        near = graph.op("Clip", [graph.op("Sub", [ids, graph.int64(start)]), *ends])
        rows = _look_up(graph, near, plan, encoding, (start, stop), f"{name}_{start}")
        beyond = graph.op("GreaterOrEqual", [ids, graph.int64(start)])
        is_here = graph.op("Unsqueeze", [beyond, graph.int64([-1])])
        found = graph.op("Where", [is_here, rows, found]) if start else rows
    return found


def _look_up(graph: Graph, ids: str, plan: TensorPlan, encoding: Encoding, part: tuple[int, int], name: str) -> str:
    values, *others = graph.tensors(plan, encoding, *part)
    if not encoding.is_quantized:
        found = graph.op("Gather", [values, ids], name, axis=0)
        return graph.op("Cast", [found], to=TensorProto.FLOAT) if encoding.bits == 16 else found
    found = graph.op(
        f"{MICROSOFT}.GatherBlockQuantized",
        [values, ids, *others],
        name,
        bits=encoding.bits,
        block_size=BLOCK,
        gather_axis=0,
        quantize_axis=1,
    )
    return graph.to_float32(found)


def norm(graph: Graph, value: str, scale: str, epsilon: float, name: str, *, single: bool = False) -> str:
    """Divide by the root mean square of the last dimension and multiply with a scale, in the type of the graph.

    The value is of that type too, or in `single` precision where it may be too large for float16.
    """
    divided = graph.to_dtype(_divided(graph, value if single else graph.to_float32(value), epsilon, name))
    return graph.op("Mul", [divided, scale], f"{name}/Mul")


def single_norm(graph: Graph, value: str, scale: str, epsilon: float, name: str) -> str:
    """Do the same in float32."""
    return graph.op("Mul", [_divided(graph, value, epsilon, name), scale], f"{name}/Mul")


def _divided(graph: Graph, value: str, epsilon: float, name: str) -> str:
    # In ONNX's own operators, which every runtime has; onnxruntime makes one kernel of them.
    square = graph.op("Pow", [value, graph.constant(2, np.float32)], f"{name}/Pow")
    mean = graph.op("ReduceMean", [square, graph.int64([-1])], f"{name}/ReduceMean", keepdims=1)
    mean = graph.op("Add", [mean, graph.constant(epsilon, np.float32)], f"{name}/Add")
    return graph.op("Div", [value, graph.op("Sqrt", [mean], f"{name}/Sqrt")], f"{name}/Div")
