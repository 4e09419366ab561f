"""Answers of the bundled model that a JSON schema constrains."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from jsonschema import Draft202012Validator

from edgekit import paths
from edgekit.chat.json_schema import grammar
from edgekit.chat.message import Media, ToolCall, user
from edgekit.chat.permission import Permission
from edgekit.chat.rounds import answer_with_tools
from edgekit.chat.session import Session
from edgekit.chat.tools import load_tools
from edgekit.engine.constraint import Constraint
from edgekit.engine.sampling import Sampler, Sampling
from edgekit.errors import EdgekitError

SHAPE = {
    "type": "object",
    "properties": {
        "colour": {"enum": ["red", "green", "blue", "yellow"]},
        "form": {"enum": ["circle", "star", "square", "triangle"]},
        "size": {"type": "integer", "minimum": 1, "maximum": 9},
    },
    "required": ["colour", "form", "size"],
}
WORDS = {"type": "array", "items": {"type": "string", "maxLength": 8}, "minItems": 2, "maxItems": 4}


@pytest.fixture
def session(q8_engine) -> Session:
    return Session(q8_engine, sampling=Sampling(temperature=0, max_tokens=200))


def last(session, *messages):
    *_, finished = session.answer(messages)
    return finished


@pytest.mark.parametrize("schema", [SHAPE, WORDS], ids=["shape", "words"])
@pytest.mark.parametrize("temperature", [0, 1, 5])
def test_answers_are_valid_by_the_schema(session, schema, temperature):
    session.grammar = grammar(schema)
    for seed in range(5):
        session.sampling = Sampling(temperature=temperature, seed=seed, max_tokens=200)
        finished = last(session, user("What can you do?"))
        assert finished.finish_reason == "stop"
        Draft202012Validator(schema).validate(json.loads(finished.message.text))


def test_the_same_seed_gives_the_same_answer(session):
    session.grammar = grammar(WORDS)
    session.sampling = Sampling(seed=7, max_tokens=200)
    assert last(session, user("Hello!")).message == last(session, user("Hello!")).message


def test_guesses_do_not_change_the_answer(session):
    """Prompt lookup beside a grammar."""
    session.grammar = grammar(WORDS)
    texts = []
    for drafting in ("always", "never"):
        prompt = session.prompt([user('Say ["red", "red", "red", "red"] and again ["red", "red", "red", "red"]!')])
        for _ in session.engine.read(prompt):
            pass
        sampling = replace(session.sampling, constraint=Constraint(session.grammar))
        texts.append(list(session.engine.write(sampling, drafting=drafting)))
    assert texts[0] == texts[1]


def test_thoughts_are_free(session):
    picture = user("What is in this picture?", Media("image", paths.demo_samples() / "red-circle.png"))
    session.think = True
    free = last(session, picture)
    session.grammar = grammar(SHAPE)
    finished = last(session, picture)
    assert finished.message.thought == free.message.thought
    assert finished.message.thought
    Draft202012Validator(SHAPE).validate(json.loads(finished.message.text))


def test_a_thought_that_never_closes_is_closed(session, monkeypatch):
    """A model that would end its turn inside a thought goes on to its answer."""
    session.think, session.grammar = True, grammar(SHAPE)
    vocabulary = session.engine.vocabulary
    [opening] = vocabulary.tokenize("<|channel>")
    [end] = vocabulary.tokenize("<turn|>")
    forced = iter([opening, *vocabulary.tokenize("thought\nhm"), end])
    chosen = Sampler.next
    monkeypatch.setattr(Sampler, "next", lambda self, *at: next(forced, None) or chosen(self, *at))
    finished = last(session, user("Hello!"))
    assert finished.message.thought == "hm"
    Draft202012Validator(SHAPE).validate(json.loads(finished.message.text))


def test_tools_may_be_called_before_the_answer(session, tmp_path):
    (tmp_path / "weather.py").write_text(WEATHER)
    session.tools = load_tools(tmp_path / "weather.py")
    schema = {"type": "object", "properties": {"degrees": {"type": "integer"}}, "required": ["degrees"]}
    session.grammar = grammar(schema)
    question = [user("What is the weather in Paris?")]
    *_, answer = answer_with_tools(session, question, permission=Permission(everything=True))
    assert answer.tool_calls == (ToolCall("get_weather", {"city": "Paris"}),)
    Draft202012Validator(schema).validate(json.loads(answer.answer))


def test_max_tokens_cuts_and_says_so(session):
    session.grammar, session.sampling = grammar(SHAPE), Sampling(temperature=0, max_tokens=3)
    finished = last(session, user("Hello!"))
    assert finished.finish_reason == "length"


@pytest.mark.parametrize("broken", ["root ::= nowhere", "no rule", 'root ::= "a', "other ::= root", "root ::= root"])
def test_a_broken_grammar_is_an_error(session, broken):
    session.grammar = broken
    with pytest.raises(EdgekitError, match="does not take the grammar"):
        last(session, user("Hello!"))
    session.grammar = None
    assert last(session, user("Hello!")).message.text


WEATHER = '''
def get_weather(city: str) -> dict:
    """Get the weather.

    Args:
        city: The city
    """
    return {"temperature": 21, "condition": "sunny"}
'''
