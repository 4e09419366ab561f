"""The chat template that a checkpoint brings along."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from gguf import GGUFValueType, Keys

from edgekit.convert import keys
from edgekit.convert.checkpoint import read_json
from edgekit.errors import FileError


def chat_templates(directory: Path, tokenizer_config: dict[str, Any]) -> dict[str, keys.Value]:
    """Return the template's key, and one for each further template; nothing where the checkpoint has none."""
    found = tokenizer_config.get("chat_template") or _from_files(directory)
    if isinstance(found, str):
        return {Keys.Tokenizer.CHAT_TEMPLATE: keys.text(found)}
    if not isinstance(found, list):
        return {}
    named = {_key(str(entry["name"])): str(entry["template"]) for entry in found if isinstance(entry, dict)}
    made = {Keys.Tokenizer.CHAT_TEMPLATE: keys.text(named.pop("default"))} if "default" in named else {}
    if named:
        made[Keys.Tokenizer.CHAT_TEMPLATES] = keys.array(GGUFValueType.STRING, list(named))
    return made | {Keys.Tokenizer.CHAT_TEMPLATE_N.format(name=name): keys.text(text) for name, text in named.items()}


def _key(name: str) -> str:
    """Return a template's name as gguf's writer spells it in a key."""
    return re.sub(r"[^A-Za-z0-9]", "_", name)


def _from_files(directory: Path) -> object:
    template = directory / "chat_template.jinja"
    if template.is_file():
        main = _read(template)
        further = sorted((directory / "additional_chat_templates").glob("*.jinja"))
        if not further:
            return main
        return [{"name": "default", "template": main}] + [
            {"name": path.stem, "template": _read(path)} for path in further
        ]
    if (directory / "chat_template.json").is_file():
        return read_json(directory / "chat_template.json", "copy it from the base model").get("chat_template")
    return None


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, ValueError) as problem:
        raise FileError(f"{path} cannot be read as text: copy it from the base model") from problem
