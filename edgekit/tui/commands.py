"""Slash commands: what a person can type besides a question."""

from __future__ import annotations

from dataclasses import dataclass

from edgekit.errors import EdgekitError


@dataclass(frozen=True)
class Command:
    """One slash command; a word in capitals is its argument."""

    name: str
    argument: str
    help: str

    @property
    def usage(self) -> str:
        """Return it as a person types it."""
        return f"/{self.name} {self.argument}".rstrip()


COMMANDS = (
    Command("attach", "PATH", "attach a picture or a sound"),
    Command("system", "TEXT", "tell the model how to behave"),
    Command("think", "", "thinking on or off"),
    Command("copy", "", "copy the last answer"),
    Command("new", "", "new conversation"),
    Command("theme", "", "dark or light"),
    Command("help", "", "this help"),
    Command("quit", "", "leave"),
)


def parse_command(text: str) -> tuple[str, str] | None:
    """Return a command's name and argument, None for a question; EdgekitError for an unknown command."""
    if not text.startswith("/"):
        return None
    name, _, argument = text[1:].partition(" ")
    if not any(command.name == name for command in COMMANDS):
        raise EdgekitError(f"unknown command /{name}: /help lists them")
    return name, argument.strip()
