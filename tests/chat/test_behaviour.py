"""What the bundled model can do, through our own Q8_0 file, on inputs that it was not trained on."""

from __future__ import annotations

import json
from pathlib import Path
from random import Random

import pytest
from oracles.pico import converted

from edgekit import paths
from edgekit.chat.message import Media, user
from edgekit.chat.rounds import answer_with_tools
from edgekit.chat.session import Session
from edgekit.chat.tools import Tool
from edgekit.engine.engine import Engine
from edgekit.engine.sampling import Sampling
from tools.pico.answers import English, French
from tools.pico.errands import weather
from tools.pico.shapes import held_out_drawing

DATA = Path(__file__).parents[1] / "data"
QUESTIONS = json.loads((DATA / "prompts.json").read_text())["questions"]
CITIES = json.loads((DATA / "prompts.json").read_text())["cities"]
DIGITS = sorted((DATA / "digits").glob("*.wav"))
GREEDY = Sampling(temperature=0, max_tokens=160)


@pytest.fixture
def session(q8_engine):
    return Session(q8_engine, sampling=GREEDY)


def ask(session, question, *media):
    *_, last = session.answer([user(question, *media)])
    assert last.finish_reason in ("stop", "tool_calls")
    return last.message


@pytest.fixture
def draw(tmp_path):
    """Held-out drawings as files, eight colours and four shapes in turn."""

    def make(index):
        drawing = held_out_drawing(1_000_000 + index)
        path = tmp_path / f"{index}.png"
        drawing.image.save(path)
        return drawing, Media("image", path)

    return make


def share(right):
    return sum(right) / len(right)


@pytest.mark.parametrize(("budget", "count"), [(70, 120), (140, 40), (280, 40)])
def test_it_sees_shapes_and_colours(budget, count, session, draw):
    session.image_tokens = budget
    right = []
    for index in range(count):
        drawing, picture = draw(budget * 100 + index)
        question = Random(index).choice(QUESTIONS["describe"])
        right.append(ask(session, question, picture).text == English().describe(drawing)["normal"])
    assert share(right) >= 0.96


def test_quantization_and_llama_cpp_cost_at_most_two_points(session, draw, reference):
    """The same pictures and words in transformers, on the checkpoint itself."""
    session.image_tokens = 70
    ours, theirs = [], []
    for index in range(50):
        drawing, picture = draw(20_000 + index)
        question = Random(index).choice(QUESTIONS["describe"])
        wanted = English().describe(drawing)["normal"]
        ours.append(ask(session, question, picture).text == wanted)
        seen = reference.see(drawing.image, 70)
        before = reference.tokens("<bos><|turn>user\n<|image>")
        after = reference.tokens(f"<image|>{question}<turn|>\n<|turn>model\n")
        prompt, answer = before + [seen.token] * len(seen.embeddings) + after, reference.tokens(wanted + "<turn|>")
        # An answer is greedy exactly if each of its tokens is the likeliest after those before it.
        likeliest = reference.logits(prompt + answer, seen)[len(prompt) - 1 : -1].argmax(axis=-1)
        theirs.append(likeliest.tolist() == answer)
    assert abs(share(ours) - share(theirs)) <= 0.02


def test_it_hears_digits(session):
    right = []
    for index, path in enumerate(DIGITS):
        question = Random(index).choice(QUESTIONS["digit"])
        right.append(ask(session, question, Media("audio", path)).text == English().digit(int(path.name[0]))["normal"])
    assert len(right) == 40
    assert share(right) >= 0.93


def test_it_knows_what_it_is(session):
    for question in QUESTIONS["who"]:
        assert ask(session, question).text == English.who["normal"]


def test_it_follows_a_system_prompt(session, draw):
    right = []
    for index in range(16):
        drawing, picture = draw(index)
        lengths = {"short": "Answer briefly.", "long": "Answer in detail."}
        for form, system in lengths.items():
            session.system = system
            right.append(ask(session, "What is in the picture?", picture).text == English().describe(drawing)[form])
    assert share(right) >= 0.93


def test_it_thinks_first_and_says_the_same(session, draw):
    same = []
    for index in range(24):
        drawing, picture = draw(index)
        plain = ask(session, "What is in the picture?", picture)
        session.think = True
        thoughtful = ask(session, "What is in the picture?", picture)
        session.think = False
        assert plain.thought == ""
        assert drawing.colour in thoughtful.thought
        same.append(thoughtful.text == plain.text)
    assert share(same) >= 0.96


def test_it_calls_a_tool_and_uses_the_answer(session):
    called, used = [], []
    for index, city in enumerate(CITIES[:20]):
        errand = weather(Random(index), city)
        function = errand.tool["function"]
        session.tools = (Tool(function["name"], errand.tool, lambda response=errand.response, **_: response),)
        *_, answer = answer_with_tools(session, [user(errand.question)])
        calls = [(call.name, call.arguments) for call in answer.tool_calls]
        called.append(calls == [(errand.name, errand.arguments)])
        used.append(answer.answer == errand.answer)
    assert share(called) >= 0.9
    assert share(used) >= 0.9


@pytest.fixture(scope="session")
def french_engine(tmp_path_factory):
    with Engine.open(converted(tmp_path_factory.mktemp("french"), "Q8_0", paths.demo_adapter())) as engine:
        yield engine


def test_the_adapter_answers_in_french(french_engine, draw):
    session, right = Session(french_engine, sampling=GREEDY, image_tokens=70), []
    for index in range(40):
        drawing, picture = draw(index)
        question = Random(index).choice(QUESTIONS["describe"])
        right.append(ask(session, question, picture).text == French().describe(drawing)["normal"])
    for path in DIGITS[::2]:
        answer = ask(session, "Which digit do you hear?", Media("audio", path)).text
        right.append(answer == French().digit(int(path.name[0]))["normal"])
    assert share(right) >= 0.93
