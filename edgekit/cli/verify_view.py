"""How a verification looks: how far the answers moved, one of them before and after, and what peft says."""

from __future__ import annotations

from rich.table import Table
from rich.text import Text

from edgekit.chat.verification.divergence import Divergence
from edgekit.chat.verification.verify import Compared, PeftCompared, Verification
from edgekit.cli import output


def show(made: Verification) -> None:
    """Print a verification for people."""
    output.show("")
    output.show(f"{made.file.name} in llama.cpp, beside {made.against}:")
    output.show(_table(made))
    most = max(made.questions, key=lambda one: one.divergence.mean or 0.0)
    output.pairs([("question", _asked(most)), ("before", most.before), ("after", most.after)])
    if made.peft:
        output.show(_peft(made, made.peft))
    if made.note:
        output.hint(f"{made.note[0].upper()}{made.note[1:]}.")


def _table(made: Verification) -> Table:
    table = Table(box=None, pad_edge=False, header_style="dim")
    table.add_column("Question", overflow="fold")
    for title in ("KL", "Largest", "Same top token"):
        table.add_column(title, no_wrap=True, justify="right")
    table.add_column("Answer", no_wrap=True)
    for one in made.questions:
        table.add_row(_asked(one), *_cells(one.divergence), "same" if one.before == one.after else "other")
    other = sum(one.before != one.after for one in made.questions)
    table.add_row(Text("all", style="bold"), *_cells(made.all), f"{other} of {len(made.questions)} other")
    return table


def _peft(made: Verification, found: PeftCompared) -> str:
    file = f"KL {_nats(found.file.mean)}, at most {_nats(found.file.largest)}"
    return f"Beside {found.computed_by} in float32: {file} ({made.against}: {_nats(found.base.mean)})."


def _asked(one: Compared) -> str:
    return f"{one.question} ({one.media})" if one.media else one.question


def _cells(found: Divergence) -> tuple[str, str, str]:
    return _nats(found.mean), _nats(found.largest), f"{found.same_top} of {found.tokens}"


def _nats(value: float | None) -> str:
    if value is None:
        return "no number"
    # Rounding alone makes 1e-7.
    return f"{value:.3f}" if value >= 0.01 else f"{value:.1g}"
