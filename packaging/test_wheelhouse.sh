#!/usr/bin/env bash
# Install the wheels with pip in a fresh Debian with no compiler and no network, and run `edgekit demo` there as a user.
# edgekit's own wheel is the one that was made from the source archive.
#
# Usage: sudo packaging/test_wheelhouse.sh [WHEELHOUSE [edgekit.whl]]      Needs debootstrap.
source "$(dirname "$0")/clean_root.sh"
wheels=$(realpath "${1:-$(package 'wheelhouse-x86_64-py*')}")
wheel=$(realpath "${2:-$(package 'edgekit-*.whl')}")
fresh_root "$(suite_for "$wheels")" amd64 wheelhouse-test

say "Python with pip, and $(basename "$wheels"), $(du -sm "$wheels" | cut -f1) MB"
with_network inside sh -c 'apt-get -qq update && apt-get -qq install --no-install-recommends python3-venv libstdc++6 >/dev/null'
no_compiler
cp -r "$wheels" "$wheel" "$root/packages/"
files >"$root.before"

say "Install: no network, no compiler"
started=$(date +%s.%N)
as_user python3 -m venv /home/pi/venv
as_user /home/pi/venv/bin/pip install --quiet --no-index --find-links "/packages/$(basename "$wheels")" "/packages/$(basename "$wheel")[all]"
echo "installed in $(seconds_since "$started") s, $(du -sm "$root/home/pi/venv" | cut -f1) MB"

say "What runs"
uses /home/pi/venv/bin/edgekit "virtual environment"

say "Remove"
as_user rm -r /home/pi/venv
nothing_left "$root.before"
