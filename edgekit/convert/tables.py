"""Tables of tensors: what a checkpoint and GGUF call them, and the shapes that they must have."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace

from gguf import GGMLQuantizationType

from edgekit.convert.checkpoint import Weight
from edgekit.convert.names import plain_name
from edgekit.convert.plan import TensorPlan
from edgekit.convert.safetensors import Floats
from edgekit.errors import FileError, UnsupportedError

# The lengths of a model's dimensions by name; a tensor with a dimension that is not among them is not part of it.
Sizes = Mapping[str, int]
# A length that config.json does not decide.
_ANY = "*"
_CONSTANTS = {"one": 1, "two": 2, "three": 3, _ANY: -1}


@dataclass(frozen=True)
class Row:
    """A tensor: its name in GGUF and the names of its dimensions in the checkpoint, rows first."""

    name: str
    shape: str
    # The dimensions in GGUF where they are others.
    written: str | None = None
    transform: Callable[[Floats], Floats] | None = None
    # Whether the transform moves values between rows, so that it needs the whole tensor.
    whole: bool = False
    # Whether infinity is a value like others.
    unbounded: bool = False
    # The type that it is stored in whatever the quantization.
    stored: GGMLQuantizationType | None = None


@dataclass(frozen=True)
class Expected:
    """A tensor that a checkpoint may or must have, by its config; a dimension of -1 may have any length."""

    row: Row
    shape: tuple[int, ...]
    written: tuple[int, ...]
    required: bool = True


def expect(rows: Mapping[str, Row], sizes: Sizes, optional: Collection[str] = ()) -> dict[str, Expected]:
    """Return the tensors of a table that a model of these sizes has, by the checkpoint's plain names."""
    known = _CONSTANTS | dict(sizes)
    return {
        name: Expected(row, _shape(row.shape, known), _shape(row.written or row.shape, known), name not in optional)
        for name, row in rows.items()
        if all(dimension in known for dimension in row.shape.split())
    }


def expect_layer(
    rows: Mapping[str, Row], inside: str, outside: str, sizes: Sizes, optional: Collection[str] = ()
) -> dict[str, Expected]:
    """Return the tensors of one layer; `inside` and `outside` stand before their names in checkpoint and GGUF."""
    found = expect(rows, sizes, optional)
    return {
        f"{inside}{name}": replace(one, row=replace(one.row, name=f"{outside}{one.row.name}"))
        for name, one in found.items()
    }


class Part:
    """A part of a model that becomes one file: what is expected of it, and `plans`, what the checkpoint has.

    Raises UnsupportedError for a tensor that has no place in `architecture`, FileError for one that stands there twice.
    """

    def __init__(self, expected: Mapping[str, Expected], weights: Iterable[Weight], architecture: str) -> None:
        self._expected = expected
        self._architecture = architecture
        self.weights: dict[str, Weight] = {}
        self.plans = [self._plan(weight) for weight in weights]

    def check(self) -> None:
        """Raise FileError where a tensor is missing or of another shape than config.json promises."""
        for name, weight in self.weights.items():
            self._check_shape(weight, self._expected[name].shape)
        lacking = next((name for name, expected in self.missing() if expected.required), None)
        if lacking is not None:
            raise FileError(f"the checkpoint has no {lacking}: download the whole checkpoint again")

    def missing(self) -> Iterator[tuple[str, Expected]]:
        """Yield the tensors that the checkpoint lacks, required or not, by their plain names."""
        return ((name, expected) for name, expected in self._expected.items() if name not in self.weights)

    def _plan(self, weight: Weight) -> TensorPlan:
        name = plain_name(weight.name)
        if name not in self._expected:
            raise UnsupportedError(
                f"the checkpoint's {weight.name} has no place in llama.cpp's {self._architecture} "
                "as config.json describes it: is it another model's?"
            )
        if name in self.weights:
            raise FileError(f"{weight.name} and {self.weights[name].name} are the same tensor: keep one of them")
        self.weights[name] = weight
        row = self._expected[name].row
        shape = self._expected[name].written if row.written else weight.shape or (1,)
        return TensorPlan(
            row.name, shape, weight, row.transform, unbounded=row.unbounded, whole=row.whole, stored=row.stored
        )

    def _check_shape(self, weight: Weight, shape: tuple[int, ...]) -> None:
        found = weight.shape or (1,)
        if len(found) != len(shape) or any(
            right not in (-1, length) for length, right in zip(found, shape, strict=True)
        ):
            promised = f"rows of {shape[-1]}" if shape[0] < 0 else str(list(shape))
            raise FileError(
                f"config.json belongs to another model: by it {weight.name} would have {promised}, "
                f"it has {list(weight.shape)}; download both again"
            )


def _shape(dimensions: str, sizes: Mapping[str, int]) -> tuple[int, ...]:
    return tuple(sizes[dimension] for dimension in dimensions.split())
