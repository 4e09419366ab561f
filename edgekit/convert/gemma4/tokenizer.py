"""The tokenizer and the chat template: tokenizer.json and its companions as GGUF keys."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from gguf import GGUFValueType, Keys, TokenType

from edgekit.convert import keys
from edgekit.convert.checkpoint import read_json
from edgekit.convert.special_tokens import content, special_tokens
from edgekit.convert.template import chat_templates
from edgekit.errors import FileError, UnsupportedError

# Control tokens that a program must see in the text, to tell thoughts and tool calls from answers.
_VISIBLE = {
    "<|channel>",
    "<channel|>",
    "<|tool_call>",
    "<tool_call|>",
    "<|tool_response>",
    "<tool_response|>",
    '<|"|>',
}
_BYTE = re.compile(r"<0x[0-9A-Fa-f]{2}>")
# Byte-pair merges are ordered by rank, not by score: every token has the same.
_SCORE = -1000.0
# What transformers' GemmaTokenizer takes where tokenizer_config.json names none.
_GEMMA_DEFAULTS = {
    "pad_token": "<pad>",
    "eos_token": "<eos>",
    "bos_token": "<bos>",
    "unk_token": "<unk>",
    "mask_token": "<mask>",
}


class Tokenizer:
    """A checkpoint's tokenizer: its tokens by id, and `metadata`, the keys of tokenizer and template.

    Raises FileError where it is missing or damaged, UnsupportedError where it is of another kind.
    """

    def __init__(self, directory: Path, config: dict[str, Any]) -> None:
        advice = "copy it from the base model"
        self.directory = directory
        self.model_config = config
        self.content = read_json(directory / "tokenizer.json", advice)
        self.config = read_json(directory / "tokenizer_config.json", advice)
        legacy = directory / "special_tokens_map.json"
        is_read = legacy.is_file() and "added_tokens_decoder" not in self.config
        # transformers reads it for the kinds of tokens, gguf for no token's task.
        self._legacy = read_json(legacy, advice) if is_read else {}
        try:
            self.tokens = self._tokens()
            self.metadata = self._metadata()
        except (LookupError, TypeError, AttributeError) as problem:
            raise FileError(f"{directory / 'tokenizer.json'} or its config is no tokenizer: {advice}") from problem

    def _metadata(self) -> dict[str, keys.Value]:
        return {
            Keys.Tokenizer.MODEL: keys.text("gemma4"),
            Keys.Tokenizer.LIST: keys.array(GGUFValueType.STRING, self.tokens),
            Keys.Tokenizer.SCORES: keys.array(GGUFValueType.FLOAT32, [_SCORE] * len(self.tokens)),
            Keys.Tokenizer.TOKEN_TYPE: keys.array(GGUFValueType.INT32, self._types()),
            Keys.Tokenizer.MERGES: keys.array(GGUFValueType.STRING, self._merges()),
            **special_tokens(self.content, self.config, self.model_config, len(self.tokens)),
            **chat_templates(self.directory, self.config),
            Keys.Tokenizer.ADD_PREFIX: keys.boolean(False),
            # llama.cpp forces it for Gemma 4; a file that says otherwise only earns a warning.
            Keys.Tokenizer.ADD_BOS: keys.boolean(True),
        }

    def _tokens(self) -> list[str]:
        model = self.content["model"]
        if model.get("type") != "BPE" or not model.get("byte_fallback"):
            raise UnsupportedError(
                f"{self.directory / 'tokenizer.json'} is no Gemma tokenizer (BPE with byte fallback)"
            )
        by_id = {number: token for token, number in model["vocab"].items()}
        by_id |= {added["id"]: added["content"] for added in self.content.get("added_tokens", [])}
        missing = next((number for number in range(len(by_id)) if number not in by_id), None)
        if missing is not None:
            raise FileError(f"{self.directory / 'tokenizer.json'} has no token {missing}: copy it from the base model")
        return [by_id[number] for number in range(len(by_id))]

    def _types(self) -> list[int]:
        special = set(self._special_texts())
        base = len(self.content["model"]["vocab"])
        return [int(_type(token, token in special, number >= base)) for number, token in enumerate(self.tokens)]

    def _special_texts(self) -> Iterator[str]:
        defaults = _GEMMA_DEFAULTS if str(self.config.get("tokenizer_class", "")).startswith("GemmaTokenizer") else {}
        config = self.config | self._legacy
        for key, value in (defaults | config).items():
            # transformers treats any key that ends so as naming a special token.
            if key.endswith("_token") and (text := content(value)):
                yield text
        extra = config.get("extra_special_tokens") or config.get("additional_special_tokens") or ()
        for value in extra.values() if isinstance(extra, dict) else extra:
            if text := content(value):
                yield text

    def _merges(self) -> list[str]:
        merges = self.content["model"].get("merges") or []
        # GGUF keeps a pair as one string with a space between, so a space inside is written as another letter.
        return [
            pair if isinstance(pair, str) else " ".join(part.replace(" ", "\u0120") for part in pair) for pair in merges
        ]


def _type(token: str, is_special: bool, is_appended: bool) -> TokenType:
    if token in _VISIBLE:
        return TokenType.USER_DEFINED
    if _BYTE.fullmatch(token) and not is_appended:
        return TokenType.BYTE
    if is_special:
        return TokenType.CONTROL
    return TokenType.USER_DEFINED if is_appended else TokenType.NORMAL
