"""Single-board computers and containers: what kind of place this is."""

from __future__ import annotations

from pathlib import Path

from edgekit.hardware.system_files import text

_CONTAINER_GROUPS = {"docker": "docker", "kubepods": "kubernetes", "lxc": "lxc", "libpod": "podman"}


def read_board(root: Path = Path("/")) -> str | None:
    """Return the model that the device tree names: "Raspberry Pi 5 Model B Rev 1.0"."""
    return text(root / "proc/device-tree/model") or text(root / "sys/firmware/devicetree/base/model") or None


def read_container(root: Path = Path("/")) -> str | None:
    """Return the kind of container, "wsl2" or "termux", None on bare metal and in a plain virtual machine."""
    if (root / "run/.containerenv").exists():
        return "podman"
    if (root / ".dockerenv").exists():
        return "docker"
    groups = text(root / "proc/1/cgroup") or ""
    for mark, name in _CONTAINER_GROUPS.items():
        if mark in groups:
            return name
    if "microsoft" in (text(root / "proc/sys/kernel/osrelease") or "").lower():
        return "wsl2"
    return "termux" if (root / "data/data/com.termux").is_dir() else None
