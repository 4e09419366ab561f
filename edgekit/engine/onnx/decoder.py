"""What a model has read: the text graphs, the cache, and a record of which tokens are in it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from edgekit.engine.onnx.key_values import KeyValues
from edgekit.engine.onnx.runtime import Graph, Run
from edgekit.engine.projector import MediaInput
from edgekit.engine.prompt import Encode, Entry, Prompt, entries
from edgekit.fit.onnx_plan import BATCH

# Of all rows of logits, where the graph computes them after each token.
_LOGITS_ROOM = 64 << 20

Rows = list[tuple[int, np.ndarray[Any, Any]]]


class Decoder:
    """embed_tokens and decoder_model_merged with one sequence; nothing is computed twice."""

    def __init__(
        self, embed: Graph, decoder: Graph, context: int, vocabulary_size: int, adapter: Mapping[str, Any]
    ) -> None:
        """Take an adapter's values by the inputs of the decoder that they are for."""
        embed.need({"input_ids"}, {"inputs_embeds"})
        decoder.need({"inputs_embeds", "attention_mask"}, {"logits"})
        self.embed, self.graph, self.size = embed, decoder, context
        self.keys = KeyValues(decoder, context)
        self._adapter = adapter
        self._entries: list[Entry] = []
        self._logits = np.zeros(vocabulary_size, np.float32)
        self._keeps_one = "num_logits_to_keep" in decoder.inputs
        every = max(16, _LOGITS_ROOM // (4 * vocabulary_size))
        # How many tokens a run computes at most.
        self.batch = BATCH if self._keeps_one else min(BATCH, every)

    def __len__(self) -> int:
        return len(self._entries)

    @property
    def logits(self) -> np.ndarray[Any, Any]:
        """Return the logits after the token computed last, float32, one for each token of the vocabulary."""
        return self._logits

    @property
    def cache_bytes(self) -> int:
        """Return what keys and values take in memory now."""
        return self.keys.bytes

    def clear(self) -> None:
        """Forget everything."""
        self._entries.clear()

    def go_back(self, length: int) -> None:
        """Forget what came after the first `length` entries."""
        # The cache holds all layers in full: it can be cut anywhere.
        del self._entries[length:]

    def keep_common(self, wanted: list[Entry]) -> int:
        """Go back to the common beginning with `wanted`; at least its last entry is left to compute."""
        common = 0
        for mine, theirs in zip(self._entries, wanted[:-1], strict=False):
            if mine != theirs:
                break
            common += 1
        self.go_back(common)
        return common

    def read(self, prompt: Prompt, media_tokens: dict[str, int], encode: Encode, run: Run) -> Iterator[int]:
        """Compute a prompt behind what is there; yields how many entries are done after each batch.

        `media_tokens` are the tokens whose embeddings stand in the places of a picture and of a sound until its own
        are put there. Raises StoppedError, after which what was computed so far is kept.
        """
        every, tokens = entries(prompt), _tokens(prompt, media_tokens)
        starts = _media_starts(prompt)
        while (begin := len(self)) < len(tokens):
            end = min(begin + self.batch, len(tokens))
            rows = _rows(starts, begin, end, encode)
            self._compute(tokens[begin:end], rows, run)
            self._entries += every[begin:end]
            yield len(self)

    def append(self, token: int, run: Run) -> None:
        """Compute one token more; raises StoppedError, after which the cache is as it was."""
        self._compute([token], [], run)
        self._entries.append(token)

    def _compute(self, tokens: list[int], rows: Rows, run: Run) -> None:
        done, total = len(self), len(self) + len(tokens)
        self.keys.reserve(total, done)
        embedded = self.embed.run({"input_ids": np.array([tokens], np.int64)}, run)
        for at, values in rows:
            embedded["inputs_embeds"][0, at : at + len(values)] = values
        feeds = {
            **embedded,
            "attention_mask": np.ones((1, total), np.int64),
            "position_ids": np.arange(done, total, dtype=np.int64)[None],
            "num_logits_to_keep": np.array(1, np.int64),
        }
        self._logits = self._run(feeds, run)

    def _run(self, feeds: dict[str, np.ndarray[Any, Any]], run: Run) -> np.ndarray[Any, Any]:
        graph = self.graph
        binding = graph.session.io_binding()
        # The binding holds no more than addresses: the names keep the arrays alive.
        given = {
            name: np.asarray(value, graph.dtype(name), order="C")
            for name, value in feeds.items()
            if name in graph.inputs
        }
        for name, value in given.items():
            binding.bind_cpu_input(name, value)
        for name, value in self._adapter.items():
            binding.bind_ortvalue_input(name, value)
        self.keys.bind(binding)
        binding.bind_output("logits", "cpu")
        graph.run_bound(binding, run)
        logits = binding.get_outputs()[-1].numpy()
        row: np.ndarray[Any, Any] = logits[0, -1].astype(np.float32)
        return row


def _tokens(prompt: Prompt, media_tokens: dict[str, int]) -> list[int]:
    out: list[int] = []
    for piece in prompt:
        out += [media_tokens[piece.kind]] * piece.length if isinstance(piece, MediaInput) else piece
    return out


def _media_starts(prompt: Prompt) -> list[tuple[int, MediaInput]]:
    found, at = [], 0
    for piece in prompt:
        if isinstance(piece, MediaInput):
            found.append((at, piece))
            at += piece.length
        else:
            at += len(piece)
    return found


def _rows(media: list[tuple[int, MediaInput]], begin: int, end: int, encode: Encode) -> Rows:
    """Return the embeddings of media within a batch, each with its place in the batch."""
    found: Rows = []
    for start, piece in media:
        first, last = max(start, begin), min(start + piece.length, end)
        if first < last:
            found.append((first - begin, encode(piece)[first - start : last - start]))
    return found
