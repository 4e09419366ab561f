"""Which accelerators the installed llama.cpp build can drive."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

# Vendor: backends of llama.cpp that drive its devices.
BACKENDS = {
    "nvidia": frozenset({"cuda", "vulkan"}),
    "amd": frozenset({"hip", "vulkan"}),
    "intel": frozenset({"sycl", "vulkan"}),
    "apple": frozenset({"metal"}),
}
_NAMES = frozenset().union(*BACKENDS.values())


def built_backends(folder: Path | None = None) -> frozenset[str]:
    """Return the backends whose libraries lie beside llama.cpp's; nothing is loaded."""
    folder = folder or library_folder()
    if folder is None:
        return frozenset()
    files = [path.name for path in folder.glob("*ggml-*")]
    return frozenset(name for name in _NAMES if any(f"ggml-{name}." in file for file in files))


def library_folder() -> Path | None:
    """Return where llama-cpp-python keeps llama.cpp's libraries; None where it is not installed."""
    spec = find_spec("llama_cpp")
    return Path(spec.origin).parent / "lib" if spec and spec.origin else None
