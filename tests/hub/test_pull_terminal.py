"""`edgekit pull` in a real terminal: bars, Ctrl+C, going on, and a terminal that cannot draw bars."""

from __future__ import annotations

import random
from collections.abc import Iterator

import pytest
from servers.hub import E2B, E2B_FILE, PROJECTOR, PROJECTORS
from terminal import Terminal

NAME = "gemma-4-E2B-it:Q4_0"
MODEL = random.Random(3).randbytes(6_000_000)


@pytest.fixture
def screens(client) -> Iterator[list[Terminal]]:
    client.environment.pop("COLUMNS")
    found = [Terminal(client.environment) for _ in range(2)]
    yield found
    for one in found:
        one.close()


def test_bars_then_an_interruption_then_lines(client, server, screens):
    server.add(E2B, {E2B_FILE: MODEL})
    server.add(PROJECTORS, {PROJECTOR: MODEL[:500_000]})
    server.rate = 1e6
    drawing, dumb = screens
    # Ctrl+C is for the shell, too: it is to outlive it.
    script = "trap : INT; {}; echo exit code $?; exec cat"
    drawing.start_shell("sh", "-c", script.format(drawing.command("pull", NAME)))
    drawing.sees("This file", "All", "/5.7 MiB", "/6.2 MiB", "MiB/s")
    drawing.press("C-c")
    screen = drawing.sees("Stopped. What arrived is kept: the same command goes on from there.", "exit code 1")
    assert "Traceback" not in screen
    # The bars are gone.
    assert "MiB/s" not in screen
    assert client.unfinished()
    before, server.rate = sum(server.sent.values()), 0
    dumb.start_shell("sh", "-c", script.format(f"TERM=dumb {dumb.command('pull', NAME)}"))
    screen = dumb.sees(f"Ready: edgekit chat {NAME}", "exit code 0")
    assert f"{E2B_FILE}: checking what is here" in screen
    assert "100% of all" in screen
    assert client.file(E2B, E2B_FILE).read_bytes() == MODEL
    assert sum(server.sent.values()) < before + len(MODEL)
