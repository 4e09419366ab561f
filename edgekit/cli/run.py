"""`edgekit run`: one question, one answer."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from edgekit.chat.run_options import RunOptions
from edgekit.cli import output
from edgekit.cli.completion import names_here
from edgekit.cli.options import (
    DrafterOption,
    ForceOption,
    JsonOption,
    OnnxAdapterOption,
    ProviderOption,
    QuantOption,
    refuse_beside,
)
from edgekit.cli.task_options import (
    BoxesOption,
    FromOption,
    JsonSchemaOption,
    PresetOption,
    ToOption,
    check_boxes,
    preset_prompt,
    save_boxes,
)
from edgekit.cli.tool_options import (
    AllowToolsOption,
    McpOption,
    ToolOption,
    ToolTimeoutOption,
    opened_tools,
    permission_for,
)
from edgekit.cli.web import serve
from edgekit.errors import EdgekitError

if TYPE_CHECKING:
    from edgekit.chat.message import Media, Message
    from edgekit.chat.permission import Permission
    from edgekit.chat.rounds import Answer
    from edgekit.chat.session import Session
    from edgekit.engine.media import Budget


def command(
    invoked: typer.Context,
    model: Annotated[
        str,
        typer.Argument(
            help="A .gguf file, an ONNX folder, a name such as gemma-4-E2B-it:Q4_0, or demo.", autocompletion=names_here
        ),
    ],
    prompt: Annotated[str | None, typer.Argument(help="The question; read from a pipe where it is left out.")] = None,
    image: Annotated[list[Path] | None, typer.Option(help="A picture to ask about; may be repeated.")] = None,
    audio: Annotated[list[Path] | None, typer.Option(help="A sound of up to 5 minutes; may be repeated.")] = None,
    video: Annotated[list[Path] | None, typer.Option(help="A video: its frames, and its sound where heard.")] = None,
    image_tokens: Annotated[
        str | None,
        typer.Option(help="Soft tokens per picture: 70, 140, 280, 560, 1120 or auto; 280, or a preset's own."),
    ] = None,
    preset: PresetOption = None,
    source: FromOption = None,
    target: ToOption = None,
    boxes: BoxesOption = None,
    json_schema: JsonSchemaOption = None,
    system: Annotated[str | None, typer.Option(help="What the model should know and how it should answer.")] = None,
    think: Annotated[bool, typer.Option("--think", help="Let the model think before it answers.")] = False,
    tool: ToolOption = None,
    mcp: McpOption = None,
    allow_tools: AllowToolsOption = None,
    tool_timeout: ToolTimeoutOption = 60,
    projector: Annotated[Path | None, typer.Option(help="The mmproj file, if it is not beside the model.")] = None,
    drafter: DrafterOption = None,
    quant: QuantOption = None,
    provider: ProviderOption = None,
    adapter: OnnxAdapterOption = None,
    context: Annotated[int | None, typer.Option(min=64, help="Tokens that the conversation may take.")] = None,
    max_tokens: Annotated[int | None, typer.Option(min=1, help="Tokens that the answer may take.")] = None,
    temperature: Annotated[float, typer.Option(min=0, help="0 always takes the likeliest word.")] = 1.0,
    top_p: Annotated[float, typer.Option(min=0, max=1, help="Choose among the likeliest words of this share.")] = 0.95,
    top_k: Annotated[int, typer.Option(min=0, help="Choose among so many likeliest words; 0 for all.")] = 64,
    seed: Annotated[int | None, typer.Option(help="The same seed gives the same answer.")] = None,
    web: Annotated[
        bool, typer.Option("--web", help="Serve the page of an ONNX folder to browsers on this machine instead.")
    ] = False,
    port: Annotated[int, typer.Option(min=0, max=65535, help="Where --web serves; 0 for any free port.")] = 8642,
    force: ForceOption = False,
    as_json: JsonOption = False,
) -> None:
    """Ask a model one question and print its answer."""
    if web:
        refuse_beside(invoked, "--web", ("model", "web", "port"))
        serve(model, port)
        return
    from edgekit.chat.json_schema import grammar, read_schema
    from edgekit.chat.message import Media, user
    from edgekit.chat.presets import preset_budget
    from edgekit.chat.runnable import find_runnable
    from edgekit.chat.session import Session
    from edgekit.engine.open_model import open_model
    from edgekit.engine.sampling import Sampling

    media = [Media("image", path) for path in image or ()] + [Media("audio", path) for path in audio or ()]
    media += [Media("video", path) for path in video or ()]
    budget = _budget(image_tokens)
    text = _text(prompt, preset, source, target, media)
    check_boxes(boxes, media)
    rules = grammar(read_schema(json_schema)) if json_schema else None
    with opened_tools(tool or (), mcp or ()) as tools:
        permission = permission_for(allow_tools, tools)
        with output.progress("Finding the model") as step:
            options = RunOptions(projector, drafter, context, quant, provider, adapter, force)
            plan = find_runnable(model, options, step)
        with output.progress("Loading") as step:
            engine = open_model(plan, lambda fraction: step(fraction, 1))
        with closing(engine):
            session = Session(
                engine,
                system=system,
                tools=tools,
                think=think,
                sampling=Sampling(temperature, top_p, top_k, seed, max_tokens),
                image_tokens=budget or preset_budget(preset),
                grammar=rules,
            )
            answer = _answer(session, [user(text, *media)], permission, tool_timeout, quiet=as_json)
            found = {"boxes": save_boxes(boxes, answer.answer, media)} if boxes and _is_whole(answer) else {}
            if as_json:
                values = {key: value for key, value in vars(answer).items() if key != "messages"}
                output.json_object({"model": engine.name, **values, **found})
    _say_how_it_ended(answer, has_schema=rules is not None, has_tools=bool(tools))


def _budget(word: str | None) -> Budget | None:
    from edgekit.engine.media import IMAGE_TOKENS, parse_budget

    try:
        return parse_budget(word) if word else None
    except ValueError:
        choices = ", ".join([*map(str, IMAGE_TOKENS), "auto"])
        raise typer.BadParameter(f"{word} is none of {choices}", param_hint="--image-tokens") from None


def _text(prompt: str | None, preset: str | None, source: str | None, target: str | None, media: list[Media]) -> str:
    if preset is not None:
        return preset_prompt(preset, prompt or "", media, source, target)
    if source or target:
        raise typer.BadParameter("it belongs to --preset transcribe or translate", param_hint="--from, --to")
    return _question(prompt, bool(media))


def _question(prompt: str | None, has_media: bool) -> str:
    if prompt is not None:
        return prompt
    piped = "" if sys.stdin.isatty() else sys.stdin.read().strip()
    if not piped and not has_media:
        raise typer.BadParameter("ask something: give a prompt, or pipe one in", param_hint="PROMPT")
    return piped


def _answer(
    session: Session, messages: Sequence[Message], permission: Permission, limit: float, *, quiet: bool
) -> Answer:
    from edgekit.chat.rounds import Answer, answer_with_tools
    from edgekit.cli.answer_view import AnswerView
    from edgekit.cli.interrupt import interruptible

    with interruptible() as stop:
        view = AnswerView(stop, quiet=quiet)
        for event in answer_with_tools(session, messages, stop, permission=permission, limit=limit):
            if isinstance(event, Answer):
                answer = event
            else:
                view.show(event)
    view.end()
    return answer


def _is_whole(answer: Answer) -> bool:
    return answer.finish_reason != "cancelled"


def _say_how_it_ended(answer: Answer, *, has_schema: bool, has_tools: bool) -> None:
    if answer.finish_reason == "cancelled":
        output.hint("stopped")
        raise typer.Exit(1)
    if answer.finish_reason == "length" and has_schema:
        raise EdgekitError("the JSON is not complete: --max-tokens or the context cut it")
    if answer.finish_reason == "tool_calls" and has_tools:
        output.hint("the model asked for tools again and again: this is what it said so far")
