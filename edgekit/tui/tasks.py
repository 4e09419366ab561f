"""Tasks with prompts of their own: presets as slash commands, and the boxes that come of one."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING

from edgekit.chat.presets import Wish, preset
from edgekit.errors import EdgekitError
from edgekit.tui.attachment import Attachment
from edgekit.tui.boxed import save_boxed
from edgekit.tui.notice import Notice
from edgekit.tui.pasted import as_path

if TYPE_CHECKING:
    from edgekit.tui.chat_screen import ChatScreen


async def ask_preset(screen: ChatScreen, name: str, argument: str) -> None:
    """Ask a preset's question about what is attached, or about what the conversation holds."""
    screen.turns.check_not_answering()
    chips, chosen = screen.asking.chips, preset(name)
    media = [attachment.media for attachment in chips.attachments]
    media = media or [medium for message in screen.history for medium in message.media]
    spoken = {"transcribe": {"source": argument}, "translate": {"target": argument}}
    wish = Wish(kinds={medium.kind for medium in media}, **spoken.get(name, {"subject": argument}))
    prompt = chosen.prompt(wish)
    screen.turns.ask(prompt, [_with_budget(each, chosen.image_tokens) for each in chips.take()])


async def save_boxes(screen: ChatScreen, argument: str) -> None:
    """Save the picture with the boxes of the last answer."""
    if not argument:
        raise EdgekitError("say where: /boxes FILE.png")
    path = as_path(argument)
    await asyncio.to_thread(save_boxed, list(screen.history), path)
    await screen.say(Notice(f"saved {path}"), follow=True)


def _with_budget(attachment: Attachment, tokens: int) -> Attachment:
    return replace(attachment, media=replace(attachment.media, image_tokens=tokens))
