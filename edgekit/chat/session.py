"""A conversation with a loaded model, turn by turn."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence

from edgekit.chat.events import Event
from edgekit.chat.message import Message
from edgekit.chat.tools import Tool
from edgekit.engine.engine import Engine
from edgekit.engine.sampling import Sampling


class Session:
    """Answers messages; its settings may be changed between turns."""

    def __init__(
        self,
        engine: Engine,
        *,
        system: str | None = None,
        tools: Sequence[Tool] = (),
        think: bool = False,
        sampling: Sampling = Sampling(),  # noqa: B008 - frozen
        image_tokens: int = 280,
    ) -> None:
        self.engine = engine
        self.system = system
        self.tools = tuple(tools)
        self.think = think
        self.sampling = sampling
        self.image_tokens = image_tokens

    def answer(self, messages: Sequence[Message], stop: threading.Event | None = None) -> Iterator[Event]:
        """Answer the last message; ends with Finished, whose message the caller appends to its history.

        The system prompt is the session's: `messages` hold the roles user, assistant and tool. After `stop` is set the
        half answer is kept with finish reason "cancelled". Raises UnsupportedError before anything is computed where
        the model cannot take a picture or a sound, FileError where one cannot be read, and EdgekitError where the
        conversation is longer than the context.
        """
        raise NotImplementedError
