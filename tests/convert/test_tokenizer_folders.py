"""Tokenizers in the layouts that older tools save: the same keys as llama.cpp's converter writes."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

from oracles.gguf_compare import differences
from oracles.llama_converter import llama_convert

from edgekit.convert.general import OWN_KEYS
from edgekit.convert.job import ConvertJob, convert

Made = Callable[[str], Path]


def test_named_templates_and_a_map_of_special_tokens(checkpoint: Made, tmp_path: Path) -> None:
    source = tmp_path / "older-E2B-it"
    shutil.copytree(checkpoint("pico"), source)
    # transformers takes the map's tokens for special ones; gguf's SpecialVocab asks tokenizer_config.json alone.
    (source / "special_tokens_map.json").write_text('{"eos_token": {"content": "<turn|>"}, "pad_token": "<eos>"}')
    (source / "chat_template.jinja").unlink()
    config = source / "tokenizer_config.json"
    named = [{"name": "default", "template": "{{ 1 }}"}, {"name": "tool use!", "template": "{{ 2 }}"}]
    config.write_text(json.dumps(json.loads(config.read_text("utf-8")) | {"chat_template": named}))
    llama_convert(source, tmp_path / "theirs", ("Q8_0",))
    result = convert(ConvertJob(source, tmp_path / "ours", (), ("Q8_0",), "none"))
    theirs = tmp_path / "theirs" / "Q8_0.gguf"
    assert differences(result.outputs[0].path, theirs, allowed=frozenset(OWN_KEYS)) == []
