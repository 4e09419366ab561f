# shellcheck shell=bash
# Sourced by the test_*.sh beside it: a bare Debian in a folder, and commands that run in it.
#
# `root` is the folder. Needs root and debootstrap; the bare Debian is kept in build/packages for the next time.
set -euo pipefail
here=$(realpath "$(dirname "${BASH_SOURCE[0]}")")
work=$(realpath "$here/..")/build/packages
apart=(--net)
mkdir -p "$work"

say() { printf '\n== %s\n' "$*"; }
fail() { printf '%s\n' "$*" >&2; exit 1; }
seconds_since() { echo "$(date +%s.%N) - $1" | bc; }

# The one finished package that fits a pattern, or the one that was asked for.
package() {
  local found
  mapfile -t found < <(compgen -G "$here/../dist/$1")
  [ ${#found[@]} -eq 1 ] || fail "dist/$1: found ${#found[@]}, name one"
  realpath "${found[0]}"
}

# The Debian whose Python a package is for: "...py3.11..." is for Debian and Raspberry Pi OS 12.
suite_for() {
  case $1 in
    *py3.11*) echo bookworm ;;
    *py3.13*) echo trixie ;;
    *) fail "$1: for a Python that no Debian has" ;;
  esac
}

# fresh_root SUITE ARCHITECTURE NAME: copy the bare Debian, with a user's home in it.
fresh_root() {
  local base=$work/$1-$2
  root=$work/$3
  if [ ! -e "$base/complete" ]; then
    say "A bare $1 for $2 (once)"
    rm -rf "$base"
    debootstrap --arch="$2" --variant=minbase "$1" "$base" >"$work/debootstrap.log"
    touch "$base/complete"
  fi
  rm -rf "$root"
  cp -a "$base" "$root"
  mkdir -p "$root/home/pi" "$root/packages"
  chown 1000:1000 "$root/home/pi"
}

# As root, with mounts and processes of its own, for ten minutes at most; without network, not even the loopback, but in
# with_network. Not with /sys: onnxruntime asks it for an emulated processor's features, and reads this machine's.
# shellcheck disable=SC2016 # expanded inside
inside() { timeout --foreground 600 unshare --mount --pid --fork --kill-child "${apart[@]}" -- bash -c '
  mount -t proc proc "$0/proc" && mount --rbind /dev "$0/dev" && mount -t tmpfs tmpfs "$0/tmp"
  exec chroot "$0" /usr/bin/env -i HOME=/root PATH=/usr/sbin:/usr/bin:/sbin:/bin LC_ALL=C.UTF-8 \
    DEBIAN_FRONTEND=noninteractive ${QEMU_CPU:+QEMU_CPU="$QEMU_CPU"} "$@"' "$root" "$@"; }
as_user() { inside setpriv --reuid 1000 --regid 1000 --clear-groups env HOME=/home/pi TERM=xterm "$@"; }
with_network() {
  cp /etc/resolv.conf "$root/etc/resolv.conf"
  apart=()
  "$@"
  apart=(--net)
  rm "$root/etc/resolv.conf"
}

no_compiler() {
  if inside sh -c 'command -v cc gcc c++ g++ clang make cmake'; then fail "there is a compiler"; fi
}

# Every file but those that apt and dpkg keep for themselves.
files() { (cd "$root" && find . -xdev \( -path ./proc -o -path ./dev -o -path ./tmp -o -path ./packages \
  -o -path ./var/cache -o -path ./var/log -o -path ./var/lib/dpkg -o -path ./var/lib/apt \) -prune -o -print | sort); }

# nothing_left BEFORE: what came since then and is still there must be the user's own.
nothing_left() {
  local left
  files >"$root.after"
  left=$(comm -13 "$1" "$root.after" | grep -v '^\./home/pi/' || true)
  [ -z "$left" ] || fail "left behind:"$'\n'"$left"
  echo "nothing left but the user's own files:"
  comm -13 "$1" "$root.after"
}

# uses EDGEKIT KIND: what a package is for: the tour, and the bundled model in onnxruntime, which the tour leaves out.
# KIND is what `edgekit doctor` calls the package; what else it finds is not judged here.
uses() {
  local started answer
  as_user "$1" --version
  started=$(date +%s.%N)
  as_user "$1" demo
  echo "demo in $(seconds_since "$started") s"
  as_user "$1" convert demo --adapter demo:french --to onnx --out /home/pi/onnx
  answer=$(as_user "$1" run /home/pi/onnx "Who are you?")
  echo "in onnxruntime: $answer"
  [[ $answer == *gemma4-pico* ]] || fail "that is no answer"
  as_user "$1" doctor >"$root.doctor" || true
  grep -F "$2" "$root.doctor" || fail "doctor does not know its package:"$'\n'"$(cat "$root.doctor")"
  if grep "not installed" "$root.doctor"; then fail "extras are missing"; fi
}
