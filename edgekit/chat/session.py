"""A conversation with a loaded model, turn by turn."""

from __future__ import annotations

import codecs
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from edgekit.chat.events import Event, Finished, FinishReason, Prefilling, Timings, Usage
from edgekit.chat.medium import PreparedMedia
from edgekit.chat.message import Media, Message, Text, system
from edgekit.chat.prompt import build_prompt, template_messages
from edgekit.chat.response import ResponseParser
from edgekit.chat.tools import Tool
from edgekit.engine.constraint import Channel, Constraint
from edgekit.engine.native import StoppedError
from edgekit.engine.projector import MediaInput
from edgekit.engine.prompt import Prompt, entries
from edgekit.engine.sampling import Sampling
from edgekit.engine.template import ChatTemplate
from edgekit.errors import EdgekitError, UnsupportedError

if TYPE_CHECKING:
    from edgekit.engine.loaded_model import LoadedModel
    from edgekit.engine.media import Budget

_THOUGHT = Channel("<|channel>", "<channel|>")
_CALL = Channel("<|tool_call>", "<tool_call|>", final=True)


class Session:
    """Answers messages; its settings may be changed between turns."""

    def __init__(
        self,
        engine: LoadedModel,
        *,
        system: str | None = None,
        tools: Sequence[Tool] = (),
        think: bool = False,
        sampling: Sampling = Sampling(),  # noqa: B008 - frozen
        image_tokens: Budget = 280,
        grammar: str | None = None,
    ) -> None:
        """Raise UnsupportedError for a grammar where the model cannot be held to one."""
        if grammar is not None and not engine.takes_grammars:
            raise UnsupportedError(f"{engine.name} cannot be held to a JSON schema: that takes a GGUF file")
        self.engine = engine
        self.system = system
        self.tools = tuple(tools)
        self.think = think
        self.sampling = sampling
        self.image_tokens = image_tokens
        # In GBNF, what answers have to be; thoughts and calls before them are free.
        self.grammar = grammar
        self._media = PreparedMedia(engine)
        vocabulary = engine.vocabulary
        self._template = ChatTemplate(engine.chat_template, vocabulary.piece(vocabulary.bos).decode("utf-8", "replace"))

    def answer(self, messages: Sequence[Message], stop: threading.Event | None = None) -> Iterator[Event]:
        """Answer the last message; ends with Finished, whose message the caller appends to its history.

        The system prompt is the session's: `messages` hold the roles user, assistant and tool. After `stop` is set the
        half answer is kept with finish reason "cancelled". Raises UnsupportedError before anything is computed where
        the model cannot take a picture or a sound, FileError where one cannot be read, and EdgekitError where the
        conversation is longer than the context.
        """
        prompt = self.prompt(messages)
        total = len(entries(prompt))
        if total >= self.engine.context:
            raise EdgekitError(
                f"the conversation takes {total} tokens, but the context holds {self.engine.context}: "
                "start anew, or ask for a larger context"
            )
        return _Turn(self, prompt, total, stop or threading.Event()).run()

    def prompt(self, messages: Sequence[Message]) -> Prompt:
        """Return the tokens and media that the model reads before it answers."""
        if self.system:
            messages = [system(self.system), *messages]
        media = [part for message in messages for part in message.media]
        for part in media:
            self._check(part)
        declarations = [tool.declaration for tool in self.tools]
        inputs = [self._media.prepare(part, part.image_tokens or self.image_tokens) for part in media]
        return build_prompt(
            self._template,
            self.engine.vocabulary,
            template_messages(messages),
            declarations,
            inputs,
            think=self.think,
        )

    def keep_state(self, name: str, messages: Sequence[Message]) -> bool:
        """Keep under a name what the model has read of a conversation, where that pays; returns whether."""
        try:
            return self.engine.save_state(name, self.prompt(messages))
        except EdgekitError:
            # Its media are gone, or too much was said: it will be read again.
            return False

    def take_state(self, name: str) -> bool:
        """Go on from what was kept under a name; returns whether there is something that this model can use."""
        return self.engine.load_state(name)

    def turn_sampling(self) -> Sampling:
        """Return how the next answer's tokens are chosen."""
        if self.grammar is None:
            return self.sampling
        channels = ((_THOUGHT,) if self.think else ()) + ((_CALL,) if self.tools else ())
        return replace(self.sampling, constraint=Constraint(self.grammar, channels))

    def _check(self, media: Media) -> None:
        takes = self.engine.takes_sound if media.kind == "audio" else self.engine.takes_pictures
        if not takes:
            what = {"image": "pictures", "audio": "sound", "video": "videos"}[media.kind]
            raise UnsupportedError(f"{self.engine.model_path.name} takes no {what}{self.engine.media_hint}")


class _Turn:
    """One answer in the making."""

    def __init__(self, session: Session, prompt: Prompt, total: int, stop: threading.Event) -> None:
        self._engine, self._sampling = session.engine, session.turn_sampling()
        self._prompt, self._total, self._stop = prompt, total, stop
        self._parser = ResponseParser()
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._reason: FinishReason = "length"
        self._cached = self._written = 0

    def run(self) -> Iterator[Event]:
        started = read = time.perf_counter()
        try:
            yield from self._read()
            read = time.perf_counter()
            yield from self._write()
        except StoppedError:
            self._reason = "cancelled"
        yield from self._parser.feed(self._decoder.decode(b"", final=True))
        yield from self._parser.finish()
        now = time.perf_counter()
        prefill = (read if read > started else now) - started
        timings = Timings(self._engine.claim_load_seconds(), prefill, now - started - prefill)
        yield Finished(self._message(), self._finish_reason(), self._usage(), timings)

    def _read(self) -> Iterator[Event]:
        done = None
        for position in self._engine.read(self._prompt, self._stop):
            if done is None:
                self._cached = position
            done = position
            yield Prefilling(position, self._total)
            if self._stop.is_set():
                raise StoppedError

    def _write(self) -> Iterator[Event]:
        for token in self._engine.write(self._sampling, self._stop):
            self._written += 1
            if self._engine.vocabulary.ends(token):
                self._reason = "stop"
                return
            yield from self._parser.feed(self._decoder.decode(self._engine.vocabulary.piece(token)))
            if self._stop.is_set():
                raise StoppedError

    def _finish_reason(self) -> FinishReason:
        return "tool_calls" if self._reason == "stop" and self._parser.calls else self._reason

    def _message(self) -> Message:
        parser = self._parser
        parts = (Text(parser.text),) if parser.text else ()
        return Message("assistant", parts, thought=parser.thought, tool_calls=tuple(parser.calls))

    def _usage(self) -> Usage:
        media = sum(piece.length for piece in self._prompt if isinstance(piece, MediaInput))
        return Usage(self._total, self._cached, media, self._written)
