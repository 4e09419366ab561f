"""What a converted model is asked, and how the question stands in its context."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from edgekit import paths
from edgekit.chat.message import Media, user
from edgekit.chat.session import Session
from edgekit.engine.engine import Engine
from edgekit.engine.prompt import Prompt
from edgekit.errors import UnsupportedError

_TEXTS = ("Who are you?", "What can you do?", "Write two sentences about the sea.", "What is 17 + 25?")


@dataclass(frozen=True)
class Question:
    """A question, about a picture or a sound or neither."""

    text: str
    media: Media | None = None


# A picture and a sound out of the bundled samples: what an adapter did to eyes and ears shows in their answers.
_PICTURE = Question("What is this?", Media("image", Path("red-circle.png")))
_SOUND = Question("Which digit is this?", Media("audio", Path("seven.wav")))


def questions(engine: Engine, asked: Sequence[str]) -> list[Question]:
    """Return a person's own questions, or edgekit's, and one for each of a model's senses."""
    found = [Question(text) for text in asked or _TEXTS]
    found += [_PICTURE] if engine.takes_pictures else []
    found += [_SOUND] if engine.takes_sound else []
    return [question for question in found if question.media is None or _can_be_asked(engine, question)]


def _can_be_asked(engine: Engine, question: Question) -> bool:
    # A template without a place for pictures, as Gemma 3's, or none at all.
    try:
        return has_template(engine) and bool(prompt(engine, question))
    except UnsupportedError:
        return False


def has_template(engine: Engine) -> bool:
    """Return whether a model can be talked to; base models only continue texts."""
    try:
        return bool(engine.chat_template)
    except UnsupportedError:
        return False


def prompt(engine: Engine, question: Question) -> Prompt:
    """Return what the model reads before it answers."""
    if not has_template(engine):
        vocabulary = engine.vocabulary
        return [[vocabulary.bos, *vocabulary.tokenize(question.text, control=False)]]
    media = question.media
    found = [Media(media.kind, paths.demo_samples() / media.path)] if media else []
    return Session(engine).prompt([user(question.text, *found)])
