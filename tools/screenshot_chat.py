"""Takes the README's pictures of the chat: real conversations with the bundled model, drawn by Textual itself.

python tools/screenshot_chat.py
"""

from __future__ import annotations

import asyncio
import re
from dataclasses import dataclass
from pathlib import Path

from edgekit import paths
from edgekit.chat.models import find_plan
from edgekit.chat.session import Session
from edgekit.engine.engine import Engine
from edgekit.engine.sampling import Sampling
from edgekit.tui.app import ChatApp
from edgekit.tui.attachment import read_attachment
from edgekit.tui.model import OnProgress
from edgekit.tui.settings import Settings

_DOCS = Path(__file__).parent.parent / "docs"
# A picture in a README may load nothing from elsewhere; the reader's own monospace font has to do.
_REMOTE_FONT = re.compile(r"@font-face\s*\{.*?\}", re.DOTALL)


@dataclass(frozen=True)
class Scene:
    """One picture: what is attached, asked and pressed."""

    file: str
    theme: str
    size: tuple[int, int]
    sample: str
    questions: tuple[str, ...]
    keys: tuple[str, ...] = ()


SCENES = (
    Scene("chat.svg", "dark", (80, 30), "blue-star.png", ("What is in this picture?", "What colour is it?")),
    Scene("chat-sound.svg", "light", (80, 20), "seven.wav", ("Which digit was spoken?", "/set")),
    Scene("chat-keys.svg", "dark", (80, 66), "blue-star.png", (), ("f1",)),
)


def _open_session(report: OnProgress) -> Session:
    engine = Engine.open(find_plan("demo", progress=report))
    return Session(engine, think=True, sampling=Sampling(temperature=0))


async def _draw(scene: Scene) -> str:
    attachments = [read_attachment(paths.demo_samples() / scene.sample)]
    app = ChatApp(_open_session, name="demo", toy=True, attachments=attachments, settings=Settings(scene.theme))
    async with app.run_test(size=scene.size) as pilot:
        await app.model.loaded.wait()
        for question in scene.questions:
            await pilot.press(*question, "enter")
            await pilot.pause(1)
            while app.chat.answering:
                await pilot.pause(0.1)
        await pilot.press(*scene.keys)
        await pilot.pause(2.5)
        drawn = app.export_screenshot(title="edgekit chat")
        await app.action_quit()
    return _REMOTE_FONT.sub("", drawn)


def main() -> None:
    """Write the pictures."""
    _DOCS.mkdir(exist_ok=True)
    for scene in SCENES:
        (_DOCS / scene.file).write_text(asyncio.run(_draw(scene)), encoding="utf-8")


if __name__ == "__main__":
    main()
