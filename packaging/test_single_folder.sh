#!/usr/bin/env bash
# Unpack the single-folder build in a Debian that has no Python, as a user, and run `edgekit demo` from it.
#
# Usage: sudo packaging/test_single_folder.sh [edgekit-VERSION-linux-x86_64.tar.gz]      Needs debootstrap.
source "$(dirname "$0")/clean_root.sh"
archive=$(realpath "${1:-$(package 'edgekit-*-linux-x86_64.tar.gz')}")
fresh_root bookworm amd64 single-folder-test
if compgen -G "$root/usr/bin/python3*"; then fail "there is a Python"; fi
no_compiler
files >"$root.before"

say "Unpack $(basename "$archive"), $(du -m "$archive" | cut -f1) MB"
cp "$archive" "$root/packages/"
started=$(date +%s.%N)
as_user tar xzf "/packages/$(basename "$archive")" -C /home/pi
echo "unpacked in $(seconds_since "$started") s, $(du -sm "$root/home/pi/edgekit" | cut -f1) MB"

say "What runs"
uses /home/pi/edgekit/edgekit "single folder"

say "Remove"
as_user rm -r /home/pi/edgekit
nothing_left "$root.before"
