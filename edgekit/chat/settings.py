"""What a person may change between two questions, by name: sampling and the tokens of a picture."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, cast

from edgekit.chat.session import Session
from edgekit.engine.media import IMAGE_TOKENS, Budget, parse_budget
from edgekit.errors import EdgekitError


@dataclass(frozen=True)
class Setting:
    """A value with a name: what it may be, and how it is read."""

    name: str
    values: str
    read: Callable[[str], float | int | str]
    # "none" is allowed: for what is drawn anew, or has no limit.
    optional: bool = False


def _within(low: float, high: float, kind: type[int] | type[float]) -> Callable[[str], float | int]:
    def read(word: str) -> float | int:
        value = kind(word)
        # No number is within no limits either.
        if not low <= value <= high:
            raise ValueError(word)
        return value

    return read


_LARGEST = 2**31 - 1
SETTINGS = (
    Setting("temperature", "0 to 10; 0 always takes the likeliest word", _within(0, 10, float)),
    Setting("top_p", "0 to 1", _within(0, 1, float)),
    Setting("top_k", "0 for all, or how many words", _within(0, _LARGEST, int)),
    Setting("seed", "a number, or none", _within(0, 2**32 - 1, int), optional=True),
    Setting("max_tokens", "1 or more, or none", _within(1, _LARGEST, int), optional=True),
    Setting("image_tokens", ", ".join([*map(str, IMAGE_TOKENS), "auto"]), parse_budget),
)


def change(session: Session, words: str) -> str:
    """Set one value, `temperature 0.7`, and return it as it stands then; EdgekitError says what may be set."""
    name, _, word = words.replace("=", " ").strip().partition(" ")
    setting = next((one for one in SETTINGS if one.name == name.replace("-", "_")), None)
    if setting is None:
        raise EdgekitError(f"there is no setting {name!r}: there are {', '.join(one.name for one in SETTINGS)}")
    value = _read(setting, word.strip())
    if setting.name == "image_tokens":
        session.image_tokens = cast("Budget", value)
    else:
        changed: dict[str, Any] = {setting.name: value}
        session.sampling = replace(session.sampling, **changed)
    return _line(setting, session)


def describe(session: Session) -> list[str]:
    """Return every setting with its value, one to a line."""
    return [_line(setting, session) for setting in SETTINGS]


def _read(setting: Setting, word: str) -> float | int | str | None:
    if setting.optional and word.lower() == "none":
        return None
    try:
        return setting.read(word)
    except ValueError:
        raise EdgekitError(f"{setting.name} takes {setting.values}, not {word!r}") from None


def _line(setting: Setting, session: Session) -> str:
    holder = session if setting.name == "image_tokens" else session.sampling
    value = getattr(holder, setting.name)
    return f"{setting.name} {'none' if value is None else value}"
