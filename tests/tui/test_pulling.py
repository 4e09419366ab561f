"""From the toy to a downloaded model: `edgekit chat NAME` offers it, /pull brings it while one talks."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from servers.hub import E2B, E2B_FILE, PROJECTOR, PROJECTORS, Fault, Hub, hub
from terminal import Terminal

from edgekit.fit.plan import Plan

NAME = "gemma-4-E2B-it:Q4_0"


@pytest.fixture
def server(demo_plan: Plan) -> Iterator[Hub]:
    """The bundled model under the catalog's name of E2B."""
    assert demo_plan.projector
    with hub() as running:
        running.add(E2B, {E2B_FILE: demo_plan.model.read_bytes()})
        running.add(PROJECTORS, {PROJECTOR: demo_plan.projector.read_bytes()})
        yield running


@pytest.fixture
def screen(server: Hub, environment: dict[str, str], tmp_path: Path) -> Iterator[Terminal]:
    kept = {
        key: value
        for key, value in environment.items()
        if key not in ("NO_COLOR", "TMUX", "HF_HUB_OFFLINE") and not key.lower().endswith("_proxy")
    }
    terminal = Terminal(kept | {"HF_ENDPOINT": server.address, "HF_HUB_CACHE": str(tmp_path / "hub")})
    yield terminal
    terminal.close()


def test_pull_in_the_chat_brings_a_model_and_goes_on_with_it(server: Hub, screen: Terminal, tmp_path: Path) -> None:
    server.rate = 1e6
    screen.start("chat")
    screen.sees("gemma4-pico", "/pull")
    screen.type(f"/pull {NAME}")
    screen.press("Enter")
    screen.sees(f"· {NAME}", "% of 4.4 MiB")
    # One goes on talking meanwhile, and one gives it up.
    screen.type("/pull")
    screen.press("Enter")
    screen.sees("a model is being downloaded: /pull stop gives it up")
    screen.type("/pull stop")
    screen.press("Enter")
    screen.sees("is not downloaded: what arrived is kept")
    assert list((tmp_path / "hub").glob("models--*/blobs/*.incomplete"))
    server.rate = 0
    screen.type(f"/pull {NAME}")
    screen.press("Enter")
    screen.sees("goes on with the conversation")
    assert (tmp_path / f"hub/models--{E2B.replace('/', '--')}").is_dir()
    # The network is gone: what is here is here.
    server.forever["list"] = Fault(body=b"<html>Log in to the hotel's network</html>")
    screen.type(f"/pull {NAME}")
    screen.press("Enter")
    screen.sees("not compared with the Hub")
    screen.type("/quit")
    screen.press("Enter")
    screen.sees("exit code 0")


def test_what_the_hub_refuses_is_said_in_the_chat(server: Hub, screen: Terminal) -> None:
    screen.start("chat")
    screen.sees("/pull")
    screen.type("/pull no/such-model")
    screen.press("Enter")
    screen.sees("has no repository no/such-model")
    screen.type("/quit")
    screen.press("Enter")
    screen.sees("exit code 0")


def test_chat_offers_what_is_not_here(server: Hub, screen: Terminal) -> None:
    screen.start("chat", NAME)
    screen.sees(f"{NAME} is not on this machine. Download it now (3.12 GiB and its projector)? [y/n]")
    screen.press("y")
    screen.sees("edgekit chat", "Ctrl+O")
    assert sum(server.sent.values()) == sum(len(data) for repo in server.repos.values() for data in repo.files.values())
    screen.type("/quit")
    screen.press("Enter")
    screen.sees("exit code 0")


def test_no_means_no(server: Hub, screen: Terminal) -> None:
    screen.start("chat", NAME)
    screen.sees("[y/n]")
    screen.press("n")
    screen.sees("on this machine yet: `edgekit pull", "exit code 1")
    assert not server.asked
