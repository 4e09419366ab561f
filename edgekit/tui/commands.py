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
    Command("system", "TEXT", "tell the model how to behave; without TEXT, no longer"),
    Command("think", "", "let the model think before it answers, or no longer"),
    Command("new", "", "begin a new conversation"),
    Command("theme", "", "change between dark and light"),
    Command("help", "", "list keys and commands"),
    Command("quit", "", "leave"),
)


def parse_command(text: str) -> tuple[str, str] | None:
    """Return a command's name and argument, None for a question; EdgekitError for an unknown command."""
    if not text.startswith("/"):
        return None
    name, _, argument = text[1:].partition(" ")
    if not any(command.name == name for command in COMMANDS):
        known = " ".join(f"/{command.name}" for command in COMMANDS)
        raise EdgekitError(f"unknown command /{name}: there are {known}")
    return name, argument.strip()
