"""`edgekit pick`: which Gemma 4 fits here, and how fast it would be."""

from __future__ import annotations

from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from edgekit.cli import output
from edgekit.cli.options import JsonOption

if TYPE_CHECKING:
    from edgekit.hardware.machine import Machine


class Modality(str, Enum):
    """What the model is to take in."""

    text = "text"
    image = "image"
    audio = "audio"
    video = "video"


class Preference(str, Enum):
    """What matters where quality and speed are at odds."""

    quality = "quality"
    balanced = "balanced"
    speed = "speed"


class Policy(str, Enum):
    """Who chooses: edgekit's estimate or the published table."""

    best = "best"
    guide = "guide"


def command(
    profile: Annotated[
        str | None, typer.Option(help="Pick for a machine described in profiles/ or in a TOML file.", metavar="NAME")
    ] = None,
    profiles: Annotated[bool, typer.Option("--profiles", help="List the profiles.")] = False,
    context: Annotated[
        int | None, typer.Option(help="Tokens of context; the largest useful one by default.", min=256, metavar="N")
    ] = None,
    modality: Annotated[
        list[Modality] | None,
        typer.Option("--for", help="text, image, audio or video; repeat for several.", metavar="KIND"),
    ] = None,
    prefer: Annotated[Preference, typer.Option(help="What counts where they are at odds.")] = Preference.balanced,
    policy: Annotated[Policy, typer.Option(help="best: by estimate; guide: by the published table.")] = Policy.best,
    every: Annotated[bool, typer.Option("--all", help="Show every quantization.")] = False,
    explain: Annotated[bool, typer.Option("--explain", help="Show where the memory goes.")] = False,
    model: Annotated[
        Path | None, typer.Option(help="Judge this GGUF file or ONNX folder instead of choosing.", metavar="FILE")
    ] = None,
    projector: Annotated[Path | None, typer.Option(help="The projector of --model.", metavar="FILE")] = None,
    measure: Annotated[bool, typer.Option(help="Measure the memory bandwidth, once per machine.")] = True,
    json: JsonOption = False,
) -> None:
    """Choose the Gemma 4 that suits this machine, with its memory and speed."""
    from edgekit.cli import pick_view
    from edgekit.fit.needs import Needs
    from edgekit.fit.picker import pick
    from edgekit.hardware.profile import read_profile

    if profiles:
        pick_view.show_profiles(json=json)
        return
    machine = read_profile(profile) if profile is not None else this_machine(measure=measure)
    asked = tuple(dict.fromkeys(["text", *(one.value for one in modality or [])]))
    if projector and not model:
        raise typer.BadParameter("a projector belongs to a --model", param_hint="--projector")
    if model:
        from edgekit.cli import file_view, folder_view
        from edgekit.engine.onnx.folder import is_onnx_folder

        if is_onnx_folder(model) and projector is None:
            wanted = Needs(context, asked, prefer.value)
            folder_view.show_folder(model, machine, wanted, explain=explain, json=json)
            return
        file_view.show_file(model, projector, machine, Needs(context, asked, prefer.value), explain=explain, json=json)
        return
    found = pick(machine, Needs(context, asked, prefer.value), by_guide=policy is Policy.guide)
    if json:
        pick_view.print_json(found)
    else:
        pick_view.show(found, every=every, explain=explain)


def this_machine(*, measure: bool) -> Machine:
    """Return this machine; `measure` times its memory and kernels, once, with a bar."""
    from edgekit.hardware.probe import probe

    if not measure:
        return probe()
    with output.progress("Measuring this machine") as step:
        return probe(measure=True, progress=step)
