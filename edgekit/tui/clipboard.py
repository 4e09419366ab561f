"""Pictures from the clipboard, and text to it, also from inside tmux and over SSH."""

from __future__ import annotations

import hashlib
import io
import os
import shutil
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

from edgekit.errors import EdgekitError, UnsupportedError

if TYPE_CHECKING:
    from PIL.Image import Image

_SECONDS = 5


def pasted_pictures(folder: Path) -> list[Path]:
    """Return the files in the clipboard, or the picture in it as a file in `folder`; EdgekitError where it has none."""
    from PIL import ImageGrab

    try:
        content = ImageGrab.grabclipboard()
    except NotImplementedError:
        what = "reading the clipboard needs wl-paste (package wl-clipboard) or xclip: install one, or save the picture"
        raise UnsupportedError(f"{what} and type /attach PATH") from None
    # Without a display the helpers fail; damaged pictures fail in many ways.
    except (OSError, ValueError, SyntaxError, subprocess.SubprocessError) as problem:
        raise EdgekitError(f"the clipboard cannot be read: {' '.join(str(problem).split()) or 'no display'}") from None
    if not content:
        raise EdgekitError("there is no picture in the clipboard")
    if isinstance(content, list):
        return [Path(name) for name in content]
    return [_saved(content, folder)]


def _saved(picture: Image, folder: Path) -> Path:
    data = io.BytesIO()
    picture.save(data, "PNG")
    path = folder / f"pasted-{hashlib.sha256(data.getvalue()).hexdigest()[:12]}.png"
    if not path.exists():
        folder.mkdir(parents=True, exist_ok=True)
        beside = path.with_suffix(f".{os.getpid()}")
        beside.write_bytes(data.getvalue())
        beside.replace(path)
    return path


def copy_through_tmux(text: str) -> None:
    """Hand text to tmux's buffer and, through it, to the outer terminal: tmux drops what programs send there."""
    tmux = shutil.which("tmux")
    if tmux is None or "TMUX" not in os.environ:
        return
    try:
        subprocess.run([tmux, "load-buffer", "-w", "-"], input=text.encode(), check=False, timeout=_SECONDS)
    except (OSError, subprocess.SubprocessError):
        return
