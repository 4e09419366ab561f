"""Compile llama-cpp-python for a target, as a wheel that needs no compiler and suits every processor of it.

Usage: python packaging/llama_cpp_wheel.py [--target aarch64] [--out FOLDER]

ggml's kernels are in it once per kind of processor (x86-64: from SSE2 to AVX-512 and AMX; aarch64: from ARMv8.0, the
Raspberry Pi 4's Cortex-A72, over ARMv8.2 with dot products and half floats, the Pi 5's Cortex-A76, to SVE2), and
`edgekit.hardware.libraries` has ggml choose when it starts. Needs cmake, ninja and the target's C++ compiler.
"""

from __future__ import annotations

import base64
import hashlib
import os
import re
import shutil
import subprocess
import sys
import tarfile
import time
import zipfile
from pathlib import Path

from targets import ROOT, TARGETS, Target, parser, run, source_date

_LIBRARIES = ("libllama.so", "libmtmd.so", "libggml.so", "libggml-base.so", "libggml-cpu-*.so")
# The kinds of processors common on desktops and boards: each adds half a minute and a megabyte. The others that
# llama.cpp has names for run the next smaller kind's kernels. GCC 12 does not know Arm's matrix extension (SME).
_PROCESSORS = (
    *("x64", "sse42", "sandybridge", "haswell", "alderlake"),
    *("skylakex", "cascadelake", "icelake", "zen4", "sapphirerapids"),
    *("armv8.0_1", "armv8.2_1", "armv8.2_2", "armv8.6_2"),
)
_VARIANT = re.compile(r"^ *ggml_add_cpu_backend_variant\(([\w.]+).*\n", re.MULTILINE)


def pinned() -> str:
    """Return llama-cpp-python's version in requirements.lock."""
    found = re.search(r"^llama-cpp-python==(\S+)", (ROOT / "requirements.lock").read_text(), re.MULTILINE)
    assert found, "requirements.lock pins llama-cpp-python"
    return found[1]


def source(work: Path) -> Path:
    """Download and unpack llama-cpp-python's sources, with llama.cpp in them; returns their folder."""
    folder = work / f"llama_cpp_python-{pinned()}"
    if not folder.is_dir():
        download = ["download", "--quiet", "--no-deps", "--no-binary", ":all:", "--dest", work]
        run(sys.executable, "-m", "pip", *download, f"llama-cpp-python=={pinned()}")
        with tarfile.open(f"{folder}.tar.gz") as archive:
            archive.extractall(work / "unpacked", filter="data")
        variants = work / "unpacked" / folder.name / "vendor/llama.cpp/ggml/src/CMakeLists.txt"
        variants.write_text(_VARIANT.sub(lambda one: one[0] if one[1] in _PROCESSORS else "", variants.read_text()))
        # Last: an interrupted run leaves no folder that looks whole.
        (work / "unpacked" / folder.name).rename(folder)
    return folder


def compile_for(target: Target, sources: Path, work: Path) -> list[Path]:
    """Compile llama.cpp; returns its libraries."""
    build = work / f"llama_cpp-{target.machine}"
    # No warnings: GCC 12 has a hundred thousand lines about its own headers.
    quiet = ["-DCMAKE_C_FLAGS=-w", "-DCMAKE_CXX_FLAGS=-w"]
    options = ["-G", "Ninja", "-DCMAKE_BUILD_TYPE=Release", *quiet, *target.cmake]
    llama_cpp = f"-DLLAMA_CPP={sources}/vendor/llama.cpp"
    run("cmake", "-S", ROOT / "packaging/llama_cpp", "-B", build, llama_cpp, *options, stdout=subprocess.DEVNULL)
    run("cmake", "--build", build, "--target", "mtmd", "--parallel", str(os.cpu_count()))
    found = [path for pattern in _LIBRARIES for path in sorted((build / "bin").glob(pattern))]
    assert len(found) > len(_LIBRARIES), f"too few libraries in {build}/bin"
    return [*found, _openmp(target, build)]


def _openmp(target: Target, build: Path) -> Path:
    # A container often lacks it; the libraries look for it beside themselves first.
    found = subprocess.check_output([target.gcc, "-print-file-name=libgomp.so.1"], text=True).strip()
    return Path(shutil.copy(found, build / "bin" / "libgomp.so.1"))


def write_wheel(target: Target, sources: Path, libraries: list[Path], out: Path) -> Path:
    """Write the wheel: the bindings as they are, the libraries beside them."""
    version = pinned()
    info = f"llama_cpp_python-{version}.dist-info"
    tag = f"py3-none-{target.platform}"
    code = {path.relative_to(sources).as_posix(): path for path in sorted((sources / "llama_cpp").rglob("*.py*"))}
    files = {name: path.read_bytes() for name, path in code.items()}
    files |= {f"llama_cpp/lib/{path.name}": path.read_bytes() for path in libraries}
    files[f"{info}/METADATA"] = (sources / "PKG-INFO").read_bytes()
    files[f"{info}/licenses/LICENSE.md"] = (sources / "LICENSE.md").read_bytes()
    files[f"{info}/WHEEL"] = f"Wheel-Version: 1.0\nGenerator: edgekit\nRoot-Is-Purelib: false\nTag: {tag}\n".encode()
    rows = [f"{name},sha256={_digest(data)},{len(data)}" for name, data in files.items()]
    files[f"{info}/RECORD"] = "\n".join([*rows, f"{info}/RECORD,,", ""]).encode()
    wheel = out / f"llama_cpp_python-{version}-{tag}.whl"
    part = wheel.with_suffix(".part")
    date = time.gmtime(int(source_date()))[:6]
    with zipfile.ZipFile(part, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in files.items():
            # Where none is said, it would be now.
            archive.writestr(zipfile.ZipInfo(name, date), data, zipfile.ZIP_DEFLATED)
    return part.rename(wheel)


def _digest(data: bytes) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()


def build(target: Target, out: Path) -> Path:
    """Make the wheel in `out`, unless it is there."""
    wheel = out / f"llama_cpp_python-{pinned()}-py3-none-{target.platform}.whl"
    if wheel.exists():
        return wheel
    work = ROOT / "build" / "packages"
    work.mkdir(parents=True, exist_ok=True)
    out.mkdir(parents=True, exist_ok=True)
    sources = source(work)
    return write_wheel(target, sources, compile_for(target, sources, work), out)


if __name__ == "__main__":
    asked = parser(__doc__).parse_args()
    print(build(TARGETS[asked.target], asked.out))
