"""How a pick looks: the machine, the table, the recommendation and the next command."""

from __future__ import annotations

from collections.abc import Iterable

from rich.table import Table
from rich.text import Text

from edgekit.catalog.variant import ModelFile
from edgekit.cli import machine_view, output
from edgekit.cli.pick_json import as_json
from edgekit.fit.budget import Budget, budget
from edgekit.fit.candidate import Candidate
from edgekit.fit.picker import Pick, nearest
from edgekit.fit.plan import Plan
from edgekit.fit.reasons import reason, shortage
from edgekit.fit.speed import Speed
from edgekit.hardware.profile import profile_names, profile_title

_BAR = 8


def print_json(found: Pick) -> None:
    """Print a pick as one JSON object."""
    output.json_object(as_json(found))


def show_profiles(*, json: bool) -> None:
    """List the machine profiles with their titles."""
    titles = {name: profile_title(name) for name in profile_names()}
    if json:
        output.json_object({"profiles": titles})
        return
    table = Table("Profile", "Machine", box=None, pad_edge=False, header_style="dim")
    for name, title in titles.items():
        table.add_row(Text(name, style="bold"), title)
    output.show(table)


def show(found: Pick, *, every: bool, explain: bool) -> None:
    """Print a pick for people."""
    output.show(machine_view.summary(found.machine))
    output.show("")
    output.show(_table(found, _ordered(found.candidates if every else _best_of_each(found))))
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
    """Return candidates with the most able variant first, its largest file first."""
    return sorted(candidates, key=lambda one: (one.load.variant.benchmarks["mmlu_pro"], one.quality), reverse=True)


def _table(found: Pick, candidates: list[Candidate]) -> Table:
    table = Table(box=None, pad_edge=False, header_style="dim")
    table.add_column("", min_width=1, no_wrap=True)
    table.add_column("Variant", no_wrap=True)
    table.add_column("Quantization", no_wrap=True)
    table.add_column("Fits", no_wrap=True)
    table.add_column("Memory", no_wrap=True)
    table.add_column("Tokens/s", justify="right", no_wrap=True)
    table.add_column("Quality", justify="right", no_wrap=True)
    limits = budget(found.machine)
    for one in candidates:
        chosen = one is found.recommendation
        table.add_row(
            Text("→" if chosen else "", style="bold green"),
            one.load.variant.name,
            one.load.file.quantization,
            _fits(one, found),
            _memory(one, limits),
            _range(one.decode),
            f"{one.quality:.0f}",
            style="bold" if chosen else "" if one.fits else "dim",
        )
    return table


def _fits(candidate: Candidate, found: Pick) -> Text:
    if not candidate.fits:
        missing = candidate.shortfall / output.GIB
        return Text(f"lacks {missing:.0f} GiB" if missing >= 10 else f"lacks {missing:.1f} GiB", style="red")
    if candidate.settings.context < found.needs.enough_context:
        return Text(f"{candidate.settings.context // 1024}k context", style="yellow")
    place = {"cpu": "yes", "gpu": "yes, GPU", "partial": "yes, GPU+RAM"}[candidate.placement]
    return Text(place, style="green" if candidate.is_usable(found.needs) else "yellow")


def _memory(candidate: Candidate, limits: Budget) -> Text:
    filled = min(_BAR, max(1, round(_BAR * limits.share(candidate.memory))))
    bar = "█" * filled + "░" * (_BAR - filled)
    return Text.assemble((bar, "cyan" if candidate.fits else "red"), f" {candidate.memory.total / output.GIB:5.1f} GiB")


def _range(speed: Speed) -> str:
    low, high = (f"{value:.0f}" if value >= 10 else f"{value:.1f}" for value in (speed.low, speed.high))
    return low if low == high else f"{low} to {high}"


def _show_choice(found: Pick, *, explain: bool) -> None:
    chosen = found.recommendation
    if chosen is None and found.by_guide:
        output.show(found.guide.sentence)
        return
    if chosen is None:
        _show_nearest(found)
        return
    output.show(Text.assemble(("Take ", ""), (chosen.name, "bold green"), (". ", ""), reason(chosen, found)))
    output.show(Text(f"Speed: {chosen.decode.basis}.", style="dim"))
    if explain:
        output.show("")
        output.show(_lines(chosen))
    output.show("")
    for line in _next_commands(chosen):
        output.show(Text(f"  {line}"))


def _show_nearest(found: Pick) -> None:
    output.show(Text("Nothing fits.", style="bold red"))
    closest = nearest(found)
    if closest is None:
        output.show("No variant takes all of that in.")
    elif closest.fits:
        output.show(f"{closest.name} would fit with a context of {closest.settings.context:,}.")
    else:
        output.show(f"The nearest is {closest.name}. {shortage(closest, found)}")


def _next_commands(chosen: Candidate) -> list[str]:
    context = "" if chosen.settings.context == Plan.context else f" --context {chosen.settings.context}"
    files = [one for one in (chosen.load.file, chosen.load.projector) if one]
    if all(one.file for one in files):
        return [*(f"hf download {one.repo} {one.file}" for one in files), f"edgekit chat {chosen.name}{context}"]
    # Without a known name the download goes to this folder, where chat finds model and projector side by side.
    return [
        *(f'hf download {one.repo} --include "{one.file or _pattern(one)}" --local-dir .' for one in files),
        f"edgekit chat {chosen.load.file.file or _pattern(chosen.load.file)}{context}",
    ]


def _pattern(file: ModelFile) -> str:
    return f"*{file.quantization}*.gguf"


def _lines(chosen: Candidate) -> Table:
    table = Table("Memory", "Where", box=None, pad_edge=False, header_style="dim")
    table.add_column("Size", justify="right")
    table.add_column("At once", justify="right")
    for line in chosen.memory.lines:
        table.add_row(line.what.replace("_", " "), line.where, output.size(line.bytes), output.size(line.needed))
    total = chosen.memory
    table.add_row("total", "", output.size(total.total), output.size(total.host_needed + total.gpu), style="bold")
    return table
