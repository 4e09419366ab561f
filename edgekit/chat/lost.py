"""Files of pictures and sounds that a saved conversation refers to, and that may be gone."""

from __future__ import annotations

from dataclasses import replace
from hashlib import sha256
from pathlib import Path

from edgekit.chat.message import Media, Message, Part, Text

_CHUNK = 1 << 20
_KINDS = {"image": "picture", "audio": "sound", "video": "video"}


def file_digest(path: Path) -> str:
    """Return the SHA-256 of a file's bytes; "" where it cannot be read."""
    digest = sha256()
    try:
        # A pipe would be waited for.
        if not path.is_file():
            return ""
        with path.open("rb") as file:
            while chunk := file.read(_CHUNK):
                digest.update(chunk)
    except (OSError, ValueError):
        return ""
    return digest.hexdigest()


def without_lost(message: Message) -> tuple[Message, list[str]]:
    """Return a message as it can still be read, and a line for each medium whose file is not there any more.

    The model reads a note in its place: a conversation must go on without a file that was moved away.
    """
    parts: list[Part] = []
    lines: list[str] = []
    for part in message.parts:
        reason = _lost(part) if isinstance(part, Media) else ""
        if reason and isinstance(part, Media):
            lines.append(f"{part.path.name} {reason}")
            parts.append(Text(f"[a {_KINDS.get(part.kind, part.kind)}, {part.path.name}, {reason}]\n"))
        else:
            parts.append(part)
    return (replace(message, parts=tuple(parts)) if lines else message), lines


def _lost(medium: Media) -> str:
    digest = file_digest(medium.path)
    if not digest:
        return "is gone"
    return "has changed since" if medium.sha256 not in ("", digest) else ""
