"""Slash commands: what a person can type besides a question."""

from __future__ import annotations

from dataclasses import dataclass

from edgekit.chat.presets import PRESETS
from edgekit.errors import EdgekitError


@dataclass(frozen=True)
class Command:
    """One slash command; a word in capitals is its argument, in brackets where it may be left out."""

    name: str
    argument: str
    help: str
    # Whether it does nothing by a slip of the finger in the palette: it takes gigabytes.
    weighty: bool = False

    @property
    def usage(self) -> str:
        """Return it as a person types it."""
        return f"/{self.name} {self.argument}".rstrip()

    @property
    def waits_for_enter(self) -> bool:
        """Whether the palette only types it: it does nothing alone, or too much."""
        return self.weighty or (bool(self.argument) and not self.argument.startswith("["))


COMMANDS = (
    Command("attach", "PATH", "attach a picture or a sound"),
    Command("paste", "", "attach the picture in the clipboard"),
    Command("record", "", "record a sound; again ends it"),
    *(Command(preset.name, preset.argument, preset.help) for preset in PRESETS),
    Command("boxes", "FILE", "save the picture with the boxes that /detect found"),
    Command("system", "[TEXT]", "tell the model how to behave"),
    Command("set", "[NAME VALUE]", "temperature, top_p, top_k, seed, max_tokens, image_tokens"),
    Command("think", "", "thinking on or off"),
    Command("model", "MODEL", "go on with another model"),
    Command("pull", "[MODEL]", "download a model, or what suits this machine; stop ends it", weighty=True),
    Command("compact", "", "let the model sum up the conversation, to make room"),
    Command("drop", "[TURNS]", "forget the oldest turns, to make room"),
    Command("new", "", "new conversation"),
    Command("conversations", "", "list what was said before, and go on with it"),
    Command("rename", "TITLE", "give this conversation a title"),
    Command("export", "FILE", "write it into NAME.md or NAME.json; --thinking behind adds the thoughts"),
    Command("edit", "[NUMBER]", "ask a question differently: the last one, or by number"),
    Command("regenerate", "", "ask the last question again"),
    Command("fork", "[NUMBER]", "go on in a copy, which ends with that question's answer"),
    Command("copy", "", "copy the last answer"),
    Command("theme", "[NAME]", "dark or light"),
    Command("key", "[ACTION KEY]", "change a key"),
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
