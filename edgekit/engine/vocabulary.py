"""Text to tokens and back, by the model's own vocabulary."""

from __future__ import annotations

import ctypes
from abc import ABC, abstractmethod

from edgekit.engine.native import llama


class Vocabulary(ABC):
    """A loaded model's tokens, whichever library splits its texts."""

    size: int
    bos: int

    @abstractmethod
    def tokenize(self, text: str, *, control: bool = True) -> list[int]:
        """Return the tokens of a text; with `control` the spelling of a control token becomes that token.

        No BOS is added: Gemma 4's template writes it.
        """

    @abstractmethod
    def piece(self, token: int) -> bytes:
        """Return the bytes of a token, which may end inside a character; control tokens by their spelling.

        Nothing of what is no token.
        """

    @abstractmethod
    def ends(self, token: int) -> bool:
        """Return whether the model ends its turn with this token."""

    @abstractmethod
    def is_control(self, token: int) -> bool:
        """Return whether a token steers the conversation, as turns, channels, tool calls and media places do."""

    @abstractmethod
    def suppressed(self) -> list[int]:
        """Return the tokens that the model must never say, as its generation config lists them."""

    def control_spellings(self, text: str) -> set[str]:
        """Return the spellings of control tokens that stand in a text."""
        found = {
            self.piece(token).decode("utf-8", "replace") for token in set(self.tokenize(text)) if self.is_control(token)
        }
        # The unknown token stands for characters that have none: only what is written counts.
        return {spelling for spelling in found if spelling in text}

    def tokenize_plainly(self, spelling: str) -> list[int]:
        """Return tokens that only write a control token's spelling down."""
        tokens = self.tokenize(spelling, control=False)
        if any(map(self.is_control, tokens)):
            # User-defined tokens are found even without `control`: cut in two, the spelling is none.
            return self.tokenize(spelling[:1], control=False) + self.tokenize(spelling[1:], control=False)
        return tokens


class LlamaVocabulary(Vocabulary):
    """The tokens of a model that llama.cpp loaded."""

    def __init__(self, model: int) -> None:
        self._vocab = llama.llama_model_get_vocab(model)
        self.size: int = llama.llama_vocab_n_tokens(self._vocab)
        self.bos: int = llama.llama_vocab_bos(self._vocab)
        self._known_ends: dict[int, bool] = {}

    def tokenize(self, text: str, *, control: bool = True) -> list[int]:
        """Return the tokens of a text, as `Vocabulary.tokenize` says."""
        raw = text.encode("utf-8", "replace")
        room = len(raw) + 8
        tokens = (llama.llama_token * room)()
        count = llama.llama_tokenize(self._vocab, raw, len(raw), tokens, room, False, control)
        return list(tokens[:count])

    def piece(self, token: int) -> bytes:
        """Return the bytes of a token, which may end inside a character; control tokens by their spelling.

        Nothing of what is no token: a vocabulary without a BOS says -1, over which llama.cpp ends the process.
        """
        if not 0 <= token < self.size:
            return b""
        room = 64
        while True:
            buffer = ctypes.create_string_buffer(room)
            count = llama.llama_token_to_piece(self._vocab, token, buffer, room, 0, True)
            if count >= 0:
                return buffer.raw[:count]
            room = -count

    def ends(self, token: int) -> bool:
        """Return whether the model ends its turn with this token."""
        if token not in self._known_ends:
            self._known_ends[token] = bool(llama.llama_vocab_is_eog(self._vocab, token))
        return self._known_ends[token]

    def is_control(self, token: int) -> bool:
        """Return whether a token steers the conversation, as turns, channels, tool calls and media places do."""
        attributes = llama.llama_vocab_get_attr(self._vocab, token)
        if attributes & (llama.LLAMA_TOKEN_ATTR_CONTROL | llama.LLAMA_TOKEN_ATTR_UNKNOWN):
            return True
        # llama.cpp marks those that a chat must see in an answer as user-defined, beside harmless ones such as <h1>.
        if not attributes & llama.LLAMA_TOKEN_ATTR_USER_DEFINED:
            return False
        spelling = self.piece(token)
        return spelling.startswith(b"<|") or spelling.endswith(b"|>")

    def suppressed(self) -> list[int]:
        """Return the tokens that the model must never say, as its generation config lists them."""
        count = ctypes.c_int32()
        tokens = llama.llama_vocab_get_suppress_tokens(self._vocab, ctypes.byref(count))
        return tokens[: count.value] if count.value else []
