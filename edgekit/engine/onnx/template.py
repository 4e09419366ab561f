"""The chat template beside a model in ONNX files."""

from __future__ import annotations

from edgekit.engine.onnx.folder import OnnxFolder
from edgekit.errors import UnsupportedError

_FILE = "chat_template.jinja"


def chat_template(folder: OnnxFolder) -> str:
    """Return the Jinja template of its own file or of tokenizer_config.json; UnsupportedError where there is none."""
    path = folder.path / _FILE
    if path.is_file():
        return path.read_text("utf-8", "replace")
    template = folder.json("tokenizer_config.json").get("chat_template")
    if not isinstance(template, str):
        raise UnsupportedError(f"{folder.path} has no {_FILE}: it is not made for conversations")
    return template
