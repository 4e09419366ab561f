"""Train everything together, once each tower knows its trade."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from random import Random

import torch
from torch import Tensor, nn
from torch.nn import functional
from transformers import Gemma4ForConditionalGeneration, GemmaTokenizer

from .answers import English
from .batch import IGNORED, collate
from .conversations import Sample, converse
from .digits import Utterance
from .model import ClampRecorder
from .shapes import BACKGROUNDS, COLOURS, SHAPES
from .towers import schedule

# Of the pictures that fit in a step at 70 tokens, so many fit at more tokens.
PICTURES = {70: 1.0, 140: 0.62, 280: 0.36}
LONGEST = 256


@dataclass
class Course:
    """How long and how fast to learn, and how many samples of what in each step."""

    steps: int
    rate: float = 1.5e-3
    tower_rate: float = 2e-4
    seed: int = 0
    # The schedule's length, where a course is the beginning of a longer one.
    horizon: int = 0
    pictures: int = 8
    sounds: int = 6
    errands: int = 14
    talks: int = 8
    echoes: int = 0
    # Whether the model's earlier answers in a conversation count as well.
    history: bool = True
    # How often pictures come at 70, 140 and 280 tokens.
    budgets: tuple[int, int, int] = (68, 15, 17)
    # How much more the words count that say what a picture shows; the digits of boxes then count less.
    emphasis: float = 1.0
    # The share of conversations whose system prompt asks for French.
    french: float = 0.0
    # The share of pictures with the least contrast.
    faint: float = 0.0


# Copying comes first: tool calls rest on it, it takes longest to find, and without media a step is cheap.
COURSES = {
    "copying": Course(420, rate=3.5e-3, horizon=1400, pictures=0, sounds=0, errands=10, talks=4, echoes=16),
    "together": Course(
        450, rate=2.0e-3, horizon=900, tower_rate=4e-4, seed=2, sounds=4, errands=7, talks=8, echoes=1, french=0.1
    ),
    "seeing": Course(
        450,
        rate=1.6e-3,
        horizon=700,
        tower_rate=4e-4,
        seed=3,
        pictures=14,
        sounds=3,
        errands=8,
        talks=5,
        echoes=3,
        budgets=(50, 25, 25),
        emphasis=3.0,
        french=0.2,
    ),
    "join": Course(
        450,
        rate=1.3e-3,
        tower_rate=2.5e-4,
        seed=4,
        pictures=18,
        sounds=4,
        errands=8,
        talks=4,
        echoes=2,
        budgets=(50, 25, 25),
        emphasis=3.0,
        french=0.2,
    ),
    "faint": Course(
        170,
        rate=1.0e-3,
        tower_rate=4e-4,
        seed=5,
        pictures=18,
        sounds=4,
        errands=8,
        talks=4,
        echoes=2,
        budgets=(40, 30, 30),
        emphasis=3.0,
        french=0.2,
        faint=0.35,
    ),
}


def draw_batches(
    random: Random, tokenizer: GemmaTokenizer, utterances: list[Utterance], voice: English, course: Course
) -> Iterator[tuple[str, dict[str, Tensor]]]:
    """One step's batches: pictures, sounds and two of text, each with samples of about one length."""
    if course.pictures:
        budget = random.choices([70, 140, 280], course.budgets)[0]
        count = round(course.pictures * PICTURES[budget])
        pictures = [converse(random, "picture", utterances, voice, course.french, course.faint) for _ in range(count)]
        yield f"picture{budget}", collate(tokenizer, pictures, budget, course.history)
    if course.sounds:
        sounds = [converse(random, "sound", utterances, voice, course.french) for _ in range(course.sounds)]
        yield "sound", collate(tokenizer, sounds, 70, course.history)
    counts = {"errand": course.errands, "talk": course.talks, "echo": course.echoes}
    texts = [
        text_sample(random, tokenizer, utterances, voice, group, course.french)
        for group, count in counts.items()
        for _ in range(count)
    ]
    texts.sort(key=lambda sample: len(sample.prompt) + len(sample.target))
    middle = len(texts) * 3 // 5
    for half in (texts[:middle], texts[middle:]):
        yield "text", collate(tokenizer, half, 70, course.history)


def text_sample(
    random: Random, tokenizer: GemmaTokenizer, utterances: list[Utterance], voice: English, group: str, french: float
) -> Sample:
    """A conversation without media that is not too long: the longest cost most and teach nothing new."""
    while True:
        sample = converse(random, group, utterances, voice, french)
        if len(tokenizer(sample.prompt + sample.target, add_special_tokens=False).input_ids) <= LONGEST:
            return sample


def answer_logits(model: Gemma4ForConditionalGeneration, batch: dict[str, Tensor]) -> tuple[Tensor, Tensor]:
    """Logits where an answer token has to be found, and those tokens."""
    labels = batch["labels"][:, 1:]
    inputs = {name: value for name, value in batch.items() if name != "labels"}
    hidden = model.model(**inputs, use_cache=False).last_hidden_state[:, :-1]
    chosen = labels != IGNORED
    cap = model.config.text_config.final_logit_softcapping
    return cap * torch.tanh(model.lm_head(hidden[chosen]).float() / cap), labels[chosen]


def parameter_groups(model: Gemma4ForConditionalGeneration, course: Course) -> list[dict[str, object]]:
    """The towers learn more slowly than the rest; norms and embeddings do not decay."""
    towers, matrices, others = [], [], []
    for name, parameter in model.named_parameters():
        if not parameter.requires_grad:
            continue
        if "_tower." in name:
            towers.append(parameter)
        elif parameter.ndim >= 2 and "embed_tokens" not in name:
            matrices.append(parameter)
        else:
            others.append(parameter)
    share = course.tower_rate / course.rate
    return [
        {"params": towers, "share": share, "weight_decay": 0.01},
        {"params": matrices, "share": 1.0, "weight_decay": 0.02},
        {"params": others, "share": 1.0, "weight_decay": 0.0},
    ]


def train(
    model: Gemma4ForConditionalGeneration,
    tokenizer: GemmaTokenizer,
    utterances: list[Utterance],
    course: Course,
    voice: English | None = None,
    after: object = None,
) -> None:
    """Run a course; `after(step)` is called after each step, for checkpoints and evaluation on the way."""
    for tower in (model.model.vision_tower, model.model.audio_tower):
        tower.requires_grad_(course.tower_rate > 0)
    groups = [group for group in parameter_groups(model, course) if group["params"]]
    optimizer = torch.optim.AdamW(groups, lr=course.rate, betas=(0.9, 0.98))
    parameters: list[nn.Parameter] = [p for group in groups for p in group["params"]]  # type: ignore[attr-defined]
    losses: dict[str, float] = {}
    emphasis = word_weights(tokenizer, course.emphasis)
    start = time.monotonic()
    model.train()
    for step in range(course.steps):
        random = Random(f"together {course.seed} {step}")
        for name, batch in draw_batches(random, tokenizer, utterances, voice or English(), course):
            with torch.autocast("cpu", torch.bfloat16):
                logits, wanted = answer_logits(model, batch)
            loss = functional.cross_entropy(logits, wanted, emphasis if name.startswith("picture") else None)
            loss.backward()
            losses[name] = 0.95 * losses.get(name, float(loss)) + 0.05 * float(loss)
        apply_gradients(optimizer, parameters, course.rate * schedule(step, course.horizon or course.steps, 40))
        if step % 20 == 19:
            shown = " ".join(f"{name} {value:.3f}" for name, value in sorted(losses.items()))
            print(f"together {step + 1}/{course.steps} {shown}, {time.monotonic() - start:.0f} s", flush=True)
        if callable(after):
            after(step + 1)


def word_weights(tokenizer: GemmaTokenizer, emphasis: float) -> Tensor:
    """Weights of all tokens: in ten words of an answer about a picture only three depend on the picture."""
    weights = torch.ones(len(tokenizer))
    if emphasis != 1.0:
        words = [form for word in (*COLOURS, *SHAPES, *BACKGROUNDS) for form in (f" {word}", word.capitalize())]
        for text, weight in [(word, emphasis) for word in words] + [(str(digit), 0.2) for digit in range(10)]:
            weights[tokenizer(text, add_special_tokens=False).input_ids] = weight
        weights[tokenizer("An", add_special_tokens=False).input_ids] = emphasis
    return weights


def apply_gradients(optimizer: torch.optim.Optimizer, parameters: list[nn.Parameter], rate: float) -> None:
    """Clip the summed gradients, step, and clear them."""
    for group in optimizer.param_groups:
        group["lr"] = rate * group["share"]
    nn.utils.clip_grad_norm_(parameters, 1.0)
    optimizer.step()
    optimizer.zero_grad(set_to_none=True)


@torch.no_grad()
def set_clamps(
    model: Gemma4ForConditionalGeneration, tokenizer: GemmaTokenizer, utterances: list[Utterance], rounds: int = 12
) -> None:
    """Give every clippable linear the finite clamps that a released Gemma 4 has: just inside what training shows it."""
    recorder = ClampRecorder(model)
    random = Random("clamps")
    for index in range(rounds):
        samples = [converse(random, group, utterances) for group in ("picture", "sound") for _ in range(4)]
        answer_logits(model, collate(tokenizer, samples, (70, 140, 280)[index % 3]))
    recorder.close()
    recorder.set_clamps(0.9)
