"""`edgekit demo`: all of it on the bundled model, offline, in half a minute."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from edgekit.cli import output
from edgekit.cli.options import JsonOption

if TYPE_CHECKING:
    from pathlib import Path

    from edgekit.demo.tour import Asked, Converted, Picked

NEXT = (
    ("edgekit chat demo", "talk to it: text, pictures, sound"),
    ("edgekit pick", "which Gemma 4 suits this machine"),
    ("edgekit convert CHECKPOINT --adapter DIR", "your own fine-tune, the same way"),
)


def command(
    keep: Annotated[str | None, typer.Option(help="Keep the converted files in this folder.", metavar="DIR")] = None,
    json: JsonOption = False,
) -> None:
    """Show all of it on the bundled model, offline: pick, convert with an adapter, ask before and after."""
    import tempfile
    from pathlib import Path

    with tempfile.TemporaryDirectory(prefix="edgekit-demo-") as temporary:
        folder = Path(keep) if keep else Path(temporary)
        _report(folder) if json else _show(folder, kept=keep is not None)


def _report(folder: Path) -> None:
    from edgekit.cli.pick_json import as_json
    from edgekit.demo import tour

    picked = tour.pick_here()
    with output.progress("convert") as step:
        converted = tour.convert_both(folder, step)
    asked = list(tour.ask_both(converted))
    output.json_object(
        {
            "pick": {"recommendation": as_json(picked.pick)["recommendation"], "seconds": picked.seconds},
            "convert": {"plain": converted.plain, "french": converted.french, "seconds": converted.seconds},
            "ask": asked,
        }
    )


def _show(folder: Path, *, kept: bool) -> None:
    from edgekit.demo import tour

    _show_pick(tour.pick_here())
    with output.progress("convert") as step:
        converted = tour.convert_both(folder, step)
    _show_files(converted, folder if kept else None)
    output.heading(3, "Ask", "the same questions without and with the adapter, through llama.cpp")
    for asked in tour.ask_both(converted):
        _show_answers(asked)
    output.heading(None, "Next")
    output.pairs(NEXT)


def _show_pick(picked: Picked) -> None:
    from edgekit.cli import machine_view
    from edgekit.fit.reasons import reason

    output.heading(1, "Pick", "what suits this machine", picked.seconds)
    output.show(machine_view.summary(picked.pick.machine))
    choice = picked.pick.recommendation
    output.show(f"Take {choice.name}. {reason(choice, picked.pick)}" if choice else "No Gemma 4 fits here.")


def _show_files(converted: Converted, kept_in: Path | None) -> None:
    title = "gemma4-pico, the bundled model, and its French LoRA adapter to GGUF"
    output.heading(2, "Convert", title, converted.seconds)
    files = [file for result in (converted.plain, converted.french) for file in result.outputs]
    output.pairs((file.path.name, f"{file.kind}, {output.size(file.bytes)}") for file in files if file.quantization)
    merged = [entry for entry in converted.french.ledger if entry.status == "merged"]
    output.show(f"{len(merged)} of {len(converted.french.ledger)} adapter tensors merged.")
    if kept_in:
        output.show(f"Kept in {kept_in}.")


def _show_answers(asked: Asked) -> None:
    output.show("")
    if asked.media.kind == "image":
        output.picture(asked.media.path)
    output.pairs(
        [
            (asked.media.path.name, f"{asked.question}  ({asked.seconds:.1f} s for both)"),
            ("without adapter", asked.before),
            ("with adapter", asked.after),
        ]
    )
