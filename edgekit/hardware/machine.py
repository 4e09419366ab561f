"""What edgekit knows about a machine: the keys of `edgekit probe --json`."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Memory:
    """Main memory in bytes, container limits applied; swap and zram are told apart and never counted in."""

    total: int
    # What can be had without swapping: page cache that the kernel would give back is in it.
    available: int
    # The tightest container limit, None where no limit is set.
    limit: int | None = None
    # On disk.
    swap_total: int = 0
    swap_free: int = 0
    # Compressed in memory: what lies there still takes a third or so of its size.
    zram_total: int = 0
    zram_free: int = 0


@dataclass(frozen=True)
class Processor:
    """The processor and the instruction sets that llama.cpp uses."""

    model: str
    architecture: str
    physical_cores: int
    # Logical processors that this process may use: affinity and container quota applied.
    usable_threads: int
    # Names as llama.cpp's: "avx2", "avx512_vnni", "dotprod", "i8mm", "sve", ...
    features: tuple[str, ...] = ()
    # How many of the physical cores are small ones, which hold the others up when they share one computation.
    efficiency_cores: int = 0

    @property
    def performance_cores(self) -> int:
        """Return the physical cores that are not small ones."""
        return self.physical_cores - self.efficiency_cores


@dataclass(frozen=True)
class Accelerator:
    """One GPU or similar device; memory in bytes, zero where it is not told."""

    name: str
    # "nvidia", "amd", "intel" or "apple".
    vendor: str
    memory_total: int
    memory_free: int
    # Unified or integrated devices use main memory: never count it twice.
    shares_memory: bool = False
    # Whether the installed llama.cpp build can drive it.
    usable: bool = False
    # Peak read bandwidth in bytes per second, None when not known.
    memory_bandwidth: float | None = None
    # The command that installs a llama.cpp build which can; None where the present one does.
    install: str | None = None


@dataclass(frozen=True)
class BackendDevice:
    """A device that the installed llama.cpp build itself lists."""

    # "CPU", "CUDA0", "Vulkan0", "MTL0", ...
    name: str
    description: str
    # "cpu", "gpu", "integrated_gpu" or "accelerator".
    kind: str


@dataclass(frozen=True)
class Kernels:
    """How fast llama.cpp's own kernels are, by the type of the weights; `repacked` from their rearranged copies."""

    threads: int
    # Bytes of weights per second while one token is computed.
    decode: dict[str, float]
    decode_repacked: dict[str, float]
    # Multiply-adds per second while a prompt is read.
    prefill: dict[str, float]
    prefill_repacked: dict[str, float]
    # Multiply-adds per second of attention.
    attention_decode: float
    attention_prefill: float
    # Values per second of tanh, the cap on the logits. GELU, which is faster, is counted at the same rate: that stands
    # for the small operations which nothing here counts.
    activation_decode: float
    activation_prefill: float
    # Seconds of a small operation, such as a norm of one row: all threads meet after each.
    step: float


@dataclass(frozen=True)
class Machine:
    """A machine as `edgekit probe` sees it, or as a profile describes it."""

    name: str
    memory: Memory
    processor: Processor
    accelerators: tuple[Accelerator, ...] = ()
    # "Raspberry Pi 5 Model B Rev 1.0", "Xiaomi 2210132G", None for a computer without a board name.
    board: str | None = None
    # "docker", "podman", "kubernetes", "lxc", "wsl2", "termux"; None on bare metal and in a plain virtual machine.
    container: str | None = None
    # Main memory read bandwidth in bytes per second, None when not known.
    memory_bandwidth: float | None = None
    # Where the bandwidth comes from: "measured", "peak", or "decode" (from published decode speeds).
    bandwidth_basis: str | None = None
    # How fast llama.cpp's own kernels are here; None where they were not timed.
    kernels: Kernels | None = None
    # Where models go, in bytes.
    disk_free: int | None = None
    notes: tuple[str, ...] = ()
    # As Python's platform.system() says: "Linux", "Darwin", "Windows", "Android".
    system: str = "Linux"
    # Only where llama.cpp was asked: `edgekit probe` and `edgekit doctor`.
    backend_devices: tuple[BackendDevice, ...] = ()
