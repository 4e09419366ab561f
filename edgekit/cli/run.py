"""`edgekit run`: one question, one answer."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from edgekit.cli import output
from edgekit.cli.options import JsonOption

if TYPE_CHECKING:
    from edgekit.chat.events import Event
    from edgekit.chat.message import Message
    from edgekit.chat.rounds import Answer
    from edgekit.chat.session import Session


def command(
    model: Annotated[str, typer.Argument(help="A .gguf file, a name such as gemma-4-E2B-it:Q4_0, or demo.")],
    prompt: Annotated[str | None, typer.Argument(help="The question; read from a pipe where it is left out.")] = None,
    image: Annotated[list[Path] | None, typer.Option(help="A picture to ask about; may be repeated.")] = None,
    audio: Annotated[list[Path] | None, typer.Option(help="A sound of up to 30 s; may be repeated.")] = None,
    image_tokens: Annotated[int, typer.Option(help="Soft tokens per picture: 70, 140, 280, 560 or 1120.")] = 280,
    system: Annotated[str | None, typer.Option(help="What the model should know and how it should answer.")] = None,
    think: Annotated[bool, typer.Option("--think", help="Let the model think before it answers.")] = False,
    tool: Annotated[list[Path] | None, typer.Option(help="A Python file whose functions the model may call.")] = None,
    projector: Annotated[Path | None, typer.Option(help="The mmproj file, if it is not beside the model.")] = None,
    context: Annotated[int | None, typer.Option(min=64, help="Tokens that the conversation may take.")] = None,
    max_tokens: Annotated[int | None, typer.Option(min=1, help="Tokens that the answer may take.")] = None,
    temperature: Annotated[float, typer.Option(min=0, help="0 always takes the likeliest word.")] = 1.0,
    top_p: Annotated[float, typer.Option(min=0, max=1, help="Choose among the likeliest words of this share.")] = 0.95,
    top_k: Annotated[int, typer.Option(min=0, help="Choose among so many likeliest words; 0 for all.")] = 64,
    seed: Annotated[int | None, typer.Option(help="The same seed gives the same answer.")] = None,
    as_json: JsonOption = False,
) -> None:
    """Ask a model one question and print its answer."""
    _check_image_tokens(image_tokens)
    text = _question(prompt, bool(image or audio))

    from edgekit.chat.message import Media, user
    from edgekit.chat.models import find_plan
    from edgekit.chat.session import Session
    from edgekit.chat.tools import load_all
    from edgekit.engine.engine import Engine
    from edgekit.engine.sampling import Sampling

    media = [Media("image", path) for path in image or ()] + [Media("audio", path) for path in audio or ()]
    tools = load_all(tool or ())
    with output.progress("Finding the model") as step:
        plan = find_plan(model, projector=projector, context=context, progress=step)
    with output.progress("Loading") as step:
        engine = Engine.open(plan, lambda fraction: step(fraction, 1))
    with engine:
        session = Session(
            engine,
            system=system,
            tools=tools,
            think=think,
            sampling=Sampling(temperature, top_p, top_k, seed, max_tokens),
            image_tokens=image_tokens,
        )
        answer = _answer(session, [user(text, *media)], quiet=as_json)
        if as_json:
            output.json_object({"model": engine.name, **vars(answer)})
    if answer.finish_reason == "cancelled":
        output.hint("stopped")
        raise typer.Exit(1)


def _check_image_tokens(tokens: int) -> None:
    from edgekit.engine.media import IMAGE_TOKENS

    if tokens not in IMAGE_TOKENS:
        raise typer.BadParameter(
            f"{tokens} is none of {', '.join(map(str, IMAGE_TOKENS))}", param_hint="--image-tokens"
        )


def _question(prompt: str | None, has_media: bool) -> str:
    if prompt is not None:
        return prompt
    piped = "" if sys.stdin.isatty() else sys.stdin.read().strip()
    if not piped and not has_media:
        raise typer.BadParameter("ask something: give a prompt, or pipe one in", param_hint="PROMPT")
    return piped


def _answer(session: Session, messages: list[Message], *, quiet: bool) -> Answer:
    from edgekit.chat.rounds import Answer, answer_with_tools
    from edgekit.cli.interrupt import interruptible

    with interruptible() as stop:
        for event in answer_with_tools(session, messages, stop):
            if isinstance(event, Answer):
                answer = event
            elif not quiet:
                _show(event)
    if not quiet and answer.answer:
        output.write("\n")
    return answer


def _show(event: Event) -> None:
    from edgekit.chat.events import TextPiece, ThoughtPiece, ToolCallPiece

    if isinstance(event, TextPiece):
        output.write(event.text)
    elif isinstance(event, ThoughtPiece):
        output.aside(event.text)
    elif isinstance(event, ToolCallPiece):
        arguments = ", ".join(f"{name}={value!r}" for name, value in event.call.arguments.items())
        output.hint(f"{event.call.name}({arguments})")
