"""A Hub of the tests' own, and edgekit as a person runs it against that one."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from oracles.pico import checkpoint, q8_plan
from servers.hub import Hub, hub

__all__ = ["checkpoint", "q8_plan"]


@pytest.fixture
def server() -> Iterator[Hub]:
    with hub() as running:
        yield running


class Client:
    """edgekit with a home, a cache and an endpoint of its own."""

    def __init__(self, home: Path, endpoint: str) -> None:
        self.home, self.cache = home, home / "hub"
        kept = {
            key: value
            for key, value in os.environ.items()
            if not key.startswith(("XDG_", "EDGEKIT_", "HF_", "OLLAMA_")) and not key.lower().endswith("_proxy")
        }
        self.environment = kept | {
            "HOME": str(home),
            "HF_HUB_CACHE": str(self.cache),
            "HF_ENDPOINT": endpoint,
            "NO_COLOR": "1",
            "COLUMNS": "120",
        }

    def start(self, *arguments: object, **environment: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, "-m", "edgekit", *map(str, arguments)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=self.environment | environment,
        )

    def __call__(self, *arguments: object, **environment: str) -> subprocess.CompletedProcess[str]:
        with self.start(*arguments, **environment) as process:
            out, error = process.communicate(timeout=120)
        return subprocess.CompletedProcess(process.args, process.returncode, out, error)

    def names(self) -> list[str]:
        """Return what lies under a name that a model could be loaded by."""
        return sorted(path.name for path in self.cache.glob("models--*/snapshots/*/**/*") if not path.is_dir())

    def unfinished(self) -> list[Path]:
        return sorted(self.cache.glob("models--*/blobs/*.incomplete"))

    def file(self, repo: str, name: str) -> Path:
        [path] = self.cache.glob(f"models--{repo.replace('/', '--')}/snapshots/*/{name}")
        return path


@pytest.fixture
def client(tmp_path: Path, server: Hub) -> Client:
    return Client(tmp_path, server.address)
