"""A real terminal for tests: tmux types, and reads the screen."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
import time
import uuid

from needed import needed

LIMIT = 90.0


class Terminal:
    """A tmux server of its own with one window."""

    def __init__(self, environment: dict[str, str]) -> None:
        self._tmux = [needed("tmux", "tmux"), "-L", f"edgekit-{uuid.uuid4().hex}", "-f", os.devnull]
        self._environment = environment | {"TERM": "xterm-256color"}

    def start(self, *arguments: object) -> None:
        """Run `edgekit ARGUMENTS...` in 80x24 and leave its exit code on the screen."""
        self.start_shell("sh", "-c", f"{self.command(*arguments)}; echo exit code $?; exec cat")

    def start_shell(self, *command: str) -> None:
        """Run a command in 80x24."""
        self._run("new-session", "-d", "-x", "80", "-y", "24", *command)

    def command(self, *arguments: object) -> str:
        """Return `edgekit ARGUMENTS...` as a shell takes it."""
        return shlex.join([sys.executable, "-m", "edgekit", *map(str, arguments)])

    def screen(self) -> str:
        return self._run("capture-pane", "-p")

    def type(self, text: str) -> None:
        self._run("send-keys", "-l", text)

    def press(self, *keys: str) -> None:
        self._run("send-keys", *keys)

    def paste(self, text: str) -> None:
        """Paste in brackets, as a terminal does with text and with a file that is dropped on it."""
        self._run("set-buffer", text)
        self._run("paste-buffer", "-p")

    def copied(self) -> str:
        """Return what tmux holds as copied last."""
        return self._run("show-buffer")

    def pid(self) -> int:
        return int(self._run("list-panes", "-F", "#{pane_pid}"))

    def resize(self, columns: int, rows: int) -> None:
        self._run("resize-window", "-x", str(columns), "-y", str(rows))

    def sees(self, *texts: str) -> str:
        """Wait until all texts are on the screen, whatever the line breaks; return the screen."""
        deadline = time.monotonic() + LIMIT
        while not all(text in " ".join(self.screen().split()) for text in texts):
            assert time.monotonic() < deadline, f"waited in vain for {texts}:\n{self.screen()}"
            time.sleep(0.1)
        return self.screen()

    def misses(self, *texts: str) -> None:
        """Wait until none of the texts is on the screen."""
        deadline = time.monotonic() + LIMIT
        while any(text in self.screen() for text in texts):
            assert time.monotonic() < deadline, f"{texts} did not go:\n{self.screen()}"
            time.sleep(0.1)

    def hang_up(self) -> None:
        """Close the window, as when a connection breaks: what runs in it loses its terminal."""
        self._run("kill-pane")

    def close(self) -> None:
        subprocess.run([*self._tmux, "kill-server"], capture_output=True, timeout=LIMIT, check=False)

    def _run(self, *arguments: str) -> str:
        line = [*self._tmux, *arguments]
        done = subprocess.run(line, capture_output=True, text=True, timeout=LIMIT, env=self._environment, check=True)
        return done.stdout
