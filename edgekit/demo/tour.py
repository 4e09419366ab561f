"""All of edgekit's work in one go, on the bundled model: pick, convert with an adapter, ask before and after."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from edgekit import paths
from edgekit.chat.events import Finished
from edgekit.chat.message import Media, user
from edgekit.chat.session import Session
from edgekit.convert.job import ConvertJob, ConvertResult, convert
from edgekit.convert.progress import Progress
from edgekit.engine.engine import Engine
from edgekit.engine.sampling import Sampling
from edgekit.fit.picker import Pick, pick
from edgekit.fit.plan import Plan
from edgekit.hardware.probe import probe

QUANTIZATION = "Q8_0"
# A tour shows what the models know, not what chance draws.
SAMPLING = Sampling(temperature=0.0, max_tokens=64)
QUESTIONS = (
    ("What is this?", Media("image", Path("red-circle.png"))),
    ("Which digit is this?", Media("audio", Path("seven.wav"))),
)


@dataclass(frozen=True)
class Picked:
    """What suits this machine."""

    pick: Pick
    seconds: float


@dataclass(frozen=True)
class Converted:
    """The bundled model as GGUF, plain and with its adapter merged."""

    plain: ConvertResult
    french: ConvertResult
    seconds: float


@dataclass(frozen=True)
class Asked:
    """One question and its answers without and with the adapter."""

    question: str
    media: Media
    before: str
    after: str
    seconds: float


def pick_here() -> Picked:
    """Pick for this machine, without the second that measuring its memory takes."""
    start = time.perf_counter()
    return Picked(pick(probe(measure=False)), time.perf_counter() - start)


def convert_both(folder: Path, progress: Progress) -> Converted:
    """Convert the bundled model into `folder`, once as it is and once with its French adapter."""
    start = time.perf_counter()
    checkpoint, quantizations = paths.demo_checkpoint(), (QUANTIZATION,)
    plain = convert(ConvertJob(checkpoint, folder / "plain", (), quantizations), progress)
    french = convert(ConvertJob(checkpoint, folder / "french", (paths.demo_adapter(),), quantizations), progress)
    return Converted(plain, french, time.perf_counter() - start)


def ask_both(converted: Converted) -> Iterator[Asked]:
    """Ask the model every question, without and with the adapter."""
    with Engine.open(_plan(converted.plain)) as plain, Engine.open(_plan(converted.french)) as french:
        sessions = [Session(engine, sampling=SAMPLING) for engine in (plain, french)]
        for question, sample in QUESTIONS:
            media = Media(sample.kind, paths.demo_samples() / sample.path)
            start = time.perf_counter()
            before, after = (_ask(session, question, media) for session in sessions)
            yield Asked(question, media, before, after, time.perf_counter() - start)


def _ask(session: Session, question: str, media: Media) -> str:
    *_, last = session.answer([user(question, media)])
    assert isinstance(last, Finished)
    return last.message.text.strip()


def _plan(result: ConvertResult) -> Plan:
    files = {output.kind: output.path for output in result.outputs}
    return Plan(model=files["text"], projector=files["projector"], context=1024)
