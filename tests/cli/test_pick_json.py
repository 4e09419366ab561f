"""docs/pick-json.md against what is printed: every key in both."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

PAGE = Path(__file__).parents[2] / "docs" / "pick-json.md"
ROW = re.compile(r"^\| `([^`]+)` \|([^|]*)\|([^|]+)\|$", re.MULTILINE)
# Their contents are for `edgekit bench` and `edgekit probe`.
OPAQUE = ("machine.kernels", "machine.backend_devices")


def documented() -> dict[str, str]:
    return {key: unit.strip() for key, unit, _ in ROW.findall(PAGE.read_text(encoding="utf-8"))}


def leaves(value: object, path: str = "") -> dict[str, list[object]]:
    """Return the values by key path, list elements as `[]`; what is empty stands for itself."""
    if path in OPAQUE:
        return {path: [value]}
    parts: list[tuple[str, object]] = []
    if isinstance(value, dict):
        parts = [(f"{path}.{key}" if path else key, part) for key, part in value.items()]
    elif isinstance(value, list) and value and isinstance(value[0], dict):
        parts = [(f"{path}[]", part) for part in value]
    if not parts:
        return {path: [value]}
    found: dict[str, list[object]] = {}
    for name, part in parts:
        for key, values in leaves(part, name).items():
            found.setdefault(key, []).extend(values)
    return found


ASKED = [
    ["--profile", "workstation-two-rtx-3090", "--for", "image"],
    ["--profile", "raspberry-pi-5-8gb"],
    ["--profile", "container-2gb", "--context", "131072"],
    ["--profile", "desktop-rtx-3060-12gb", "--policy", "guide"],
    ["--no-measure"],
]


@pytest.fixture(scope="module")
def printed(edgekit) -> list[dict[str, object]]:
    return [json.loads(edgekit("pick", *arguments, "--json").stdout) for arguments in ASKED]


def test_the_top_is_as_promised(printed):
    for found in printed:
        assert list(found) == ["machine", "recommendation", "candidates", "guide", "notes"]
        assert found["recommendation"] is None or found["recommendation"] in found["candidates"]


def test_every_key_is_documented_and_every_documented_key_is_printed(printed):
    keys = {key for found in printed for key in leaves({k: v for k, v in found.items() if k != "recommendation"})}
    known = set(documented())
    assert keys - known == set()
    # Parents of other keys are documented too, and printed as such.
    parents = {key.rpartition(".")[0].removesuffix("[]") for key in keys}
    parents |= {parent.rpartition(".")[0].removesuffix("[]") for parent in parents}
    assert known - keys - parents - {"recommendation"} == set()


def test_units_are_those_of_the_numbers(printed):
    units = documented()
    for found in printed:
        for key, values in leaves({k: v for k, v in found.items() if k != "recommendation"}).items():
            for value in values:
                if isinstance(value, bool) or not isinstance(value, int | float):
                    continue
                assert units[key], f"{key} is a number and has no unit"
                if units[key] == "bytes":
                    assert isinstance(value, int), key
