"""Text to tokens and back, by the tokenizer.json beside a model."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from edgekit.engine.vocabulary import Vocabulary
from edgekit.errors import FileError

if TYPE_CHECKING:
    from tokenizers import Tokenizer

    from edgekit.engine.onnx.folder import OnnxFolder

_BYTE = re.compile(r"<0x([0-9A-F]{2})>")


class OnnxVocabulary(Vocabulary):
    """The tokens of a folder's tokenizer.json."""

    def __init__(self, folder: OnnxFolder) -> None:
        self._tokenizer, self._plain = _load(folder), _load(folder)
        # A special token's spelling is only text to this one.
        self._plain.encode_special_tokens = True
        settings = folder.json("generation_config.json")
        self.size = folder.vocabulary_size or self._tokenizer.get_vocab_size()
        self.bos = _first(settings.get("bos_token_id"), folder.text_config.get("bos_token_id"))
        self._ends = frozenset(_tokens(settings.get("eos_token_id")) or _tokens(folder.config.get("eos_token_id")))
        self._suppressed = [token for token in _tokens(settings.get("suppress_tokens")) if 0 <= token < self.size]
        added = self._tokenizer.get_added_tokens_decoder()
        self._control = {token for token, each in added.items() if each.special or _looks_special(each.content)}
        self._added = {token: each.content for token, each in added.items()}

    def tokenize(self, text: str, *, control: bool = True) -> list[int]:
        """Return the tokens of a text, as `Vocabulary.tokenize` says."""
        tokenizer = self._tokenizer if control else self._plain
        # A lone half of a surrogate pair is no text to the tokenizer.
        clean = text.encode("utf-8", "replace").decode("utf-8")
        return list(tokenizer.encode(clean, add_special_tokens=False).ids)

    def piece(self, token: int) -> bytes:
        """Return the bytes of a token, which may end inside a character; control tokens by their spelling."""
        if token in self._added:
            return self._added[token].encode()
        spelling = self._tokenizer.id_to_token(token) if token >= 0 else None
        if spelling is None:
            return b""
        byte = _BYTE.fullmatch(spelling)
        return bytes.fromhex(byte[1]) if byte else spelling.replace("\u2581", " ").encode()

    def ends(self, token: int) -> bool:
        """Return whether the model ends its turn with this token."""
        return token in self._ends

    def is_control(self, token: int) -> bool:
        """Return whether a token steers the conversation, as turns, channels, tool calls and media places do."""
        return token in self._control

    def suppressed(self) -> list[int]:
        """Return the tokens that the model must never say, as its generation config lists them."""
        return self._suppressed


def _load(folder: OnnxFolder) -> Tokenizer:
    from tokenizers import Tokenizer

    path = folder.path / "tokenizer.json"
    try:
        return Tokenizer.from_file(str(path))
    # The library raises nothing more special, whatever is wrong.
    except Exception as problem:
        raise FileError(f"{path} is damaged: {' '.join(str(problem).split())}") from None


def _looks_special(spelling: str) -> bool:
    # As for GGUF: harmless ones such as <h1> are among the added tokens, too.
    return spelling.startswith("<|") or spelling.endswith("|>")


def _tokens(value: Any) -> list[int]:  # noqa: ANN401 - the shape of JSON
    values = value if isinstance(value, list) else [value]
    return [token for token in values if isinstance(token, int)]


def _first(*values: Any) -> int:  # noqa: ANN401 - the shape of JSON
    return next((value for value in values if isinstance(value, int)), -1)
