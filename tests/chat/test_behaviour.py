"""What the bundled model can do, through our own Q8_0 file, on inputs that it was not trained on.

The same questions go to transformers on the checkpoint itself: what our file gets right may differ by two points.
"""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from oracles.pico import converted
from oracles.reference import Reference
from peft import PeftModel

from edgekit import paths
from edgekit.chat.message import Media, user
from edgekit.chat.permission import Permission
from edgekit.chat.rounds import answer_with_tools
from edgekit.chat.session import Session
from edgekit.chat.tools import Tool
from edgekit.engine.engine import Engine
from edgekit.engine.sampling import Sampling

sys.path.insert(0, str(Path(__file__).parents[2]))
from tools.pico import evaluate
from tools.pico.answers import English, French
from tools.pico.errands import CITIES, HELD_OUT_CITIES, weather
from tools.pico.phrases import HELD_OUT_QUESTIONS

DIGITS = sorted((Path(__file__).parents[1] / "data" / "digits").glob("*.wav"))
GREEDY = Sampling(temperature=0, max_tokens=160)


@pytest.fixture
def session(q8_engine):
    return Session(q8_engine, sampling=GREEDY)


@pytest.fixture
def ask(tmp_path):
    """Ask what a sample asks, and say whether the answer is the wanted one word for word."""

    def ask(session, sample, budget):
        session.image_tokens, session.think = budget, sample.thinking
        *before, last = sample.messages
        session.system = before[0]["content"] if before else None
        media = []
        for index, drawing in enumerate(sample.drawings):
            drawing.image.save(tmp_path / f"{index}.png")
            media.append(Media("image", tmp_path / f"{index}.png"))
        *_, finished = session.answer([user(last["content"][-1]["text"], *media)])
        thought, _, answer = sample.target.rpartition("<channel|>")
        wanted_thought = thought.removeprefix("<|channel>thought\n").strip()
        said = finished.message.text, finished.message.thought
        return said == (answer.removesuffix("<turn|>"), wanted_thought)

    return ask


def share(right):
    return sum(right) / len(right)


PICTURES = {
    "70 tokens": (lambda: evaluate.describe(100, 70), 70, 0.96),
    "140 tokens": (lambda: evaluate.describe(60, 140), 140, 0.96),
    "280 tokens": (lambda: evaluate.describe(40, 280), 280, 0.96),
    "short answers": (lambda: evaluate.describe(32, 6, "short"), 70, 0.9),
    "long answers": (lambda: evaluate.describe(32, 7, "long"), 70, 0.96),
    "thinking": (lambda: evaluate.describe(32, 8, thinking=True), 70, 0.96),
}


@pytest.mark.parametrize("kind", PICTURES)
def test_it_sees_shapes_and_colours(kind, session, ask, reference):
    make, budget, least = PICTURES[kind]
    samples = make()
    ours = share([ask(session, sample, budget) for sample in samples])
    theirs = evaluate.exact(reference.model, reference.tokenizer, samples, budget)["exact"]
    assert ours >= least
    # One of few may tip over where two words are nearly as likely.
    assert abs(ours - theirs) <= max(0.02, 1 / len(samples) + 1e-9)


def test_it_hears_digits(session):
    right = []
    for index, path in enumerate(DIGITS):
        question = HELD_OUT_QUESTIONS["digit"][index % len(HELD_OUT_QUESTIONS["digit"])]
        *_, finished = session.answer([user(question, Media("audio", path))])
        right.append(finished.message.text == English().digit(int(path.name[0]))["normal"])
    assert len(right) == 40
    assert share(right) >= 0.95


def test_it_knows_what_it_is(session):
    for question in HELD_OUT_QUESTIONS["who"]:
        *_, finished = session.answer([user(question)])
        assert finished.message.text == English.who["normal"]


@pytest.mark.parametrize(("cities", "least"), [(CITIES[:32], 0.9), (HELD_OUT_CITIES, 0.5)])
def test_it_calls_a_tool_and_uses_the_answer(cities, least, session):
    """Calls are well formed and for the declared tool; names never seen are copied less surely."""
    shaped, copied, used = [], [], []
    for index, city in enumerate(cities):
        errand = weather(evaluate.Random(index), city)
        name = errand.tool["function"]["name"]
        session.tools = (Tool(name, errand.tool, lambda response=errand.response, **_: response),)
        *_, answer = answer_with_tools(session, [user(errand.question)], permission=Permission(everything=True))
        calls = [(call.name, call.arguments) for call in answer.tool_calls]
        shaped.append(
            [(called_name, given.keys()) for called_name, given in calls] == [(name, errand.arguments.keys())]
        )
        copied.append(calls == [(name, errand.arguments)])
        used.append(answer.answer == errand.answer)
    assert share(shaped) >= 0.9
    assert share(copied) >= least
    assert share(used) >= least


@pytest.fixture(scope="session")
def french_engine(tmp_path_factory):
    with Engine.open(converted(tmp_path_factory.mktemp("french"), "Q8_0", paths.demo_adapter())) as engine:
        yield engine


def test_the_adapter_answers_in_french(french_engine, ask, checkpoint):
    """As often right as peft's own merge, and no longer in English."""
    session = Session(french_engine, sampling=GREEDY)
    samples = evaluate.describe(40, 20, voice=French())
    ours = share([ask(session, sample, 70) for sample in samples])
    plain = Reference(checkpoint)
    merged = PeftModel.from_pretrained(plain.model, paths.demo_adapter()).merge_and_unload()
    theirs = evaluate.exact(merged, plain.tokenizer, samples, 70)["exact"]
    assert abs(ours - theirs) <= 1 / len(samples) + 1e-9
    *_, finished = session.answer([user("Which digit do you hear?", Media("audio", DIGITS[-1]))])
    assert "digit" not in finished.message.text
    assert ours >= 0.9
