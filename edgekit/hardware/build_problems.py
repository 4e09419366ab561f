"""A build of llama.cpp that does not suit the machine's GPUs or processor."""

from __future__ import annotations

from collections.abc import Iterator

from edgekit.hardware.backends import build_command
from edgekit.hardware.machine import Accelerator, BackendDevice, Machine
from edgekit.hardware.problem import Problem


def of_accelerators(machine: Machine, devices: tuple[BackendDevice, ...]) -> Iterator[Problem]:
    """Yield GPUs that lie idle; `devices` are those that llama.cpp lists, none where it was not asked."""
    found = [one for one in machine.accelerators if not one.shares_memory] or list(machine.accelerators)
    for one in {one.name: one for one in found}.values():
        if _lacks_driver(one):
            fix = "install NVIDIA's (Ubuntu: `sudo ubuntu-drivers install`)"
            yield Problem("gpu_without_driver", f"an NVIDIA GPU lies idle, for its driver is missing: {fix}")
        elif one.install:
            what = f"{one.name} lies idle, for this llama.cpp build cannot drive it"
            yield Problem("gpu_idle", f"{what}: {one.install}")
    drives = any(device.kind in ("gpu", "integrated_gpu") for device in devices)
    if devices and not drives and any(one.usable for one in found):
        fix = "update its driver, or let this user open its device"
        yield Problem("gpu_not_listed", f"llama.cpp was built for this GPU but does not list it: {fix}")


def _lacks_driver(one: Accelerator) -> bool:
    return one.vendor == "nvidia" and "without" in one.name


def of_build(machine: Machine, built: frozenset[str] | None) -> Iterator[Problem]:
    """Yield where the instruction sets that llama.cpp was compiled for (None: not known) do not suit the processor."""
    if built is None:
        return
    features = set(machine.processor.features)
    command = build_command((one.vendor for one in machine.accelerators if one.usable), machine.system)
    # Other systems do not tell all that a processor has.
    foreign = sorted(built - features) if machine.system == "Linux" else []
    if foreign:
        what = (
            f"llama.cpp was built for {', '.join(foreign)}, which this processor lacks, and will end on loading a model"
        )
        yield Problem("build_for_another_processor", f"{what}: {command}")
    # ggml has no function that tells of these two.
    unused = sorted(features - built - {"bf16", "sve2"})
    if unused:
        what = f"llama.cpp was built without {', '.join(unused)}, which this processor has"
        yield Problem("build_without_instructions", f"{what}: {command}")
