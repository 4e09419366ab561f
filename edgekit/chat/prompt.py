"""Messages to the tokens and media that the engine reads."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from typing import Any

from edgekit.chat.message import Media, Message
from edgekit.chat.quoting import Quoting, Written
from edgekit.engine.projector import MediaInput
from edgekit.engine.prompt import Prompt
from edgekit.engine.template import ChatTemplate
from edgekit.engine.vocabulary import Vocabulary
from edgekit.errors import UnsupportedError

# Where Gemma 4's templates put a picture, a sound or a video.
_PLACES = re.compile(r"(<\|image\|>|<\|audio\|>|<\|video\|>)")
# What stands in one such place: a video is frames with their times between them.
Medium = Sequence[str | MediaInput]


def template_messages(messages: Sequence[Message]) -> list[dict[str, Any]]:
    """Return messages in the form that chat templates take, tool answers with the calls they belong to."""
    out: list[dict[str, Any]] = []
    for message in messages:
        if message.role == "tool" and out and "tool_calls" in out[-1]:
            answer = {"name": message.name or "unknown", "response": _value(message.text)}
            out[-1].setdefault("tool_responses", []).append(answer)
        else:
            out.append(_template_message(message))
    return out


def _template_message(message: Message) -> dict[str, Any]:
    out: dict[str, Any] = {"role": message.role, "content": _content(message) if message.media else message.text}
    if message.role == "tool":
        out["name"] = message.name
    if message.tool_calls:
        calls = [{"name": call.name, "arguments": call.arguments} for call in message.tool_calls]
        out["tool_calls"] = [{"type": "function", "function": call} for call in calls]
        # Between a call and the answer that uses it the model may read what it thought; never in later turns.
        out["reasoning_content"] = message.thought
    return out


def _content(message: Message) -> list[dict[str, str]]:
    content: list[dict[str, str]] = []
    for part in message.parts:
        if isinstance(part, Media):
            content.append({"type": part.kind})
        elif content and content[-1]["type"] == "text":
            # Side by side, two texts could spell a control token across their border.
            content[-1]["text"] += part.text
        else:
            content.append({"type": "text", "text": part.text})
    return content


def _value(text: str) -> Any:  # noqa: ANN401 - the shape of JSON
    try:
        return json.loads(text)
    except ValueError:
        return text


def build_prompt(
    template: ChatTemplate,
    vocabulary: Vocabulary,
    messages: Sequence[dict[str, Any]],
    tools: Sequence[dict[str, Any]] = (),
    media: Sequence[Medium] = (),
    *,
    think: bool = False,
) -> Prompt:
    """Return the prompt for messages in the template's form, with `media` at their places in order."""
    quoting = Quoting(vocabulary.control_spellings)
    rendered = template.render(quoting.cover(messages), quoting.cover(tools), think=think)
    prompt: list[list[int] | MediaInput] = [[]]
    for piece in _joined(_filled(quoting.uncover(rendered), media)):
        if isinstance(piece, MediaInput):
            _tail(prompt).extend(piece.before)
            prompt += [piece, list(piece.after)]
        else:
            _tail(prompt).extend(_tokens(vocabulary, piece))
    return prompt


def _filled(pieces: list[Written], media: Sequence[Medium]) -> Iterator[Written | MediaInput]:
    """Put media into their places."""
    waiting = iter(media)
    for piece in _split_at_places(pieces):
        if isinstance(piece, Written):
            yield piece
            continue
        medium = next(waiting, None)
        if medium is None:
            raise UnsupportedError("the model's chat template asks for a picture or a sound that is not there")
        for part in medium:
            yield Written(part) if isinstance(part, str) else part
    if next(waiting, None) is not None:
        raise UnsupportedError("the model's chat template has no place for a picture or a sound here")


def _joined(pieces: Iterator[Written | MediaInput]) -> Iterator[Written | MediaInput]:
    """Join texts side by side: cut elsewhere, a text has other tokens."""
    text = ""
    for piece in pieces:
        if isinstance(piece, Written) and not piece.quoted:
            text += piece.text
            continue
        if text:
            yield Written(text)
        text = ""
        yield piece
    if text:
        yield Written(text)


def _tail(prompt: list[list[int] | MediaInput]) -> list[int]:
    last = prompt[-1]
    assert not isinstance(last, MediaInput)
    return last


def _tokens(vocabulary: Vocabulary, piece: Written) -> list[int]:
    return vocabulary.tokenize_plainly(piece.text) if piece.quoted else vocabulary.tokenize(piece.text)


def _split_at_places(pieces: list[Written]) -> Iterator[Written | str]:
    for piece in pieces:
        if piece.quoted:
            yield piece
            continue
        # The pattern's group makes every second part a place.
        for index, part in enumerate(_PLACES.split(piece.text)):
            if index % 2:
                yield part
            elif part:
                yield Written(part)
