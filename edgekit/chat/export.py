"""Saved conversations as Markdown for people and as JSON for programs."""

from __future__ import annotations

import json
import os
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from edgekit.chat.message import Media, Message, Text
from edgekit.chat.saved import Saved, message_as_json
from edgekit.convert.whole_file import WholeFile
from edgekit.errors import FileError

_SPEAKERS = {"user": "You", "assistant": "Model", "tool": "Tool", "system": "System"}


def export(saved: Saved, path: Path, *, thinking: bool = False) -> None:
    """Write a conversation into a new file: JSON where its name ends so, else Markdown.

    Raises FileError where the file is there already or cannot be written.
    """
    # Path.exists raises where a folder may not be looked into; writing says what is wrong.
    if os.path.exists(path):  # noqa: PTH110
        raise FileError(f"give another name: there is a file {path} already")
    text = as_json_text(saved, thinking=thinking) if path.suffix.lower() == ".json" else as_markdown(saved, thinking)
    with WholeFile(path) as file:
        # Halves of letters, which names of files may hold, have no UTF-8.
        file.write(text.encode("utf-8", "replace"))


def as_json_text(saved: Saved, *, thinking: bool = False) -> str:
    """Return a conversation as JSON text."""
    return json.dumps(as_json(saved, thinking=thinking), indent=2, ensure_ascii=False) + "\n"


def as_json(saved: Saved, *, thinking: bool = False) -> dict[str, Any]:
    """Return a conversation in JSON's types; the thoughts only with `thinking`."""
    return {
        "id": saved.id,
        "title": saved.title,
        "created": timestamp(saved.created),
        "changed": timestamp(saved.changed),
        "settings": vars(saved.state.settings),
        "messages": [_message(message, thinking) for message in saved.messages],
    }


def timestamp(seconds: float) -> str:
    """Return Unix seconds as ISO 8601 in UTC."""
    return datetime.fromtimestamp(seconds, timezone.utc).isoformat(timespec="seconds").replace("+00:00", "Z")


def _message(message: Message, thinking: bool) -> dict[str, Any]:
    out = message_as_json(message)
    if not thinking:
        out.pop("thought", None)
    return out


def as_markdown(saved: Saved, thinking: bool = False) -> str:
    """Return a conversation as Markdown; the thoughts, as quotations, only with `thinking`."""
    day = datetime.fromtimestamp(saved.created).strftime("%Y-%m-%d %H:%M")
    settings = saved.state.settings
    parts = [f"# {' '.join(saved.title.split()) or 'Conversation'}", f"*{_file_name(settings.model)}, {day}*"]
    if settings.system:
        parts += ["## System", settings.system]
    for message in saved.messages:
        parts += [f"## {_SPEAKERS[message.role]}", *_paragraphs(message, thinking)]
    return "\n\n".join(parts) + "\n"


def _file_name(model: str) -> str:
    return Path(model).name or "unknown model"


def _paragraphs(message: Message, thinking: bool) -> list[str]:
    out = []
    if thinking and message.thought:
        out.append("\n".join(f"> {line}".rstrip() for line in message.thought.splitlines()))
    out += [_link(part) for part in message.parts if isinstance(part, Media)]
    if message.role == "tool":
        out.append(_fenced(f"{message.name}: {message.text}"))
    elif text := "".join(part.text for part in message.parts if isinstance(part, Text)):
        out.append(text)
    out += [_fenced(f"{call.name}({_arguments(call.arguments)})") for call in message.tool_calls]
    return out


def _arguments(arguments: dict[str, Any]) -> str:
    return ", ".join(f"{name}={json.dumps(value, ensure_ascii=False)}" for name, value in arguments.items())


def _link(medium: Media) -> str:
    name = medium.path.name.replace("[", "\\[").replace("]", "\\]")
    # In angle brackets a path may hold spaces and parentheses.
    path = str(medium.path).replace("<", "%3C").replace(">", "%3E").replace("\n", "%0A")
    return f"{'!' if medium.kind == 'image' else ''}[{name}](<{path}>)"


def _fenced(text: str) -> str:
    fence = "```"
    while fence in text:
        fence += "`"
    return f"{fence}\n{text}\n{fence}"
