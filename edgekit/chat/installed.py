"""What came with edgekit onto this machine, and what is missing beside it."""

from __future__ import annotations

import os
import platform
import shutil
from collections.abc import Iterator
from ctypes.util import find_library
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path

from edgekit import __version__, paths
from edgekit.hardware.libraries import processor_library
from edgekit.hardware.problem import Problem
from edgekit.installation import Kind, kind

# Extras of pyproject.toml, and a package that only they bring.
_EXTRAS = {"onnx": "onnxruntime", "mcp": "mcp", "microphone": "sounddevice", "heif": "pillow_heif"}
# Where `edgekit --install-completion` (typer) and packages (packaging/completions.py) write.
_COMPLETIONS = {
    "bash": ("~/.bash_completions/edgekit.sh", "/usr/share/bash-completion/completions/edgekit"),
    "zsh": ("~/.zfunc/_edgekit", "/usr/share/zsh/vendor-completions/_edgekit"),
    "fish": ("~/.config/fish/completions/edgekit.fish", "/usr/share/fish/vendor_completions.d/edgekit.fish"),
}


@dataclass(frozen=True)
class Installed:
    """An installation of edgekit."""

    kind: Kind
    edgekit: str
    python: str
    # The version of llama-cpp-python; empty where it is not installed.
    llama_cpp: str
    # Which of llama.cpp's builds was chosen for this processor, as in haswell; empty where there is one build.
    kernels: str
    extras: dict[str, bool]
    # The person's shell, and whether it completes edgekit's commands; None for shells that are not known.
    shell: str
    completion: bool | None
    web_page: bool


def installed() -> Installed:
    """Return how edgekit is installed here and what it has."""
    shell = Path(os.environ.get("SHELL", "")).name
    places = _COMPLETIONS.get(shell)
    return Installed(
        kind(),
        __version__,
        platform.python_version(),
        _version("llama-cpp-python"),
        _kernels(),
        {extra: find_spec(package) is not None for extra, package in _EXTRAS.items()},
        shell,
        any(Path(place).expanduser().is_file() for place in places) if places else None,
        any(paths.web_libraries().glob("*.wasm")),
    )


def installation_problems() -> Iterator[Problem]:
    """Yield what is missing beside edgekit for what it could do."""
    if platform.system() != "Linux":
        return
    if find_spec("sounddevice") and not find_library("portaudio"):
        fix = "`sudo apt install libportaudio2`"
        yield Problem("no_portaudio", f"/record in the chat cannot hear, for PortAudio is missing: {fix}")
    for display, tool, package in (("WAYLAND_DISPLAY", "wl-paste", "wl-clipboard"), ("DISPLAY", "xclip", "xclip")):
        if os.environ.get(display):
            # Under Wayland there is mostly X11, too.
            if not (shutil.which(tool) or shutil.which("xclip")):
                what = "/paste in the chat cannot read pictures from the clipboard"
                yield Problem("no_clipboard_tool", f"{what}, for {tool} is missing: `sudo apt install {package}`")
            return


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return ""


def _kernels() -> str:
    library = processor_library()
    return library.stem.partition("ggml-cpu-")[2] if library else ""
