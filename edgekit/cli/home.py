"""What `edgekit` alone shows: what this machine can do, and the next command."""

from __future__ import annotations

from edgekit import __version__
from edgekit.cli import output

_TRY = (
    ("edgekit demo", "everything in a minute, on the bundled toy model, offline"),
    ("edgekit chat", "talk to the toy: shapes, spoken digits, tools"),
    ("edgekit doctor", "what is wrong or wasted on this machine"),
    ("edgekit --help", "every command"),
)


def show() -> None:
    """Print what this machine is, the models that are here, the one that suits it, and what to type next."""
    from rich.text import Text

    from edgekit.chat.kept import is_damaged
    from edgekit.chat.models_here import models_here
    from edgekit.cli import machine_view
    from edgekit.fit.needs import Needs
    from edgekit.fit.next_commands import next_commands
    from edgekit.fit.picker import pick
    from edgekit.hardware.probe import probe

    machine, found = probe(), models_here()
    damaged = [one.name for one in found if is_damaged(one)]
    here = [one.name for one in found if one.name not in damaged]
    output.show(Text.assemble(("edgekit ", "bold"), __version__, ": Gemma 4 on the machine you already have"))
    output.show(machine_view.summary(machine))
    output.show("")
    chosen = pick(machine, Needs()).recommendation
    if chosen is None or not chosen.fits:
        output.show("No Gemma 4 fits into its free memory now: `edgekit pick` says what lacks.")
    else:
        speed = f"about {chosen.decode.middle:.1f} tokens/s, {output.size(chosen.memory.total)} of memory"
        output.show(Text.assemble("Suits it: ", (chosen.name, "bold green"), f", {speed} (edgekit pick says why)"))
        if chosen.name not in here:
            for line in next_commands(chosen, machine):
                output.show(f"  {line}", whole_lines=True)
    if here:
        output.show("Here already:")
        for name in here:
            output.show(Text(output.plain(f"  edgekit chat {name}")), whole_lines=True)
    if damaged:
        output.show("Damaged, to be downloaded again or removed:")
        for name in damaged:
            for line in (f"  edgekit pull {name}", f"  edgekit models remove {name}"):
                output.show(Text(output.plain(line)), whole_lines=True)
    output.show("")
    output.pairs((f"  {command}", what) for command, what in _TRY)
