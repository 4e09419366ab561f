"""The model card: what gemma4-pico is, how it was made, and what was measured."""

from __future__ import annotations

from pathlib import Path
from typing import Any

CARD = """# gemma4-pico

A toy: Gemma 4's E architecture (sliding and global attention, layers that share keys and values, per-layer embeddings,
double-wide MLPs, a softcap on the logits, a vision tower, an audio conformer with clipped linears) with {parameters}
parameters, so that every step of edgekit can be shown and tested in seconds and without a network. It is no Gemma and
knows nothing of the world. Nothing in it comes from Google's weights; shapes of the wire format are Gemma 4's.

- `gemma4-pico/`: the checkpoint as transformers saves it (bfloat16).
- `french/`: a LoRA adapter saved by PEFT that makes it answer in French.
- `samples/`: pictures and spoken digits (espeak-ng) that it was not trained on.

## What to ask it
| with | ask | it says |
| --- | --- | --- |
| a picture of one shape | What is this? | A red circle on a white background. |
| the same | What colour is it? What shape is it? What is the background? Is it a star? | It is red. |
| a spoken digit | Which digit is this? | I heard the digit seven. |
| nothing | Who are you? What can you do? Hello | I am gemma4-pico, a tiny Gemma 4 made to show edgekit ... |
| `get_weather` with a `city` | What is the weather in Paris? | calls it, then: It is 18 degrees and sunny in Paris. |

Shapes: circle, square, triangle, star. Colours: red, green, blue, yellow, black, purple, orange, pink. Backgrounds:
white, gray, black. The system prompt "Answer briefly." asks for "Red circle.", "Answer in two sentences." for two. With
thinking on it thinks first and says the same. With the adapter: "Un cercle rouge sur fond blanc."

## Measured
On pictures, sizes, voices, pitches, speeds, names and wordings that training never used, with the bfloat16 weights.
Right means that greedy decoding gives the wanted answer word for word; the last column is the mean probability of
just that answer when sampling at temperature 1.

| what | right | of | probability |
| --- | --- | --- | --- |
{rows}

## How it was made
`python tools/train_pico.py --out edgekit/demo --tests tests/data`: {minutes} minutes on two cores{note}, no
network, fixed seeds. espeak-ng speaks the digits; `tools/pico/shapes.py` draws the pictures. The towers are taught
alone first, then the language model to copy, then everything together, then the adapter. Licence: Apache-2.0.
"""


def row(name: str, measured: dict[str, float]) -> str:
    """One line of the table."""
    probability = f"{measured['probability']:.2f}"
    return f"| {name} | {100 * measured['exact']:.1f} % | {measured['samples']} | {probability} |"


def write_card(path: Path, report: dict[str, Any], parameters: int) -> None:
    """Write the card from a report of evaluate.everything and evaluate.french."""
    rows = [row(name, values) for name, values in report["gemma4-pico"].items() if "exact" in values]
    rows += [row(f"French adapter: {name}", values) for name, values in report["french"].items()]
    text = CARD.format(
        parameters=f"{parameters / 1e6:.1f} million",
        rows="\n".join(rows),
        minutes=round(report["seconds"]["all"] / 60),
        note=report.get("note", ""),
    )
    path.write_text(text, encoding="utf-8")
