"""Saves a conversation that is held line by line, as the application saves its own."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from edgekit.chat.keeper import Keeper
from edgekit.chat.message import Message
from edgekit.chat.saved import Draft, Settings, State, lasting_name, settings_of, state_name
from edgekit.chat.session import Session
from edgekit.chat.store import Store
from edgekit.cli import output
from edgekit.errors import EdgekitError
from edgekit.tui.printable import printable


class PlainSaving:
    """Saves each question before it is answered, and each turn when it is over."""

    def __init__(self, session: Session, model: str) -> None:
        self._session, self._model = session, lasting_name(model)
        self._keeper = Keeper(Store(say=output.tell), Settings(self._model))
        self._trouble = ""
        # Whether the model has read something since the conversation was opened.
        self._read_on = False

    def open(self, id: int) -> list[Message]:
        """Go on in a saved conversation and return it; FileError where there is none of this number."""
        messages = self._keeper.open(id, output.tell).messages
        self._session.take_state(state_name(id))
        return list(messages)

    def asked(self, question: Message) -> None:
        """Save a question that has no answer yet."""
        self._save(lambda: self._keeper.keep_state(self._state(Draft(question.text, question.media))))

    def keep(self, history: Sequence[Message]) -> None:
        """Save the conversation as it is after a turn."""
        self._read_on = True
        self._save(lambda: self._keeper.keep(tuple(history), self._state()))

    def leave(self, history: Sequence[Message]) -> None:
        """Keep what the model has read of the conversation, and begin another one."""
        place = self._keeper.place
        if place is not None and history and self._read_on:
            self._session.keep_state(state_name(place.id), history)
        self._read_on = False
        self._save(lambda: self._keeper.begin(self._state()))

    def close(self, history: Sequence[Message]) -> None:
        """Leave the conversation for good."""
        self.leave(history)
        self._keeper.store.close()

    def _state(self, asked: Draft = Draft()) -> State:  # noqa: B008 - frozen
        return State(settings_of(self._session, self._model), Draft(), asked)

    def _save(self, write: Callable[[], None]) -> None:
        try:
            write()
        except EdgekitError as problem:
            if str(problem) != self._trouble:
                output.tell(f"this conversation is not saved: {printable(str(problem))}")
            self._trouble = str(problem)
        if self._keeper.moved and self._keeper.place is not None:
            self._keeper.moved = False
            id = self._keeper.place.id
            output.tell(f"this conversation was changed or deleted elsewhere: from here on it is number {id}")
