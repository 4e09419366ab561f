#!/usr/bin/env bash
# Unpack the single-folder build in a Debian that has no Python, as a user, and run `edgekit demo` from it.
#
# Usage: sudo packaging/test_single_folder.sh edgekit-VERSION-linux-x86_64.tar.gz      Needs debootstrap.
set -euo pipefail
archive=$(realpath "$1")
work=$(realpath "$(dirname "$0")/..")/build/packages
base=$work/bookworm-amd64 root=$work/single-folder-test
if [ ! -e "$base/complete" ]; then
  rm -rf "$base"
  debootstrap --arch=amd64 --variant=minbase bookworm "$base" http://deb.debian.org/debian >"$work/debootstrap.log"
  touch "$base/complete"
fi
rm -rf "$root"
cp -a "$base" "$root"
mkdir -p "$root/home/pi"
if compgen -G "$root/usr/bin/python3*"; then echo "there is a Python" >&2; exit 1; fi
started=$(date +%s.%N)
tar xzf "$archive" -C "$root/home/pi"
echo "unpacked in $(echo "$(date +%s.%N) - $started" | bc) s, $(du -sm "$root/home/pi/edgekit" | cut -f1) MB"
chown -R 1000:1000 "$root/home/pi"
# shellcheck disable=SC2016 # expanded inside
unshare --mount --pid --fork --net -- bash -c '
  mount -t proc proc "$0/proc" && mount --rbind /dev "$0/dev"
  exec chroot "$0" /usr/bin/env -i HOME=/home/pi PATH=/usr/bin:/bin TERM=xterm LC_ALL=C.UTF-8 \
    setpriv --reuid 1000 --regid 1000 --clear-groups sh -c "cd && edgekit/edgekit --version && edgekit/edgekit demo"' "$root"
