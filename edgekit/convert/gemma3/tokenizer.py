"""The tokenizer and the chat template: tokenizer.model and its companions as GGUF keys."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

from gguf import GGUFValueType, Keys, TokenType

from edgekit.convert import keys
from edgekit.convert.checkpoint import Checkpoint, read_json
from edgekit.convert.gemma3.sentencepiece import Piece, read_pieces
from edgekit.convert.names import EMBEDDINGS, plain_name
from edgekit.convert.special_tokens import special_tokens
from edgekit.convert.template import chat_templates
from edgekit.errors import FileError, UnsupportedError

_ADVICE = "copy it from the base model"
_MODEL = "tokenizer.model"
# Of ids that no token has, and of tokens that were added to the vocabulary.
_ABSENT, _ADDED = -10_000.0, -1000.0
# Tokens that belong to control although their files do not say so.
_CONTROL = ("<pad>", "<mask>", "<2mass>", "[@BOS@]")


class Tokenizer:
    """A checkpoint's tokenizer: its tokens by id, and `metadata`, the keys of tokenizer and template.

    Raises FileError where it is missing or damaged, UnsupportedError where it is of another kind.
    """

    def __init__(
        self, directory: Path, model_config: dict[str, Any], count: int, added: Mapping[str, Any] = MappingProxyType({})
    ) -> None:
        """`added` are tokens that an adapter adds."""
        if not (directory / _MODEL).is_file():
            raise UnsupportedError(f"{directory} has no {_MODEL}, which llama.cpp needs for this model: {_ADVICE}")
        config = read_json(directory / "tokenizer_config.json", _ADVICE)
        content = _optional(directory / "tokenizer.json")
        try:
            self.tokens = self._tokens(read_pieces(directory / _MODEL), directory, config, count, added)
            self.metadata = {
                Keys.Tokenizer.MODEL: keys.text("llama"),
                Keys.Tokenizer.PRE: keys.text("default"),
                Keys.Tokenizer.LIST: keys.array(GGUFValueType.STRING, [token.text for token in self.tokens]),
                Keys.Tokenizer.SCORES: keys.array(GGUFValueType.FLOAT32, [token.score for token in self.tokens]),
                Keys.Tokenizer.TOKEN_TYPE: keys.array(GGUFValueType.INT32, [token.type for token in self.tokens]),
                **special_tokens(content, config, model_config, count),
                **chat_templates(directory, config),
                Keys.Tokenizer.ADD_PREFIX: keys.boolean(False),
            }
        except (LookupError, TypeError, AttributeError, ValueError) as problem:
            raise FileError(f"{directory}: {_MODEL} or its companions are no tokenizer: {_ADVICE}") from problem

    def _tokens(
        self, pieces: list[Piece], directory: Path, config: dict[str, Any], count: int, more: Mapping[str, Any]
    ) -> list[Piece]:
        """As llama.cpp's conversion/base.py, _create_vocab_sentencepiece."""
        absent = [Piece(f"[PAD{number}]", _ABSENT, int(TokenType.UNUSED)) for number in range(len(pieces), count)]
        found = [*pieces[:count], *absent]
        added = _optional(directory / "added_tokens.json")
        for number, piece in [*_added(added), *_decoded(config.get("added_tokens_decoder", {})), *_decoded(more)]:
            if 0 <= number < count:
                found[number] = piece
        return found


def _added(tokens: dict[str, Any]) -> Iterator[tuple[int, Piece]]:
    for text, number in tokens.items():
        yield int(number), Piece(text, _ADDED, int(TokenType.USER_DEFINED))


def _decoded(tokens: Mapping[str, Any]) -> Iterator[tuple[int, Piece]]:
    for number, token in tokens.items():
        text = str(token["content"])
        if token.get("special") or _looks_like_control(text):
            yield int(number), Piece(text, _ADDED, int(TokenType.CONTROL))
        else:
            yield int(number), Piece(text.replace("\u2581", " "), _ADDED, int(TokenType.USER_DEFINED))


def added_tokens(checkpoint: Checkpoint) -> dict[str, Any]:
    """Return the tokens that an adapter's tokenizer.json adds, in the way of tokenizer_config.json.

    Raises FileError where it is damaged.
    """
    embeddings = (weight for name, weight in checkpoint.weights.items() if plain_name(name) == EMBEDDINGS)
    known = next((weight.own_height for weight in embeddings if weight.grown is not None), None)
    if known is None:
        return {}
    path, advice = checkpoint.tokenizer_directory / "tokenizer.json", "copy the tokenizer that the adapter has"
    try:
        return {str(token["id"]): token for token in read_json(path, advice)["added_tokens"] if token["id"] >= known}
    except (LookupError, TypeError) as problem:
        raise FileError(f"{path} is no tokenizer: {advice}") from problem


def _looks_like_control(text: str) -> bool:
    bounds = (("<|", "|>"), ("<\uff5c", "\uff5c>"), ("<unused", ">"))
    return text in _CONTROL or any(text.startswith(first) and text.endswith(last) for first, last in bounds)


def _optional(path: Path) -> dict[str, Any]:
    return read_json(path, _ADVICE) if path.is_file() else {}
