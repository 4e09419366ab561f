"""The line at the bottom: model, context, memory, rates."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from textual.content import Content
from textual.reactive import reactive
from textual.widgets import Static

from edgekit.chat.events import Event, Finished, Prefilling, ThoughtPiece, ToolAnswered, ToolAsked

_GAP = "  "
_NEARLY_FULL = 0.9
_GIB = 1 << 30
# Boards slow down from about 80 degrees.
_HOT = 80


@dataclass(frozen=True)
class Status:
    """What the line says."""

    model: str = ""
    # What is going on now: "loading", "reading", "answering"; empty while the model waits.
    activity: str = ""
    # How much of it is done, from 0 to 1; None where nobody knows.
    share: float | None = None
    used: int = 0
    context: int = 0
    # Tokens per second of the last turn.
    prefill: float = 0
    decode: float = 0
    thinking: bool = False
    # Bytes that this process holds besides pages of files, and what the plan said that it would.
    memory: int | None = None
    planned: int | None = None
    # Degrees Celsius, and what slows the processor: "throttled", "undervoltage".
    temperature: float | None = None
    limits: str = ""

    @property
    def nearly_full(self) -> bool:
        """Whether little of the context is left."""
        return self.used > _NEARLY_FULL * self.context

    def during(self, event: Event) -> Status:
        """Return it as a turn goes on."""
        if isinstance(event, Prefilling):
            return replace(self, activity="reading", used=event.done)
        if isinstance(event, (ToolAsked, ToolAnswered)):
            return replace(self, activity="asking you" if isinstance(event, ToolAsked) else "reading")
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

    def change(self, **changes: str | float | bool | None) -> None:
        """Change fields of the status."""
        self.status = replace(self.status, **changes)  # type: ignore[arg-type]

    def render(self) -> Content:
        """Return the parts that fit."""
        line = Content("")
        for part in _parts(self.status, wide=self.size.width >= 100):
            longer = Content.assemble(line, _GAP if line else "", part)
            if longer.cell_length <= self.size.width:
                line = longer
        return line


def _parts(status: Status, *, wide: bool) -> Iterator[Content]:
    width = 12 if wide else 6
    if status.activity:
        yield Content.styled(status.activity, "$secondary")
    if status.share is not None:
        yield Content.assemble(bar(status.share, 20 if wide else 12, "$secondary"), f" {status.share:.0%}")
    yield Content.styled(status.model, "$foreground")
    if status.limits:
        yield Content.styled(status.limits, "$error")
    if status.context:
        yield gauge(status.used, status.context, width, wide=wide)
    if status.thinking:
        yield Content.styled("thinking on", "$secondary")
    if status.decode:
        yield Content(f"prefill {status.prefill:.0f} decode {status.decode:.0f}/s")
    if status.temperature:
        yield Content.styled(f"{status.temperature:.0f} °C", "$warning" if status.temperature >= _HOT else "")
    if status.memory:
        yield _memory(status)


def _memory(status: Status) -> Content:
    assert status.memory is not None
    if status.planned is None:
        return Content(f"{_gib(status.memory)} GiB")
    more = status.memory > status.planned
    return Content.styled(f"{_gib(status.memory)}/{_gib(status.planned)} GiB", "$warning" if more else "")


def _gib(count: int) -> str:
    return f"{count / _GIB:.2f}" if count < 10 * _GIB else f"{count / _GIB:.1f}"


def bar(share: float, width: int, color: str) -> Content:
    """Return a bar of which a share is filled."""
    filled = max(round(share * width), share > 0)
    return Content.assemble(("━" * filled, color), ("─" * (width - filled), "$foreground 25%"))


def gauge(used: int, total: int, width: int, *, wide: bool = False) -> Content:
    """Return a bar of how much of the context is used, with the tokens used, all, and, where there is room, left."""
    share = min(used / total, 1)
    color = "$error" if share > _NEARLY_FULL else "$warning" if share > 0.75 else "$accent"
    left = f", {max(total - used, 0)} left" if wide else ""
    return Content.assemble(bar(share, width, color), f" {used}/{total}{left}")
