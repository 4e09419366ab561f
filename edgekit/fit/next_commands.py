"""The commands that get a chosen model and talk to it."""

from __future__ import annotations

from edgekit.fit.candidate import Candidate
from edgekit.fit.plan import Plan


def next_commands(chosen: Candidate) -> list[str]:
    """Return the commands that download a candidate's files, then the one that opens the chat."""
    context = "" if chosen.settings.context == Plan.context else f" --context {chosen.settings.context}"
    files = [one for one in (chosen.load.file, chosen.load.projector) if one]
    downloads = [f"hf download {one.repo} {_named(one.file or '')}" for one in files]
    return [*downloads, f"edgekit chat {chosen.name}{context}"]


def _named(file: str) -> str:
    """Return the arguments that download a file, all parts of one that is published in parts."""
    start, parts, _ = file.partition("-00001-of-")
    return f'--include "{start}-*.gguf"' if parts else file
