"""Takes docs/chat.svg: a real conversation with the bundled model about one of its sample pictures.

python tools/screenshot_chat.py [--light]
"""

from __future__ import annotations

import argparse
import asyncio
import re
from pathlib import Path

from edgekit import paths
from edgekit.chat.models import find_plan
from edgekit.chat.session import Session
from edgekit.engine.engine import Engine
from edgekit.engine.sampling import Sampling
from edgekit.tui.app import ChatApp
from edgekit.tui.attachment import read_attachment
from edgekit.tui.model import OnProgress

_DOCS = Path(__file__).parent.parent / "docs"
_SIZE = (80, 30)
# A picture in a README may load nothing from elsewhere; the reader's own monospace font has to do.
_REMOTE_FONT = re.compile(r"@font-face\s*\{.*?\}", re.DOTALL)


def _open_session(report: OnProgress) -> Session:
    engine = Engine.open(find_plan("demo", progress=report))
    return Session(engine, think=True, sampling=Sampling(temperature=0))


async def _converse(app: ChatApp, questions: list[str]) -> str:
    async with app.run_test(size=_SIZE) as pilot:
        await app.model.loaded.wait()
        for question in questions:
            await pilot.press(*question, "enter")
            await pilot.pause(1)
            while app.chat.answering:
                await pilot.pause(0.1)
        await pilot.pause(0.5)
        drawn = app.export_screenshot(title="edgekit chat")
        await app.action_quit()
    return _REMOTE_FONT.sub("", drawn)


def main() -> None:
    """Write the picture."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("picture", type=Path, nargs="?", help="default: the first sample")
    parser.add_argument("--light", action="store_true")
    chosen = parser.parse_args()
    picture = chosen.picture or sorted(paths.demo_samples().glob("*.png"))[0]
    app = ChatApp(_open_session, name="demo", toy=True, attachments=[read_attachment(picture)])
    if chosen.light:
        app.action_switch_theme()
    _DOCS.mkdir(exist_ok=True)
    svg = asyncio.run(_converse(app, ["What is in this picture?", "What colour is it?"]))
    (_DOCS / "chat.svg").write_text(svg, encoding="utf-8")


if __name__ == "__main__":
    main()
