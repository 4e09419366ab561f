"""A model's chat template: messages to the text that the model was trained on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from edgekit.errors import UnsupportedError

if TYPE_CHECKING:
    from jinja2 import Template


# A template is a program out of a file: what it does wrong with a conversation is no fault of ours.
_TEMPLATE_FAULTS = (
    *(ArithmeticError, AttributeError, LookupError, MemoryError, RecursionError, SyntaxError, TypeError, ValueError),
)
# Characters; Gemma 4's has 17,000, and compiling this many takes a second or two.
_LONGEST = 1 << 18
# What an author wrote into an error is shown up to here.
_LONGEST_REASON = 200


class ChatTemplate:
    """A Jinja template out of a GGUF, run in Jinja's sandbox and within limits (template_sandbox.py)."""

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

        from edgekit.engine.template_budget import Budget, allowed

        try:
            with allowed(Budget((messages, tools))):
                return self._template.render(
                    messages=messages,
                    tools=tools or None,
                    documents=None,
                    add_generation_prompt=True,
                    enable_thinking=think,
                    bos_token=self._bos,
                )
        except (TemplateError, *_TEMPLATE_FAULTS) as problem:
            raise UnsupportedError(
                f"the model's chat template does not take this conversation: {_reason(problem)}"
            ) from None


@lru_cache
def _compile(source: str) -> Template:
    from jinja2 import TemplateError

    from edgekit.engine.template_budget import Budget, allowed
    from edgekit.engine.template_sandbox import LimitedEnvironment

    if len(source) > _LONGEST:
        raise UnsupportedError(f"the model's chat template is broken: it has {len(source):,} characters")
    try:
        with allowed(Budget(source)):
            return LimitedEnvironment().from_string(source)
    except (TemplateError, *_TEMPLATE_FAULTS) as problem:
        raise UnsupportedError(f"the model's chat template is broken: {_reason(problem)}") from None


def _reason(problem: Exception) -> str:
    # In one line, and not as long as a template may make it.
    text = " ".join(str(problem)[: 4 * _LONGEST_REASON].split()) or type(problem).__name__
    return text if len(text) <= _LONGEST_REASON else f"{text[:_LONGEST_REASON]} ..."
