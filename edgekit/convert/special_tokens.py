"""Which tokens have a task, and which are put around a text: the keys that every kind of tokenizer has."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from gguf import Keys

from edgekit.convert import keys

_ID_KEYS = {
    "bos": Keys.Tokenizer.BOS_ID,
    "eos": Keys.Tokenizer.EOS_ID,
    "unk": Keys.Tokenizer.UNK_ID,
    "sep": Keys.Tokenizer.SEP_ID,
    "pad": Keys.Tokenizer.PAD_ID,
    "mask": Keys.Tokenizer.MASK_ID,
}
_ADD_KEYS = {"bos": Keys.Tokenizer.ADD_BOS, "eos": Keys.Tokenizer.ADD_EOS, "sep": Keys.Tokenizer.ADD_SEP}

Json = Mapping[str, Any]


def special_tokens(tokenizer: Json, config: Json, model_config: Json, count: int) -> dict[str, keys.Value]:
    """Return their keys, as gguf's SpecialVocab finds them in tokenizer.json, tokenizer_config.json and config.json.

    `count` is the number of tokens. Raises LookupError, TypeError and AttributeError for damaged files.
    """
    return {
        **{_ID_KEYS[name]: keys.u32(number) for name, number in _ids(tokenizer, config, model_config, count)},
        **{_ADD_KEYS[name]: keys.boolean(added) for name, added in _added(tokenizer, config)},
    }


def content(value: object) -> str | None:
    """Return a token's text, which stands as a string or as an object with its details."""
    found = value.get("content") if isinstance(value, dict) else value
    return found if isinstance(found, str) else None


def _ids(tokenizer: Json, config: Json, model_config: Json, count: int) -> Iterator[tuple[str, int]]:
    added = {token["content"]: token["id"] for token in tokenizer.get("added_tokens", [])}
    text_config = model_config.get("text_config") or {}
    for name in _ID_KEYS:
        inside = text_config.get(f"{name}_token_id")
        listed = model_config.get(f"{name}_token_id")
        number = added.get(content(config.get(f"{name}_token")), inside if listed is None else listed)
        if isinstance(number, int) and 0 <= number < count:
            yield name, number


def _added(tokenizer: Json, config: Json) -> Iterator[tuple[str, bool]]:
    """Say which tokens are put around a text, as the tokenizer's template or its config has it."""
    found = {name: config[f"add_{name}_token"] for name in _ADD_KEYS if f"add_{name}_token" in config}
    for name, added in (found | _added_by_template(tokenizer, config)).items():
        if isinstance(added, bool):
            yield name, added


def _added_by_template(tokenizer: Json, config: Json) -> dict[str, bool]:
    processor = tokenizer.get("post_processor") or {}
    templates = [part for part in processor.get("processors", [processor]) if part.get("type") == "TemplateProcessing"]
    found: dict[str, bool] = {}
    for template in templates:
        single, pair = template.get("single", []), template.get("pair", [])
        if len(single) < 2:
            continue
        first, last = _special(single[0]), _special(single[-1])
        if first:
            found["bos"] = first == content(config.get("bos_token"))
        if last:
            found["eos"] = last == content(config.get("eos_token"))
        between = pair[1 if first else 0 : -1 if last else None][1:-1]
        if between:
            found["sep"] = _special(between[0]) == content(config.get("eos_token"))
    return found


def _special(part: Json) -> str | None:
    name = part.get("SpecialToken", {}).get("id")
    return name if isinstance(name, str) else None
