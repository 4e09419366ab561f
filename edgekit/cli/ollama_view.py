"""Handing a model to Ollama from the command line: what was created, or what to run where that cannot be."""

from __future__ import annotations

import shlex
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from edgekit.cli import output

if TYPE_CHECKING:
    from edgekit.convert.modelfile import Modelfile


def hand_over(
    name: str, modelfile: Modelfile, path: Path, digests: Mapping[Path, str], *, quiet: bool
) -> dict[str, object]:
    """Create a model from a Modelfile that was written to `path`, and return what came of it for --json.

    Where no Ollama answers it says what to run. Raises UnsupportedError where one refuses, or has something else then.
    """
    from edgekit.convert.ollama_client import NotRunningError, Ollama
    from edgekit.convert.ollama_create import create
    from edgekit.errors import UnsupportedError

    command = f"ollama create {name} -f {shlex.quote(str(path))}"
    try:
        with output.progress("Ollama") as step:
            made = create(Ollama(), name, modelfile, path.parent, digests, step)
    except NotRunningError as problem:
        start = "start it (ollama serve)" if shutil.which("ollama") else "install or start it"
        output.hint(f"Not created: {problem}. Later: {start}, then: {command}")
        return {"name": name, "created": False, "reason": str(problem), "command": command}
    if made.differences:
        raise UnsupportedError(f"Ollama made {name} otherwise than asked: {'; '.join(made.differences)}")
    if not quiet:
        output.show(f"In Ollama {made.version} as {made.name}: {', '.join(made.capabilities)}")
    output.hint(f"Next: ollama run {made.name}")
    return {"name": made.name, "created": True, "version": made.version, "capabilities": made.capabilities}
