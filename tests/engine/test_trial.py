"""Files that native code crashes over: each ends a process of its own, and here in one line."""

from __future__ import annotations

import struct
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from gguf import GGMLQuantizationType as Type
from gguf import GGUFValueType as Value
from one_line import assert_one_line_error
from oracles.foreign import write_llama
from oracles.header_only import write_drafter, write_header_only
from oracles.rewritten import array, number, rewrite, string, strings, text

from edgekit.catalog.load import variants
from edgekit.chat.message import user
from edgekit.chat.session import Session
from edgekit.engine import trial
from edgekit.engine.check import check_model, check_projector
from edgekit.engine.engine import Engine
from edgekit.engine.known_files import Known, records
from edgekit.engine.sampling import Sampling
from edgekit.engine.trial import Files, check_unseen, try_out
from edgekit.errors import EdgekitError, FileError, UnsupportedError
from edgekit.fit.plan import Plan
from edgekit.fit.settings import Settings
from edgekit.gguf_header import read_header

TOKENS = "tokenizer.ggml.tokens"
HUGE = 0xFFFFFFFF


@pytest.fixture
def own_records(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr("edgekit.engine.known_files.records", lambda: tmp_path / "opened")
    return tmp_path / "opened"


def refused(act: Callable[[], object]) -> str:
    with pytest.raises(EdgekitError) as problem:
        act()
    line = str(problem.value)
    assert "\n" not in line
    return line


def tokens(plan: Plan) -> list[str | bytes]:
    return [str(one) for one in read_header(plan.model).array(TOKENS)]


def with_token(plan: Plan, at: int, token: str | bytes) -> bytes:
    found = tokens(plan)
    found[at] = token
    return strings(found)


# What fuzzing of llama.cpp has published, and its kin. Where edgekit's own reading refuses, nothing else sees the file.
CRASHERS: dict[str, Callable[[Plan], dict[str, bytes | None]]] = {
    # ggml-org/llama.cpp issues 24885 and 25739.
    "a token twice": lambda plan: {TOKENS: with_token(plan, 300, tokens(plan)[299])},
    "a token that is no UTF-8": lambda plan: {TOKENS: with_token(plan, 300, b"\xff\xfe\x80")},
    "tokens of no letters": lambda plan: {TOKENS: strings([b""] * len(tokens(plan)))},
    "a vocabulary of one token": lambda plan: {TOKENS: strings(["a"])},
    "no vocabulary": lambda plan: {"tokenizer.ggml.model": string("no_vocab")},
    "an endless vocabulary": lambda plan: {
        "tokenizer.ggml.model": string("no_vocab"),
        "gemma4.vocab_size": number(HUGE),
        TOKENS: None,
    },
    # Pull request 26690: arrays narrower than what reads them.
    "narrow types of tokens": lambda plan: {
        "tokenizer.ggml.token_type": array(Value.UINT8, len(tokens(plan)), bytes(len(tokens(plan))))
    },
    "narrow scores": lambda plan: {
        "tokenizer.ggml.scores": array(Value.UINT8, len(tokens(plan)), bytes(len(tokens(plan))))
    },
    # EricLBuehler/mistral.rs pull request 2282.
    "special tokens beyond the vocabulary": lambda plan: {
        f"tokenizer.ggml.{name}_token_id": number(HUGE) for name in ("bos", "eos", "unknown", "padding")
    },
    "merges of nothing": lambda plan: {"tokenizer.ggml.merges": strings(["", " ", "a", "a  b", "\xff \xff"])},
    # Pull request 25821.
    "blocks beyond the most": lambda plan: {"gemma4.block_count": number(513)},
    "a context of no tokens": lambda plan: {"gemma4.context_length": number(0)},
    "heads of no width": lambda plan: {"gemma4.attention.key_length": number(0)},
    "heads too wide": lambda plan: {"gemma4.attention.key_length": number(1 << 20)},
    "no heads": lambda plan: {"gemma4.attention.head_count": number(0)},
    "no window": lambda plan: {"gemma4.attention.sliding_window": number(0)},
    "another architecture": lambda plan: {"general.architecture": string("llama")},
    "a drafter's architecture": lambda plan: {"general.architecture": string("gemma4-assistant")},
}


def unharmed(plan: Plan) -> str:
    """Open and use a model; return what it is refused with, or nothing."""
    try:
        with Engine.open(plan) as engine:
            list(engine.read([[2, 5, 6]]))
    except EdgekitError as problem:
        return str(problem)
    return ""


@pytest.mark.parametrize("name", CRASHERS)
def test_published_crashers_end_in_one_line(name: str, q8_plan: Plan, tmp_path: Path, own_records: Path) -> None:
    model = rewrite(q8_plan.model, tmp_path / "model.gguf", CRASHERS[name](q8_plan))
    line = unharmed(replace(q8_plan, model=model, projector=None, context=512))
    assert "\n" not in line
    # Some harm nobody with this llama.cpp; the parent lives in any case.
    assert not line or str(model) in line or model.name in line


@pytest.mark.parametrize("name", ["a token twice", "heads of no width", "a drafter's architecture"])
def test_those_that_end_llama_cpp_are_refused(name: str, q8_plan: Plan, tmp_path: Path, own_records: Path) -> None:
    model = rewrite(q8_plan.model, tmp_path / "model.gguf", CRASHERS[name](q8_plan))
    assert unharmed(replace(q8_plan, model=model, projector=None))
    assert not own_records.exists()


def test_a_vocabulary_without_a_bos_is_talked_to(q8_plan: Plan, tmp_path: Path) -> None:
    keys = {"tokenizer.ggml.bos_token_id": number(HUGE), "tokenizer.ggml.add_bos_token": None}
    model = rewrite(q8_plan.model, tmp_path / "model.gguf", keys)
    with Engine.open(replace(q8_plan, model=model, projector=None, context=512)) as engine:
        assert engine.vocabulary.bos == -1
        assert engine.vocabulary.piece(engine.vocabulary.bos) == b""
        assert list(Session(engine, sampling=Sampling(max_tokens=1)).answer([user("Hi")]))


def test_an_old_vocabulary_is_named(q8_plan: Plan, tmp_path: Path, own_records: Path) -> None:
    model = rewrite(q8_plan.model, tmp_path / "model.gguf", CRASHERS["a token twice"](q8_plan))
    assert "1 tokens twice" in unharmed(replace(q8_plan, model=model, projector=None))


@pytest.mark.parametrize("kind", [Type.Q8_0, Type.F16, Type.I32, Type.F64])
def test_norms_of_another_type_are_refused_by_reading(kind: Type, q8_plan: Plan, tmp_path: Path) -> None:
    name = "blk.0.attn_norm.weight"
    model = rewrite(q8_plan.model, tmp_path / "model.gguf", types={name: kind})
    assert name in refused(lambda: check_model(model))
    assert q8_plan.projector
    projector = rewrite(q8_plan.projector, tmp_path / "mmproj.gguf", types={"v.blk.0.ln1.weight": kind})
    assert "v.blk.0.ln1.weight" in refused(lambda: check_projector(projector, check_model(q8_plan.model)))


@pytest.mark.parametrize("kind", [Type.Q8_K, Type.Q8_1, Type.I8, Type.I64])
def test_weights_that_ggml_cannot_multiply_are_refused_by_reading(kind: Type, q8_plan: Plan, tmp_path: Path) -> None:
    name = next(
        place.name
        for place in read_header(q8_plan.model).tensors.values()
        if len(place.shape) == 2 and place.shape[-1] % 256 == 0
    )
    model = rewrite(q8_plan.model, tmp_path / "model.gguf", types={name: kind})
    assert name in refused(lambda: check_model(model))


@pytest.mark.parametrize(
    "data",
    [
        # Issue 24884: 37 bytes, a key without a name.
        struct.pack("<4sIQQ", b"GGUF", 3, 0, 1) + struct.pack("<QIB", 0, 0, 1),
        # CVE-2025-53630 and CVE-2026-27940: so many tensors, or such large ones, that their sizes begin anew at zero.
        struct.pack("<4sIQQ", b"GGUF", 3, (1 << 64) // 368, 0) + bytes(64),
        struct.pack("<4sIQQ", b"GGUF", 3, 2, 0)
        + 2 * (struct.pack("<Q", 1) + b"a" + struct.pack("<IQQIQ", 2, 1 << 31, 1 << 31, 0, 0))
        + bytes(64),
        # CVE-2026-33298 (pull request 18674): 2^42 + 1 rows.
        struct.pack("<4sIQQ", b"GGUF", 3, 1, 0)
        + (struct.pack("<Q", 1) + b"a" + struct.pack("<IQQIQ", 2, 1152, (1 << 42) + 1, 8, 0))
        + bytes(64),
        # Pull request 24997: an alignment that overflows.
        struct.pack("<4sIQQ", b"GGUF", 3, 0, 1) + text("general.alignment") + number(1 << 31),
    ],
)
def test_headers_that_overflow(data: bytes, q8_plan: Plan, tmp_path: Path) -> None:
    (tmp_path / "model.gguf").write_bytes(data)
    assert str(tmp_path / "model.gguf") in unharmed(replace(q8_plan, model=tmp_path / "model.gguf", projector=None))


def test_what_went_well_is_remembered_by_content(
    q8_plan: Plan, tmp_path: Path, own_records: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def check(model: Path, **changes: object) -> None:
        plan = replace(q8_plan, model=model, projector=None, **changes)  # type: ignore[arg-type]
        check_unseen(Files(check_model(model)), plan)

    check(q8_plan.model)
    monkeypatch.setattr("edgekit.engine.trial.subprocess.Popen", None)
    check(q8_plan.model)
    # Elsewhere and under another name it is the same.
    copy = tmp_path / "copy.gguf"
    copy.write_bytes(q8_plan.model.read_bytes())
    check(copy)
    other = rewrite(q8_plan.model, tmp_path / "other.gguf", {"general.name": string("other")})
    for model, changes in ((other, {}), (q8_plan.model, {"context": 1024}), (q8_plan.model, {"cache_type_k": "Q8_0"})):
        with pytest.raises(TypeError):
            check(model, **changes)


def test_a_file_that_was_changed_is_tried_again(q8_plan: Plan, tmp_path: Path, own_records: Path) -> None:
    model, settings = tmp_path / "model.gguf", Settings()
    model.write_bytes(q8_plan.model.read_bytes())
    assert not Known([model], settings)
    Known([model], settings).add()
    assert Known([model], settings)
    rewrite(q8_plan.model, model, {"general.name": string("changed")})
    assert not Known([model], settings)


def test_a_home_that_cannot_be_written_is_no_harm(
    q8_plan: Plan, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setattr("edgekit.engine.known_files.records", lambda: tmp_path / "file" / "opened")
    check_unseen(Files(check_model(q8_plan.model)), replace(q8_plan, projector=None))


def test_records_lie_in_the_cache() -> None:
    from edgekit import paths

    assert records().parent == paths.cache_directory()


def test_what_does_not_come_to_an_end(q8_plan: Plan, own_records: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trial, "_PATIENCE", 0)
    line = refused(lambda: check_unseen(Files(check_model(q8_plan.model)), q8_plan))
    assert "no end" in line
    assert not own_records.exists()


def test_what_asks_for_too_much_memory(q8_plan: Plan, own_records: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trial, "_MEMORY", 0)
    monkeypatch.setattr(trial, "_PER_HEADER", 0)
    monkeypatch.setattr(trial, "_PER_PROJECTOR", 0)
    assert q8_plan.model.name in refused(lambda: check_unseen(Files(check_model(q8_plan.model)), q8_plan))


def test_modules_in_the_folder_of_a_model_are_not_run(
    q8_plan: Plan, tmp_path: Path, own_records: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("json", "threading", "numpy", "edgekit"):
        (tmp_path / f"{name}.py").write_text("import os; os._exit(7)")
    monkeypatch.chdir(tmp_path)
    check_unseen(Files(check_model(q8_plan.model)), replace(q8_plan, projector=None))


def test_no_process_can_be_started(q8_plan: Plan, own_records: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.executable", "/nowhere/python")
    assert "no process" in refused(lambda: check_unseen(Files(check_model(q8_plan.model)), q8_plan))


@pytest.fixture(scope="module")
def e2b(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("e2b") / "E2B.gguf"
    write_header_only(variants()[0], "Q4_0", file)
    return file


def test_a_drafter_is_tried_beside_its_model(e2b: Path, tmp_path: Path) -> None:
    drafter = tmp_path / "drafter.gguf"
    write_drafter(variants()[0], drafter)
    assert try_out(Files(check_model(e2b), drafter=check_model(drafter)), [Settings(context=512)])
    other = tmp_path / "other.gguf"
    write_drafter(next(one for one in variants() if one.name == "31B"), other)
    line = refused(lambda: try_out(Files(check_model(e2b), drafter=check_model(other)), [Settings(context=512)]))
    assert str(other) in line


def test_a_file_without_a_vocabulary_cannot_be_talked_to(e2b: Path, q8_plan: Plan, own_records: Path) -> None:
    with pytest.raises(UnsupportedError, match="no vocabulary"):
        Engine.open(replace(q8_plan, model=e2b, projector=None, context=512))


def test_the_command_says_so_in_one_line(edgekit, q8_plan: Plan, e2b: Path, tmp_path: Path) -> None:
    twice = rewrite(q8_plan.model, tmp_path / "model.gguf", CRASHERS["a token twice"](q8_plan))
    for arguments in (("run", twice, "Hi"), ("bench", twice)):
        assert "twice" in assert_one_line_error(edgekit(*arguments, timeout=120))
    llama = tmp_path / "llama.gguf"
    write_llama(llama)
    broken = rewrite_sparse(llama, tmp_path / "broken.gguf")
    assert str(broken) in assert_one_line_error(edgekit("pick", "--model", broken, "--no-measure", timeout=120))


def rewrite_sparse(source: Path, out: Path) -> Path:
    """A Llama of no key heads: llama.cpp divides by them."""
    with source.open("rb") as file:
        data = bytearray(file.read(1 << 16))
    key = b"llama.attention.head_count_kv"
    at = data.index(key) + len(key) + 4
    data[at : at + 4] = bytes(4)
    with out.open("wb") as file:
        file.write(data)
        file.truncate(source.stat().st_size)
    return out


def test_a_projector_that_only_crashes_when_it_sees(q8_plan: Plan, tmp_path: Path, own_records: Path) -> None:
    """Shapes that clip.cpp takes for granted: found by letting it look at next to nothing."""
    assert q8_plan.projector
    header = read_header(q8_plan.projector)
    data = bytearray(q8_plan.projector.read_bytes())
    name = "v.blk.0.attn_q.weight"
    # Rows and columns of another count, the same number of bytes.
    rows, columns = header.tensors[name].shape
    at = data.index(name.encode()) + len(name) + 4
    data[at : at + 16] = struct.pack("<QQ", columns * 2, rows // 2)
    path = tmp_path / "mmproj.gguf"
    path.write_bytes(data)
    with pytest.raises(FileError, match="mmproj"):
        Engine.open(replace(q8_plan, projector=path))
