#!/usr/bin/env bash
# Run the wheels for x86-64 on processors that this machine only emulates, and on its own: from one without AVX to the best.
#
# Usage: packaging/test_processors.sh [WHEELHOUSE]      Needs qemu-user-static and the Python that the wheels are for.
source "$(dirname "$0")/clean_root.sh"
wheels=$(realpath "${1:-$(package 'wheelhouse-x86_64-py*')}")
version=${wheels##*-py}
temp=$(mktemp -d)
trap 'rm -rf "$temp"' EXIT
"python$version" -m venv "$temp/venv"
"$temp/venv/bin/pip" install --quiet --no-index --find-links "$wheels" edgekit
python=$(realpath "$temp/venv/bin/python")
cat >"$temp/ask.py" <<'PYTHON'
import sys

from edgekit.hardware.libraries import processor_library

found = processor_library().name.removeprefix("libggml-cpu-").removesuffix(".so")
print("kernels:", found)
if found not in sys.argv[1:]:
    sys.exit(f"expected one of {sys.argv[1:]}")
from edgekit.cli.app import main

main(["run", "demo", "Who are you?"])
PYTHON
# An emulated process would find its environment by the program that emulates it.
packages=$("$temp/venv/bin/python" -c 'import sysconfig; print(sysconfig.get_path("purelib"))')
ask() { PYTHONPATH=$packages XDG_CACHE_HOME=$temp/cache "$@"; }

for kind in "Nehalem sse42" "SandyBridge sandybridge" "Haswell haswell"; do
  read -r processor expected <<<"$kind"
  echo "== $processor, emulated"
  # numpy's OpenBLAS takes qemu's Nehalem for a Haswell, and runs AVX2 there.
  OPENBLAS_CORETYPE=$processor ask qemu-x86_64-static -cpu "$processor" "$python" "$temp/ask.py" "$expected" \
    2> >(grep -v "warning: TCG doesn't support requested feature" >&2)
done
echo "== This processor"
kinds=(x64 sse42 sandybridge haswell alderlake)
if grep -q avx512f /proc/cpuinfo; then
  echo "It has AVX-512"
  kinds=(skylakex cascadelake icelake zen4 sapphirerapids)
fi
ask "$python" "$temp/ask.py" "${kinds[@]}"
