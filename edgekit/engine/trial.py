"""A file that llama.cpp has not seen before is opened first in a process of its own, without weights.

Native code that meets a damaged or hostile file may abort, overflow or never come back (ggml-org/llama.cpp issues 24884
and 24885, CVE-2026-27940): there it ends that process, and here it becomes an error of one line.
"""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from edgekit.engine.known_files import Known
from edgekit.engine.problems import problems
from edgekit.errors import EdgekitError, FileError, UnsupportedError
from edgekit.fit.buffers import Buffers
from edgekit.fit.plan import Plan
from edgekit.fit.settings import Settings
from edgekit.gguf_header import Header, read_header
from edgekit.gguf_parts import further_parts

_MIB = 1 << 20
# Of processor time: a vocabulary of 262,144 tokens takes a slow board some seconds, a projector is read as a whole.
_SECONDS = 30
_SLOWEST_READ = 4 * _MIB
# The process may have to wait for a disk or for others.
_PATIENCE = 10
# Address space beside what Python and the libraries take.
_MEMORY = 1024 * _MIB
# Vocabularies are six times as large in memory; a projector is read, then computes.
_PER_HEADER, _PER_PROJECTOR = 16, 2
# With this process's own paths, not its folder: a stranger's json.py may lie there.
_START = "import sys; sys.path[:] = sys.argv[1:]; from edgekit.engine.trial_process import main; main()"
# What ggml says before it aborts, without the folders of the machine that compiled it.
_LAST_WORDS = re.compile(r"([\w.-]+:\d+: .+)$")
# On an abort ggml would start a debugger; drivers of graphics cards reserve more addresses than the limit leaves.
_ENVIRONMENT = {
    "GGML_NO_BACKTRACE": "1",
    "CUDA_VISIBLE_DEVICES": "-1",
    "HIP_VISIBLE_DEVICES": "-1",
    "GGML_VK_VISIBLE_DEVICES": "",
}
_ERRORS: dict[str, type[EdgekitError]] = {"FileError": FileError, "UnsupportedError": UnsupportedError}


@dataclass(frozen=True)
class Files:
    """What is opened together; the headers were checked."""

    model: Header
    projector: Header | None = None
    drafter: Header | None = None

    @property
    def paths(self) -> list[Path]:
        """Return every file, all parts of a model."""
        others = [one.path for one in (self.projector, self.drafter) if one]
        return [self.model.path, *further_parts(self.model), *others]

    def header(self, step: str) -> Header:
        """Return the header of what was opened in a step of the trial."""
        return {"projector": self.projector, "drafter": self.drafter}.get(step) or self.model


def check_unseen(files: Files, plan: Plan) -> None:
    """Try files that were not seen before with this llama.cpp and these settings.

    Raises FileError where llama.cpp refuses one, crashes over it or does not come to an end, UnsupportedError where it
    makes no such context.
    """
    settings = replace(plan.settings, gpu_layers=0, gpus=1)
    known = Known(files.paths, settings)
    if not known:
        try_out(files, [settings], talk=True)
        known.add()


def try_out(files: Files, asked: Sequence[Settings], *, talk: bool = False) -> dict[Settings, Buffers]:
    """Open files without weights; return what each context takes that llama.cpp can make. Raises as `check_unseen`.

    With `talk`, a file without a vocabulary is refused, too.
    """
    projector = files.projector.bytes if files.projector else 0
    headers = sum(read_header(path).data_offset for path in files.paths)
    request = {
        "model": str(files.model.path),
        "projector": str(files.projector.path) if files.projector else None,
        "drafter": str(files.drafter.path) if files.drafter else None,
        "settings": [asdict(one) for one in asked],
        "talk": talk,
        "seconds": _SECONDS + (headers + projector) // _SLOWEST_READ,
        "memory": _MEMORY + _PER_HEADER * headers + _PER_PROJECTOR * projector,
    }
    said = _answers(request, files)
    return {settings: Buffers(**one) for settings, one in zip(asked, said, strict=True) if one}


def _answers(request: dict[str, Any], files: Files) -> list[dict[str, int] | None]:
    process = _started()
    step = "model"
    try:
        out, errors = process.communicate(json.dumps(request), timeout=_PATIENCE * request["seconds"])
    except subprocess.TimeoutExpired:
        process.kill()
        out, errors = process.communicate()
    except BaseException:
        process.kill()
        process.wait()
        raise
    for line in map(_parsed, out.splitlines()):
        step = line.get("step", step)
        if "problem" in line and process.returncode == 0:
            kind = _ERRORS.get(line["kind"], FileError)
            raise kind(line["problem"] or f"{files.header(step).path} asks for more memory than a file of its size may")
        if "buffers" in line and process.returncode == 0:
            return list(line["buffers"])
    raise FileError(_crash(files.header(step), process.returncode, errors))


def _started() -> subprocess.Popen[str]:
    # Ctrl+C is for this process, which then ends that one.
    detached: dict[str, Any] = {"start_new_session": True}
    if os.name == "nt":
        # The name is there on Windows only.
        detached = {"creationflags": getattr(subprocess, "CREATE_NEW_PROCESS_GROUP")}  # noqa: B009
    environment = {**os.environ, **_ENVIRONMENT}
    pipe = subprocess.PIPE
    try:
        return subprocess.Popen(
            [sys.executable, "-c", _START, *sys.path],
            stdin=pipe,
            stdout=pipe,
            stderr=pipe,
            text=True,
            encoding="utf-8",
            errors="replace",
            env=environment,
            **detached,
        )
    except OSError as problem:
        raise EdgekitError(f"no process can be started to try a new file in: {problem.strerror}") from None


def _parsed(line: str) -> dict[str, Any]:
    try:
        found = json.loads(line)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def _crash(header: Header, code: int, errors: str) -> str:
    known = next((one.text for one in problems(header) if one.name == "old_vocabulary"), None)
    if known:
        return f"{header.path}: {known}"
    return (
        f"{header.path} would end edgekit inside llama.cpp ({_cause(code, errors)}): it is damaged, made to do harm "
        "or of a kind that this llama.cpp does not know; download or convert it again"
    )


def _cause(code: int, errors: str) -> str:
    found = [match[1] for line in errors.splitlines() if (match := _LAST_WORDS.search(line))]
    if found:
        return found[-1][:200]
    if code >= 0:
        return f"exit code {code}"
    name = signal.Signals(-code).name if -code in set(signal.Signals) else f"signal {-code}"
    return {"SIGXCPU": "no end within its time", "SIGKILL": "no end, or no memory"}.get(name, name)
