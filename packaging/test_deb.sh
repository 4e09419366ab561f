#!/usr/bin/env bash
# Install a .deb in a fresh Debian with no compiler and no network but a local folder of packages, run `edgekit demo` there
# as a user, remove it again, and look what is left: nothing but the user's own files.
#
# Usage: sudo packaging/test_deb.sh amd64|arm64 PACKAGE.deb [SUITE]
# Needs debootstrap and dpkg-dev. The bare Debian is kept in build/packages for the next time.
set -euo pipefail
architecture=$1 package=$(realpath "$2") suite=${3:-bookworm}
work=$(realpath "$(dirname "$0")/..")/build/packages
base=$work/$suite-$architecture root=$work/$suite-$architecture-test
mirror=http://deb.debian.org/debian
mkdir -p "$work"

say() { printf '\n== %s\n' "$*"; }
# Its own mounts and processes; with --net no network either, not even the loopback.
# shellcheck disable=SC2016 # expanded inside
inside() { unshare --mount --pid --fork "${apart[@]}" -- bash -c '
  mount -t proc proc "$0/proc" && mount --rbind /dev "$0/dev" && mount -t tmpfs tmpfs "$0/tmp"
  exec chroot "$0" /usr/bin/env -i HOME=/root PATH=/usr/sbin:/usr/bin:/sbin:/bin LC_ALL=C.UTF-8 \
    DEBIAN_FRONTEND=noninteractive ${QEMU_CPU:+QEMU_CPU="$QEMU_CPU"} "$@"' "$root" "$@"; }
as_user() { inside setpriv --reuid 1000 --regid 1000 --clear-groups env HOME=/home/pi TERM=xterm "$@"; }
files() { (cd "$root" && find . -xdev \( -path ./proc -o -path ./dev -o -path ./tmp -o -path ./packages \
  -o -path ./var/cache -o -path ./var/log -o -path ./var/lib/dpkg -o -path ./var/lib/apt \) -prune -o -print | sort); }

if [ ! -e "$base/complete" ]; then
  say "A bare $suite for $architecture (once)"
  rm -rf "$base"
  debootstrap --arch="$architecture" --variant=minbase "$suite" "$base" "$mirror" >"$work/debootstrap.log"
  touch "$base/complete"
fi
rm -rf "$root"
cp -a "$base" "$root"
mkdir -p "$root/packages" "$root/home/pi"
chown 1000:1000 "$root/home/pi"

say "The packages that it depends on, and itself, in a local folder"
apart=()
cp /etc/resolv.conf "$root/etc/resolv.conf"
cp "$package" "$root/packages/"
name=$(basename "$package")
inside sh -c "apt-get -qq update && apt-get -qq install --no-install-recommends --download-only ./packages/$name \
  >/dev/null && cp /var/cache/apt/archives/*.deb /packages/ && apt-get -qq clean"
(cd "$root/packages" && dpkg-scanpackages --multiversion . >Packages 2>/dev/null && du -ch ./*.deb | sort -h | tail -4)
echo 'deb [trusted=yes] file:/packages ./' >"$root/etc/apt/sources.list"
rm -rf "$root/var/lib/apt/lists" "$root/etc/resolv.conf"

say "Install: no network, no compiler"
apart=(--net)
inside apt-get -qq update
inside apt-get -qq install --no-install-recommends python3 libstdc++6 zlib1g >/dev/null
files >"$work/before"
started=$(date +%s.%N)
inside apt-get -qq install --no-install-recommends edgekit
finished=$(date +%s.%N)
echo "installed in $(echo "$finished - $started" | bc) s, $(du -sm "$root/usr/lib/edgekit" | cut -f1) MB on disk"
if inside sh -c 'command -v cc gcc c++ g++ clang make cmake'; then echo "there is a compiler" >&2; exit 1; fi

say "What runs"
as_user edgekit --version
as_user /usr/lib/edgekit/bin/python3 -I -c '
from edgekit.hardware.libraries import processor_library
print("kernels:", processor_library().name)'
# shellcheck disable=SC2016 # expanded inside
as_user bash -c 'source /usr/share/bash-completion/completions/edgekit
  COMP_WORDS=(edgekit pi) COMP_CWORD=1; _edgekit_completion edgekit; echo "edgekit pi<Tab>: ${COMPREPLY[*]}"
  test "${COMPREPLY[*]}" = pick'
inside test -s /usr/share/man/man1/edgekit.1.gz
started=$(date +%s.%N)
as_user edgekit demo
echo "demo in $(echo "$(date +%s.%N) - $started" | bc) s"

say "Remove"
inside apt-get -qq purge edgekit
files >"$work/after"
left=$(comm -13 "$work/before" "$work/after" | grep -v '^\./home/pi/' || true)
if [ -n "$left" ]; then echo "left behind:"; echo "$left"; exit 1; fi
echo "nothing left but the user's own files:"
comm -13 "$work/before" "$work/after"
