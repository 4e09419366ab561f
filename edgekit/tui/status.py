"""The line at the bottom: model, context, rates."""

from __future__ import annotations

from dataclasses import dataclass, replace

from textual.content import Content
from textual.reactive import reactive
from textual.widgets import Static

from edgekit.chat.events import Event, Finished, Prefilling, ThoughtPiece

_GAP = "  "
_NEARLY_FULL = 0.9


@dataclass(frozen=True)
class Status:
    """What the line says."""

    model: str = ""
    # What is going on now: "loading", "reading", "answering"; empty while the model waits.
    activity: str = ""
    used: int = 0
    context: int = 0
    # Tokens per second of the last turn.
    prefill: float = 0
    decode: float = 0
    thinking: bool = False

    @property
    def nearly_full(self) -> bool:
        """Whether little of the context is left."""
        return self.used > _NEARLY_FULL * self.context

    def during(self, event: Event) -> Status:
        """Return it as a turn goes on."""
        if isinstance(event, Prefilling):
            return replace(self, activity="reading", used=event.done)
        activity = "thinking" if isinstance(event, ThoughtPiece) else "answering"
        return replace(self, activity=activity, used=self.used + 1)

    def after(self, turn: Finished) -> Status:
        """Return it with a turn's tokens and rates."""
        usage, timings = turn.usage, turn.timings
        new = usage.prompt_tokens - usage.cached_tokens
        return replace(
            self,
            used=usage.prompt_tokens + usage.completion_tokens,
            prefill=new / timings.prefill if timings.prefill else 0,
            decode=usage.completion_tokens / timings.decode if timings.decode else 0,
        )


class StatusLine(Static):
    """Shows as much of the status as fits, the most important first."""

    status = reactive(Status())

    def change(self, **changes: str | float | bool) -> None:
        """Change fields of the status."""
        self.status = replace(self.status, **changes)  # type: ignore[arg-type]

    def render(self) -> Content:
        """Return the parts that fit."""
        line = Content("")
        for part in _parts(self.status, gauge_width=12 if self.size.width >= 100 else 6):
            longer = Content.assemble(line, _GAP if line else "", part)
            if longer.cell_length > self.size.width:
                break
            line = longer
        return line


def _parts(status: Status, gauge_width: int) -> list[Content]:
    parts = [Content.styled(status.activity, "$secondary")] if status.activity else []
    parts.append(Content.styled(status.model, "$foreground"))
    if status.context:
        parts.append(gauge(status.used, status.context, gauge_width))
    if status.thinking:
        parts.append(Content.styled("thinking on", "$secondary"))
    if status.decode:
        parts.append(Content(f"prefill {status.prefill:.0f} decode {status.decode:.0f}/s"))
    return parts


def gauge(used: int, total: int, width: int) -> Content:
    """Return a bar of how much of the context is used, with what is left in words."""
    share = min(used / total, 1)
    filled = max(round(share * width), used > 0)
    color = "$error" if share > _NEARLY_FULL else "$warning" if share > 0.75 else "$accent"
    bar = (("━" * filled, color), ("─" * (width - filled), "$panel-lighten-2"))
    return Content.assemble(*bar, f" {used}/{total}")
