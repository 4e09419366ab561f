"""A conversation goes on with a folder of ONNX files, as with any other model."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any

from oracles.pico_onnx import onnx_folder

from edgekit.chat.runnable import find_runnable
from edgekit.chat.session import Session
from edgekit.engine.open_model import open_model
from edgekit.engine.sampling import Sampling
from edgekit.tui.model import OnProgress, OpenSession

__all__ = ["onnx_folder"]

OpenChat = Callable[..., AbstractAsyncContextManager[Any]]


def by_name(name: str) -> OpenSession:
    def open_session(report: OnProgress) -> Session:
        engine = open_model(find_runnable(name), lambda share: report(share, 1))
        return Session(engine, sampling=Sampling(temperature=0, max_tokens=64))

    return open_session


async def test_the_same_conversation_in_onnxruntime(chat: OpenChat, onnx_folder: Path, red_circle: Path) -> None:
    async with chat(opener=by_name, size=(100, 30)) as person:
        await person.attach(red_circle)
        await person.send("What is this?")
        await person.answered()
        await person.send(f"/model {onnx_folder}")
        await person.sees("goes on with the conversation", "ONNX fp32")
        await person.send("Which colour?")
        await person.answered(2)
        await person.sees("red")
        # Of what the conversation held, the new engine has read all, the picture too.
        assert person.app.model.session.engine.decoder.logits.any()
        # The status line says what is held, of what was planned.
        await person.sees("GiB")
