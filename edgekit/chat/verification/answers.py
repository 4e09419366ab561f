"""What a model says to questions, and how likely it finds every next token on the way."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from edgekit.chat.response import ResponseParser
from edgekit.chat.verification.divergence import Floats, log_probabilities
from edgekit.chat.verification.questions import Question, prompt, questions
from edgekit.convert.progress import Progress
from edgekit.engine.engine import Engine
from edgekit.engine.prompt import Prompt
from edgekit.engine.sampling import Sampling
from edgekit.fit.plan import Plan

# Tokens of an answer: enough to tell two answers apart, few enough for a large model on a small machine.
_LENGTH = 24


@dataclass(frozen=True)
class Answer:
    """A model's likeliest answer, and its distributions along a path of tokens that all models are led along."""

    question: Question
    text: str
    # The prompt as tokens; None where a picture or a sound stands in it.
    tokens: tuple[int, ...] | None
    path: tuple[int, ...]
    # Of every token that could come before each of the path's, of shape (path, vocabulary).
    log_probabilities: Floats


def answers(
    plan: Plan, asked: Sequence[str], paths: Sequence[Sequence[int]] | None, progress: Progress
) -> list[Answer]:
    """Ask a model; the paths are its own answers where none are given."""
    with Engine.open(plan) as engine:
        return list(_answers(engine, asked, paths, progress))


def _answers(
    engine: Engine, asked: Sequence[str], paths: Sequence[Sequence[int]] | None, progress: Progress
) -> Iterator[Answer]:
    every = questions(engine, asked)
    for number, question in enumerate(every):
        progress(number, len(every), f"asking {engine.model_path.name}")
        wanted = prompt(engine, question)
        own = _answer(engine, wanted)
        path = tuple(paths[number]) if paths else own
        rows = _along(engine, wanted, path)
        yield Answer(question, _text(engine, own), _tokens(wanted), path, rows)


def _answer(engine: Engine, wanted: Prompt) -> tuple[int, ...]:
    _read(engine, wanted)
    return tuple(engine.write(Sampling(temperature=0.0, max_tokens=_LENGTH), drafting="never"))


def _along(engine: Engine, wanted: Prompt, path: Sequence[int]) -> Floats:
    _read(engine, wanted)
    rows = [log_probabilities(engine.logits())]
    for token in path[:-1]:
        engine.cache.append(token)
        rows.append(log_probabilities(engine.logits()))
    return np.stack(rows)


def _read(engine: Engine, wanted: Prompt) -> None:
    # Logits depend a little on how a prompt is split into batches: all models read it from its beginning.
    engine.cache.clear()
    for _ in engine.read(wanted):
        pass


def _tokens(wanted: Prompt) -> tuple[int, ...] | None:
    pieces = [piece for piece in wanted if isinstance(piece, list)]
    return tuple(token for piece in pieces for token in piece) if len(pieces) == len(wanted) else None


def _text(engine: Engine, tokens: Sequence[int]) -> str:
    parser = ResponseParser()
    parser.feed(b"".join(map(engine.vocabulary.piece, tokens)).decode("utf-8", "replace"))
    parser.finish()
    return " ".join((parser.text or parser.thought).split())
