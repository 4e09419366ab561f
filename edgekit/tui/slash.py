"""What slash commands do; one that is not here is the screen's action of the same name."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

from edgekit.chat import settings
from edgekit.chat.presets import PRESETS
from edgekit.chat.shorten import LONGEST_NUMBER
from edgekit.errors import EdgekitError
from edgekit.tui.notice import Notice
from edgekit.tui.pasted import as_path, pasted_files
from edgekit.tui.tasks import ask_preset, save_boxes

if TYPE_CHECKING:
    from edgekit.tui.app import ChatApp
    from edgekit.tui.chat_screen import ChatScreen


async def run_command(screen: ChatScreen, name: str, argument: str) -> None:
    """Run a slash command; raises EdgekitError where its argument is none."""
    if name in PRESET_NAMES:
        await ask_preset(screen, name, argument)
    elif handler := _HANDLERS.get(name):
        await handler(screen, argument)
    else:
        await screen.run_action(f"screen.{name}")


async def _attach(screen: ChatScreen, argument: str) -> None:
    if argument:
        screen.attaching.attach(pasted_files(argument) or [as_path(argument)])
    else:
        screen.action_attach()


async def _paste(screen: ChatScreen, _: str) -> None:
    screen.attaching.paste()


async def _record(screen: ChatScreen, _: str) -> None:
    screen.attaching.record()


async def _system(screen: ChatScreen, text: str) -> None:
    screen.session.system = text or None
    await screen.say(Notice(f"system prompt: {text}" if text else "no system prompt"))


async def _set(screen: ChatScreen, words: str) -> None:
    lines = [settings.change(screen.session, words)] if words else settings.describe(screen.session)
    await screen.say(Notice(" · ".join(lines)))


async def _model(screen: ChatScreen, name: str) -> None:
    if not name:
        raise EdgekitError("say which: /model PATH, or a name such as gemma-4-E2B-it:Q4_0")
    _app(screen).switch_model(name)


async def _pull(screen: ChatScreen, name: str) -> None:
    _app(screen).pull_model(name)


async def _compact(screen: ChatScreen, _: str) -> None:
    screen.turns.compact()


async def _drop(screen: ChatScreen, count: str) -> None:
    screen.turns.drop(count)


async def _conversations(screen: ChatScreen, _: str) -> None:
    screen.past.begin(screen.past.choose())


async def _rename(screen: ChatScreen, title: str) -> None:
    screen.past.begin(screen.past.rename(title))


async def _export(screen: ChatScreen, words: str) -> None:
    screen.past.begin(screen.past.export(words))


async def _edit(screen: ChatScreen, number: str) -> None:
    screen.past.begin(screen.past.edit(screen.past.question(_number(number))))


async def _fork(screen: ChatScreen, number: str) -> None:
    screen.past.begin(screen.past.fork(screen.past.question(_number(number)) if number else None))


async def _regenerate(screen: ChatScreen, _: str) -> None:
    screen.past.begin(screen.past.regenerate())


def _number(word: str) -> int | None:
    if word and not (word.isascii() and word.isdigit() and len(word) <= LONGEST_NUMBER):
        raise EdgekitError(f"{word[:20]!r} is no number of a question: 1 is the first one")
    return int(word) if word else None


async def _theme(screen: ChatScreen, name: str) -> None:
    if name:
        _app(screen).choose_theme(name)
    else:
        _app(screen).action_switch_theme()


async def _key(screen: ChatScreen, words: str) -> None:
    action, _, keys = words.replace("=", " ").partition(" ")
    if not action:
        await screen.say(Notice(" · ".join(f"{name} {key}" for name, key in _app(screen).key_table.items())))
        return
    if not keys.strip():
        raise EdgekitError("say which action and key: /key think ctrl+g; /key alone lists them")
    await screen.say(Notice(_app(screen).choose_key(action, keys.strip())))


async def _help(screen: ChatScreen, _: str) -> None:
    await screen.run_action("app.help")


async def _quit(screen: ChatScreen, _: str) -> None:
    await screen.run_action("app.quit")


def _app(screen: ChatScreen) -> ChatApp:
    from edgekit.tui.app import ChatApp

    assert isinstance(screen.app, ChatApp)
    return screen.app


PRESET_NAMES = frozenset(preset.name for preset in PRESETS)
_HANDLERS: dict[str, Callable[[ChatScreen, str], Awaitable[None]]] = {
    "attach": _attach,
    "paste": _paste,
    "record": _record,
    "boxes": save_boxes,
    "system": _system,
    "set": _set,
    "model": _model,
    "pull": _pull,
    "compact": _compact,
    "drop": _drop,
    "conversations": _conversations,
    "rename": _rename,
    "export": _export,
    "edit": _edit,
    "regenerate": _regenerate,
    "fork": _fork,
    "theme": _theme,
    "key": _key,
    "help": _help,
    "quit": _quit,
}
