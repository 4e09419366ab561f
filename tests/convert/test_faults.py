"""Conversions that are killed or told to end at any moment: whole files or none, and never a mixture of two."""

from __future__ import annotations

import hashlib
import random
import shutil
import signal
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from os import kill
from pathlib import Path
from statistics import median

import pytest
from forks import Ended, Forks, strike, strike_line

from edgekit import paths

# The bundled model with its adapter, to GGUF and merged.
FORMS = ("gguf", "safetensors")
LAST = {"gguf": "Modelfile", "safetensors": "config.json"}
KILLS = {"gguf": 30, "safetensors": 20}
ENDS = 6
ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
# A merged checkpoint has many files that are all treated alike.
STRIDE = {"gguf": 1, "safetensors": 5}
# More than any conversion does to its folder, and more lines than it runs for that.
MOST_STEPS = 400
MOST_LINES = 2000
Digests = dict[str, str]


@dataclass(frozen=True)
class Finished:
    """What conversions with the whole adapter and with half of it write, and how long they take."""

    results: list[Digests]
    # The folder of the second.
    half: Path
    seconds: float


@pytest.fixture(scope="module")
def forks(tmp_path_factory: pytest.TempPathFactory, environment: dict[str, str]) -> Iterator[Forks]:
    with Forks(tmp_path_factory.mktemp("forks"), environment) as made:
        yield made


def convert(to: str, out: Path, weight: float = 1.0) -> tuple[object, ...]:
    adapter = f"{paths.demo_adapter()}={weight}"
    name = ("--name", "pico") if to == "gguf" else ()
    return ("convert", paths.demo_checkpoint(), "--adapter", adapter, "--to", to, *name, "--out", out)


def digests(folder: Path) -> Digests:
    """Return what the files with final names hold."""
    files = [path for path in folder.rglob("*") if path.is_file() and not path.name.startswith(".")]
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


@pytest.fixture(scope="module")
def finished(forks: Forks, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Finished]:
    folder = tmp_path_factory.mktemp("finished")
    made = {}
    for to in FORMS:
        taken, results = [], []
        for weight in (1.0, 1.0, 0.5):
            start, out = time.monotonic(), folder / f"{to}-{weight}"
            done = forks.run(*convert(to, out, weight))
            assert done.code == 0, done.said
            taken.append(time.monotonic() - start)
            results.append(digests(out))
        assert results[0] != results[2]
        made[to] = Finished(results[1:], folder / f"{to}-0.5", median(taken))
    return made


def check_whole(folder: Path, last: str, results: list[Digests]) -> None:
    """Check that every file is whole, and that all are of one conversion where the last to appear is there."""
    found = digests(folder)
    for name, digest in found.items():
        assert digest in [result.get(name) for result in results], name
    assert last not in found or found in results


def hidden(folder: Path) -> list[str]:
    return [path.name for path in folder.rglob(".*")] if folder.exists() else []


@pytest.mark.parametrize("to", FORMS)
def test_killed_at_any_moment_it_leaves_whole_files_and_the_next_start_clears_the_rest(
    to: str, forks: Forks, finished: dict[str, Finished], tmp_path: Path
) -> None:
    dice, whole, complete = random.Random(to), finished[to], 0
    for number in range(KILLS[to]):
        out = tmp_path / f"out{number}"
        if number % 2:
            # An earlier result lies there, which must not become half of a new one.
            shutil.copytree(whole.half, out)
        process = forks.start(*convert(to, out))
        time.sleep(dice.uniform(0, whole.seconds))
        with suppress(ProcessLookupError):
            kill(process, signal.SIGKILL)
        complete += forks.wait().code == 0
        if out.exists():
            check_whole(out, LAST[to], whole.results)
        assert forks.run(*convert(to, out)).code == 0
        assert digests(out) == whole.results[0]
        assert hidden(out) == []
    # Most were killed before their end, or the moments were badly chosen.
    assert complete < KILLS[to] / 2


@pytest.mark.parametrize("to", FORMS)
def test_killed_between_any_two_steps_it_leaves_whole_files(
    to: str, forks: Forks, finished: dict[str, Finished], tmp_path: Path
) -> None:
    states = set()
    for number in range(1, MOST_STEPS, STRIDE[to]):
        out = tmp_path / str(number)
        shutil.copytree(finished[to].half, out)
        done = forks.run(*convert(to, out), first=strike(out, number, signal.SIGKILL))
        assert done.code in (0, -signal.SIGKILL), done.said
        check_whole(out, LAST[to], finished[to].results)
        states.add(len(digests(out).items() - finished[to].results[1].items()))
        assert forks.run(*convert(to, out)).code == 0
        assert (digests(out), hidden(out)) == (finished[to].results[0], [])
        if done.code == 0:
            break
    # Some had given their name to a part of the files, and then to all.
    assert len(states) > 2 or to == "safetensors"


@pytest.mark.parametrize("number", ENDING, ids=lambda number: number.name)
@pytest.mark.parametrize("to", FORMS)
def test_told_to_end_between_any_two_lines_it_leaves_all_files_or_nothing(
    to: str, number: signal.Signals, forks: Forks, finished: dict[str, Finished], tmp_path: Path
) -> None:
    ends = set()
    # The signals share the lines among them: they are handled alike.
    for line in range(1 + ENDING.index(number), MOST_LINES, len(ENDING) * STRIDE[to]):
        out = tmp_path / str(line)
        done = forks.run(*convert(to, out), first=strike_line(("whole_file.py", "folder.py"), line, number))
        check_ended(done, number)
        assert hidden(out) == [], line
        assert not out.exists() or digests(out) == finished[to].results[0], line
        ends.add((done.code == 0, out.exists()))
        if done.code == 0:
            break
    # Ended before the files took their names, while they did, and not at all.
    assert ends == {(False, False), (False, True), (True, True)}


@pytest.mark.parametrize("number", ENDING, ids=lambda number: number.name)
def test_told_to_end_at_any_moment_it_leaves_all_files_or_nothing(
    number: signal.Signals, forks: Forks, finished: dict[str, Finished], tmp_path: Path
) -> None:
    dice, whole = random.Random(int(number)), finished["gguf"]
    for attempt in range(ENDS):
        out = tmp_path / f"out{attempt}"
        process = forks.start(*convert("gguf", out))
        # Before that, nobody has asked for signals to be handled.
        time.sleep(dice.uniform(0.3, 1) * whole.seconds)
        with suppress(ProcessLookupError):
            kill(process, number)
        check_ended(forks.wait(), number)
        assert hidden(out) == []
        assert not out.exists() or digests(out) == whole.results[0]


def check_ended(done: Ended, number: signal.Signals) -> None:
    """Check that a process went well, or ended by the signal, or for Ctrl+C as every command does; without a word."""
    # Python itself lets Ctrl+C end it once it has begun to leave.
    assert done.code in (0, -number, *((1, 130) if number == signal.SIGINT else ())), done.said
    assert "Traceback" not in done.said


def test_what_nohup_asks_to_ignore_is_ignored(forks: Forks, finished: dict[str, Finished], tmp_path: Path) -> None:
    ignore = "import signal; signal.signal(signal.SIGHUP, signal.SIG_IGN)\n"
    done = forks.run(*convert("gguf", tmp_path / "out"), first=ignore + strike(tmp_path / "out", 6, signal.SIGHUP))
    assert done.code == 0, done.said
    assert digests(tmp_path / "out") == finished["gguf"].results[0]


def check_refused(done: Ended) -> None:
    assert (done.code, done.said.count("\n")) == (1, 1), done.said
    assert "another conversion writes into" in done.said


@pytest.mark.parametrize("to", FORMS)
def test_of_two_at_once_into_one_folder_one_is_refused_or_comes_second(
    to: str, forks: Forks, finished: dict[str, Finished], tmp_path: Path, environment: dict[str, str]
) -> None:
    dice, whole = random.Random(to), finished[to]
    with Forks(tmp_path, environment) as others:
        for number in range(6):
            out = tmp_path / f"out{number}"
            forks.start(*convert(to, out, 1.0))
            time.sleep(dice.uniform(0, whole.seconds / 2) if number else 0)
            ends = [others.run(*convert(to, out, 0.5)), forks.wait()]
            assert 0 in [done.code for done in ends]
            for done in ends:
                if done.code:
                    check_refused(done)
            assert digests(out) in whole.results
            assert hidden(out) == []


def test_while_one_writes_another_is_refused(
    forks: Forks, finished: dict[str, Finished], tmp_path: Path, environment: dict[str, str]
) -> None:
    out = tmp_path / "out"
    first = forks.start(*convert("gguf", out), first=strike(out, 5, signal.SIGSTOP))
    while " T " not in Path(f"/proc/{first}/stat").read_text():
        time.sleep(0.01)
    with Forks(tmp_path, environment) as others:
        check_refused(others.run(*convert("gguf", out, 0.5)))
        check_refused(others.run(*convert("safetensors", out)))
    kill(first, signal.SIGCONT)
    assert forks.wait().code == 0
    assert digests(out) == finished["gguf"].results[0]
