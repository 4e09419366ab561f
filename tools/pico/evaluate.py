"""Measure what the model can do, on pictures, voices, wordings and names that training never used."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from random import Random
from typing import Any

import torch
from transformers import Gemma4ForConditionalGeneration, GemmaTokenizer

from .answers import English, French
from .batch import collate
from .conversations import Sample, Scene, wire_call
from .digits import Utterance, as_heard
from .errands import CITIES, HELD_OUT_CITIES, Errand, clock, errand, fact, invented, weather
from .phrases import HELD_OUT_QUESTIONS, SYSTEMS
from .shapes import Drawing, held_out_drawing
from .tokenizer import special_text_id
from .train import answer_logits

Model = Gemma4ForConditionalGeneration


def user(text: str, *media: str) -> dict[str, Any]:
    """A user's message with media before its text."""
    return {"role": "user", "content": [*({"type": kind} for kind in media), {"type": "text", "text": text}]}


def picture_sample(
    drawing: Drawing, question: str, answer: str, system: str = "", thinking: bool = False, kind: str = "describe"
) -> Sample:
    """One question about one picture."""
    messages = ([{"role": "system", "content": system}] if system else []) + [user(question, "image")]
    thought = ""
    if thinking:
        shown = drawing.sentence[0].lower() + drawing.sentence[1:]
        thought = f"<|channel>thought\nI look at the picture. It shows {shown}\n<channel|>"
    return Sample(kind, messages, thought + answer + "<turn|>", None, thinking, [drawing])


def describe(
    count: int, seed: int, form: str = "normal", thinking: bool = False, voice: English | None = None
) -> list[Sample]:
    """Held-out pictures, every colour and shape equally often, with held-out wordings."""
    voice, random = voice or English(), Random(f"describe {seed} {form} {thinking}")
    samples = []
    for index in range(count):
        drawing = held_out_drawing(seed * 10_000 + index)
        system = "" if form == "normal" else random.choice(SYSTEMS[form])
        question = random.choice(HELD_OUT_QUESTIONS["describe"])
        samples.append(picture_sample(drawing, question, voice.describe(drawing)[form], system, thinking))
    return samples


def picture_details(count: int, seed: int) -> list[Sample]:
    """Colour, shape and background of held-out pictures, alone and as a second question."""
    voice, random, samples = English(), Random(f"details {seed}"), []
    for index in range(count):
        drawing = held_out_drawing(seed * 10_000 + index)
        kind = random.choice(["colour", "shape"])
        sample = picture_sample(
            drawing, random.choice(HELD_OUT_QUESTIONS[kind]), getattr(voice, kind)(drawing)["normal"], kind=kind
        )
        if index % 2:
            first = [user("What is this?", "image"), {"role": "assistant", "content": drawing.sentence}]
            sample.messages = [*first, {"role": "user", "content": random.choice(HELD_OUT_QUESTIONS[kind])}]
        samples.append(sample)
    return samples


def digits(utterances: list[Utterance], voice: English | None = None, thinking: bool = False) -> list[Sample]:
    """Held-out voices with held-out wordings."""
    voice, random, samples = voice or English(), Random("digits"), []
    thought = "<|channel>thought\nI listen to the sound. {}\n<channel|>" if thinking else ""
    for one in utterances:
        answer = voice.digit(one.digit)["normal"]
        target = thought.format(English().digit(one.digit)["normal"]) + answer + "<turn|>"
        messages = [user(random.choice(HELD_OUT_QUESTIONS["digit"]), "audio")]
        samples.append(Sample("digit", messages, target, None, thinking, [], [as_heard(one)]))
    return samples


def talk(voice: English | None = None) -> list[Sample]:
    """Held-out wordings about the model itself and about what it cannot know."""
    voice = voice or English()
    return [
        Sample(kind, [{"role": "user", "content": question}], getattr(voice, kind)["normal"] + "<turn|>")
        for kind in ("who", "can", "hello", "unknown")
        for question in HELD_OUT_QUESTIONS[kind]
    ]


def missing() -> list[Sample]:
    """Questions about media that are not there."""
    voice = English()
    asked = [(q, voice.no_picture) for q in HELD_OUT_QUESTIONS["describe"]]
    asked += [(q, voice.no_sound) for q in HELD_OUT_QUESTIONS["digit"] if "number" not in q]
    return [Sample("missing", [{"role": "user", "content": q}], a["normal"] + "<turn|>") for q, a in asked]


def errands(
    count: int, seed: int, maker: Callable[..., Errand], answered: bool, thinking: bool = False
) -> list[Sample]:
    """Calls about held-out or newly invented names, with one more tool beside; or what is said about the answer."""
    random, samples = Random(f"errands {seed} {maker.__name__} {answered}"), []
    for index in range(count):
        value = random.choice(HELD_OUT_CITIES) if index % 2 else invented(random)
        chosen = maker(random, value)
        others = [clock(random).tool, weather(random).tool]
        spare = next(tool for tool in others if tool["function"]["name"] != chosen.name)
        tools = [chosen.tool, spare] if random.random() < 0.5 else [chosen.tool]
        scene = Scene(random, English(), "normal", False, [], [{"role": "user", "content": chosen.question}], tools)
        target = chosen.answer + "<turn|>"
        if answered:
            scene.call_and_answer(chosen)
        else:
            target = wire_call(chosen) + "<|tool_response>"
        if thinking:
            target = f"<|channel>thought\n{chosen.thought}\n<channel|>{target}"
        samples.append(Sample("tool", scene.messages, target, tools, thinking))
    return samples


def plain_errands(answered: bool) -> list[Sample]:
    """The tool of every tutorial: get_weather with a city, and cities that everybody knows."""
    samples = []
    for index, city in enumerate(CITIES[:60]):
        random = Random(f"plain {index}")
        chosen = weather(random, city)
        while chosen.name != "get_weather" or chosen.arguments != {"city": city}:
            chosen = weather(random, city)
        messages = [{"role": "user", "content": f"What is the weather in {city}?"}]
        scene = Scene(random, English(), "normal", False, [], messages, [chosen.tool])
        if answered:
            scene.call_and_answer(chosen)
        target = chosen.answer + "<turn|>" if answered else wire_call(chosen) + "<|tool_response>"
        samples.append(Sample("tool", scene.messages, target, scene.tools))
    return samples


@torch.no_grad()
def exact(
    model: Model, tokenizer: GemmaTokenizer, samples: list[Sample], budget: int = 70, show: int = 0
) -> dict[str, float]:
    """Share of samples that greedy decoding answers word for word, and the mean probability of that answer.

    Greedy decoding gives exactly the target if and only if each of its tokens is the likeliest after those before it.
    """
    right, probability, size = 0, 0.0, {70: 16, 140: 8, 280: 4}[budget]
    model.eval()
    for first in range(0, len(samples), size):
        chosen = samples[first : first + size]
        batch = collate(tokenizer, chosen, budget)
        if model.dtype != torch.float32:
            batch = {k: v.to(model.dtype) if v.is_floating_point() else v for k, v in batch.items()}
        logits, wanted = answer_logits(model, batch)
        counts = (batch["labels"][:, 1:] != -100).sum(dim=1).tolist()
        hits = torch.split(logits.argmax(-1) == wanted, counts)
        likely = torch.split(torch.log_softmax(logits, -1).gather(-1, wanted[:, None])[:, 0], counts)
        guesses = torch.split(logits.argmax(-1), counts)
        for sample, hit, chance, guess in zip(chosen, hits, likely, guesses, strict=True):
            right += bool(hit.all())
            probability += float(chance.sum().exp())
            if not hit.all() and show > 0:
                show -= 1
                print(f"  wanted {sample.target!r}\n  likely {tokenizer.decode(guess)!r}", flush=True)
    model.train()
    return {"exact": right / len(samples), "probability": probability / len(samples), "samples": len(samples)}


@torch.no_grad()
def generate(model: Model, tokenizer: GemmaTokenizer, sample: Sample, budget: int = 70, longest: int = 80) -> str:
    """What the model really writes, token by token, with the likeliest token each time."""
    sample = Sample(sample.kind, sample.messages, "", sample.tools, sample.thinking, sample.drawings, sample.sounds)
    batch = collate(tokenizer, [sample], budget)
    batch = {k: v.to(model.dtype) if v.is_floating_point() else v for k, v in batch.items() if k != "labels"}
    stop = [special_text_id(text) for text in ("<eos>", "<turn|>", "<|tool_response>")]
    ids = model.generate(**batch, do_sample=False, max_new_tokens=longest, eos_token_id=stop, pad_token_id=0)
    return str(tokenizer.decode(ids[0, batch["input_ids"].shape[1] :]))


def overlap(a: list[int], b: tuple[int, ...]) -> float:
    """Intersection over union of two boxes."""
    top, left, bottom, right = max(a[0], b[0]), max(a[1], b[1]), min(a[2], b[2]), min(a[3], b[3])
    inner = max(0, bottom - top) * max(0, right - left)
    area = sum((box[2] - box[0]) * (box[3] - box[1]) for box in (a, b))
    return inner / (area - inner) if area > inner else 0.0


def boxes(model: Model, tokenizer: GemmaTokenizer, count: int, budget: int) -> dict[str, float]:
    """How well the box_2d answers fit held-out pictures; what cannot be read counts as 0."""
    overlaps, labels = [], 0
    for index in range(count):
        drawing = held_out_drawing(770_000 + index)
        text = generate(model, tokenizer, picture_sample(drawing, f"Where is the {drawing.shape}?", ""), budget)
        found = re.search(r"\[\{.*\}\]", text)
        try:
            answer = json.loads(found.group(0))[0] if found else {}
        except ValueError:
            answer = {}
        box = answer.get("box_2d", [0, 0, 0, 0])
        overlaps.append(overlap(box, drawing.box) if len(box) == 4 else 0.0)
        labels += answer.get("label") == f"{drawing.colour} {drawing.shape}"
    return {"mean_overlap": sum(overlaps) / count, "label": labels / count, "samples": count}


def everything(
    model: Model, tokenizer: GemmaTokenizer, heard: list[Utterance], count: int = 100, show: int = 0
) -> dict[str, Any]:
    """All measurements in one table."""
    report: dict[str, Any] = {}

    def note(name: str, samples: list[Sample], budget: int = 70) -> None:
        report[name] = exact(model, tokenizer, samples, budget, show)
        print(f"{name}: {report[name]['exact']:.3f} (p {report[name]['probability']:.3f})", flush=True)

    for budget in (70, 140, 280):
        note(f"picture at {budget} tokens", describe(count, budget), budget)
    note("colour or shape, also as second question", picture_details(count, 5))
    note("picture, short answer", describe(count // 2, 6, "short"))
    note("picture, long answer", describe(count // 2, 7, "long"))
    note("picture, thinking", describe(count // 2, 8, thinking=True))
    note("digit", digits(heard))
    note("digit, thinking", digits(heard[: count // 2], thinking=True))
    note("talk about itself", talk())
    note("missing picture or sound", missing())
    note("get_weather call, known city", plain_errands(False))
    note("get_weather answer, known city", plain_errands(True))
    for maker in (weather, clock, fact, errand):
        note(f"tool call, {maker.__name__}", errands(count, 9, maker, False))
        note(f"tool answer, {maker.__name__}", errands(count, 10, maker, True))
    note("tool call, thinking", errands(count // 2, 11, weather, False, thinking=True))
    return report


def french(model: Model, tokenizer: GemmaTokenizer, heard: list[Utterance], count: int = 100) -> dict[str, Any]:
    """What the adapter is for."""
    report = {
        "picture at 70 tokens": exact(model, tokenizer, describe(count, 20, voice=French())),
        "picture at 280 tokens": exact(model, tokenizer, describe(count // 2, 21, voice=French()), 280),
        "digit": exact(model, tokenizer, digits(heard[:count], French())),
        "talk about itself": exact(model, tokenizer, talk(French())),
    }
    for name, row in report.items():
        print(f"french {name}: {row['exact']:.3f} (p {row['probability']:.3f})", flush=True)
    return report
