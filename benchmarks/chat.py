"""edgekit's conversation against llama-cpp-python's own, on the same files in the same run.

Usage: python benchmarks/chat.py [--model FILE.gguf --projector FILE.gguf | --synthetic E2B] [--repetitions N]

Without --model, the bundled model is converted to Q8_0. --synthetic writes a variant's real shape at Q4_K_M with noise
for weights, and a vision tower of E2B's 16 layers. Both sides get the same picture and questions; a follow-up turn
is timed from the question to the first token, in turns. Decode is timed beside a bare llama_decode loop with the same
samplers, guessing (prompt lookup) beside none on text that repeats itself and on text that does not. Memory is the
anonymous part of a process of its own after one turn. Wants a quiet machine; memory is read on Linux only.
"""

from __future__ import annotations

import argparse
import base64
import gc
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from synthetic_model import write_synthetic

from edgekit import paths
from edgekit.catalog.load import variants
from edgekit.chat.events import Prefilling
from edgekit.chat.message import Media, Message, user
from edgekit.chat.models import find_plan
from edgekit.chat.session import Session
from edgekit.convert.job import ConvertJob, convert
from edgekit.engine.drafting import Drafting, Pace, Way
from edgekit.engine.engine import Engine
from edgekit.engine.native import llama
from edgekit.engine.prompt import entries
from edgekit.engine.sampling import Sampler, Sampling
from edgekit.fit.plan import Plan

CONTEXT = 8192
GREEDY = Sampling(temperature=0, max_tokens=24)
FIRST, NEXT = "What is this?", "Which colour has it, and which shape?"
REPEATED = "red circle, blue square, green star, yellow triangle, " * 8
PICTURE = paths.demo_samples() / "red-circle.png"
TOKENS = 192
_VISION_LAYERS = 16
LIKELIEST, VARIED = Sampling(temperature=0, max_tokens=TOKENS), Sampling(seed=1, max_tokens=TOKENS)


def main() -> None:
    """Print both sides and their ratios."""
    arguments = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    arguments.add_argument("--model", type=Path)
    arguments.add_argument("--projector", type=Path)
    arguments.add_argument("--synthetic", metavar="VARIANT")
    arguments.add_argument("--repetitions", type=int, default=15)
    arguments.add_argument("--child", choices=["edgekit", "llama-cpp-python"], help=argparse.SUPPRESS)
    given = arguments.parse_args()
    if given.child:
        print(anonymous(given.child, Plan(given.model, given.projector, context=CONTEXT)))
        return
    with tempfile.TemporaryDirectory() as folder:
        plan = chosen(Path(folder), given)
        print(f"{plan.model.name}, {plan.model.stat().st_size / 1e6:.0f} MB, context {plan.context}")
        compare(plan, given.repetitions)


def chosen(folder: Path, given: argparse.Namespace) -> Plan:
    """Make or take the files; return how chat runs them."""
    model, projector = given.model, given.projector
    if given.synthetic:
        model, projector = synthetic(folder, given.synthetic)
    elif model is None:
        convert(ConvertJob(paths.demo_checkpoint(), folder, (), ("Q8_0",)))
        model, projector = next(folder.glob("gemma4-pico-*.gguf")), None
    return find_plan(str(model), projector=projector, context=CONTEXT)


def synthetic(folder: Path, name: str) -> tuple[Path, Path]:
    """Write a model and a projector of a variant's shape."""
    # synthetic_model has made the tests' oracles importable.
    from oracles.projector_file import write_projector

    variant = next(one for one in variants() if one.name == name)
    projector = folder / f"mmproj-gemma-4-{name}-it-F16.gguf"
    write_projector(projector, variant.shape.hidden_size, vision=variant.vision, layers=_VISION_LAYERS)
    return write_synthetic(name, "Q4_K_M", folder / f"gemma-4-{name}-it-Q4_K_M.gguf"), projector


def compare(plan: Plan, repetitions: int) -> None:
    """Print everything but memory first: it needs processes of its own."""
    if plan.projector:
        follow_up(plan, repetitions)
    with Engine.open(plan) as engine:
        # The end of a turn is no end here: text has to go on to repeat itself.
        engine.vocabulary.ends = lambda token: False  # type: ignore[method-assign]
        decode(engine, repetitions)
        for what, sampling in (("that repeats itself", LIKELIEST), ("that does not", VARIED)):
            drafting(engine, what, sampling, repetitions)
    sizes = {side: in_a_process(side, plan) for side in ("edgekit", "llama-cpp-python")}
    show("anonymous memory", sizes, "MB", 1e6)


def show(what: str, sides: dict[str, float], unit: str, scale: float = 1.0) -> None:
    """Print one line: both sides and the first by the second."""
    mine, theirs = sides.values()
    left, right = (f"{name} {value / scale:9.2f} {unit}" for name, value in sides.items())
    print(f"{what:38}{left:>26}{right:>34}   ratio {mine / theirs:.3f}")


def follow_up(plan: Plan, repetitions: int) -> None:
    """Time the second turn of a conversation about a picture."""
    own: list[float] = []
    alone: list[float] = []
    theirs: list[float] = []
    their_side = Theirs(plan)
    with Engine.open(plan) as engine:
        session = Session(engine, sampling=GREEDY)
        for _ in range(repetitions):
            seconds, history = own_follow_up(session)
            own.append(seconds)
            alone.append(prefill_alone(session, history))
            theirs.append(their_side.follow_up(history[1].text))
    del their_side
    gc.collect()
    mine = statistics.median(own)
    show(
        "first token of a follow-up turn", {"edgekit": mine, "Gemma4ChatHandler": statistics.median(theirs)}, "ms", 1e-3
    )
    show("", {"edgekit": mine, "its prefill alone": statistics.median(alone)}, "ms", 1e-3)


def own_follow_up(session: Session) -> tuple[float, list[Message]]:
    """Have the first turn anew, then time the second; return seconds and the history."""
    session.engine.cache.clear()
    history = [user(FIRST, Media("image", PICTURE))]
    *_, first = session.answer(history)
    history += [first.message, user(NEXT)]
    started = time.perf_counter()
    for event in session.answer(history):
        if not isinstance(event, Prefilling):
            return time.perf_counter() - started, history
    raise SystemExit("the model answered nothing")


def prefill_alone(session: Session, history: list[Message]) -> float:
    """Time reading just the new tokens behind the first turn, and choosing one: nothing else has to be done."""
    engine, prompt = session.engine, session.prompt(history)
    engine.cache.clear()
    for _ in session.answer(history[:1]):
        continue
    wanted = entries(prompt)
    new = [token for token in wanted[engine.cache.keep_common(wanted) :] if isinstance(token, int)]
    started = time.perf_counter()
    array = (llama.llama_token * len(new))(*new)
    llama.llama_decode(engine.cache.context, llama.llama_batch_get_one(array, len(new)))
    with Sampler(GREEDY, engine.vocabulary.size) as sampler:
        sampler.next(engine.cache.context)
    seconds = time.perf_counter() - started
    engine.cache.clear()
    return seconds


class Theirs:
    """llama-cpp-python's Llama with its handler for Gemma 4."""

    def __init__(self, plan: Plan) -> None:
        from llama_cpp import Llama
        from llama_cpp.llama_chat_format import Gemma4ChatHandler

        handler = Gemma4ChatHandler(str(plan.projector), verbose=False, use_gpu=False) if plan.projector else None
        self._model = Llama(str(plan.model), n_ctx=CONTEXT, chat_handler=handler, verbose=False, n_threads=plan.threads)
        encoded = base64.b64encode(PICTURE.read_bytes()).decode()
        self._picture = {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{encoded}"}}

    def follow_up(self, first_answer: str) -> float:
        """Have the first turn, then time the second to its first word."""
        question: list[dict[str, Any]] = [{"type": "text", "text": FIRST}]
        messages = [{"role": "user", "content": [self._picture, *question]}]
        self._ask(messages)
        messages += [{"role": "assistant", "content": first_answer}, {"role": "user", "content": NEXT}]
        started = time.perf_counter()
        return self._ask(messages) - started

    def ask_in_words(self) -> None:
        """Have one turn without a picture."""
        self._ask([{"role": "user", "content": FIRST}])

    def _ask(self, messages: list[dict[str, Any]]) -> float:
        first = 0.0
        answer: Any = self._model.create_chat_completion(messages, stream=True, temperature=0, max_tokens=24)  # type: ignore[arg-type]
        for piece in answer:
            if not first and piece["choices"][0]["delta"].get("content"):
                first = time.perf_counter()
        return first or time.perf_counter()


def decode(engine: Engine, repetitions: int) -> None:
    """Time writing against a loop of nothing but llama_decode and the same samplers."""
    sides: dict[str, Callable[[], float]] = {
        "edgekit": lambda: written(engine, VARIED, "never"),
        "bare llama_decode": lambda: bare(engine, VARIED),
    }
    rates = in_turns(sides, repetitions)
    show("decode", rates, "t/s")


def written(engine: Engine, sampling: Sampling, how: Drafting) -> float:
    """Return tokens a second of edgekit's own loop."""
    begin(engine)
    started = time.perf_counter()
    count = sum(1 for _ in engine.write(sampling, drafting=how))
    return count / (time.perf_counter() - started)


def bare(engine: Engine, sampling: Sampling) -> float:
    """Return tokens a second of the least that a program must do."""
    begin(engine)
    context, array = engine.cache.context, (llama.llama_token * 1)()
    started = time.perf_counter()
    with Sampler(sampling, engine.vocabulary.size, engine.vocabulary.suppressed()) as sampler:
        for _ in range(TOKENS):
            array[0] = sampler.next(context)
            llama.llama_decode(context, llama.llama_batch_get_one(array, 1))
    seconds = time.perf_counter() - started
    engine.cache.clear()
    return TOKENS / seconds


def begin(engine: Engine) -> None:
    """Read text that repeats itself."""
    engine.cache.clear()
    for _ in engine.read([engine.vocabulary.tokenize("<bos><|turn>user\n" + REPEATED)]):
        continue


def drafting(engine: Engine, what: str, sampling: Sampling, repetitions: int) -> None:
    """Time writing with guesses, as chat decides on them, and without."""
    engine._ways = [Way(way.guesser, Pace("auto")) for way in engine._ways]
    sides: dict[str, Callable[[], float]] = {
        "guessing": lambda: written(engine, sampling, "auto"),
        "plain": lambda: written(engine, sampling, "never"),
    }
    show(f"decode of text {what}", in_turns(sides, repetitions), "t/s")


def in_turns(sides: dict[str, Callable[[], float]], repetitions: int) -> dict[str, float]:
    """Return the median of each side, timed in turns after a round that does not count."""
    found: dict[str, list[float]] = {name: [] for name in sides}
    for round_ in range(repetitions + 1):
        for name, side in sides.items():
            value = side()
            if round_:
                found[name].append(value)
    return {name: statistics.median(values) for name, values in found.items()}


def in_a_process(side: str, plan: Plan) -> float:
    """Return the anonymous bytes of a process that has had one turn."""
    line = [sys.executable, __file__, "--child", side, "--model", str(plan.model)]
    line += ["--projector", str(plan.projector)] if plan.projector else []
    return float(subprocess.run(line, capture_output=True, text=True, check=True).stdout.splitlines()[-1])


def anonymous(side: str, plan: Plan) -> int:
    """Have one turn as one side does and return the anonymous bytes of this process."""
    if side == "edgekit":
        engine = Engine.open(plan)
        for _ in Session(engine, sampling=GREEDY).answer([user(FIRST)]):
            continue
    else:
        theirs = Theirs(plan)
        theirs.ask_in_words()
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("RssAnon:"))


if __name__ == "__main__":
    main()
