"""What `edgekit convert` is asked for, checked before anything is read."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import typer

from edgekit.cli import output
from edgekit.cli.options import bundled

if TYPE_CHECKING:
    from edgekit.catalog.recipe import Choices

Parsed = TypeVar("Parsed")


def quantizations(asked: Sequence[str], checkpoint: Path, adapters: Sequence[Path], *, yes: bool) -> tuple[str, ...]:
    """Return the quantizations to make, Q8_0 by default; asks before one that a checkpoint was not trained for."""
    from edgekit.convert.mixture import check_quantization
    from edgekit.convert.quantization_aware import QUANTIZATION, quantization_aware_name

    wanted = tuple(_parse(check_quantization, name, "--quant") for name in asked)
    name = quantization_aware_name(checkpoint, adapters)
    if name is None:
        return wanted or ("Q8_0",)
    others = [quantization for quantization in wanted if quantization != QUANTIZATION]
    if others and not yes:
        _ask(f"{name} was trained to be stored as {QUANTIZATION}; {', '.join(others)} gives away what that won")
    return wanted or (QUANTIZATION,)


def precisions(asked: Sequence[str]) -> tuple[str, ...]:
    """Return the precisions of ONNX graphs to make, q4 by default."""
    from edgekit.convert.onnx.precision import check_precision

    return tuple(_parse(check_precision, name, "--quant") for name in asked) or ("q4",)


def adapters(asked: Sequence[str]) -> tuple[tuple[Path, ...], tuple[float, ...]]:
    """Return the folders of adapters and how much of each: DIR=0.5 is half, unless a folder is called that."""
    found = [_weighted(text) for text in asked]
    return tuple(folder for folder, _ in found), tuple(weight for _, weight in found)


def _weighted(text: str) -> tuple[Path, float]:
    folder, sign, weight = text.rpartition("=")
    if sign and not Path(text).exists():
        with suppress(ValueError):
            return bundled(Path(folder)), float(weight)
    return bundled(Path(text)), 1.0


def choices(tensor_type: Sequence[str], token_embedding: str | None, output_tensor: str | None, pure: bool) -> Choices:
    """Return the types that a person chose for single tensors."""
    from edgekit.catalog.recipe import Choices
    from edgekit.convert.mixture import check_type, parse_tensor_type

    return Choices(
        pure,
        tuple(_parse(parse_tensor_type, text, "--tensor-type") for text in tensor_type),
        _parse(check_type, token_embedding, "--token-embedding-type") if token_embedding else None,
        _parse(check_type, output_tensor, "--output-tensor-type") if output_tensor else None,
    )


def check_projector(name: str) -> None:
    """Raise a usage error for a projector's quantization that is not made."""
    from edgekit.convert.mixture import PROJECTOR_QUANTIZATIONS, check_quantization

    if name not in ("auto", "none"):
        _parse(lambda asked: check_quantization(asked, PROJECTOR_QUANTIZATIONS), name, "--projector")


def size(text: str, option: str) -> int:
    """Return the bytes that an option asks for."""
    from edgekit.convert.sizes import parse_size

    return _parse(parse_size, text, option)


def _parse(parse: Callable[[str], Parsed], text: str, option: str) -> Parsed:
    from edgekit.errors import UnsupportedError

    try:
        return parse(text)
    except UnsupportedError as problem:
        raise typer.BadParameter(str(problem), param_hint=option) from problem


def _ask(question: str) -> None:
    from edgekit.errors import UnsupportedError

    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        raise UnsupportedError(f"{question}: leave out --quant, or add --yes to have it all the same")
    output.hint(f"{question}.")
    if not typer.confirm("Make it all the same?", err=True):
        raise typer.Exit(1)
