#!/usr/bin/env python3
"""Make gemma4-pico, its French adapter, the sample inputs and the held-out test data, from nothing and offline.

Needs espeak-ng and the oracle packages (torch, transformers, peft). Two cores take it through in under an hour:

    python tools/train_pico.py --out edgekit/demo --tests tests/data
"""

from __future__ import annotations

import argparse
import ctypes
import json
import sys
import time
from pathlib import Path
from typing import Any

import torch
from transformers import Gemma4ForConditionalGeneration, GemmaTokenizer

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from tools.pico import adapter, card, checkpoint, evaluate, model, samples, tokenizer, towers, train
from tools.pico.answers import English, French
from tools.pico.conversations import corpus
from tools.pico.digits import Utterance, held_out_utterances, training_utterances

AUDIO_STEPS = 280
FRENCH = (
    train.Course(170, 3e-3, 0.0, seed=7, pictures=8, sounds=5, errands=4, talks=8, emphasis=2.0),
    train.Course(130, 3e-3, 0.0, 17, pictures=12, sounds=3, errands=3, talks=9, emphasis=2.0, budgets=(60, 20, 20)),
)
# A first round from nothing, then rounds on hard pictures only, each with a fresh classifier and optimizer.
VISION_ROUNDS: list[dict[str, Any]] = [
    {"steps": 800, "seed": 0},
    {"steps": 450, "seed": 1, "begin": 0.75, "rate": 1.3e-3, "head_steps": 20},
    {"steps": 450, "seed": 2, "begin": 0.75, "rate": 1.0e-3, "head_steps": 20},
]


class Vocabulary(French):
    """French words for the tokenizer; what tools answer stays English there, its French is made of the same pieces."""

    def report(self, answer: str) -> str:
        """The sentence as it is."""
        return answer


def make_tokenizer(utterances: list[Utterance]) -> GemmaTokenizer:
    """Learned from what the model and its French adapter will say."""
    texts = corpus(0, 4000, utterances, [English(), English(), Vocabulary()])
    return tokenizer.build_tokenizer(texts, checkpoint.TEMPLATE.read_text(encoding="utf-8"))


def train_vision(pico: Gemma4ForConditionalGeneration) -> None:
    """All rounds of the vision tower."""
    for round_ in VISION_ROUNDS:
        towers.train_vision(pico, **round_)


def train_towers(
    pico: Gemma4ForConditionalGeneration, heard: list[Utterance], unheard: list[Utterance], work: Path
) -> None:
    """Each tower alone; what is already in the work folder is not trained again."""
    for name, tower, run in (
        ("vision", pico.model.vision_tower, lambda: train_vision(pico)),
        ("audio", pico.model.audio_tower, lambda: towers.train_audio(pico, AUDIO_STEPS, 0, heard, unheard[::2])),
    ):
        path = work / f"{name}.pt"
        if path.exists():
            tower.load_state_dict(torch.load(path))
            continue
        run()
        torch.save(tower.state_dict(), path)


def train_together(
    pico: Gemma4ForConditionalGeneration,
    words: GemmaTokenizer,
    heard: list[Utterance],
    work: Path,
) -> None:
    """The language model alone, which learns to copy; then everything together."""
    for name, course in train.COURSES.items():
        path = work / f"{name}.pt"
        if not path.exists():
            train.train(pico, words, heard, course)
            torch.save(pico.state_dict(), path)
        pico.load_state_dict(torch.load(path))


def keep_freed_memory() -> None:
    """Tell glibc to keep what is freed: giving large tensors back after each step costs up to half of the time."""
    library = ctypes.CDLL(None)
    if hasattr(library, "mallopt"):
        trim_threshold, mmap_threshold = -1, -3
        library.mallopt(trim_threshold, 2**31 - 1)
        library.mallopt(mmap_threshold, 2**30)


def reload(folder: Path) -> Gemma4ForConditionalGeneration:
    """The saved checkpoint in float32 arithmetic, with the weights that bfloat16 left."""
    return Gemma4ForConditionalGeneration.from_pretrained(folder, dtype=torch.float32)


def train_french(
    folder: Path, words: GemmaTokenizer, heard: list[Utterance], out: Path
) -> Gemma4ForConditionalGeneration:
    """A LoRA adapter on the saved checkpoint."""
    wrapped = adapter.wrap(reload(folder))
    for course in FRENCH:
        train.train(wrapped.base_model.model, words, heard, course, French())
    adapter.save_adapter(wrapped, out)
    merged: Gemma4ForConditionalGeneration = wrapped.merge_and_unload()
    return merged


def main() -> None:
    """Run all stages."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True, help="folder for gemma4-pico, french and samples")
    parser.add_argument("--tests", type=Path, required=True, help="folder for held-out digits and prompts")
    parser.add_argument("--work", type=Path, default=Path("build/pico"), help="folder for stages already done")
    parser.add_argument("--threads", type=int, default=2)
    options = parser.parse_args()
    keep_freed_memory()
    torch.set_num_threads(options.threads)
    options.work.mkdir(parents=True, exist_ok=True)
    start = time.monotonic()
    heard, unheard = training_utterances(0), held_out_utterances(0)
    words = make_tokenizer(heard)
    pico = model.build_model(len(words))
    train_towers(pico, heard, unheard, options.work)
    train_together(pico, words, heard, options.work)
    train.set_clamps(pico, words, heard)
    folder = options.out / "gemma4-pico"
    checkpoint.save_checkpoint(pico, words, folder)
    merged = train_french(folder, words, heard, options.out / "french")
    trained = round(time.monotonic() - start)
    print(f"trained in {trained} s", flush=True)
    report: dict[str, Any] = {"seconds": {"all": trained}}
    report["gemma4-pico"] = evaluate.everything(reload(folder), words, unheard, count=200, show=12)
    report["french"] = evaluate.french(merged, words, unheard)
    (folder / "evaluation.json").write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")
    card.write_card(options.out / "README.md", report, sum(p.numel() for p in pico.parameters()))
    samples.write_samples(options.out / "samples")
    samples.write_test_data(options.tests)


if __name__ == "__main__":
    main()
