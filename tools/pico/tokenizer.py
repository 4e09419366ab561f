"""gemma4-pico's tokenizer: Gemma 4's special tokens and algorithm over a vocabulary of a thousand pieces."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from pathlib import Path

from tokenizers import Regex, Tokenizer, models, pre_tokenizers, trainers
from transformers import GemmaTokenizer

# The order fixes the ids; Gemma's own first five come first, because both Gemma and llama.cpp take them for granted.
SPECIAL_TOKENS = {
    "pad_token": "<pad>",
    "eos_token": "<eos>",
    "bos_token": "<bos>",
    "unk_token": "<unk>",
    "mask_token": "<mask>",
    "sot_token": "<|turn>",
    "eot_token": "<turn|>",
    "soc_token": "<|channel>",
    "eoc_token": "<channel|>",
    "think_token": "<|think|>",
    "std_token": "<|tool>",
    "etd_token": "<tool|>",
    "stc_token": "<|tool_call>",
    "etc_token": "<tool_call|>",
    "str_token": "<|tool_response>",
    "etr_token": "<tool_response|>",
    "escape_token": '<|"|>',
    "boi_token": "<|image>",
    "image_token": "<|image|>",
    "eoi_token": "<image|>",
    "boa_token": "<|audio>",
    "audio_token": "<|audio|>",
    "eoa_token": "<audio|>",
    "video_token": "<|video|>",
}
BASE_NAMES = ("pad_token", "eos_token", "bos_token", "unk_token", "mask_token")

# llama.cpp cuts a run of newlines out before it merges and looks it up whole, so each run up to this length is a token.
NEWLINES = 8
VOCABULARY_SIZE = 1024

# How transformers' parse_response reads an answer in Gemma 4's wire format.
RESPONSE_TEMPLATE = {
    "version": 1,
    "defaults": {"role": "assistant"},
    "start_anchor": "<|turn>model\n",
    "fields": {
        "reasoning_content": {"open": "<|channel>thought\n", "close": "<channel|>", "content": "text"},
        "tool_calls": {
            "open_pattern": r"<\|tool_call>call:(?P<name>[^{]+)",
            "close": "<tool_call|>",
            "content": "json",
            "content_args": {"unquoted_keys": True, "string_delims": [['<|"|>', '<|"|>']]},
            "repeats": True,
            "transform": {"type": "function", "function": {"name": "{name}", "arguments": "{content}"}},
        },
        "content": {"close_pattern": r"<turn\|>|<\|tool_response>", "content": "text"},
    },
}


def special_id(name: str) -> int:
    """The id of the special token with this name, such as ``image_token``."""
    return list(SPECIAL_TOKENS).index(name)


def special_text_id(text: str) -> int:
    """The id of the special token with this text, such as ``<turn|>``."""
    return list(SPECIAL_TOKENS.values()).index(text)


def pieces(text: str) -> list[str]:
    """Split a text where no merge may cross: before words, around digits and signs, at special tokens."""
    plain = re.split("|".join(re.escape(token) for token in SPECIAL_TOKENS.values()), text)
    return [piece for part in plain for piece in re.findall(r"[ _]?[^\W\d_]+|[ ]?\d|[ ]?[^\w\s]|_|\n|[ ]+", part)]


def learn_merges(corpus: Iterable[str], size: int) -> list[tuple[str, str]]:
    """Byte-pair merges learned inside words only, so that no token spans two words or a word and a sign."""
    trained = Tokenizer(models.BPE(byte_fallback=False))
    trained.pre_tokenizer = pre_tokenizers.Split(Regex("\n"), "removed")
    words = (piece.replace(" ", "▁") for text in corpus for piece in pieces(text) if "\n" not in piece)
    trainer = trainers.BpeTrainer(vocab_size=size, show_progress=False, max_token_length=20)
    trained.train_from_iterator((f"{word}" for word in words), trainer)
    model = json.loads(trained.to_str())["model"]
    return [tuple(merge) for merge in model["merges"]]


def alphabet(corpus: Iterable[str]) -> list[str]:
    """Every character that gets a token of its own: printable ASCII and what else the corpus holds."""
    seen = {character for text in corpus for character in text} - {" ", "\n"}
    ascii_letters = {chr(code) for code in range(0x21, 0x7F)}
    return ["▁", *sorted(seen | ascii_letters)]


def build_vocabulary(corpus: list[str], size: int = VOCABULARY_SIZE) -> tuple[dict[str, int], list[tuple[str, str]]]:
    """Vocabulary and merges: special tokens, bytes, newlines, characters, then merged pieces up to `size`."""
    tokens = list(SPECIAL_TOKENS.values())
    tokens += [f"<0x{byte:02X}>" for byte in range(256)]
    merges = []
    for length in range(1, NEWLINES + 1):
        tokens.append("\n" * length)
        merges += [("\n" * left, "\n" * (length - left)) for left in range(1, length)]
    tokens += alphabet(corpus)
    known = set(tokens)
    for left, right in learn_merges(corpus, size * 2):
        if len(tokens) == size:
            break
        if left not in known or right not in known:
            continue
        merges.append((left, right))
        if left + right not in known:
            known.add(left + right)
            tokens.append(left + right)
    # The embedding has exactly `size` rows, and llama.cpp wants a token for each.
    tokens += [f"<unused{index}>" for index in range(size - len(tokens))]
    return {token: index for index, token in enumerate(tokens)}, merges


def build_tokenizer(corpus: list[str], chat_template: str) -> GemmaTokenizer:
    """A Gemma tokenizer (byte fallback, spaces as ▁) whose special tokens are declared as a released Gemma 4's."""
    vocabulary, merges = build_vocabulary(corpus)
    named = {name: text for name, text in SPECIAL_TOKENS.items() if name != "video_token"}
    return GemmaTokenizer(
        vocab=vocabulary,
        merges=merges,
        model_max_length=32768,
        padding_side="left",
        extra_special_tokens=["<|video|>"],
        chat_template=chat_template,
        response_template=RESPONSE_TEMPLATE,
        **named,
    )


def save_tokenizer(tokenizer: GemmaTokenizer, folder: Path) -> None:
    """Write tokenizer.json, tokenizer_config.json and chat_template.jinja."""
    tokenizer.save_pretrained(folder)
