"""How a pick looks: the machine, the table, the recommendation and the next command."""

from __future__ import annotations

from collections.abc import Iterable

from rich.table import Table
from rich.text import Text

from edgekit.cli import machine_view, memory_view, output
from edgekit.cli.pick_json import as_json
from edgekit.cli.pick_table import table
from edgekit.fit.candidate import Candidate
from edgekit.fit.next_commands import next_commands
from edgekit.fit.picker import Pick, nearest
from edgekit.fit.reasons import reason, shortage
from edgekit.hardware.profile import profile_names, profile_title


def print_json(found: Pick) -> None:
    """Print a pick as one JSON object."""
    output.json_object(as_json(found))


def show_profiles(*, json: bool) -> None:
    """List the machine profiles with their titles."""
    titles = {name: profile_title(name) for name in profile_names()}
    if json:
        output.json_object({"profiles": titles})
        return
    listed = Table("Profile", "Machine", box=None, pad_edge=False, header_style="dim")
    for name, title in titles.items():
        listed.add_row(Text(name, style="bold"), title)
    output.show(listed)


def show(found: Pick, *, every: bool, explain: bool) -> None:
    """Print a pick for people."""
    output.show(machine_view.summary(found.machine))
    output.show("")
    output.show(table(found, _ordered(found.candidates if every else _best_of_each(found)), output.width()))
    output.show("")
    _show_choice(found, explain=explain)
    for note in found.notes:
        output.hint(note)


def _best_of_each(found: Pick) -> list[Candidate]:
    lacking = sorted((one for one in found.candidates if not one.fits), key=lambda one: one.shortfall)
    fitting = [one for one in found.candidates if one.fits]
    best: dict[str, Candidate] = {}
    for candidate in (*filter(None, [found.recommendation]), *fitting, *lacking):
        best.setdefault(candidate.load.variant.name, candidate)
    return list(best.values())


def _ordered(candidates: Iterable[Candidate]) -> list[Candidate]:
    """Return candidates with the most able variant first, its best file first."""
    return sorted(candidates, key=lambda one: (one.load.variant.benchmarks["mmlu_pro"], one.quality), reverse=True)


def _show_choice(found: Pick, *, explain: bool) -> None:
    chosen = found.recommendation
    if chosen is None and found.by_guide:
        output.show(found.guide.sentence)
        return
    if chosen is None:
        _show_nearest(found)
        return
    colour = "bold green" if chosen.fits else "bold red"
    output.show(Text.assemble("Take " if chosen.fits else "", (chosen.name, colour), ". ", reason(chosen, found)))
    output.show(Text(f"Speed: {chosen.decode.basis}.", style="dim"))
    if explain:
        output.show("")
        output.show(memory_view.table(chosen.memory))
        output.show(_settings(chosen))
    if not chosen.fits:
        return
    output.show("")
    for line in next_commands(chosen, found.machine):
        output.show(Text(f"  {line}"), whole_lines=True)


def _show_nearest(found: Pick) -> None:
    output.show(Text("Nothing fits.", style="bold red"))
    closest = nearest(found)
    if closest is None:
        output.show("No variant takes all of that in.")
    else:
        output.show(f"The nearest is {closest.name}. {shortage(closest, found)}")


def _settings(chosen: Candidate) -> str:
    """Return the settings, and what each of several accelerators holds."""
    used, layers = chosen.settings, chosen.load.variant.shape.num_hidden_layers
    copy = "with" if used.repack else "without"
    parts = [f"{used.ubatch} tokens at once", f"KV cache {used.cache_type_k}", f"{copy} a repacked copy"]
    if used.gpu_layers:
        # llama.cpp counts the output matrix as a layer.
        parts.append(f"{used.gpu_layers} of {layers + 1} layers on {' + '.join(map(output.size, chosen.parts))} of GPU")
    return f"Context {used.context:,}, {', '.join(parts)}."
