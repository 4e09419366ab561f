"""Boards, phones, containers: what kind of place this is."""

from __future__ import annotations

from edgekit.hardware.host import Host
from edgekit.hardware.system_files import text

_CONTAINER_GROUPS = {"docker": "docker", "kubepods": "kubernetes", "lxc": "lxc", "libpod": "podman"}
# Every pod has its service account's folder unless told otherwise.
_POD = "run/secrets/kubernetes.io"
_TERMUX = "data/data/com.termux"


def read_board(host: Host) -> str | None:
    """Return the model that the device tree or Android names: "Raspberry Pi 5 Model B Rev 1.0"."""
    root = host.root
    named = text(root / "proc/device-tree/model") or text(root / "sys/firmware/devicetree/base/model")
    if named:
        return named
    phone = host.properties()
    parts = (phone.get("ro.product.manufacturer"), phone.get("ro.product.model"))
    return " ".join(part for part in parts if part) or None


def is_jetson(host: Host) -> bool:
    """Return whether this is an NVIDIA board with unified memory, whose containers may not show the device tree."""
    return (host.root / "etc/nv_tegra_release").is_file() or "jetson" in (read_board(host) or "").lower()


def read_container(host: Host) -> str | None:
    """Return the kind of container, "wsl2" or "termux", None on bare metal and in a plain virtual machine."""
    root = host.root
    if (root / _POD).is_dir():
        return "kubernetes"
    if (root / "run/.containerenv").exists():
        return "podman"
    if (root / ".dockerenv").exists():
        return "docker"
    groups = text(root / "proc/1/cgroup") or ""
    for mark, name in _CONTAINER_GROUPS.items():
        if mark in groups:
            return name
    if (told := text(root / "run/systemd/container")) and told != "wsl":
        return told
    if "microsoft" in (text(root / "proc/sys/kernel/osrelease") or text(root / "proc/version") or "").lower():
        return "wsl2"
    return "termux" if (root / _TERMUX).is_dir() else None
