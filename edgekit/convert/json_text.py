"""JSON as other programs take it."""

from __future__ import annotations

import json
from typing import Any


def parse(data: bytes) -> Any:  # noqa: ANN401 - JSON
    """Return what UTF-8 JSON says; raises ValueError where it is none, RecursionError where it is too deep.

    Python's parser takes halves of letters (lone surrogates), which no file can be written with.
    """
    text = data.decode("utf-8")
    found = json.loads(text)
    if "\\ud" in text or "\\uD" in text:
        json.dumps(found, ensure_ascii=False).encode("utf-8")
    return found
