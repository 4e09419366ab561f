#!/usr/bin/env bash
# Install a .deb in a fresh Debian with no compiler and no network but a local folder of packages, run `edgekit demo` there
# as a user, remove it again, and look what is left: nothing but the user's own files.
#
# Usage: sudo packaging/test_deb.sh [PACKAGE.deb]      Needs debootstrap and dpkg-dev.
source "$(dirname "$0")/clean_root.sh"
package=$(realpath "${1:-$(package 'edgekit_*_amd64.deb')}")
architecture=$(dpkg-deb --field "$package" Architecture)
fresh_root "$(suite_for "$package")" "$architecture" "deb-test-$architecture"

say "The packages that it depends on, and itself, in a local folder"
cp "$package" "$root/packages/"
with_network inside sh -c "apt-get -qq update && apt-get -qq install --no-install-recommends --download-only \
  ./packages/$(basename "$package") >/dev/null && cp /var/cache/apt/archives/*.deb /packages/ && apt-get -qq clean"
(cd "$root/packages" && dpkg-scanpackages --multiversion . >Packages 2>/dev/null && du -ch ./*.deb | sort -h | tail -4)
echo 'deb [trusted=yes] file:/packages ./' >"$root/etc/apt/sources.list"
rm -rf "$root/var/lib/apt/lists"

say "Install: no network, no compiler"
inside apt-get -qq update
inside apt-get -qq install --no-install-recommends python3 libstdc++6 zlib1g >/dev/null
files >"$root.before"
started=$(date +%s.%N)
inside apt-get -qq install --no-install-recommends edgekit
echo "installed in $(seconds_since "$started") s, $(du -sm "$root/usr/lib/edgekit" | cut -f1) MB on disk"
no_compiler

say "What runs"
as_user /usr/lib/edgekit/bin/python3 -I -c '
from edgekit.hardware.libraries import processor_library
print("kernels:", processor_library().name)'
# shellcheck disable=SC2016 # expanded inside
as_user bash -c 'source /usr/share/bash-completion/completions/edgekit
  COMP_WORDS=(edgekit pi) COMP_CWORD=1; _edgekit_completion edgekit; echo "edgekit pi<Tab>: ${COMPREPLY[*]}"
  test "${COMPREPLY[*]}" = pick'
inside test -s /usr/share/man/man1/edgekit.1.gz
uses edgekit "Debian package"

say "Remove"
inside apt-get -qq purge edgekit
nothing_left "$root.before"
