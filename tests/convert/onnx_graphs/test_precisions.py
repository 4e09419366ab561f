"""What few bits lose: no more than GGUF of as many bits does, on what pico was trained for."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import llama_cpp
import numpy as np
import pytest
from oracles.onnx_folder import Array, OnnxFolder
from transformers import AutoTokenizer

from edgekit import paths
from edgekit.convert.job import ConvertJob, convert
from edgekit.engine import native

PROMPTS = Path(__file__).parent.parent.parent / "data" / "prompts.json"
END = (1, 6)
# A question and pico's answer to it.
Dialogue = tuple[list[int], list[int]]
Logits = Callable[[list[int]], Array]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("pico")
    onnx = ("fp32", "fp16", "int8", "q4", "q4f16")
    convert(ConvertJob(paths.demo_checkpoint(), out, quantizations=onnx, to="onnx", projector="none"))
    convert(ConvertJob(paths.demo_checkpoint(), out, quantizations=("Q8_0", "Q4_0"), projector="none"))
    return out


@pytest.fixture(scope="module")
def dialogues(folder: Path) -> list[Dialogue]:
    data = json.loads(PROMPTS.read_text(encoding="utf-8"))
    questions = [question for kind in ("who", "can", "hello", "unknown") for question in data["questions"][kind]]
    questions += [f"What is the weather in {city}?" for city in data["cities"][:12]]
    model, tokenizer = OnnxFolder(folder), AutoTokenizer.from_pretrained(folder)
    return [_dialogue(model, tokenizer, question) for question in questions]


def _dialogue(model: OnnxFolder, tokenizer: AutoTokenizer, question: str) -> Dialogue:
    turns = [{"role": "user", "content": question}]
    ids = tokenizer.apply_chat_template(turns, add_generation_prompt=True, tokenize=True, return_dict=False)
    answer = model.greedy(ids, 32)
    return ids, answer[: next((at + 1 for at, token in enumerate(answer) if token in END), None)]


def of_onnx(folder: Path, precision: str) -> Logits:
    model = OnnxFolder(folder, precision)

    def logits(ids: list[int]) -> Array:
        model.forget()
        return model.logits(ids)

    return logits


def of_gguf(folder: Path, quantization: str) -> Logits:
    native.start()
    settings = {"n_ctx": 256, "n_batch": 256, "n_ubatch": 256, "n_threads": 1, "n_threads_batch": 1}
    path = next(folder.glob(f"*-{quantization}.gguf"))
    model = llama_cpp.Llama(str(path), logits_all=True, verbose=False, **settings)

    def logits(ids: list[int]) -> Array:
        model.reset()
        model.eval(ids)
        return np.array(model.scores[: len(ids)])

    return logits


def distributions(dialogues: list[Dialogue], logits: Logits) -> Array:
    """Logarithms of the probabilities of each token of all answers."""
    found = [logits([*ids, *answer])[len(ids) - 1 : -1] for ids, answer in dialogues]
    every = np.concatenate(found).astype(np.float64)
    every -= every.max(-1, keepdims=True)
    result: Array = every - np.log(np.exp(every).sum(-1, keepdims=True))
    return result


def divergence(dialogues: list[Dialogue], exact: Array, logits: Logits) -> float:
    return float((np.exp(exact) * (exact - distributions(dialogues, logits))).sum(-1).mean())


@pytest.mark.parametrize(("precision", "quantization"), [("int8", "Q8_0"), ("q4", "Q4_0"), ("q4f16", "Q4_0")])
def test_no_more_is_lost_than_by_gguf(
    precision: str, quantization: str, folder: Path, dialogues: list[Dialogue]
) -> None:
    exact = distributions(dialogues, of_onnx(folder, "fp32"))
    mine = divergence(dialogues, exact, of_onnx(folder, precision))
    theirs = divergence(dialogues, exact, of_gguf(folder, quantization))
    assert 0 < mine < 1.1 * theirs


def test_half_precision_loses_next_to_nothing(folder: Path, dialogues: list[Dialogue]) -> None:
    exact = distributions(dialogues, of_onnx(folder, "fp32"))
    assert 0 < divergence(dialogues, exact, of_onnx(folder, "fp16")) < 1e-7
