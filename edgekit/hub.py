"""The Hugging Face cache on this machine: what is there already, without asking the network."""

from __future__ import annotations

from pathlib import Path


def cached_file(repo: str, file: str) -> Path | None:
    """Return where the newest downloaded version of a repository's file lies; None where it was not downloaded."""
    from huggingface_hub import try_to_load_from_cache

    found = try_to_load_from_cache(repo, file)
    return Path(found) if isinstance(found, str) else None
