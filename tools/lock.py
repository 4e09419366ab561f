"""Write requirements.lock: every version that `make demo` and `make test` install, for each Python given.

Usage: python tools/lock.py PYTHON [PYTHON...]    e.g. python tools/lock.py python3.10 python3.11
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parent.parent
HEADER = "# Made by tools/lock.py: constraints for pip, one version of every package that is installed.\n"
# A name pinned for one Python only belongs to that Python's resolution.
# torch pins these companions of its CUDA build by itself; a CPU build has none.
CUDA = ("cuda-", "nvidia-cu", "nvidia-nccl", "nvidia-nv", "triton")
OLD, NEW = 'python_version < "3.11"', 'python_version >= "3.11"'


def resolve(python: str) -> dict[str, str]:
    """Return name -> version of the project with all its groups, as pip resolves them for this interpreter."""
    with tempfile.TemporaryDirectory() as folder:
        venv, report = Path(folder, "venv"), Path(folder, "report.json")
        subprocess.run([python, "-m", "venv", venv], check=True)
        pip = [venv / "bin" / "python", "-m", "pip", "--quiet"]
        subprocess.run([*pip, "install", "--upgrade", "pip"], check=True)
        wanted = ["--group", "dev", "--group", "oracles", "-e", ".[heif,mcp,microphone,onnx]"]
        subprocess.run([*pip, "install", "--dry-run", "--report", report, *wanted], check=True, cwd=ROOT)
        installed = json.loads(report.read_text())["install"]
    packages = (item["metadata"] for item in installed)
    # A local part ("+cpu") names one build of a version, not another version.
    return {
        p["name"].lower().replace("_", "-"): p["version"].partition("+")[0] for p in packages if p["name"] != "edgekit"
    }


def is_old(python: str) -> bool:
    """Return whether this interpreter is older than 3.11, where several packages stop."""
    code = "import sys; sys.exit(sys.version_info < (3, 11))"
    return subprocess.run([python, "-c", code], check=False).returncode == 1


def lines(old: dict[str, str], new: dict[str, str]) -> list[str]:
    """Return one constraint per package, two with a marker where the Pythons differ."""
    result = []
    for name in sorted(old.keys() | new.keys()):
        if name.startswith(CUDA):
            continue
        if old.get(name) == new.get(name):
            result.append(f"{name}=={new[name]}")
            continue
        result += [
            f"{name}=={versions[name]} ; {marker}" for versions, marker in ((old, OLD), (new, NEW)) if name in versions
        ]
    return result


def main(pythons: list[str]) -> None:
    """Resolve for every interpreter and write the lock."""
    old: dict[str, str] = {}
    new: dict[str, str] = {}
    for python in pythons:
        (old if is_old(python) else new).update(resolve(python))
    (ROOT / "requirements.lock").write_text(HEADER + "\n".join(lines(old or new, new or old)) + "\n")


if __name__ == "__main__":
    main(sys.argv[1:])
