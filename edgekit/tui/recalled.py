"""What was said before, as it stands in the conversation."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from itertools import takewhile
from pathlib import Path

from textual.widget import Widget

from edgekit.chat.message import Message
from edgekit.errors import EdgekitError
from edgekit.tui.answer import Answer
from edgekit.tui.attachment import Attachment, read_attachment
from edgekit.tui.conversation import Conversation
from edgekit.tui.graphics import Graphics
from edgekit.tui.notice import Notice
from edgekit.tui.question import Question

# Turns that are drawn of a conversation that is opened: a thousand would take a board seconds.
_SHOWN = 30


async def recall(conversation: Conversation, messages: Sequence[Message], graphics: Graphics) -> None:
    """Show messages in place of all that stands there."""
    questions = [at for at, message in enumerate(messages) if message.role == "user"]
    first = questions[-_SHOWN] if len(questions) > _SHOWN else 0
    widgets = [await _widget(message, graphics) for message in messages[first:]]
    await conversation.clear()
    if first:
        text = f"{len(questions) - _SHOWN} earlier turns are not shown; the model reads them all the same"
        await conversation.add(Notice(text))
    await conversation.mount_all([widget for widget, _ in widgets if widget])
    for at, (widget, message) in enumerate(widgets):
        if isinstance(widget, Answer):
            behind = (each for _, each in widgets[at + 1 :])
            await widget.recall(message, list(takewhile(lambda each: each.role == "tool", behind)))


async def attachments_of(message: Message, graphics: Graphics) -> list[Attachment]:
    """Return a message's pictures and sounds as attachments; FileError where one cannot be read any more."""
    return [await asyncio.to_thread(read_attachment, medium.path, graphics) for medium in message.media]


async def readable_attachments(files: Sequence[Path], graphics: Graphics) -> tuple[list[Attachment], list[str]]:
    """Return what can still be read of files, and a line for each that cannot."""
    tried = [await asyncio.to_thread(_try_to_read, path, graphics) for path in files]
    return [one for one in tried if isinstance(one, Attachment)], [one for one in tried if isinstance(one, str)]


def _try_to_read(path: Path, graphics: Graphics) -> Attachment | str:
    try:
        return read_attachment(path, graphics)
    except EdgekitError as problem:
        return str(problem)


async def _widget(message: Message, graphics: Graphics) -> tuple[Widget | None, Message]:
    if message.role == "user":
        # What is gone stands in the message as a note.
        attachments, _ = await readable_attachments([medium.path for medium in message.media], graphics)
        return Question(message.text, attachments, graphics, message), message
    return (Answer() if message.role == "assistant" else None), message
