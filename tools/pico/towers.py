"""Teach each tower alone, with a throw-away classifier: together from nothing they learn neither forms nor sounds."""

from __future__ import annotations

import time
from random import Random

import torch
from torch import Tensor, nn
from torch.nn import functional
from transformers import Gemma4ForConditionalGeneration

from .batch import hear, see, sound_tokens, stack_pictures
from .digits import Utterance, as_heard, vary
from .shapes import BACKGROUNDS, COLOURS, SHAPES, TRAINING_SIZES, Drawing, draw, held_out_drawing, pick_size

PICTURE_CLASSES = (list(COLOURS), list(SHAPES), list(BACKGROUNDS))


def normalised(tokens: Tensor) -> Tensor:
    """What the embedder after a tower sees of its tokens."""
    return functional.rms_norm(tokens, tokens.shape[-1:])


def schedule(step: int, steps: int, warmup: int = 20) -> float:
    """Linear warm-up, then a cosine down to a fiftieth."""
    if step < warmup:
        return (step + 1) / warmup
    phase = (step - warmup) / max(1, steps - warmup)
    return 0.02 + 0.98 * 0.5 * (1 + float(torch.cos(torch.tensor(phase * torch.pi))))


def picture_logits(
    model: Gemma4ForConditionalGeneration, head: nn.Module, drawings: list[Drawing], budget: int
) -> Tensor:
    """The classifier's opinion on pictures at a token budget: the strongest of all tokens decides."""
    seen = [see(drawing.image, budget) for drawing in drawings]
    batch = stack_pictures(seen)
    tower = model.model.vision_tower
    tokens = tower(pixel_values=batch["pixel_values"], pixel_position_ids=batch["image_position_ids"]).last_hidden_state
    parts = torch.split(normalised(tokens), [one.tokens for one in seen])
    return head(torch.stack([part.amax(dim=0) for part in parts]))


def picture_targets(drawings: list[Drawing]) -> list[Tensor]:
    """Colour, shape and background as class numbers."""
    rows = [(d.colour, d.shape, d.background) for d in drawings]
    return [torch.tensor([names.index(row[k]) for row in rows]) for k, names in enumerate(PICTURE_CLASSES)]


def split_logits(logits: Tensor) -> tuple[Tensor, ...]:
    """One block of logits for each question."""
    return torch.split(logits, [len(names) for names in PICTURE_CLASSES], dim=-1)


def lesson(done: float, random: Random) -> tuple[int, list[Drawing]]:
    """A token budget and pictures for one step, when this share of the lessons is done.

    Forms are the hard part. In black on white, large and small in tokens they are found within 60 steps; from there on
    colours, turns, noise and larger budgets can come in. All of it at once stays at chance for hundreds of steps.
    """
    if done < 0.5:
        budget, count = 24, 24
    elif done < 0.75:
        budget, count = random.choice([24, 70]), 16
    else:
        budget = random.choices([70, 140, 280], [5, 2, 2])[0]
        count = {70: 16, 140: 10, 280: 5}[budget]
    plain, ink = 1.0 - (done - 0.12) / 0.4, 1.0 - (done - 0.12) / 0.3
    drawings = []
    for _ in range(count):
        simple = random.random() < plain
        fixed = ("black", None, "white") if random.random() < ink else (None, None, None)
        drawings.append(draw(random, pick_size(random, TRAINING_SIZES), *fixed, plain=simple))
    return budget, drawings


def train_vision(
    model: Gemma4ForConditionalGeneration,
    steps: int,
    seed: int,
    begin: float = 0.0,
    rate: float = 2e-3,
    head_steps: int = 0,
) -> None:
    """Colour, shape and background: small pictures first, towards the end as large as they come.

    `begin` skips the easy lessons in a later round. A round's classifier is new: for `head_steps` only it learns,
    before it may change a tower that knows something.
    """
    torch.manual_seed(seed)
    head = nn.Linear(model.config.vision_config.hidden_size, sum(map(len, PICTURE_CLASSES)))
    parameters = [*model.model.vision_tower.parameters(), *head.parameters()]
    optimizer = torch.optim.AdamW(parameters, lr=rate, weight_decay=0.01)
    random, start = Random(f"vision {seed}"), time.monotonic()
    for step in range(steps):
        model.model.vision_tower.requires_grad_(step >= head_steps)
        budget, drawings = lesson(begin + (1 - begin) * step / steps, random)
        logits = split_logits(picture_logits(model, head, drawings, budget))
        losses = [functional.cross_entropy(x, y) for x, y in zip(logits, picture_targets(drawings), strict=True)]
        take_step(optimizer, parameters, torch.stack(losses).sum(), rate * schedule(step, steps))
        if step % 25 == 24:
            parts = " ".join(f"{float(one):.3f}" for one in losses)
            print(f"vision {step + 1}/{steps} {parts} at {budget}, {time.monotonic() - start:.0f} s", flush=True)
    for budget in (70, 140, 280):
        print(f"vision held out at {budget}: {vision_accuracy(model, head, budget):.3f}", flush=True)


@torch.no_grad()
def vision_accuracy(model: Gemma4ForConditionalGeneration, head: nn.Module, budget: int, count: int = 96) -> float:
    """Share of held-out pictures with colour, shape and background all right."""
    right = 0
    for first in range(0, count, 8):
        drawings = [held_out_drawing(seed) for seed in range(first, first + 8)]
        guesses = [x.argmax(-1) for x in split_logits(picture_logits(model, head, drawings, budget))]
        hits = torch.stack([g == t for g, t in zip(guesses, picture_targets(drawings), strict=True)])
        right += int(hits.all(dim=0).sum())
    return right / count


def sound_logits(model: Gemma4ForConditionalGeneration, head: nn.Module, batch: dict[str, Tensor]) -> Tensor:
    """The classifier's opinion on sounds: the mean over all tokens decides."""
    tower = model.model.audio_tower
    tokens = tower(batch["input_features"], batch["input_features_mask"]).last_hidden_state
    counts = [sound_tokens(mask) for mask in batch["input_features_mask"]]
    return head(torch.stack([normalised(row[:n]).mean(dim=0) for row, n in zip(tokens, counts, strict=True)]))


def train_audio(
    model: Gemma4ForConditionalGeneration, steps: int, seed: int, train: list[Utterance], test: list[Utterance]
) -> None:
    """Which digit was spoken."""
    torch.manual_seed(seed)
    head = nn.Linear(model.config.audio_config.output_proj_dims, 10)
    parameters = [*model.model.audio_tower.parameters(), *head.parameters()]
    optimizer = torch.optim.AdamW(parameters, lr=1.5e-3, weight_decay=0.01)
    random, start = Random(f"audio {seed}"), time.monotonic()
    for step in range(steps):
        chosen = [random.choice(train) for _ in range(24)]
        logits = sound_logits(model, head, hear([vary(random, one) for one in chosen]))
        loss = functional.cross_entropy(logits, torch.tensor([one.digit for one in chosen]), label_smoothing=0.05)
        take_step(optimizer, parameters, loss, 1.5e-3 * schedule(step, steps))
        if step % 25 == 24:
            print(f"audio {step + 1}/{steps} loss {float(loss):.3f}, {time.monotonic() - start:.0f} s", flush=True)
    print(f"audio held out: {audio_accuracy(model, head, test):.3f}", flush=True)


@torch.no_grad()
def audio_accuracy(model: Gemma4ForConditionalGeneration, head: nn.Module, utterances: list[Utterance]) -> float:
    """Share of held-out digits heard right."""
    right = 0
    for first in range(0, len(utterances), 20):
        chosen = utterances[first : first + 20]
        guess = sound_logits(model, head, hear([as_heard(one) for one in chosen])).argmax(-1)
        right += int((guess == torch.tensor([one.digit for one in chosen])).sum())
    return right / len(utterances)


def take_step(optimizer: torch.optim.Optimizer, parameters: list[nn.Parameter], loss: Tensor, rate: float) -> None:
    """One optimizer step at this learning rate."""
    for group in optimizer.param_groups:
        group["lr"] = rate * group.get("share", 1.0)
    optimizer.zero_grad(set_to_none=True)
    loss.backward()
    nn.utils.clip_grad_norm_(parameters, 1.0)
    optimizer.step()
