"""Answers are taken apart as transformers' parse_response does, however they are cut while streaming."""

from __future__ import annotations

import codecs
import json
from random import Random

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from oracles.conversations import arguments, text

from edgekit.chat.arguments import ArgumentError, parse_call
from edgekit.chat.events import TextPiece, ThoughtPiece, ToolCallPiece
from edgekit.chat.message import ToolCall
from edgekit.chat.response import ResponseParser
from edgekit.engine.template import ChatTemplate

OUTPUTS = 2000
MARKERS = ["<|channel>thought\n", "<channel|>", "<|tool_call>", "<tool_call|>", "<|tool_response>", "<turn|>", '<|"|>']


def output(seed: int, template: ChatTemplate) -> str:
    """A model's output in the wire format, its calls written by the model's own template."""
    random = Random(seed)
    thought = f"<|channel>thought\n{text(random)}\n<channel|>" if random.random() < 0.5 else ""
    kind = random.random()
    if kind < 0.1:
        # Cut by max_tokens in the middle of a thought.
        return f"<|channel>thought\n{text(random)}" + random.choice(("", "<chan"))
    if kind < 0.4:
        return thought + text(random) + random.choice(("<turn|>", ""))
    calls = [
        {"function": {"name": f"tool_{index}", "arguments": deep_arguments(random)}}
        for index in range(random.randint(1, 4))
    ]
    spoken = text(random) if random.random() < 0.3 else ""
    rendered = template.render([{"role": "assistant", "content": "", "tool_calls": calls}])
    written = rendered[rendered.index("<|tool_call>") : rendered.rindex("<tool_call|>")] + "<tool_call|>"
    return thought + spoken + written + random.choice(("<|tool_response>", ""))


def deep_arguments(random: Random) -> dict:
    """Arguments with lists in lists, and strings of what the syntax itself is made of."""
    signs = "".join(random.choices("{}[],:\"' a1.-|<>\n", k=random.randint(0, 12)))
    nested: object = [signs, random.randint(-9, 9)]
    for _ in range(random.randint(0, 3)):
        nested = random.choice(([nested, True], {"a": nested, "b": -0.5}))
    return arguments(random) | random.choice(({}, {"signs": signs}, {"nested": nested}))


def tokens_of(vocabulary, written: str) -> list[str]:
    """What a session's decoder passes on after each token."""
    decoder = codecs.getincrementaldecoder("utf-8")("replace")
    return [decoder.decode(vocabulary.piece(token)) for token in vocabulary.tokenize(written)]


def parse(pieces):
    parser = ResponseParser()
    events = [event for piece in pieces for event in parser.feed(piece)] + parser.finish()
    assert "".join(event.text for event in events if isinstance(event, TextPiece)) == parser.text
    assert "".join(event.text for event in events if isinstance(event, ThoughtPiece)) == parser.thought
    assert [event.call for event in events if isinstance(event, ToolCallPiece)] == parser.calls
    return parser


def as_transformers(parser):
    message = {"role": "assistant", "reasoning_content": parser.thought, "content": parser.text}
    calls = [
        {"type": "function", "function": {"name": call.name, "arguments": call.arguments}} for call in parser.calls
    ]
    message["tool_calls"] = calls
    return {key: value for key, value in message.items() if value}


@pytest.fixture(scope="session")
def template(q8_engine):
    return ChatTemplate(q8_engine.chat_template)


def test_equals_parse_response(reference, template, q8_engine):
    """Whole, and token by token."""
    different = []
    for seed in range(OUTPUTS):
        written = output(seed, template)
        wanted = {key: value for key, value in reference.tokenizer.parse_response(written, prefix="").items() if value}
        pieces = tokens_of(q8_engine.vocabulary, written)
        assert "".join(pieces) == written
        if as_transformers(parse([written])) != wanted or as_transformers(parse(pieces)) != wanted:
            different.append(seed)
    assert different == []


def test_a_cut_at_any_token_gives_the_same(template, q8_engine):
    for seed in range(OUTPUTS, OUTPUTS + 200):
        written = output(seed, template)
        whole = as_transformers(parse([written]))
        pieces = tokens_of(q8_engine.vocabulary, written)
        for cut in range(len(pieces) + 1):
            assert as_transformers(parse(["".join(pieces[:cut]), "".join(pieces[cut:])])) == whole


def test_a_cut_at_any_letter_gives_the_same(template):
    for seed in range(40):
        written = output(seed, template)
        whole = as_transformers(parse([written]))
        for cut in range(len(written) + 1):
            assert as_transformers(parse([written[:cut], written[cut:]])) == whole


@pytest.mark.parametrize(
    ("written", "theirs", "ours"),
    [
        # Their last piece of text takes the place of the ones before it.
        ("Wait.<|tool_call>call:x{}<tool_call|> Done.", "Done.", "Wait. Done."),
        ("<|channel>thought\na<channel|>b<|channel>thought\nc<channel|>d", "d", "bd"),
        # The turn is over: what a model goes on to say to itself is no answer.
        ("Yes.<turn|>\n<|turn>user\nNo.", "<|turn>user\nNo.", "Yes."),
    ],
)
def test_differs_from_parse_response_on_purpose(reference, written, theirs, ours):
    assert reference.tokenizer.parse_response(written, prefix="")["content"] == theirs
    assert parse([written]).text == ours


@pytest.mark.parametrize(
    "written",
    [
        "<|tool_call>call:x{a:<tool_call|>",
        "<|tool_call>call:x{a:1",
        "<|tool_call>call:x{a:bare words}<tool_call|>",
        "<|tool_call>call:x{a:1}and more<tool_call|>",
    ],
)
def test_calls_that_parse_response_gives_up_on_are_text_or_read(reference, written):
    with pytest.raises(ValueError, match="json"):
        reference.tokenizer.parse_response(written, prefix="")
    parser = parse([written])
    assert parser.text == written or parser.calls == [ToolCall("x", {"a": "bare words"})]


def test_a_thought_streams_before_it_closes():
    parser = ResponseParser()
    assert parser.feed("<|channel>thought\nRed") == [ThoughtPiece("Red")]
    assert parser.feed(" things.<chan") == [ThoughtPiece(" things.")]
    assert parser.feed("nel|>It is") == [TextPiece("It is")]


@pytest.mark.parametrize(
    ("written", "thought", "answer"),
    [
        ("<|channel>thought\nnever closes", "never closes", ""),
        ("<|channel>thought<channel|>Hi", "", "Hi"),
        ("a < b <| c <|tool", "", "a < b <| c <|tool"),
        ("half <|tool_call>call:x{a:", "", "half <|tool_call>call:x{a:"),
        ("<|tool_call>nonsense<tool_call|>", "", "<|tool_call>nonsense<tool_call|>"),
        ("done<turn|>ignored", "", "done"),
    ],
)
def test_what_models_do_wrong_stays_readable(written, thought, answer):
    parser = parse([written])
    assert (parser.thought, parser.text, parser.calls) == (thought, answer, [])


@pytest.mark.parametrize(
    ("written", "value"),
    [
        ('<|"|>Paris, {FR}<|"|>', "Paris, {FR}"),
        ("3", 3),
        ("-2.5", -2.5),
        ("1e-05", 1e-05),
        ("true", True),
        ("None", None),
        ("null", None),
        ("[]", []),
        ('[1,<|"|>two<|"|>,[3]]', [1, "two", [3]]),
        ('{a:{<|"|>b c<|"|>:1}}', {"a": {"b c": 1}}),
        ('"plain \\"JSON\\""', 'plain "JSON"'),
        ("bare words", "bare words"),
        ("12:30", "12:30"),
        ("007", "007"),
        ("1e999", "1e999"),
        ("-0.50", -0.5),
        ("\u0663", "\u0663"),
        ('"\\ud83d"', "?"),
        pytest.param("9" * 5000, "9" * 5000, id="more digits than Python reads"),
        ("1_000", "1_000"),
    ],
)
def test_argument_syntax(written, value):
    assert parse_call(f"call:tool{{ key: {written} }}") == ("tool", {"key": value})


@pytest.mark.parametrize(
    "written",
    [
        *("", "tool{}", "call:{}", "call:x", "call:x[1]", "call:x{a}", 'call:x{a:<|"|>b}', "call:x{}}"),
        pytest.param("call:x{a:" + "[" * 100_000, id="lists in lists without end"),
    ],
)
def test_what_is_no_call(written):
    with pytest.raises(ArgumentError):
        parse_call(written)


@given(st.lists(st.one_of(st.sampled_from(MARKERS), st.text(max_size=6)), max_size=12))
def test_nothing_crashes_it(pieces):
    whole = parse(["".join(pieces)])
    cut = parse(pieces)
    assert (cut.text, cut.thought, cut.calls) == (whole.text, whole.thought, whole.calls)


soup = st.lists(st.one_of(st.sampled_from("<|>ct \n"), st.text(max_size=4)), max_size=8).map("".join)


@given(st.lists(st.tuples(st.sampled_from(["text", "thought", "call"]), soup), max_size=8))
def test_no_letter_is_lost(parts):
    """Text and thoughts come out whole; calls that are none are text."""
    wrapped = {
        "text": "{}",
        "thought": "<|channel>thought\n{}<channel|>",
        "call": "<|tool_call>{}<tool_call|>",
    }
    written = "".join(wrapped[kind].format(part) for kind, part in parts)
    # Pieces that happen to join into a marker, or into a call, are another case.
    counted = {marker: sum(wrapped[kind].count(marker) for kind, _ in parts) for marker in MARKERS}
    assume(all(written.count(marker) == count for marker, count in counted.items()))
    assume("<|channel>thought" not in written.replace("<|channel>thought\n", ""))
    assume(not any(part.startswith("call:") for _, part in parts))
    parser = parse(list(written))
    assert parser.thought == "".join(f"\n{part}" for kind, part in parts if kind == "thought").strip()
    said = [part if kind == "text" else wrapped[kind].format(part) for kind, part in parts if kind != "thought"]
    assert parser.text == "".join(said).strip()


scalars = st.one_of(
    st.booleans(),
    st.integers(),
    st.floats(allow_nan=False, allow_infinity=False),
    st.text().filter(lambda text: "|>" not in text),
)
json_values = st.recursive(
    scalars,
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.sampled_from("abc"), inner, max_size=3)),
    max_leaves=8,
)


@given(st.dictionaries(st.sampled_from(["city", "days"]), json_values))
def test_arguments_come_back(given_arguments):
    def write(value):
        if isinstance(value, str):
            return f'<|"|>{value}<|"|>'
        if isinstance(value, dict):
            return "{" + ",".join(f"{key}:{write(item)}" for key, item in value.items()) + "}"
        return "[" + ",".join(map(write, value)) + "]" if isinstance(value, list) else json.dumps(value)

    parser = parse([f"<|tool_call>call:tool{write(given_arguments)}<tool_call|>"])
    assert parser.calls == [ToolCall("tool", given_arguments)]
