#!/usr/bin/env bash
# Boot a Debian that has the .deb and its console unit in an emulated machine, type at its keyboard and read its screen:
# packaging/console_guest.py says what is looked for. Pictures of the screen are left in build/packages/console-test.
#
# Usage: sudo packaging/test_console.sh [edgekit_VERSION+py3.11_amd64.deb]
# Needs debootstrap, qemu-system-x86 and Debian's mirror. The Debian with its kernel is kept for the next time.
source "$(dirname "$0")/clean_root.sh"
package=$(realpath "${1:-$(package 'edgekit_*py3.11_amd64.deb')}")
base=$work/bookworm-amd64-console machine=$work/console-test
install() { inside apt-get -qq -o DPkg::Options::=--force-unsafe-io install --no-install-recommends "$@" >/dev/null; }

bootable() {
  inside apt-get -qq update
  install initramfs-tools
  # What an emulated machine has, so that it starts sooner.
  sed -i 's/^MODULES=.*/MODULES=list/' "$root/etc/initramfs-tools/initramfs.conf"
  printf '%s\n' virtio_pci virtio_blk ext4 >"$root/etc/initramfs-tools/modules"
  install linux-image-amd64 systemd-sysv udev dbus libpam-systemd kbd python3 libstdc++6 zlib1g
  inside apt-get -qq clean
}
if [ ! -e "$base/bootable" ]; then
  fresh_root bookworm amd64 "$(basename "$base")"
  say "A kernel and systemd (once)"
  with_network bootable
  touch "$base/bootable"
fi

say "Install, enable, make a disk of it"
root=$machine/root
rm -rf "$machine"
mkdir -p "$machine"
cp -a "$base" "$root"
cp "$package" "$root/edgekit.deb"
inside sh -c 'dpkg --force-unsafe-io --install edgekit.deb && rm edgekit.deb
  useradd --shell /bin/bash pi && systemctl enable edgekit-console@pi'
# As `systemctl edit` writes it.
drop_in() { mkdir -p "$root/etc/systemd/system/$1.d" && printf '[Service]\n%s\n' "$2" >"$root/etc/systemd/system/$1.d/override.conf"; }
drop_in edgekit-console@pi.service 'Environment="EDGEKIT_CHAT=demo --temperature 0"'
# Through the serial line the test looks at the machine from inside.
drop_in serial-getty@ttyS0.service $'ExecStart=\nExecStart=-/sbin/agetty --autologin root --noclear ttyS0 dumb'
cp "$root"/boot/vmlinuz-* "$machine/kernel"
cp "$root"/boot/initrd.img-* "$machine/initrd"
mke2fs -q -t ext4 -d "$root" "$machine/disk" 2G
rm -rf "$root"

say "Boot"
python3 "$here/console_guest.py" "$machine"
