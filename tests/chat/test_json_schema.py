"""JSON schemas as grammars: what llama.cpp then allows is valid, as the jsonschema package judges."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator
from oracles.grammar_walk import walk

from edgekit.chat import gbnf
from edgekit.chat.json_schema import grammar, read_schema
from edgekit.errors import EdgekitError, FileError

PERSON = {
    "type": "object",
    "properties": {
        "name": {"type": "string", "minLength": 1, "maxLength": 12},
        "age": {"type": "integer", "minimum": 0, "maximum": 130},
        "tags": {"type": "array", "items": {"enum": ["a", 'b"\\{', "ü\n"]}, "minItems": 1, "maxItems": 3},
        "boss": {"anyOf": [{"$ref": "#"}, {"type": "null"}]},
    },
    "required": ["name", "age"],
    "additionalProperties": False,
}
SCHEMAS: dict[str, dict[str, Any]] = {
    "person": PERSON,
    "any": {},
    "list": {"type": "array", "items": {"type": "number"}},
    "pair": {"type": "array", "prefixItems": [{"type": "boolean"}, {"const": {"a": [1, None]}}], "items": False},
    "none": {"type": "array", "maxItems": 0},
    "map": {"type": "object", "additionalProperties": {"type": "integer", "exclusiveMinimum": -3, "maximum": 12}},
    "empty": {"type": "object", "additionalProperties": False},
    "needed": {"type": "object", "required": ["x", "y"], "additionalProperties": {"type": "boolean"}},
    "optional": {"properties": {key: {"type": "null"} for key in "abcde"}, "required": ["b", "d"]},
    "names": {"properties": {'a"\\\n{}': {"type": "null"}, "": True, "你": {"type": "string", "maxLength": 2}}},
    "share": {"type": "number", "exclusiveMinimum": 0, "maximum": 1},
    "below": {"type": "number", "maximum": -0.5},
    "kinds": {"type": ["string", "null", "integer"], "maxLength": 3, "minimum": 995, "maximum": 1005},
    "type beside enum": {"type": ["integer", "null"], "enum": [1, 2.0, "three", None, 4.5, True]},
    "tree": {
        "$ref": "#/$defs/a~1b%20c",
        "$defs": {"a/b c": {"type": "object", "properties": {"of": {"type": "array", "items": {"$ref": "#"}}}}},
    },
    "same name": {
        "type": "object",
        "properties": {"item": {"$ref": "#/$defs/one/item"}, "other": {"$ref": "#/$defs/two/item"}},
        "required": ["item", "other"],
        "$defs": {"one": {"item": {"type": "boolean"}}, "two": {"item": {"const": "string"}}},
    },
    "one of": {
        "oneOf": [
            {
                "type": "object",
                "properties": {"kind": {"const": kind}, kind: {"type": "null"}},
                "required": ["kind", kind],
            }
            for kind in ("cat", "dog")
        ]
    },
    "one of kinds": {"oneOf": [{"type": "boolean"}, {"type": "integer"}, {"enum": ["x"], "type": "string"}]},
    "all of one": {"allOf": [{"type": "string", "maxLength": 4}], "description": "pydantic writes it so"},
    "boxes": {
        "type": "array",
        "items": {
            "type": "object",
            "properties": {
                "box_2d": {
                    "type": "array",
                    "items": {"type": "integer", "minimum": 0, "maximum": 1000},
                    "minItems": 4,
                    "maxItems": 4,
                },
                "label": {"type": "string", "maxLength": 20},
            },
            "required": ["box_2d", "label"],
        },
        "maxItems": 3,
    },
}


@pytest.mark.parametrize("name", SCHEMAS)
def test_what_the_grammar_allows_is_valid(name, q8_engine):
    schema, validator = SCHEMAS[name], Draft202012Validator(SCHEMAS[name])
    rules = grammar(schema)
    texts = [text for seed in range(5) if (text := walk(q8_engine, rules, seed)) is not None]
    assert texts, "no text came to an end"
    for text in texts:
        validator.validate(json.loads(text))


leaves = st.one_of(
    st.sampled_from([{}, True, {"type": "null"}, {"type": "boolean"}, {"type": "string", "maxLength": 5}]),
    st.builds(
        lambda low, more, kind: {"type": kind, "minimum": low, "maximum": low + more},
        st.integers(-2000, 2000),
        st.integers(0, 3000),
        st.sampled_from(["integer", "number"]),
    ),
    st.builds(lambda values: {"enum": values}, st.lists(st.one_of(st.text(), st.integers(), st.none()), min_size=1)),
)


def nested(inner):
    names = st.text(max_size=4)
    return st.one_of(
        st.builds(
            lambda items, low: {"type": "array", "items": items, "minItems": low, "maxItems": low + 2},
            inner,
            st.integers(0, 2),
        ),
        st.builds(
            lambda properties, few: {"type": "object", "properties": properties, "required": list(properties)[::few]},
            st.dictionaries(names, inner, max_size=4),
            st.integers(1, 3),
        ),
        st.builds(lambda parts: {"anyOf": parts}, st.lists(inner, min_size=1, max_size=3)),
    )


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.recursive(leaves, nested, max_leaves=6).filter(lambda schema: schema is not True), st.integers(0, 99))
def test_any_schema_gives_valid_texts_only(q8_engine, schema, seed):
    text = walk(q8_engine, grammar(schema), seed, most=120)
    if text is not None:
        Draft202012Validator(schema).validate(json.loads(text))


def as_regex(expression: str) -> re.Pattern[str]:
    """Ranges are regular expressions but for quotes and spaces."""
    fraction = expression.replace("fraction", "[.][0-9]{0,14}[1-9]")
    return re.compile(fraction.replace('"', "").replace(" ", ""))


@given(st.integers(-12_000, 12_000), st.integers(0, 9_000), st.integers(-13_000, 13_000))
def test_ranges_hold_their_numbers_and_no_others(low, more, number):
    high = low + more
    for each in (number, low - 1, low, high, high + 1):
        assert bool(as_regex(gbnf.integers(low, high)).fullmatch(str(each))) == (low <= each <= high)


@given(st.integers(-300, 300), st.integers(1, 300), st.floats(-700, 700).map(lambda number: round(number, 3)))
def test_decimals_lie_between(low, more, number):
    written = f"{number:.3f}".rstrip("0")
    if not written.endswith("."):
        inside = low < number < low + more
        assert bool(as_regex(gbnf.fractions(low, low + more)).fullmatch(written)) == inside


@pytest.mark.parametrize(
    ("schema", "match"),
    [
        *[({"properties": {"x": {key: {"a": 1}}}}, f"#/properties/x: '{key}'") for key in ("pattern", "not", "if")],
        ({"type": "array", "uniqueItems": True}, "uniqueItems"),
        ({"type": "integer", "multipleOf": 5}, "multipleOf"),
        ({"type": "text"}, "no type 'text'"),
        ({"type": []}, "no type"),
        ({"enum": []}, "no value to choose from"),
        ({"enum": ["a"], "type": "integer"}, "no value to choose from"),
        ({"const": "\ud800"}, "cannot be written"),
        ({"properties": {"\ud800": {}}}, "cannot be written"),
        ({"anyOf": []}, "lists nothing"),
        ({"anyOf": [{}], "minLength": 3}, "beside 'anyOf'"),
        ({"oneOf": [{"type": "integer"}, {"type": "number"}]}, "overlap"),
        ({"allOf": [{"type": "object"}, {"required": ["x"]}]}, "allOf"),
        ({"$ref": "https://example.org/schema"}, "not in the schema itself"),
        ({"$ref": "#/$defs/missing"}, "leads nowhere"),
        ({"$ref": "#"}, "leads back to itself"),
        ({"$ref": "#/$defs/a", "$defs": {"a": {"anyOf": [{"type": "null"}, {"$ref": "#/$defs/a"}]}}}, "back to itself"),
        ({"type": "integer", "minimum": 3, "maximum": 2}, "no number to choose from"),
        ({"type": "number", "minimum": 0.2, "maximum": 0.8}, "no number to choose from"),
        ({"type": "string", "minLength": 3, "maxLength": 2}, "above its maximum"),
        ({"type": "string", "maxLength": 10_000}, "more than 1000"),
        ({"type": "array", "minItems": -1}, "no count"),
        ({"type": "array", "items": False, "minItems": 1}, "more than is allowed"),
        ({"required": ["x"], "additionalProperties": False}, "'x' is required and not allowed"),
        ({"properties": {"x": False}}, "nothing is allowed here"),
        ({"properties": {"x": 3}}, "no schema"),
        ({"properties": {f"p{number}": {} for number in range(3000)}}, "too large"),
        ({"required": [[]]}, "no JSON schema"),
    ],
)
def test_what_cannot_be_enforced_is_refused_by_name(schema, match):
    with pytest.raises(EdgekitError, match=re.escape(match)) as problem:
        grammar(schema)
    assert "\n" not in str(problem.value)


def test_a_schema_nested_without_end():
    schema: dict[str, Any] = {}
    for _ in range(5000):
        schema = {"type": "array", "items": schema}
    with pytest.raises(EdgekitError, match=r"nested too deeply|too large"):
        grammar(schema)


def test_schemas_come_from_files_and_from_the_command_line(tmp_path):
    (tmp_path / "person.json").write_text(json.dumps(PERSON))
    assert read_schema(str(tmp_path / "person.json")) == read_schema(json.dumps(PERSON)) == PERSON


@pytest.mark.parametrize(
    ("text", "match"),
    [("missing.json", "neither a file nor JSON"), ("{", "no JSON"), ("[1]", "neither"), ('{"a":' * 100_000, "no JSON")],
)
def test_what_is_no_schema(text, match):
    with pytest.raises(FileError, match=match):
        read_schema(text)


def test_files_that_hold_no_schema(tmp_path):
    (tmp_path / "list.json").write_text("[]")
    (tmp_path / "long.json").write_text(" " * (2 << 20))
    for name, match in (("list.json", "no JSON object"), ("long.json", "more than")):
        with pytest.raises(FileError, match=match):
            read_schema(str(tmp_path / name))
