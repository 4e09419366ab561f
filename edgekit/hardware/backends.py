"""Which accelerators the installed llama.cpp build can drive."""

from __future__ import annotations

from collections.abc import Iterable
from importlib.metadata import PackageNotFoundError, requires
from importlib.util import find_spec
from pathlib import Path

from edgekit.installation import before_pip, pip

# Vendor: backends of llama.cpp that drive its devices.
BACKENDS = {
    "nvidia": frozenset({"cuda", "vulkan"}),
    "amd": frozenset({"hip", "vulkan"}),
    "intel": frozenset({"sycl", "vulkan"}),
    "apple": frozenset({"metal"}),
}
_NAMES = frozenset().union(*BACKENDS.values())
# CMake's switch of the backend to build where there is no wheel; Vulkan drives both with a driver that is always there.
_SWITCHES = {"nvidia": "GGML_CUDA", "amd": "GGML_VULKAN", "intel": "GGML_VULKAN", "apple": "GGML_METAL"}
# The project's own wheels for x86-64 with CUDA 12.4: github.com/abetlen/llama-cpp-python, README.
_CUDA_WHEELS = "https://abetlen.github.io/llama-cpp-python/whl/cu124"
_OPTIONS = "--force-reinstall --no-deps"


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


def install_command(vendor: str, system: str, architecture: str) -> str:
    """Return the command that installs a llama.cpp build which drives a vendor's GPUs."""
    if vendor == "nvidia" and architecture == "x86_64":
        # Beside the registry (`--extra-index-url`) pip would take its build for the processor alone.
        return f'{before_pip()}{pip()} {_OPTIONS} --index-url {_CUDA_WHEELS} "{_wanted()}"'
    return build_command([vendor], system)


def build_command(vendors: Iterable[str], system: str) -> str:
    """Return the command that compiles llama.cpp for this very processor and the GPUs of these vendors."""
    # Out of its cache pip would take what it compiled before, `--no-binary` or not.
    build = f'{pip()} {_OPTIONS} --no-cache-dir --no-binary llama-cpp-python "{_wanted()}"'
    switches = " ".join(sorted({f"-D{_SWITCHES[vendor]}=on" for vendor in vendors}))
    if switches:
        build = f'$env:CMAKE_ARGS="{switches}"; {build}' if system == "Windows" else f'CMAKE_ARGS="{switches}" {build}'
    return f"{before_pip()}{build}"


def _wanted() -> str:
    try:
        return next(one for one in requires("edgekit") or () if one.startswith("llama-cpp-python"))
    except (PackageNotFoundError, StopIteration):
        return "llama-cpp-python"
