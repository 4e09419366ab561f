"""What is wrong with a GGUF that loads nevertheless, found in its header alone."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from gguf import Keys, TokenType

from edgekit.engine.check import embedding_length, projected_lengths
from edgekit.engine.template import ChatTemplate
from edgekit.errors import UnsupportedError
from edgekit.gguf_header import Header
from edgekit.hardware.problem import Problem

# How llama.cpp knows Gemma 4's own template, and among them those since 2026-04-11: common/chat.cpp.
_WRITES_CALLS = "'<|tool_call>call:"
_READS_ANSWERS = "{#- OpenAI Chat Completions:"
_TOOL_ANSWER = "21 degrees and sunny"
_TOOL_CONVERSATION: list[dict[str, Any]] = [
    {"role": "user", "content": "What is the weather like?"},
    {
        "role": "assistant",
        "tool_calls": [{"id": "1", "type": "function", "function": {"name": "weather", "arguments": {}}}],
    },
    {"role": "tool", "tool_call_id": "1", "name": "weather", "content": _TOOL_ANSWER},
]
_TURN_END = "<turn|>"
_CONTROL = re.compile(r"<\|?\w+\|>|<\|\w+>|<bos>")
# Only these are found as one token in a prompt.
_FOUND_WHOLE = (TokenType.CONTROL, TokenType.USER_DEFINED)
# What forks of llama.cpp call an MTP drafter.
_FOREIGN_DRAFTERS = ("gemma4_mtp", "gemma4_assistant")


def problems(header: Header, model: Header | None = None) -> list[Problem]:
    """Return the problems of a text model, or of a projector or drafter, which `model` is to use."""
    if header.text(Keys.General.ARCHITECTURE) == "clip":
        return list(_of_projector(header, model))
    return list(_of_model(header))


def template_problems(template: str | None, bos: str, tokens: Mapping[str, object]) -> Iterator[Problem]:
    """Yield what is wrong with a chat template for a vocabulary, given as each token's type in GGUF."""
    if template is None:
        yield Problem("no_template", "it has no chat template: chat cannot be built on it; convert it with the base's")
        return
    try:
        prompt = ChatTemplate(template, bos).render([{"role": "user", "content": "Hello"}])
    except UnsupportedError as problem:
        yield Problem("broken_template", f"{problem}: copy the base model's")
        return
    if template_revision(template) == "old":
        yield Problem(
            "old_template",
            "its chat template is older than 2026-04-11 and does not mark what tools answer: "
            "download or convert it again",
        )
    yield from _of_bos(prompt, bos)
    unknown = sorted({name for name in _CONTROL.findall(prompt) if tokens.get(name) not in _FOUND_WHOLE})
    if unknown:
        yield Problem(
            "template_tokens",
            f"its template writes {', '.join(unknown)}, which its vocabulary does not have as control tokens: "
            "the model reads letters; convert it with the base's tokenizer",
        )


def template_revision(template: str | None) -> str:
    """Return which template it is: none, Gemma 4's current or its old one (before 2026-04-11), or own for any other."""
    if template is None:
        return "none"
    if _WRITES_CALLS not in template:
        return "own"
    if _READS_ANSWERS in template:
        return "current"
    try:
        prompt = ChatTemplate(template).render(_TOOL_CONVERSATION)
    except UnsupportedError:
        return "own"
    return "own" if re.search(rf"<\|tool_response>[^<]*(<[^<]*)?{_TOOL_ANSWER}", prompt) else "old"


def _of_bos(prompt: str, bos: str) -> Iterator[Problem]:
    if bos and prompt.startswith(bos * 2):
        yield Problem("double_bos", f"its template begins with {bos} twice: answers get worse; copy the base model's")
    elif bos and not prompt.startswith(bos):
        yield Problem("no_bos", f"its template does not begin with {bos}: answers get worse; copy the base model's")


def _of_model(header: Header) -> Iterator[Problem]:
    architecture = header.text(Keys.General.ARCHITECTURE)
    if architecture in _FOREIGN_DRAFTERS:
        yield Problem("foreign_drafter", f"only a fork of llama.cpp loads a {architecture}: convert the drafter again")
    if architecture != "gemma4":
        return
    if any(name.startswith(("v.", "a.", "mm.")) for name in header.tensors):
        yield Problem(
            "embedded_projector",
            "model and projector are in one file, as older Ollama has them: llama.cpp reads two; download those",
        )
    texts, types = header.array(Keys.Tokenizer.LIST), header.array(Keys.Tokenizer.TOKEN_TYPE)
    # A header-only file or the later part of several has no vocabulary.
    if not texts or len(types) != len(texts):
        return
    tokens = dict(zip(map(str, texts), types, strict=True))
    if len(tokens) < len(texts):
        # ggml-org/llama.cpp issue 25739; Google's own QAT files were put right on 2026-07-17.
        yield Problem(
            "old_vocabulary",
            f"its vocabulary has {len(texts) - len(tokens)} tokens twice, as files from before 2026-07-17 do: "
            "llama.cpp ends the program when it loads it; download or convert it again",
        )
    if header.keys.get(Keys.Tokenizer.EOS_ID) is None and header.keys.get(Keys.Tokenizer.EOT_ID) is None:
        yield Problem(
            "no_end_token",
            "it names no token that ends a text (tokenizer.ggml.eos_token_id): some programs never stop; "
            "convert it with the base's tokenizer",
        )
    if _TURN_END not in tokens:
        yield Problem(
            "no_turn_end",
            f"its vocabulary has no {_TURN_END}: answers never end; convert it with the base's tokenizer",
        )
    bos = header.keys.get(Keys.Tokenizer.BOS_ID)
    spelled = str(texts[bos]) if isinstance(bos, int) and 0 <= bos < len(texts) else ""
    yield from template_problems(header.text(Keys.Tokenizer.CHAT_TEMPLATE), spelled, tokens)


def _of_projector(header: Header, model: Header | None) -> Iterator[Problem]:
    is_vision = "gemma4v" in (header.text("clip.projector_type"), header.text("clip.vision.projector_type"))
    if is_vision and header.keys.get("clip.use_gelu") is not True:
        yield Problem(
            "no_use_gelu",
            "it lacks clip.use_gelu, as files of llama.cpp's own converter do: llama.cpp then computes pictures with a "
            "coarser formula (error 8.5e-3 instead of 6e-4); convert it with edgekit",
        )
    if model and projected_lengths(header) != {embedding_length(model)}:
        found = ", ".join(map(str, sorted(projected_lengths(header)))) or "no"
        yield Problem(
            "projector_of_another_model",
            f"its embeddings have {found} values and those of {model.path.name} {embedding_length(model)}: "
            "it belongs to another model",
        )
