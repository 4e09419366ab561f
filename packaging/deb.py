"""Build the Debian package of a target from its wheelhouse: its own environment, and nothing to compile or download.

Usage: python packaging/deb.py [--target aarch64] [--out FOLDER]

It suits the Debian whose Python runs this: 3.11 for Debian and Raspberry Pi OS 12, 3.13 for 13. The package has no
scripts: what it installs is all there is, byte code included, so removing it leaves nothing. Needs dpkg-deb. Two
builds from the same commit and wheels are the same byte for byte.
"""

from __future__ import annotations

import gzip
import hashlib
import shutil
import subprocess
import sys
from pathlib import Path

import wheelhouse
from targets import PYTHON, ROOT, TARGETS, Target, parser, reproducible, run

WORK = ROOT / "build/packages"
_HOME = Path("usr/lib/edgekit")
_SITE = _HOME / f"lib/python{PYTHON}/site-packages"
_FILES = ROOT / "packaging/files"
# Of no use on a board: tests, headers, stubs and sources of compiled modules.
_SUPERFLUOUS = ("numpy/**/tests", "**/*.pyi", "**/*.pyx", "**/*.pxd", "**/*.a", "numpy/_core/include", "bin")
_ENTRY = """#!/usr/lib/edgekit/bin/python3 -I
from edgekit.cli.app import main

main()
"""
_CONTROL = """Package: edgekit
Version: {version}
Architecture: {architecture}
Maintainer: The edgekit developers <noreply@edgekit.invalid>
Installed-Size: {size}
Depends: python3 (>= {python}), python3 (<< {next_python}), libc6 (>= 2.36), libstdc++6, zlib1g
Suggests: xclip, wl-clipboard, libportaudio2
Section: utils
Priority: optional
Description: Gemma 4 on the machine you already have
 Says which Gemma 4 fits this machine and how fast it will be, converts a
 fine-tune to GGUF, and talks with it in a terminal: text, pictures and
 sound, offline. Brings llama.cpp, compiled for every processor of this
 architecture, and a small model to try it with.
"""


def build(target: Target, wheels: list[Path], out: Path) -> Path:
    """Make the package of these wheels, edgekit's among them, in `out`; returns its file."""
    tree = WORK / f"deb-{target.debian}"
    shutil.rmtree(tree, ignore_errors=True)
    _environment(target, wheels, tree)
    _shared(tree)
    version = f"{wheelhouse.version(wheels)}+py{PYTHON}"
    _control(tree, version, target)
    # Whoever built it: readable by all, owned by root.
    run("chmod", "-R", "u=rwX,go=rX", tree)
    package = out / f"edgekit_{version}_{target.debian}.deb"
    run("dpkg-deb", "--root-owner-group", "-Zzstd", "-z12", "--build", tree, package, stdout=sys.stderr)
    return package


def _environment(target: Target, wheels: list[Path], tree: Path) -> None:
    """Install the wheels as a virtual environment of the target's own Python would hold them."""
    site = tree / _SITE
    tags = [f"--platform={tag}" for tag in target.platforms]
    pip = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check", "install", "--no-deps", "--no-index"]
    options = ["--only-binary=:all:", "--no-compile", f"--python-version={PYTHON}", *tags, f"--target={site}"]
    # By their names: of files pip notes where they lay (direct_url.json).
    named = ["==".join(wheel.name.split("-")[:2]) for wheel in wheels]
    run(*pip, *options, *sorted({f"--find-links={wheel.parent}" for wheel in wheels}), *named)
    for pattern in _SUPERFLUOUS:
        for path in list(site.glob(pattern)):
            shutil.rmtree(path) if path.is_dir() else path.unlink()
    # "Unchecked": Python takes it without comparing times, and writes none of its own.
    compiled = [sys.executable, "-m", "compileall", "-q", "-j0", "--invalidation-mode=unchecked-hash"]
    run(*compiled, "-s", tree, "-p", "/", site)
    programs = tree / _HOME / "bin"
    programs.mkdir()
    (programs / "python3").symlink_to(f"/usr/bin/python{PYTHON}")
    (tree / _HOME / "pyvenv.cfg").write_text(
        f"home = /usr/bin\ninclude-system-site-packages = false\nversion = {PYTHON}\n"
    )
    (programs / "edgekit").write_text(_ENTRY)
    (programs / "edgekit").chmod(0o755)
    (tree / "usr/bin").mkdir()
    (tree / "usr/bin/edgekit").symlink_to("../lib/edgekit/bin/edgekit")


def _shared(tree: Path) -> None:
    """Write what belongs to the system: manual, completions, desktop entry, unit, licence."""
    share = tree / "usr/share"
    environment = {**reproducible(), "PYTHONPATH": str(tree / _SITE), "PYTHONDONTWRITEBYTECODE": "1"}
    _packed(share / "man/man1/edgekit.1.gz", _written(ROOT / "packaging/man_page.py", environment))
    run(sys.executable, ROOT / "packaging/completions.py", share, env=environment)
    _packed(share / "doc/edgekit/changelog.gz", (ROOT / "CHANGELOG.md").read_bytes())
    for source, place in (
        (_FILES / "edgekit.desktop", share / "applications"),
        (_FILES / "edgekit.svg", share / "icons/hicolor/scalable/apps"),
        (_FILES / "edgekit-console@.service", tree / "usr/lib/systemd/system"),
    ):
        place.mkdir(parents=True, exist_ok=True)
        shutil.copy(source, place)
    others = f"The packages that it brings have licences of their own: /{_SITE}/*.dist-info/licenses\n\n"
    (share / "doc/edgekit/copyright").write_text(others + (ROOT / "LICENSE").read_text())


def _written(script: Path, environment: dict[str, str]) -> bytes:
    return subprocess.check_output([sys.executable, str(script)], env=environment)


def _packed(path: Path, data: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    # gzip would write the time into it.
    path.write_bytes(gzip.compress(data, mtime=0))


def _control(tree: Path, version: str, target: Target) -> None:
    files = sorted(path for path in tree.rglob("*") if path.is_file() and not path.is_symlink())
    size = sum(path.stat().st_size for path in files) // 1024
    major, minor = PYTHON.split(".")
    control = tree / "DEBIAN"
    control.mkdir()
    sums = [f"{hashlib.md5(path.read_bytes()).hexdigest()}  {path.relative_to(tree)}\n" for path in files]
    (control / "md5sums").write_text("".join(sums))
    text = _CONTROL.format(
        version=version,
        architecture=target.debian,
        size=size,
        python=PYTHON,
        next_python=f"{major}.{int(minor) + 1}",
    )
    (control / "control").write_text(text)


if __name__ == "__main__":
    asked = parser(__doc__).parse_args()
    target = TARGETS[asked.target]
    print(build(target, wheelhouse.found(target, asked.out), asked.out))
