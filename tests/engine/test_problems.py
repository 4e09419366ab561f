"""What is wrong with files that load: each problem is found in a file that has it, and none in a sound one."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import gguf
import pytest
from gguf import TokenType
from oracles.pico import q8_plan

from edgekit.engine.problems import problems, template_revision
from edgekit.fit.plan import Plan
from edgekit.gguf_header import Header, read_header

__all__ = ["q8_plan"]

TOKENS = {"<pad>": 3, "<eos>": 3, "<bos>": 3, "<|turn>": 3, "<turn|>": 3, "a": 1}
TURNS = "{% for m in messages %}<|turn>{{ m.role }}\n{{ m.content }}<turn|>\n{% endfor %}"


def model(
    tmp_path: Path,
    template: str | None = "{{ bos_token }}" + TURNS,
    tokens: dict[str, int] = TOKENS,
    *,
    twice: list[str] | None = None,
    end: bool = True,
) -> Header:
    """Write a Gemma 4 with a vocabulary and no weights."""
    path = tmp_path / "model.gguf"
    writer = gguf.GGUFWriter(path, "gemma4")
    writer.add_token_list([*tokens, *(twice or [])])
    writer.add_token_types([*tokens.values(), *(tokens[token] for token in twice or [])])
    writer.add_bos_token_id(2)
    if end:
        writer.add_eos_token_id(1)
    if template is not None:
        writer.add_chat_template(template)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_ti_data_to_file()
    writer.close()
    return read_header(path)


def names(header: Header, model: Header | None = None) -> list[str]:
    found = problems(header, model)
    assert all("\n" not in problem.text for problem in found)
    return [problem.name for problem in found]


def test_files_that_edgekit_makes_have_none(q8_plan: Plan) -> None:
    text = read_header(q8_plan.model)
    assert q8_plan.projector is not None
    assert names(text) == []
    assert names(read_header(q8_plan.projector), text) == []


@pytest.mark.parametrize(
    ("template", "problem"),
    [
        (None, "no_template"),
        ("<bos>{{ bos_token }}" + TURNS, "double_bos"),
        (TURNS, "no_bos"),
        ("{{ bos_token }}{% if %}", "broken_template"),
        ("{{ bos_token }}{{ raise_exception('no') }}", "broken_template"),
        ("{{ bos_token }}" + TURNS + "<|think|>", "template_tokens"),
        ("{{ bos_token }}" + TURNS + "{% if tools %}{{ '<|tool_call>call:' }}{% endif %}", "old_template"),
    ],
)
def test_a_template_that_goes_wrong_is_found(template: str | None, problem: str, tmp_path: Path) -> None:
    assert names(model(tmp_path, template)) == [problem]


def test_a_sound_template_and_vocabulary_have_none(tmp_path: Path) -> None:
    assert names(model(tmp_path)) == []


def test_a_vocabulary_without_the_end_of_a_turn_is_found(tmp_path: Path) -> None:
    tokens = {"<end>" if token == "<turn|>" else token: type for token, type in TOKENS.items()}
    assert names(model(tmp_path, tokens=tokens)) == ["no_turn_end", "template_tokens"]


def test_a_vocabulary_with_tokens_twice_is_found(tmp_path: Path) -> None:
    [problem] = problems(model(tmp_path, twice=["a"]))
    assert problem.name == "old_vocabulary"
    assert "1 tokens twice" in problem.text


def test_a_model_without_an_end_is_found(tmp_path: Path) -> None:
    assert names(model(tmp_path, end=False)) == ["no_end_token"]


def test_control_tokens_that_are_plain_text_are_found(tmp_path: Path) -> None:
    [problem] = problems(model(tmp_path, tokens=TOKENS | {"<|turn>": int(TokenType.NORMAL)}))
    assert problem.name == "template_tokens"
    assert "writes <|turn>, which" in problem.text


def test_revisions_of_the_template_are_told_apart(llama_cpp_source: Path, q8_plan: Plan) -> None:
    folder = llama_cpp_source / "models" / "templates"
    current = (folder / "google-gemma-4-31B-it.jinja").read_text()
    assert template_revision(current) == "current"
    # llama.cpp takes a template without this comment for an old one; we look at what it writes.
    assert template_revision(current.replace("{#- OpenAI Chat Completions:", "{#-")) == "own"
    assert template_revision((folder / "google-gemma-4-31B-it-interleaved.jinja").read_text()) == "old"
    assert template_revision((folder / "google-gemma-2-2b-it.jinja").read_text()) == "own"
    assert template_revision(read_header(q8_plan.model).text("tokenizer.chat_template")) == "own"
    assert template_revision(None) == "none"


def test_a_projector_without_its_gelu_is_found(q8_plan: Plan) -> None:
    assert q8_plan.projector is not None
    header = read_header(q8_plan.projector)
    without = {key: value for key, value in header.keys.items() if key != "clip.use_gelu"}
    assert names(replace(header, keys=without)) == ["no_use_gelu"]
    assert names(replace(header, keys=header.keys | {"clip.use_gelu": False})) == ["no_use_gelu"]


def test_a_projector_of_another_model_is_found(q8_plan: Plan) -> None:
    assert q8_plan.projector is not None
    text = read_header(q8_plan.model)
    other = replace(text, keys=text.keys | {"gemma4.embedding_length": 1536})
    assert names(read_header(q8_plan.projector), other) == ["projector_of_another_model"]


def test_files_of_other_programs_are_found(q8_plan: Plan) -> None:
    text = read_header(q8_plan.model)
    tensor = next(iter(text.tensors.values()))
    monolith = replace(text, tensors=text.tensors | {"v.blk.0.attn_q.weight": tensor})
    assert names(monolith) == ["embedded_projector"]
    assert names(replace(text, keys={"general.architecture": "gemma4_mtp"})) == ["foreign_drafter"]
