"""Messages of a conversation, in the shape that Gemma 4's chat template takes."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

Role = Literal["system", "user", "assistant", "tool"]


@dataclass(frozen=True)
class Text:
    """A piece of written text."""

    text: str


@dataclass(frozen=True)
class Media:
    """A picture, a sound or a video, by its file; read when the turn is prepared."""

    kind: Literal["image", "audio", "video"]
    path: Path
    # Of the file's bytes, where the message comes from disk: tells whether the file is still the one that was meant.
    sha256: str = field(default="", compare=False)
    # Soft tokens of this picture; None takes the conversation's.
    image_tokens: int | None = None


Part = Text | Media


@dataclass(frozen=True)
class ToolCall:
    """A call that the model asks for."""

    name: str
    arguments: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Message:
    """One message; media come before text, as Gemma 4 was trained."""

    role: Role
    parts: tuple[Part, ...] = ()
    # What the model thought before it answered: shown to a person, left out of later prompts.
    thought: str = ""
    tool_calls: tuple[ToolCall, ...] = ()
    # For role "tool": the name of the tool that answers.
    name: str | None = None

    @property
    def text(self) -> str:
        """Return the written text of all parts."""
        return "".join(part.text for part in self.parts if isinstance(part, Text))

    @property
    def media(self) -> tuple[Media, ...]:
        """Return the pictures, sounds and videos, in order."""
        return tuple(part for part in self.parts if isinstance(part, Media))


def user(text: str, *media: Media) -> Message:
    """Return a user's message with its media before its text."""
    return Message("user", (*media, *((Text(text),) if text else ())))


def system(text: str) -> Message:
    """Return a system message."""
    return Message("system", (Text(text),))
