"""One object of config.json, whose values are checked as they are read."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from edgekit.errors import FileError


class Section:
    """An object of config.json by its name in messages; `defaults` stand in for keys that it lacks or leaves null.

    Raises FileError for a value of another kind than asked for.
    """

    def __init__(self, name: str, values: Mapping[str, Any], defaults: Mapping[str, Any] | None = None) -> None:
        self.name = name
        self.values = values
        self._defaults = defaults or {}

    def get(self, key: str) -> Any:  # noqa: ANN401 - JSON
        """Return a value as it stands there, its default or None."""
        value = self.values.get(key)
        return self._defaults.get(key) if value is None else value

    def whole(self, key: str) -> int:
        """Return a whole number that is not negative."""
        value = self.get(key)
        # A thousand times the largest that exists: a damaged number must not become an allocation.
        if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= 1 << 30:
            raise self.wrong(key, "no whole number")
        return value

    def positive(self, key: str) -> int:
        """Return a whole number above 0."""
        value = self.whole(key)
        if value == 0:
            raise self.wrong(key, "no number above 0")
        return value

    def whole_or_none(self, key: str) -> int | None:
        """Return a whole number, or None where there is none."""
        return None if self.get(key) is None else self.whole(key)

    def layers(self) -> int:
        """Return how many layers there are."""
        count = self.whole("num_hidden_layers")
        # Ten times the deepest that exists.
        if count > 1000:
            raise self.wrong("num_hidden_layers", "no number of layers")
        return count

    def number(self, key: str) -> float:
        """Return a number that GGUF can keep in 32 bits."""
        value = self.get(key)
        if isinstance(value, bool) or not isinstance(value, (int, float)) or not abs(value) < 1e38:
            raise self.wrong(key, "no number")
        return float(value)

    def flag(self, key: str) -> bool:
        """Return whether something is switched on."""
        return bool(self.get(key))

    def section(self, key: str, defaults: Mapping[str, Any] | None = None) -> Section | None:
        """Return an object inside, or None where there is none."""
        value = self.values.get(key)
        if value is None:
            return None
        if not isinstance(value, Mapping):
            raise self.wrong(key, "no object")
        return Section(f"{self.name}.{key}", value, defaults)

    def section_or_defaults(self, key: str, defaults: Mapping[str, Any]) -> Section:
        """Return an object inside; an empty one where there is none."""
        return self.section(key, defaults) or Section(f"{self.name}.{key}", {}, defaults)

    def wrong(self, key: str, what: str) -> FileError:
        """Return an error that names the key."""
        state = f"is {what}: {json.dumps(self.values[key])[:60]}" if self.values.get(key) is not None else "is missing"
        return FileError(f"{self.name}: {key} {state}; download the checkpoint's config.json again")
