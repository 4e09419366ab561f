"""`edgekit pick`: which Gemma 4 fits here, and how fast it would be."""

from __future__ import annotations

from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from edgekit.cli import output
from edgekit.cli.options import JsonOption, QuantOption, refuse_beside

if TYPE_CHECKING:
    from edgekit.fit.needs import Needs
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


# What says something where there is nothing to choose.
_OF_ONE_MODEL = ("model", "projector", "quant", "context", "modality", "profile", "explain", "measure", "json")


class Policy(str, Enum):
    """Who chooses: edgekit's estimate or the published table."""

    best = "best"
    guide = "guide"


def command(
    invoked: typer.Context,
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
    projector: Annotated[
        Path | None, typer.Option(help="The projector of --model, if it is not beside it.", metavar="FILE")
    ] = None,
    quant: QuantOption = None,
    measure: Annotated[bool, typer.Option(help="Measure the memory bandwidth, once per machine.")] = True,
    json: JsonOption = False,
) -> None:
    """Choose the Gemma 4 that suits this machine, with its memory and speed."""
    from edgekit.cli import pick_view
    from edgekit.fit.needs import Needs
    from edgekit.fit.picker import pick
    from edgekit.hardware.profile import read_profile

    if profiles:
        refuse_beside(invoked, "--profiles", ("profiles", "json"))
        pick_view.show_profiles(json=json)
        return
    if projector and not model:
        raise typer.BadParameter("a projector belongs to a --model", param_hint="--projector")
    if quant and not model:
        raise typer.BadParameter("a precision belongs to a --model that is an ONNX folder", param_hint="--quant")
    if model:
        refuse_beside(invoked, "--model", _OF_ONE_MODEL)
    machine = read_profile(profile) if profile is not None else this_machine(measure=measure)
    needs = Needs(context, tuple(dict.fromkeys(["text", *(one.value for one in modality or [])])), prefer.value)
    if model:
        _judge(model, projector, quant, machine, needs, explain=explain, json=json)
        return
    found = pick(machine, needs, by_guide=policy is Policy.guide)
    if json:
        pick_view.print_json(found)
    else:
        pick_view.show(found, every=every, explain=explain)


def _judge(
    model: Path,
    projector: Path | None,
    precision: str | None,
    machine: Machine,
    needs: Needs,
    *,
    explain: bool,
    json: bool,
) -> None:
    from edgekit.chat.run_options import RunOptions
    from edgekit.chat.runnable import check_options
    from edgekit.cli import file_view, folder_view, judged

    if check_options(str(model), RunOptions(projector, precision=precision)):
        found = folder_view.judge_folder(model, precision, machine, needs)
    else:
        found = file_view.judge_file(model, projector, machine, needs)
    if json:
        output.json_object(judged.as_json(found, machine))
    else:
        judged.show(found, machine, explain=explain)


def this_machine(*, measure: bool) -> Machine:
    """Return this machine; `measure` times its memory and kernels, once, with a bar."""
    from edgekit.hardware.probe import probe

    if not measure:
        return probe()
    with output.progress("Measuring this machine") as step:
        return probe(measure=True, progress=step)
