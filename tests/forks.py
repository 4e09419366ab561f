"""edgekit in processes that are forked from one that has imported everything: started at once, ended as one likes."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import IO

# Reads what to run, a line each, says the number of the process, then how it ended.
_SERVER = """
import contextlib, gc, io, json, os, sys
import edgekit.convert.job, edgekit.convert.merged_checkpoint, edgekit.convert.quantize, rich.table
from edgekit.cli.app import main
with contextlib.redirect_stdout(io.StringIO()), contextlib.suppress(SystemExit):
    main(["convert", "--help"])
gc.freeze()
print("ready", flush=True)
for line in sys.stdin:
    asked = json.loads(line)
    child = os.fork()
    if child == 0:
        log = os.open(asked["log"], os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        os.dup2(log, 1)
        os.dup2(log, 2)
        exec(asked["first"], {"__name__": "first"})
        sys.argv[1:] = asked["arguments"]
        main()
    print(child, flush=True)
    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
"""


@dataclass(frozen=True)
class Ended:
    """How a process ended; the code is a signal's number below zero where that ended it."""

    code: int
    said: str


class Forks:
    """Runs one `edgekit ARGUMENTS...` after the other, each in a process of its own."""

    def __init__(self, folder: Path, environment: dict[str, str], before: Sequence[str] = ()) -> None:
        """Keep what the processes say in `folder`; `before` is a command that runs the server."""
        self._log = folder / "said"
        self._server = subprocess.Popen(
            [*before, sys.executable, "-c", _SERVER],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=environment,
        )
        assert self._read() == "ready"

    @property
    def server(self) -> int:
        """The number of the server's process."""
        return self._server.pid

    def start(self, *arguments: object, first: str = "") -> int:
        """Start edgekit and return its process; `first` is Python that it runs before anything else."""
        asked = {"arguments": [str(one) for one in arguments], "first": first, "log": str(self._log)}
        _file(self._server.stdin).write(json.dumps(asked) + "\n")
        _file(self._server.stdin).flush()
        return int(self._read())

    def wait(self) -> Ended:
        """Wait until the process that was started last ends."""
        return Ended(int(self._read()), self._log.read_text())

    def run(self, *arguments: object, first: str = "") -> Ended:
        """Run edgekit to its end."""
        self.start(*arguments, first=first)
        return self.wait()

    def __enter__(self) -> Forks:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        _file(self._server.stdin).close()
        _file(self._server.stdout).close()
        self._server.wait(timeout=60)

    def _read(self) -> str:
        line = _file(self._server.stdout).readline()
        assert line, "the server of the forks has ended"
        return line.strip()


def _file(stream: IO[str] | None) -> IO[str]:
    assert stream
    return stream


def strike(folder: Path, number: int, signal: int) -> str:
    """Return Python that sends its process a signal just before the so-many-th thing it does to a folder's files."""
    return f"""
import os, sys
done = 0
def strike(event, arguments):
    global done
    about_files = event in {{"open", "os.mkdir", "os.rename", "os.remove", "os.rmdir"}}
    if about_files and any(str(one).startswith({os.fspath(folder)!r}) for one in arguments):
        done += 1
        if done == {number}:
            os.kill(os.getpid(), {int(signal)})
sys.addaudithook(strike)
"""


def strike_line(names: Sequence[str], number: int, signal: int) -> str:
    """Return Python that sends its process a signal just before the so-many-th line that it runs in some modules.

    Finer than `strike`: a file is open on one line and known on the next. Lines of `write` are left out.
    """
    return f"""
import os, sys
done = 0
def lines(frame, event, argument):
    global done
    done += event == "line"
    if event == "line" and done == {number}:
        os.kill(os.getpid(), {int(signal)})
    return lines
def calls(frame, event, argument):
    code = frame.f_code
    return lines if code.co_filename.endswith({tuple(names)!r}) and code.co_name != "write" else None
sys.settrace(calls)
"""
