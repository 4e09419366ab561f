#!/usr/bin/env python3
"""Make gemma4-pico, its French adapter, the sample inputs and the held-out test data, from nothing and offline.

Needs espeak-ng and the oracle packages (torch, transformers, peft). Two cores take it through in under an hour:

    python tools/train_pico.py --out edgekit/demo --tests tests/data
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from pathlib import Path

import torch
from transformers import Gemma4ForConditionalGeneration, GemmaTokenizer

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from tools.pico import adapter, checkpoint, evaluate, model, samples, tokenizer, towers, train
from tools.pico.answers import English, French
from tools.pico.conversations import corpus
from tools.pico.digits import Utterance, held_out_utterances, training_utterances

VISION_STEPS, AUDIO_STEPS, FRENCH_STEPS = 520, 280, 260
TOGETHER = train.Course(1300, pictures_from=500)


def make_tokenizer(utterances: list[Utterance]) -> GemmaTokenizer:
    """Learned from what the model and its French adapter will say."""
    texts = corpus(0, 4000, utterances, [English(), English(), French()])
    return tokenizer.build_tokenizer(texts, checkpoint.TEMPLATE.read_text(encoding="utf-8"))


def train_towers(
    pico: Gemma4ForConditionalGeneration, heard: list[Utterance], unheard: list[Utterance], work: Path
) -> None:
    """Each tower alone; what is already in the work folder is not trained again."""
    for name, tower, run in (
        ("vision", pico.model.vision_tower, lambda: towers.train_vision(pico, VISION_STEPS, 0)),
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
    unheard: list[Utterance],
    work: Path,
) -> None:
    """Everything; a look at held-out inputs every 200 steps."""
    path = work / "together.pt"
    if path.exists():
        pico.load_state_dict(torch.load(path))
        return

    def look(step: int) -> None:
        if step % 200 == 0:
            torch.save(pico.state_dict(), work / "together-so-far.pt")
            evaluate.everything(pico, words, unheard[::5], count=32)

    train.train(pico, words, heard, TOGETHER, after=look)
    torch.save(pico.state_dict(), path)


def reload(folder: Path) -> Gemma4ForConditionalGeneration:
    """The saved checkpoint in float32 arithmetic, with the weights that bfloat16 left."""
    return Gemma4ForConditionalGeneration.from_pretrained(folder, dtype=torch.float32)


def train_french(
    folder: Path, words: GemmaTokenizer, heard: list[Utterance], out: Path
) -> Gemma4ForConditionalGeneration:
    """A LoRA adapter on the saved checkpoint."""
    wrapped = adapter.wrap(reload(folder))
    course = train.Course(FRENCH_STEPS, rate=4e-3, seed=7)
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
    torch.set_num_threads(options.threads)
    options.work.mkdir(parents=True, exist_ok=True)
    start = time.monotonic()
    heard, unheard = training_utterances(0), held_out_utterances(0)
    words = make_tokenizer(heard)
    pico = model.build_model(len(words))
    train_towers(pico, heard, unheard, options.work)
    train_together(pico, words, heard, unheard, options.work)
    train.set_clamps(pico, words, heard)
    folder = options.out / "gemma4-pico"
    checkpoint.save_checkpoint(pico, words, folder)
    print(f"base model after {time.monotonic() - start:.0f} s", flush=True)
    report = {"gemma4-pico": evaluate.everything(reload(folder), words, unheard, count=200, show=12)}
    merged = train_french(folder, words, heard, options.out / "french")
    report["french"] = evaluate.french(merged, words, unheard)
    report["seconds"] = {"all": round(time.monotonic() - start)}
    (folder / "evaluation.json").write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")
    samples.write_samples(options.out / "samples")
    samples.write_test_data(options.tests)


if __name__ == "__main__":
    main()
