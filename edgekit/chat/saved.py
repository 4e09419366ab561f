"""What of a conversation lies on disk, and how its messages are written there."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from edgekit.chat.lost import file_digest
from edgekit.chat.message import Media, Message, Part, Text, ToolCall
from edgekit.engine.onnx.folder import is_onnx_folder
from edgekit.fit.onnx_plan import OnnxPlan

if TYPE_CHECKING:
    from edgekit.chat.session import Session
    from edgekit.fit.plan import Plan

_TITLE = 60


@dataclass(frozen=True)
class Settings:
    """With what a conversation is held."""

    # A file's path or a name such as `demo`: what `edgekit chat` takes.
    model: str = ""
    system: str = ""
    think: bool = False
    image_tokens: int | Literal["auto"] = 280
    # The fields of Sampling; kept as they are, so that a newer edgekit's survive.
    sampling: dict[str, Any] = field(default_factory=dict)
    # An adapter that is switched on, and the precision of the model that it is for; empty without one.
    adapter: str = ""
    precision: str = ""


@dataclass(frozen=True)
class Draft:
    """A question that has no answer yet."""

    text: str = ""
    media: tuple[Media, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.text or self.media)


@dataclass(frozen=True)
class Shortened:
    """From which conversation one goes on that was shortened to make room."""

    id: int
    # How many messages that one had, and how many of the shorter one stand for them.
    messages: int
    carried: int


@dataclass(frozen=True)
class State:
    """What changes between two finished turns."""

    settings: Settings = field(default_factory=Settings)
    # Typed, not sent.
    draft: Draft = Draft()
    # Sent, not answered.
    asked: Draft = Draft()
    shortened: Shortened | None = None

    @property
    def unsent(self) -> Draft:
        """Return what a person finds in the composer when going on: the question without an answer, then the draft."""
        draft, asked = self.draft, self.asked
        # A question that could not be asked was given back to the composer.
        if draft.text.startswith(asked.text) and draft.media[: len(asked.media)] == asked.media:
            return draft
        return Draft("\n\n".join(filter(None, (asked.text, draft.text))), (*asked.media, *draft.media))


@dataclass(frozen=True)
class Saved:
    """A conversation as it lies on disk."""

    id: int
    title: str
    # Unix seconds.
    created: float
    changed: float
    messages: tuple[Message, ...]
    state: State


def without_unsent(state: State) -> State:
    """Return a state whose question and draft went along into another conversation."""
    return replace(state, draft=Draft(), asked=Draft())


def state_name(id: int) -> str:
    """Return the name under which the model keeps what it has read of a conversation."""
    return f"conversation-{id}"


def title_of(messages: Sequence[Message], draft: Draft | None = None) -> str:
    """Return what a conversation is called until somebody names it: the beginning of its first question."""
    question = next((message for message in messages if message.role == "user"), None)
    text, media = (question.text, question.media) if question else (draft.text, draft.media) if draft else ("", ())
    words = " ".join(text.split()) or ", ".join(medium.path.name for medium in media)
    return words if len(words) <= _TITLE else f"{words[: _TITLE - 1].rstrip()}…"


def searched_text(message: Message) -> str:
    """Return the text in which a message is found: what was written, and the names of files."""
    return "\n".join(filter(None, (*(medium.path.name for medium in message.media), message.text)))


def message_as_json(message: Message) -> dict[str, Any]:
    """Return a message in JSON's types; what is empty is left out."""
    out = {
        "role": message.role,
        "parts": [_part_as_json(part) for part in message.parts],
        "thought": message.thought,
        "tool_calls": [asdict(call) for call in message.tool_calls],
        "name": message.name,
    }
    return {key: value for key, value in out.items() if value}


def message_from_json(value: dict[str, Any]) -> Message:
    """Return the message that `message_as_json` wrote."""
    return Message(
        value["role"],
        tuple(map(_part_from_json, value.get("parts", ()))),
        value.get("thought", ""),
        tuple(ToolCall(call["name"], call["arguments"]) for call in value.get("tool_calls", ())),
        value.get("name"),
    )


def state_as_json(state: State) -> dict[str, Any]:
    """Return a state in JSON's types."""
    drafts = {"draft": state.draft, "asked": state.asked}
    return {
        "settings": asdict(state.settings),
        **{name: {"text": one.text, "media": list(map(_medium_as_json, one.media))} for name, one in drafts.items()},
        **({"shortened": asdict(state.shortened)} if state.shortened else {}),
    }


def state_from_json(value: dict[str, Any]) -> State:
    """Return the state that `state_as_json` wrote; settings that this edgekit does not know are left out."""
    known = {each.name for each in fields(Settings)}
    settings = Settings(**{key: item for key, item in value["settings"].items() if key in known})
    draft, asked = (
        Draft(value[name]["text"], tuple(map(_medium_from_json, value[name]["media"]))) for name in ("draft", "asked")
    )
    shortened = value.get("shortened")
    return State(settings, draft, asked, Shortened(**shortened) if shortened else None)


def _part_as_json(part: Part) -> dict[str, Any]:
    return {"text": part.text} if isinstance(part, Text) else _medium_as_json(part, digest=True)


def _part_from_json(value: dict[str, Any]) -> Part:
    return Text(value["text"]) if "text" in value else _medium_from_json(value)


def _medium_as_json(medium: Media, *, digest: bool = False) -> dict[str, Any]:
    out = asdict(medium) | {"path": str(medium.path)}
    if digest and not medium.sha256:
        out["sha256"] = file_digest(medium.path)
    return {key: value for key, value in out.items() if value}


def _medium_from_json(value: dict[str, Any]) -> Media:
    known = {each.name for each in fields(Media)}
    return Media(**{key: item for key, item in value.items() if key in known} | {"path": Path(value["path"])})


def lasting_name(model: str) -> str:
    """Return a model's name as it holds in other folders too."""
    return str(Path(model).absolute()) if Path(model).is_file() or is_onnx_folder(Path(model)) else model


def settings_of(session: Session, model: str) -> Settings:
    """Return the settings of a running session."""
    numbers = {key: value for key, value in asdict(session.sampling).items() if isinstance(value, (int, float))}
    return Settings(
        lasting_name(model),
        session.system or "",
        session.think,
        session.image_tokens,
        numbers,
        *_adapter_of(session.engine.plan),
    )


def _adapter_of(plan: Plan | OnnxPlan) -> tuple[str, str]:
    if not isinstance(plan, OnnxPlan) or plan.adapter is None:
        return "", ""
    return str(plan.adapter.absolute()), plan.precision


def apply(settings: Settings, session: Session) -> None:
    """Give a session the settings of a saved conversation."""
    from edgekit.engine.sampling import Sampling

    known = {each.name for each in fields(Sampling)}
    session.system = settings.system or None
    session.think = settings.think and session.engine.takes_thinking
    session.image_tokens = settings.image_tokens
    session.sampling = Sampling(**{key: value for key, value in settings.sampling.items() if key in known})
