"""What every test may use: the command as a person starts it, and the oracles' folder."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
Command = Callable[..., "subprocess.CompletedProcess[str]"]

# A shell without job control starts what it runs in the background deaf to Ctrl+C, and so would be what tests start.
signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home of the tests' own: nothing of the person's caches is read or written."""
    return tmp_path_factory.mktemp("home")


@pytest.fixture(scope="session", autouse=True)
def own_folders(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """What tests keep inside their own process lies apart from the person's, too."""
    with pytest.MonkeyPatch.context() as patch:
        for kind in ("CACHE", "CONFIG", "DATA", "STATE"):
            patch.setenv(f"XDG_{kind}_HOME", str(tmp_path_factory.mktemp(kind.lower())))
        yield


@pytest.fixture(scope="session")
def environment(home: Path) -> dict[str, str]:
    kept = {key: value for key, value in os.environ.items() if not key.startswith(("XDG_", "EDGEKIT_", "HF_"))}
    return kept | {"HOME": str(home), "NO_COLOR": "1", "HF_HUB_OFFLINE": "1"}


@pytest.fixture(scope="session")
def edgekit(environment: dict[str, str]) -> Command:
    """Run `edgekit ARGUMENTS...` in a process of its own and return what it printed and its exit code."""

    def command(*arguments: object, stdin: str = "", timeout: float = 300) -> subprocess.CompletedProcess[str]:
        line = [sys.executable, "-m", "edgekit", *map(str, arguments)]
        return subprocess.run(
            line, input=stdin, capture_output=True, text=True, timeout=timeout, env=environment, check=False
        )

    return command


@pytest.fixture(scope="session")
def llama_cpp_source() -> Path:
    """llama.cpp's own sources at the commit of the installed bindings; missing oracles are failures."""
    folder = ROOT / ".oracles" / "llama.cpp"
    assert folder.is_dir(), "the oracle is missing: run `python tests/oracles/fetch.py` (make test does)"
    return folder
