"""SentencePiece models: every piece as the library reads it, damaged files refused."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from oracles.tiny_gemma3 import write_tokenizer
from sentencepiece import SentencePieceProcessor

from edgekit.convert.gemma3.sentencepiece import read_pieces
from edgekit.errors import FileError


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("tokenizer")
    write_tokenizer(folder)
    return folder / "tokenizer.model"


def test_pieces_are_those_of_the_library(model: Path) -> None:
    library = SentencePieceProcessor()
    library.LoadFromFile(str(model))
    pieces = read_pieces(model)
    assert len(pieces) == library.vocab_size() > 300
    for number, piece in enumerate(pieces):
        assert (piece.text, piece.score) == (library.IdToPiece(number), library.GetScore(number))
        assert (piece.type == 2) == library.IsUnknown(number)
        assert (piece.type == 3) == library.IsControl(number)
        assert (piece.type == 6) == library.IsByte(number)


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.tuples(st.integers(0, 5000), st.integers(0, 255)), max_size=5), st.integers(0, 5000))
def test_a_damaged_model_is_read_or_refused(
    model: Path, tmp_path: Path, changes: list[tuple[int, int]], cut: int
) -> None:
    data = bytearray(model.read_bytes())
    for place, value in changes:
        data[place % len(data)] = value
    path = tmp_path / "tokenizer.model"
    path.write_bytes(data[: len(data) - cut])
    # Nothing else may be raised.
    with suppress(FileError):
        assert read_pieces(path) is not None
