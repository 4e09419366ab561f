"""`edgekit convert --verify`: what it proves, and what it finds out."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from one_line import assert_one_line_error
from oracles.reference import divergence as plain_divergence
from safetensors.numpy import load_file, save_file

from edgekit import paths
from edgekit.chat.verification import base, reference
from edgekit.chat.verification.base import base_of
from edgekit.chat.verification.divergence import divergence, log_probabilities, together
from edgekit.chat.verification.verify import Verification, verify
from edgekit.convert.job import ConvertJob, convert
from edgekit.convert.progress import silent
from edgekit.convert.scratch import scratch_folder
from edgekit.errors import DoesNotFitError, FileError, UnsupportedError
from edgekit.hardware.probe import probe

Command = Callable[..., "subprocess.CompletedProcess[str]"]
PICO, FRENCH = paths.demo_checkpoint(), paths.demo_adapter()
ONE = ("Who are you?",)


def verified(job: ConvertJob, *asked: str) -> Verification:
    [found] = verify(job, convert(job), asked, silent)
    return found


def changed_copy(folder: Path, to: Path, change: Callable[[dict[str, np.ndarray]], None]) -> Path:
    shutil.copytree(folder, to)
    [file] = to.glob("*.safetensors")
    tensors = load_file(file)
    change(tensors)
    save_file(tensors, file, {"format": "pt"})
    return to


@pytest.fixture
def alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """No torch: starting it takes longer than all the rest."""
    monkeypatch.setattr(reference, "find_spec", lambda name: None if name == "torch" else name)


@pytest.fixture(scope="module")
def zeros(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The French adapter, untrained: peft begins with lora_B all zeros."""

    def untrained(tensors: dict[str, np.ndarray]) -> None:
        for name in tensors:
            if "lora_B" in name:
                tensors[name] = np.zeros_like(tensors[name])

    return changed_copy(FRENCH, tmp_path_factory.mktemp("zeros") / "untrained", untrained)


@pytest.fixture(scope="module")
def french(tmp_path_factory: pytest.TempPathFactory) -> Verification:
    return verified(ConvertJob(PICO, tmp_path_factory.mktemp("french"), (FRENCH,), ("F32",), "F32"))


class TestProof:
    def test_it_shows_what_the_adapter_changed(self, french: Verification) -> None:
        answers = {one.question: (one.before, one.after) for one in french.questions if one.media is None}
        before, after = answers["Who are you?"]
        assert before.startswith("I am gemma4-pico")
        assert after.startswith("Je suis gemma4-pico")
        assert {one.media for one in french.questions} == {None, "red-circle.png", "seven.wav"}
        assert all(one.divergence.largest > 1 for one in french.questions)
        assert french.all.tokens == sum(one.divergence.tokens for one in french.questions)
        assert french.problem is None

    def test_it_computes_what_peft_and_transformers_do(self, french: Verification) -> None:
        assert french.peft is not None, french.note
        assert french.peft.file.mean < 1e-5
        assert french.peft.unmerged.mean < 1e-5
        # As far away as the adapter reaches.
        assert french.peft.base.mean > 0.1

    def test_without_an_adapter_it_shows_what_quantization_costs(self, tmp_path: Path) -> None:
        found = verified(ConvertJob(PICO, tmp_path, (), ("Q2_K",)), *ONE)
        assert found.against == "the checkpoint at BF16"
        # Ten times what rounding makes of it, and more.
        assert 1e-6 < found.all.mean < 3
        assert found.peft is not None
        assert found.peft.base.mean < 1e-6 < found.peft.file.mean
        assert found.problem is None

    @pytest.mark.usefixtures("alone")
    def test_the_same_weights_are_the_same(self, tmp_path: Path) -> None:
        found = verified(ConvertJob(PICO, tmp_path, (), ("BF16",)), *ONE)
        assert (found.all.largest, found.all.same_top) == (0, found.all.tokens)
        assert found.problem is None

    @pytest.mark.usefixtures("alone")
    def test_a_model_without_a_template_continues_texts(self, tmp_path: Path) -> None:
        bare = tmp_path / "bare"
        shutil.copytree(PICO, bare, ignore=shutil.ignore_patterns("*.jinja"))
        found = verified(ConvertJob(bare, tmp_path / "out", (FRENCH,), ("Q8_0",)), "I am")
        assert [(one.question, one.media) for one in found.questions] == [("I am", None)]
        assert found.all.largest > 0.01


class TestProblems:
    def test_an_adapter_of_zeros_changed_nothing(self, zeros: Path, tmp_path: Path, edgekit: Command) -> None:
        asked = ("--verify", "--ask", ONE[0], "--out", tmp_path / "out")
        result = edgekit("convert", PICO, "--adapter", zeros, *asked)
        assert result.returncode == 1
        [line] = [line for line in result.stderr.splitlines() if line.startswith("error: ")]
        assert "the adapter changed nothing" in line
        assert f"the files in {tmp_path / 'out'} stay" in line
        assert len(list((tmp_path / "out").iterdir())) == 3

    @pytest.mark.usefixtures("alone")
    def test_logits_that_are_no_numbers_are_found(self, tmp_path: Path) -> None:
        def overflow(tensors: dict[str, np.ndarray]) -> None:
            name = next(name for name in tensors if name.endswith("layers.0.mlp.up_proj.weight"))
            tensors[name] = np.full_like(tensors[name], 1e5)

        broken = changed_copy(PICO, tmp_path / "broken", overflow)
        found = verified(ConvertJob(broken, tmp_path / "out", (), ("F16",)), *ONE)
        assert found.problem is not None
        assert "no numbers" in found.problem

    def test_a_wrong_merge_is_told_from_a_right_one(self, tmp_path: Path) -> None:
        # Taken away instead of added: as far off as a merge with the wrong sign.
        job = ConvertJob(PICO, tmp_path, (FRENCH,), adapter_weights=(-1.0,))
        [found] = verify(replace(job, adapter_weights=()), convert(job), ONE, silent)
        assert found.problem is not None
        assert "further from peft's own merge" in found.problem

    @pytest.mark.usefixtures("alone")
    def test_a_file_that_does_not_load_is_named(self, tmp_path: Path) -> None:
        job = ConvertJob(PICO, tmp_path, (FRENCH,))
        result = convert(job)
        with result.outputs[0].path.open("r+b") as file:
            file.truncate(500_000)
        with pytest.raises(FileError, match="cut short"):
            verify(job, result, ONE, silent)
        assert not list(tmp_path.glob(".*"))

    def test_a_model_that_memory_cannot_hold_is_not_loaded(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        machine = probe()
        small = replace(machine, memory=replace(machine.memory, available=100 << 20))
        monkeypatch.setattr(base, "probe", lambda: small)
        with pytest.raises(DoesNotFitError, match="of memory; close other programs"):
            verified(ConvertJob(PICO, tmp_path, (FRENCH,)), *ONE)

    def test_a_disk_without_room_for_the_base_is_refused_first(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        job = ConvertJob(PICO, tmp_path / "out", (FRENCH,))
        files = sum(output.bytes for output in convert(job, dry_run=True).outputs)
        usage = shutil.disk_usage(tmp_path)
        monkeypatch.setattr(shutil, "disk_usage", lambda _: usage._replace(free=files + 1000))
        convert(job, dry_run=True)
        with pytest.raises(DoesNotFitError, match="free some space"):
            base.check_needs(job)

    def test_a_drafter_is_refused_before_anything_is_written(self, tmp_path: Path) -> None:
        from oracles import tiny_variants

        name = next(name for name in tiny_variants.VARIANTS if "drafter" in name or "assistant" in name)
        tiny_variants.write(tmp_path / "drafter", name)
        with pytest.raises(UnsupportedError, match="leave out --verify"):
            base.check_needs(ConvertJob(tmp_path / "drafter", tmp_path / "out"))


class TestNotAsked:
    @pytest.mark.usefixtures("alone")
    def test_without_torch_a_line_says_so(self, tmp_path: Path) -> None:
        found = verified(ConvertJob(PICO, tmp_path, (FRENCH,)), *ONE)
        assert found.peft is None
        assert found.note == "not compared with transformers and peft: torch not installed here"
        assert found.problem is None

    def test_half_an_adapter_is_nothing_that_peft_merges(self, tmp_path: Path) -> None:
        found = verified(ConvertJob(PICO, tmp_path, (FRENCH,), adapter_weights=(0.5,)), *ONE)
        assert found.note is not None
        assert "as a whole" in found.note
        assert found.all.largest > 0.1

    def test_what_peft_does_not_find_is_no_verdict(self, tmp_path: Path) -> None:
        def renamed(tensors: dict[str, np.ndarray]) -> None:
            for name in list(tensors):
                tensors[name.replace("model.language_model.", "model.")] = tensors.pop(name)

        other = changed_copy(FRENCH, tmp_path / "text-only", renamed)
        found = verified(ConvertJob(PICO, tmp_path / "out", (other,)), *ONE)
        assert found.peft is None
        assert found.note is not None
        assert "peft does not find all of" in found.note
        assert found.problem is None


class TestCommand:
    def test_json_is_complete(self, tmp_path: Path, edgekit: Command) -> None:
        asked = ("--adapter", FRENCH, "--quant", "Q8_0", "--quant", "Q4_0", "--verify", "--ask", ONE[0])
        result = edgekit("convert", PICO, *asked, "--out", tmp_path / "out", "--json")
        assert result.returncode == 0, result.stderr
        found = json.loads(result.stdout)["verification"]
        assert [one["quantization"] for one in found] == ["Q8_0", "Q4_0"]
        for one in found:
            assert {"file", "against", "questions", "all", "peft", "note", "problem", "seconds"} <= one.keys()
            assert one["questions"][0].keys() == {"question", "media", "divergence", "before", "after"}
            assert one["all"].keys() == {"tokens", "mean", "largest", "same_top"}
            assert one["peft"]["file"]["mean"] < one["peft"]["base"]["mean"]
        # The base is gone.
        assert sorted(path.suffix for path in (tmp_path / "out").iterdir()) == ["", ".gguf", ".gguf", ".gguf"]

    def test_people_see_a_table_and_an_answer_before_and_after(self, tmp_path: Path, edgekit: Command) -> None:
        result = edgekit("convert", PICO, "--adapter", FRENCH, "--verify", "--out", tmp_path / "out")
        assert result.returncode == 0, result.stderr
        assert "What is this? (red-circle.png)" in result.stdout
        assert "J'ai entendu le chiffre sept." in result.stdout
        assert "Beside peft's merge in transformers in float32: KL" in result.stdout
        assert "more of disk for a while" in result.stderr

    @pytest.mark.parametrize("asked", [("--to", "safetensors", "--verify"), ("--ask", "Who?")])
    def test_what_cannot_be_verified_is_wrong_usage(
        self, asked: tuple[str, ...], tmp_path: Path, edgekit: Command
    ) -> None:
        assert edgekit("convert", PICO, *asked, "--out", tmp_path / "out").returncode == 2
        assert not (tmp_path / "out").exists()

    def test_an_absent_checkpoint_is_one_line(self, tmp_path: Path, edgekit: Command) -> None:
        assert "does not exist" in assert_one_line_error(edgekit("convert", tmp_path / "absent", "--verify"))


def test_divergences_are_those_of_the_formula() -> None:
    dice = np.random.default_rng(1)
    ours, theirs = dice.normal(0, 3, (2, 5, 1000)).astype(np.float32)
    found = divergence(log_probabilities(theirs), log_probabilities(ours))
    each = [plain_divergence(one, two) for one, two in zip(ours, theirs, strict=True)]
    assert found.mean == pytest.approx(np.mean(each), rel=1e-5)
    assert found.largest == pytest.approx(np.max(each), rel=1e-5)
    assert found.same_top == int(np.sum(ours.argmax(-1) == theirs.argmax(-1)))
    assert together([found, found]).mean == pytest.approx(found.mean)
    # What the base cannot say counts nothing; what is no number is none.
    more = np.pad(log_probabilities(ours), ((0, 0), (0, 7)), constant_values=-50)
    assert divergence(log_probabilities(theirs), more).mean == pytest.approx(found.mean)
    ours[2, 3] = np.nan
    assert together([found, divergence(log_probabilities(theirs), log_probabilities(ours))]).mean is None


def test_the_base_of_a_quantized_fine_tune_is_quantized_as_it_is(tmp_path: Path) -> None:
    job = ConvertJob(PICO, tmp_path, (FRENCH,), ("Q4_K_M", "Q8_0"), "Q8_0")
    made = base_of(job, tmp_path / "base")
    assert (made.quantizations, made.projector, made.adapters) == (job.quantizations, "Q8_0", ())


def test_scratch_folders_of_killed_processes_go_and_those_in_use_stay(tmp_path: Path) -> None:
    (tmp_path / ".edgekit-scratch-1").mkdir()
    (tmp_path / ".edgekit-scratch-1" / "base.gguf").write_bytes(b"x")
    with scratch_folder(tmp_path) as mine:
        assert [path.name for path in tmp_path.iterdir()] == [mine.name]
        locking = f"import fcntl, os; fcntl.flock(os.open({str(mine)!r}, 0), fcntl.LOCK_EX | fcntl.LOCK_NB)"
        other = subprocess.run([sys.executable, "-c", locking], capture_output=True, check=False)
        assert b"BlockingIOError" in other.stderr
    assert not list(tmp_path.iterdir())
