"""Exports from within the application."""

from __future__ import annotations

from pathlib import Path

from edgekit.chat.export import export
from edgekit.chat.store import Store
from edgekit.errors import EdgekitError
from edgekit.tui.pasted import as_path
from edgekit.tui.saving import Saving

_THINKING = "--thinking"


async def export_conversation(saving: Saving, id: int, words: str) -> Path:
    """Write a conversation into the file that `FILE [--thinking]` names; returns its path."""
    name = words.strip()
    thinking = name.endswith(_THINKING)
    name = name.removesuffix(_THINKING).strip().strip("'\"")
    if not name:
        raise EdgekitError(f"say where: /export FILE, its name ending in .md or .json; {_THINKING} adds the thoughts")
    path = as_path(name).absolute()

    def write(store: Store) -> None:
        export(store.whole(id), path, thinking=thinking)

    await saving.run(write)
    return path
