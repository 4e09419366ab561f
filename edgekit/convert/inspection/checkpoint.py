"""A checkpoint in Hugging Face layout."""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from gguf import Keys

from edgekit.convert.adapter import CONFIG as ADAPTER_CONFIG
from edgekit.convert.checkpoint import Checkpoint, read_json
from edgekit.convert.gemma4.tokenizer import Tokenizer
from edgekit.convert.inspection.report import Report, groups, variant_name
from edgekit.convert.models import open_model
from edgekit.convert.quantization_aware import quantization_aware_name
from edgekit.engine.problems import template_problems, template_revision
from edgekit.errors import FileError, UnsupportedError
from edgekit.hardware.problem import Problem

_GENERATION = "generation_config.json"
_TURN_END = "<turn|>"


def inspect_checkpoint(directory: Path) -> Report:
    """Describe a checkpoint; raises FileError where its weights or its config cannot be read."""
    with Checkpoint(directory) as checkpoint:
        text = _section(checkpoint.config, "text_config")
        tokenizer, found = _tokenizer(checkpoint)
        template = _template(tokenizer)
        tensors = [(one.name, one.dtype, math.prod(one.shape), one.bytes) for one in checkpoint.weights.values()]
        architectures = checkpoint.config.get("architectures")
        context = text.get("max_position_embeddings")
        return Report(
            path=directory,
            kind="checkpoint",
            bytes=checkpoint.bytes,
            architecture=str(architectures[0]) if isinstance(architectures, list) and architectures else None,
            variant=variant_name(text.get("hidden_size"), text.get("num_hidden_layers")),
            name=directory.resolve().name,
            parameters=sum(count for _, _, count, _ in tensors),
            context=context if isinstance(context, int) else None,
            template=template_revision(template),
            tensors=groups(tensors),
            details=_details(checkpoint),
            problems=[*found, *_problems(checkpoint, tokenizer, template)],
        )


def _section(config: dict[str, Any], name: str) -> dict[str, Any]:
    found = config.get(name)
    return found if isinstance(found, dict) else config


def _details(checkpoint: Checkpoint) -> dict[str, str]:
    shards = {weight.file.path.name for weight in checkpoint.weights.values()}
    made = {"shards": str(len(shards))}
    towers = [name for name in ("vision", "audio") if checkpoint.config.get(f"{name}_config")]
    if towers:
        made["towers"] = ", ".join(towers)
    if quantization_aware_name(checkpoint.directory):
        made["trained for"] = "Q4_0 (QAT)"
    return made


def _tokenizer(checkpoint: Checkpoint) -> tuple[Tokenizer | None, list[Problem]]:
    try:
        return Tokenizer(checkpoint.directory, checkpoint.config), []
    except (FileError, UnsupportedError) as problem:
        return None, [Problem("tokenizer", str(problem))]


def _template(tokenizer: Tokenizer | None) -> str | None:
    value = tokenizer.metadata.get(Keys.Tokenizer.CHAT_TEMPLATE) if tokenizer else None
    return str(value.items[0]) if value else None


def _problems(checkpoint: Checkpoint, tokenizer: Tokenizer | None, template: str | None) -> Iterator[Problem]:
    if (checkpoint.directory / ADAPTER_CONFIG).is_file():
        yield Problem(
            "adapter_in_checkpoint",
            f"{ADAPTER_CONFIG} lies beside the model: transformers would apply an adapter to it; delete it, or name "
            "the base model with --adapter",
        )
    if tokenizer:
        types = dict(zip(tokenizer.tokens, tokenizer.metadata[Keys.Tokenizer.TOKEN_TYPE].items, strict=True))
        bos = tokenizer.metadata.get(Keys.Tokenizer.BOS_ID)
        spelled = tokenizer.tokens[int(bos.items[0])] if bos else ""
        yield from template_problems(template, spelled, types)
        if template is not None:
            yield from _of_ends(checkpoint, tokenizer)
    try:
        open_model(checkpoint)
    except (FileError, UnsupportedError) as problem:
        # A missing tokenizer has been named above.
        if tokenizer:
            yield Problem("not_convertible", str(problem))


def _of_ends(checkpoint: Checkpoint, tokenizer: Tokenizer) -> Iterator[Problem]:
    if _TURN_END not in tokenizer.tokens:
        yield Problem("no_turn_end", f"its vocabulary has no {_TURN_END}: answers never end; copy the base's tokenizer")
        return
    listed = _ends(checkpoint)
    number = tokenizer.tokens.index(_TURN_END)
    if number not in listed:
        yield Problem(
            "no_turn_end",
            f"eos_token_id in {_GENERATION} is {listed} and lacks {number}, {_TURN_END}: transformers and vLLM do not "
            "stop there; copy the file from the base model",
        )


def _ends(checkpoint: Checkpoint) -> list[object]:
    path = checkpoint.directory / _GENERATION
    try:
        values = read_json(path, "copy it from the base model") if path.is_file() else checkpoint.config
    except FileError:
        return []
    found = values.get("eos_token_id")
    return found if isinstance(found, list) else [found]
