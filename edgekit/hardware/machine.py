"""What edgekit knows about a machine."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Memory:
    """Main memory in bytes, container limits applied."""

    total: int
    available: int
    # The tightest container limit, None where no limit is set.
    limit: int | None = None
    swap_total: int = 0
    swap_free: int = 0


@dataclass(frozen=True)
class Processor:
    """The processor and the instruction sets that llama.cpp uses."""

    model: str
    architecture: str
    physical_cores: int
    # Logical processors that this process may use: affinity and container quota applied.
    usable_threads: int
    features: tuple[str, ...] = ()


@dataclass(frozen=True)
class Accelerator:
    """One GPU or similar device; memory in bytes."""

    name: str
    vendor: str
    memory_total: int
    memory_free: int
    # Unified or integrated devices use main memory: never count it twice.
    shares_memory: bool = False
    # Whether the installed llama.cpp build can drive it.
    usable: bool = False
    # Peak read bandwidth in bytes per second, None when not known.
    memory_bandwidth: float | None = None


@dataclass(frozen=True)
class Machine:
    """A machine as `edgekit probe` sees it, or as a profile describes it."""

    name: str
    memory: Memory
    processor: Processor
    accelerators: tuple[Accelerator, ...] = ()
    board: str | None = None
    # "docker", "podman", "wsl2", ... None on bare metal or in a plain virtual machine.
    container: str | None = None
    # Main memory read bandwidth in bytes per second, None when not known.
    memory_bandwidth: float | None = None
    # Where the bandwidth comes from: "measured", "peak", or "decode" (from published decode speeds).
    bandwidth_basis: str | None = None
    disk_free: int | None = None
    notes: tuple[str, ...] = ()
