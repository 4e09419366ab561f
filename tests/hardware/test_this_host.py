"""The readers of other systems, as far as they can be tried here: with a `getprop` and a `winreg` of the test's own."""

from __future__ import annotations

import sys
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace

import psutil
import pytest

from edgekit import paths
from edgekit.hardware import this_host as module
from edgekit.hardware.this_host import this_host

KEYS = {
    r"HARDWARE\DESCRIPTION\System\CentralProcessor": {"0": {"ProcessorNameString": "A processor"}},
    r"SYSTEM\CurrentControlSet\Control\Class\{4d36e968-e325-11ce-bfc1-08002be10318}": {
        "0000": {"DriverDesc": "A card", "HardwareInformation.qwMemorySize": 8 << 30},
        "Properties": None,
    },
}


def test_this_machine() -> None:
    host = this_host()
    counts = host.counts()
    assert counts is not None
    assert counts.memory_total == psutil.virtual_memory().total
    assert (host.root, host.bits) == (Path("/"), 64)
    assert host.disk_free


def test_android_tells_its_model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    command = tmp_path / "getprop"
    command.write_text("#!/bin/sh\necho '[ro.product.model]: [Pixel 8]'\necho '[ro.board]: []'\n")
    command.chmod(0o755)
    assert this_host().properties() == {}
    monkeypatch.setenv("ANDROID_ROOT", "/system")
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    assert this_host().properties() == {"ro.product.model": "Pixel 8", "ro.board": ""}


@contextmanager
def opened(parent: object, name: str):
    found = KEYS[name] if parent is None else parent[name]
    if found is None:
        raise PermissionError
    yield found


def test_the_registry_is_read_where_it_is_open(monkeypatch: pytest.MonkeyPatch) -> None:
    fake = SimpleNamespace(
        HKEY_LOCAL_MACHINE=None,
        OpenKey=opened,
        QueryInfoKey=lambda key: (len(key), len(key), 0),
        EnumKey=lambda key, index: list(key)[index],
        EnumValue=lambda key, index: (*list(key.items())[index], 1),
    )
    monkeypatch.setitem(sys.modules, "winreg", fake)
    found = module._registry()
    assert [dict(values) for values in found.values()] == [
        {"ProcessorNameString": "A processor"},
        {"DriverDesc": "A card", "HardwareInformation.qwMemorySize": 8 << 30},
    ]
    monkeypatch.setattr(fake, "OpenKey", lambda *_: opened({"closed": None}, "closed"))
    assert module._registry() == {}


def test_models_go_where_huggingface_hub_puts_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import subprocess

    line = [sys.executable, "-c", "from huggingface_hub import constants; print(constants.HF_HUB_CACHE)"]
    for name in ("HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE", "HF_HOME", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    for name in (None, "XDG_CACHE_HOME", "HF_HOME", "HF_HUB_CACHE"):
        if name:
            monkeypatch.setenv(name, str(tmp_path / name))
        told = subprocess.run(line, capture_output=True, text=True, check=True).stdout.strip()
        assert str(paths.models_directory()) == told
