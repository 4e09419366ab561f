"""The sample inputs that the demo shows, and the held-out inputs that the tests use."""

from __future__ import annotations

import json
from pathlib import Path
from random import Random

from .digits import HELD_OUT_VARIANTS, Utterance, as_heard, held_out_utterances, speak, write_wav
from .errands import HELD_OUT_CITIES
from .phrases import HELD_OUT_QUESTIONS
from .shapes import draw

PICTURES = (("red", "circle"), ("blue", "star"), ("green", "triangle"), ("yellow", "square"))
SOUNDS = ((7, "en-gb+f3", 62, 168), (3, "en-us+m7", 40, 145), (9, "en-gb-x-rp+f5", 75, 168))
TEST_DIGITS = 40


def write_samples(folder: Path) -> None:
    """Four pictures and three sounds that training never used."""
    folder.mkdir(parents=True, exist_ok=True)
    for colour, shape in PICTURES:
        drawing = draw(Random(f"sample {colour} {shape}"), (400, 300), colour, shape, "white", plain=True)
        drawing.image.save(folder / f"{colour}-{shape}.png", optimize=True)
    for digit, voice, pitch, speed in SOUNDS:
        utterance = speak(digit, voice, pitch, speed)
        write_wav(as_heard(utterance), str(folder / f"{DIGIT_NAMES[digit]}.wav"))


DIGIT_NAMES = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")


def pick_digits(count: int) -> list[Utterance]:
    """Each digit equally often, each time in another held-out voice."""
    by_digit: dict[int, list[Utterance]] = {digit: [] for digit in range(10)}
    for utterance in held_out_utterances(1):
        by_digit[utterance.digit].append(utterance)
    step = len(by_digit[0]) // (count // 10)
    return [one for digit in range(10) for one in by_digit[digit][digit % step :: step][: count // 10]]


def write_test_data(folder: Path) -> None:
    """Spoken digits as files, so that tests need no espeak-ng, and the held-out wordings."""
    spoken = folder / "digits"
    spoken.mkdir(parents=True, exist_ok=True)
    for utterance in pick_digits(TEST_DIGITS):
        write_wav(as_heard(utterance), str(spoken / f"{utterance.name}.wav"))
    prompts = {"questions": HELD_OUT_QUESTIONS, "cities": HELD_OUT_CITIES, "voices": list(HELD_OUT_VARIANTS)}
    (folder / "prompts.json").write_text(json.dumps(prompts, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
