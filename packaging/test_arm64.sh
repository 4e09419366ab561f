#!/usr/bin/env bash
# The Raspberry Pi 5, as far as another machine can show it: an arm64 Debian whose programs run on an emulated Cortex-A76.
#
# Usage: sudo packaging/test_arm64.sh [PACKAGE.deb]      QEMU_CPU=cortex-a72 for a Raspberry Pi 4
# Needs debootstrap, dpkg-dev and qemu-user-static. Emulation takes 10 to 30 times the time; no speed means anything.
source "$(dirname "$0")/clean_root.sh"
package=${1:-$(package 'edgekit_*_arm64.deb')}
export QEMU_CPU=${QEMU_CPU:-cortex-a76}

# The kernel hands arm64 programs to qemu, which it opens now (F): it need not be inside.
formats=/proc/sys/fs/binfmt_misc
mountpoint -q $formats || mount -t binfmt_misc binfmt_misc $formats
if ! grep -qs '^flags:.*F' $formats/*aarch64; then
  magic='\x7fELF\x02\x01\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x02\x00\xb7\x00'
  mask='\xff\xff\xff\xff\xff\xff\xff\x00\xff\xff\xff\xff\xff\xff\xff\xff\xfe\xff\xff\xff'
  echo ":edgekit-aarch64:M::$magic:$mask:$(command -v qemu-aarch64-static):OCF" >$formats/register
  trap 'echo -1 >$formats/edgekit-aarch64' EXIT
fi
echo "CPU: $QEMU_CPU, emulated by $(qemu-aarch64-static --version | head -1)"
"$here/test_deb.sh" "$package"
