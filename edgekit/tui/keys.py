"""Keys: what they are called, and which action has which."""

from __future__ import annotations

import re
from collections.abc import Iterable

from textual.binding import Binding, BindingType
from textual.keys import Keys

from edgekit.errors import EdgekitError

_NAMES = {
    "escape": "Esc",
    "pageup": "PageUp",
    "pagedown": "PageDown",
    "underscore": "_",
    "backslash": "\\",
    "slash": "/",
    "space": "Space",
}
_MODIFIERS = re.compile(r"(?:(?:ctrl|alt|shift|super|meta)\+)*")
_KNOWN = {key.value.rpartition("+")[2] for key in Keys} | {f"f{number}" for number in range(1, 25)} | set(_NAMES)


def remappable(*tables: Iterable[BindingType]) -> dict[str, Binding]:
    """Return the bindings that have an id, by it: those whose keys a person may change."""
    bindings = [one for table in tables for one in table if isinstance(one, Binding)]
    return {one.id: one for one in bindings if one.id}


def key_names(keys: str) -> str:
    """Return a list of keys as people read it: "ctrl+j,shift+enter" is "Ctrl+J, Shift+Enter"."""
    return ", ".join(_key_name(key.strip()) for key in keys.split(","))


def _key_name(key: str) -> str:
    *modifiers, last = key.split("+")
    return "+".join([*map(str.title, modifiers), _NAMES.get(last, last.upper() if len(last) == 1 else last.title())])


def check_keys(chosen: dict[str, str], bindings: dict[str, Binding]) -> None:
    """Raise EdgekitError where an action or a key is none, or where two actions share a key."""
    for action, keys in chosen.items():
        if action not in bindings:
            raise EdgekitError(f"there is no action {action!r} for a key: there are {', '.join(sorted(bindings))}")
        for key in keys.split(","):
            _check_key(action, key.strip())
    owners: dict[str, str] = {}
    for action, binding in bindings.items():
        for key in chosen.get(action, binding.key).split(","):
            if (other := owners.setdefault(key.strip(), action)) != action:
                raise EdgekitError(f"{key.strip()} cannot be the key of both {other} and {action}: give one another")


def _check_key(action: str, key: str) -> None:
    modifiers = _MODIFIERS.match(key)
    assert modifiers is not None
    last = key[modifiers.end() :]
    if not (last in _KNOWN or (len(last) == 1 and last.isalnum())):
        raise EdgekitError(f"{key!r} is no key for {action}: write it as ctrl+t, f5, shift+enter or pageup")
    if modifiers.end() == 0 and len(last) == 1:
        raise EdgekitError(f"{key!r} cannot be the key of {action}, because it is typed: add ctrl+ or alt+")
