"""Keeps the conversation on disk as it goes, in a thread of its own."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

from edgekit.chat.keeper import Keeper
from edgekit.chat.message import Message
from edgekit.chat.saved import Draft, Saved, Settings, State
from edgekit.chat.store import Store
from edgekit.errors import EdgekitError

T = TypeVar("T")

# Seconds between two writes of what is being typed.
_PAUSE = 0.1


class Saving:
    """Saves every finished turn before it is shown as finished, and what is typed from the first key on.

    `settings` and `draft` say what there is to save now, the first None until the model is loaded; `say` shows a line,
    of an error where the second is true. `model` is what the conversation is begun with; `held` waits for `resume`.
    """

    def __init__(
        self,
        path: Path | None,
        model: str,
        settings: Callable[[], Settings | None],
        draft: Callable[[], Draft],
        say: Callable[[str, bool], None],
        *,
        held: bool = False,
    ) -> None:
        self._settings, self._draft, self._say = settings, draft, say
        # What the thread has to say.
        self._lines: list[str] = []
        # Writes come to the disk in the order in which they are asked for.
        self._thread = ThreadPoolExecutor(1, "edgekit-save")
        self._keeper = Keeper(Store(path, self._lines.append), Settings(model))
        self._asked = Draft()
        self._typing: asyncio.Task[None] | None = None
        self._typed = False
        # Said once, not with every letter.
        self._trouble = ""
        self._held, self._closed = held, False

    @property
    def id(self) -> int | None:
        """Return the number of the conversation; None while there is nothing to keep."""
        return self._keeper.place.id if self._keeper.place else None

    def note(self) -> None:
        """Save soon what is being typed."""
        self._typed = True
        if self._typing is None or self._typing.done():
            self._typing = asyncio.create_task(self._save_typed())

    def asking(self, question: Draft) -> None:
        """Note what is being sent, at the moment at which it leaves the composer."""
        self._asked = question

    async def asked(self) -> None:
        """Save the question that was sent."""
        await self._save(self._keeper.keep_state, self._state())

    async def keep(self, history: Sequence[Message], *, replace: bool = False) -> None:
        """Save the conversation as it is after a turn; `replace` says that an earlier question was asked anew.

        Otherwise a history that does not begin as what lies on disk, as after dropping the oldest turns, becomes a
        conversation of its own: what lies there stays.
        """
        self._asked = Draft()
        await self._save(self._keeper.keep, tuple(history), self._state(), replace)

    async def begin(self) -> None:
        """Leave the conversation; what is typed goes along into the next one."""
        self._asked = Draft()
        await self._save(self._keeper.begin, self._state())

    async def fork(self, history: Sequence[Message]) -> None:
        """Go on in a new conversation that begins with `history`."""
        self._asked = Draft()
        await self._save(self._keeper.fork, tuple(history), self._state())

    async def hold(self) -> None:
        """Save everything that is typed up to this moment, and then nothing more until `resume`."""
        state = None
        while state != self._state():
            state = self._state()
            await self._save(self._keeper.keep_state, state)
        self._held = True

    async def open(self, id: int) -> tuple[Saved, list[str]]:
        """Go on in a saved conversation; returns it, with a note for each medium that is gone, and a line on each."""
        lines: list[str] = []
        return await self.run(lambda _: self._keeper.open(id, lines.append)), lines

    def resume(self) -> None:
        """Save again: the composer shows what belongs to the conversation that was opened."""
        self._held, self._asked = False, Draft()
        self.note()

    async def run(self, work: Callable[[Store], T]) -> T:
        """Do something with the saved conversations; raises EdgekitError where that fails."""
        try:
            return await asyncio.get_running_loop().run_in_executor(self._thread, work, self._keeper.store)
        finally:
            self._tell()

    async def close(self) -> None:
        """Save what is typed and end."""
        if not self._closed:
            if not self._held:
                await self._save(self._keeper.keep_state, self._state())
            self._closed = True
            await self.run(lambda store: store.close())
            self._thread.shutdown(wait=False)

    def _state(self) -> State:
        return State(self._settings() or self._keeper.settings, self._draft(), self._asked)

    async def _save_typed(self) -> None:
        while self._typed and not (self._held or self._closed):
            self._typed = False
            await self._save(self._keeper.keep_state, self._state(), False)
            await asyncio.sleep(_PAUSE)

    async def _save(self, write: Callable[..., None], *what: object) -> None:
        try:
            await self.run(lambda _: write(*what))
        except EdgekitError as problem:
            # Writes that have nothing to write go well in between: the same trouble is said once.
            if str(problem) != self._trouble:
                self._say(f"this conversation is not saved: {problem}", True)
            self._trouble = str(problem)

    def _tell(self) -> None:
        lines = [self._lines.pop(0) for _ in range(len(self._lines))]
        moved, self._keeper.moved = self._keeper.moved, False
        if moved and not lines:
            lines = [f"this conversation was changed or deleted elsewhere: from here on it is number {self.id}"]
        for line in lines:
            self._say(line, False)
