"""The table of candidates, as wide as the terminal allows."""

from __future__ import annotations

from collections.abc import Iterable

from rich.table import Table
from rich.text import Text

from edgekit.cli import output
from edgekit.fit.candidate import Candidate
from edgekit.fit.picker import Pick
from edgekit.fit.speed import Speed

# Columns from which the bar, then the context have room.
_ROOM_FOR_BAR = 79
_ROOM_FOR_CONTEXT = 100


def table(found: Pick, candidates: Iterable[Candidate], width: int) -> Table:
    """Return the candidates in the order given; 60 columns are enough for all but the bar and the context."""
    listed = Table(box=None, pad_edge=False, header_style="dim", padding=(0, 2 if width >= _ROOM_FOR_BAR else 1, 0, 0))
    with_context = width >= _ROOM_FOR_CONTEXT
    for name in ("", "Variant", "Quantization" if width >= _ROOM_FOR_BAR else "Quant", "Fits"):
        listed.add_column(name, no_wrap=True, min_width=1)
    for name in ("Memory", *(["Context"] if with_context else []), "Tokens/s", "Quality"):
        listed.add_column(name, no_wrap=True, justify="right")
    for one in candidates:
        chosen = one is found.recommendation
        listed.add_row(
            Text("→" if chosen else "", style="bold green"),
            one.load.variant.name,
            one.load.file.quantization,
            _fits(one, found, short=width < _ROOM_FOR_BAR),
            _memory(one, _bar_width(width)),
            *([f"{one.settings.context:,}"] if with_context else []),
            _range(one.decode),
            f"{one.quality:.0f}",
            style="bold" if chosen else "" if one.fits else "dim",
        )
    return listed


def _bar_width(width: int) -> int:
    return 16 if width >= _ROOM_FOR_CONTEXT else 8 if width >= _ROOM_FOR_BAR else 0


def _fits(candidate: Candidate, found: Pick, *, short: bool) -> Text:
    if not candidate.fits:
        missing = candidate.shortfall / output.GIB
        return Text(f"lacks {missing:.0f} GiB" if missing >= 10 else f"lacks {missing:.1f} GiB", style="red")
    if candidate.settings.context < found.needs.enough_context:
        return Text(f"{candidate.settings.context // 1024}k context", style="yellow")
    gpus = "GPU" if candidate.settings.gpus == 1 else f"{candidate.settings.gpus} GPUs"
    place = {"cpu": "yes", "gpu": f"yes, {gpus}", "partial": f"{gpus}+RAM" if short else f"yes, {gpus}+RAM"}[
        candidate.placement
    ]
    return Text(place, style="green" if candidate.is_usable(found.needs) else "yellow")


def _memory(candidate: Candidate, width: int) -> Text:
    """Return what has to be in memory at once, and a bar of how much of the tightest memory that is."""
    needed = (candidate.memory.host_needed + candidate.memory.gpu) / output.GIB
    if not width:
        return Text(f"{needed:.1f} GiB")
    filled = min(width, max(1, round(width * candidate.fill)))
    bar = "█" * filled + "░" * (width - filled)
    return Text.assemble((bar, "cyan" if candidate.fits else "red"), f" {needed:5.1f} GiB")


def _range(speed: Speed) -> str:
    low, high = (f"{value:.0f}" if value >= 10 else f"{value:.1f}" for value in (speed.low, speed.high))
    return low if low == high else f"{low}–{high}"
