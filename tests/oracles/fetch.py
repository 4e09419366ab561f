"""Unpack llama.cpp's sources, as the installed llama-cpp-python wraps them, into .oracles/llama.cpp.

Its converter, its gguf-py and its released chat templates are what our tests compare with. The tests run them as
separate processes; edgekit never imports them.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tarfile
import tempfile
from importlib.metadata import version
from pathlib import Path

ORACLES = Path(__file__).parents[2] / ".oracles"
# What the tests use: the rest of the archive is 60 MB of C++ and web pages.
WANTED = ("convert_hf_to_gguf.py", "conversion/", "gguf-py/", "models/templates/", "src/", "include/", "tools/mtmd/")


def download(folder: Path) -> Path:
    """Download the source package of the installed llama-cpp-python and return its archive."""
    name = "llama-cpp-python"
    pip = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--no-binary", name, "--dest", str(folder)]
    subprocess.run([*pip, f"{name}=={version(name)}"], check=True)
    return next(folder.glob("*.tar.gz"))


def unpack(archive: Path, target: Path) -> None:
    """Unpack the wanted parts of llama.cpp from a source archive of llama-cpp-python."""
    with tarfile.open(archive) as tar:
        for member in tar:
            path = member.name.partition("/vendor/llama.cpp/")[2]
            if path.startswith(WANTED) and member.isfile():
                member.name = path
                tar.extract(member, target, filter="data")


def main() -> None:
    """Fetch into a folder beside the target, then rename: a stopped run leaves no half oracle."""
    ORACLES.mkdir(exist_ok=True)
    target = ORACLES / "llama.cpp"
    with tempfile.TemporaryDirectory(dir=ORACLES) as folder:
        fresh = Path(folder, "llama.cpp")
        unpack(download(Path(folder)), fresh)
        shutil.rmtree(target, ignore_errors=True)
        fresh.rename(target)
        target.touch()


if __name__ == "__main__":
    main()
