"""A model's chat template: messages to the text that the model was trained on."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import lru_cache
from typing import TYPE_CHECKING, Any, NoReturn

from edgekit.errors import UnsupportedError

if TYPE_CHECKING:
    from jinja2 import Template


# A template is a program out of a file: what it does wrong with a conversation is no fault of ours.
_TEMPLATE_FAULTS = (ArithmeticError, AttributeError, LookupError, RecursionError, TypeError, ValueError)


class ChatTemplate:
    """A Jinja template out of a GGUF, run in Jinja's sandbox with the settings that transformers uses."""

    def __init__(self, source: str, bos: str = "") -> None:
        self._template = _compile(source)
        self._bos = bos

    def render(
        self,
        messages: Sequence[Mapping[str, Any]],
        tools: Sequence[Mapping[str, Any]] = (),
        *,
        think: bool = False,
    ) -> str:
        """Return the prompt; messages and tools in the form of OpenAI's chat API."""
        from jinja2 import TemplateError

        try:
            return self._template.render(
                messages=messages,
                tools=tools or None,
                documents=None,
                add_generation_prompt=True,
                enable_thinking=think,
                bos_token=self._bos,
            )
        except (TemplateError, *_TEMPLATE_FAULTS) as problem:
            raise UnsupportedError(f"the model's chat template does not take this conversation: {problem}") from None


@lru_cache
def _compile(source: str) -> Template:
    from jinja2 import TemplateError
    from jinja2.ext import loopcontrols
    from jinja2.sandbox import ImmutableSandboxedEnvironment

    environment = ImmutableSandboxedEnvironment(trim_blocks=True, lstrip_blocks=True, extensions=[loopcontrols])
    environment.filters["tojson"] = _to_json
    environment.globals["raise_exception"] = _raise
    environment.globals["strftime_now"] = _now
    try:
        return environment.from_string(source)
    except TemplateError as problem:
        raise UnsupportedError(f"the model's chat template is broken: {problem}") from None


def _to_json(
    value: object,
    ensure_ascii: bool = False,
    indent: int | None = None,
    separators: tuple[str, str] | None = None,
    sort_keys: bool = False,
) -> str:
    # Jinja's own filter escapes what is special in HTML.
    return json.dumps(value, ensure_ascii=ensure_ascii, indent=indent, separators=separators, sort_keys=sort_keys)


def _raise(message: str) -> NoReturn:
    from jinja2 import TemplateError

    raise TemplateError(message)


def _now(format: str) -> str:
    return datetime.now().strftime(format)
