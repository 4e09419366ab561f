"""Checkpoint files with bytes or values changed at random: read, or refused with one of our errors."""

from __future__ import annotations

import copy
import json
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from edgekit.convert.checkpoint import Checkpoint
from edgekit.convert.gemma4.config import read_config
from edgekit.convert.gemma4.text import metadata
from edgekit.convert.gemma4.tokenizer import Tokenizer
from edgekit.convert.safetensors import SafetensorsFile
from edgekit.errors import EdgekitError, FileError

Made = Callable[[str], Path]
JUNK = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(max_size=4),
    st.just([]),
    st.just({}),
    st.just([[]]),
    st.just([{}, None]),
    st.just({"content": 3}),
)
ANY_FIXTURE = [HealthCheck.function_scoped_fixture]


def places(value: Any) -> list[tuple[Any, Any]]:
    """List every container with each of its keys, depth first."""
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    # A vocabulary's thousand entries are alike: a few of them stand for all.
    listed = list(items)[:60]
    return [(value, key) for key, _ in listed] + [place for _, inner in listed for place in places(inner)]


def spoiled(values: Any, which: int, junk: Any) -> Any:
    made = copy.deepcopy(values)
    found = places(made)
    container, key = found[which % len(found)]
    container[key] = junk
    return made


@settings(max_examples=300, deadline=None, suppress_health_check=ANY_FIXTURE)
@given(st.integers(0, 200), JUNK)
def test_a_config_with_a_wrong_value_is_read_or_refused(checkpoint: Made, which: int, junk: Any) -> None:
    values = json.loads((checkpoint("tiny") / "config.json").read_text())
    try:
        config = read_config(spoiled(values, which, junk))
        written = metadata(config.text)
    except EdgekitError as problem:
        message = str(problem)
    else:
        message = ""
        assert len(config.text.attention.sliding) == config.text.layers
        assert written
    assert "\n" not in message


@settings(max_examples=300, deadline=None, suppress_health_check=ANY_FIXTURE)
@given(st.sampled_from(["tokenizer.json", "tokenizer_config.json"]), st.integers(0, 400), JUNK)
def test_a_tokenizer_with_a_wrong_value_is_read_or_refused(checkpoint: Made, name: str, which: int, junk: Any) -> None:
    source = checkpoint("released")
    with tempfile.TemporaryDirectory() as folder:
        for file in ("tokenizer.json", "tokenizer_config.json"):
            values = json.loads((source / file).read_text())
            changed = spoiled(values, which, junk) if file == name else values
            (Path(folder) / file).write_text(json.dumps(changed))
        try:
            made = Tokenizer(Path(folder), {})
        except EdgekitError:
            return
        assert made.metadata


@settings(max_examples=300, deadline=None, suppress_health_check=ANY_FIXTURE)
@given(st.lists(st.tuples(st.integers(0, 4000), st.integers(0, 255)), max_size=5), st.integers(0, 500_000))
def test_a_safetensors_file_with_wrong_bytes_is_read_or_refused(
    checkpoint: Made, changes: list[tuple[int, int]], cut: int
) -> None:
    data = bytearray((checkpoint("tiny") / "model.safetensors").read_bytes())
    for place, value in changes:
        data[place] = value
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.safetensors"
        path.write_bytes(data[: len(data) - cut])
        try:
            with SafetensorsFile(path) as file:
                for name in file.entries:
                    assert len(file.rows(name, 0, 1)) == 1
        except EdgekitError:
            return
        assert cut == 0


def test_the_undamaged_files_are_read(checkpoint: Made) -> None:
    with Checkpoint(checkpoint("tiny")) as found:
        assert read_config(found.config).text.layers == 6
        assert len(found.weights) > 100


def test_a_shape_with_no_rows_is_no_way_around_the_checks(tmp_path: Path) -> None:
    header = json.dumps({"x": {"dtype": "F32", "shape": [0, 4], "data_offsets": [0, 0]}}).encode()
    path = tmp_path / "model.safetensors"
    path.write_bytes(len(header).to_bytes(8, "little") + header)
    with SafetensorsFile(path) as file:
        assert file.rows("x", 0, 0).shape == (0, 4)
    with pytest.raises(FileError, match=r"config\.json"):
        Checkpoint(tmp_path)
