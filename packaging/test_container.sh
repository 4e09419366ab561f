#!/usr/bin/env bash
# Build packaging/Containerfile on a Debian made by debootstrap and run it with 3 GiB and without network: what `edgekit
# pick` counts with, `edgekit demo`, a chat in a terminal, and that all that the user writes is on the volume.
#
# Usage: sudo packaging/test_container.sh [edgekit_VERSION+py3.11_amd64.deb]
# Needs debootstrap, podman, runc (crun does not know cgroups of both versions at once), tmux and Debian's mirror.
source "$(dirname "$0")/clean_root.sh"
package=$(realpath "${1:-$(package 'edgekit_*py3.11_amd64.deb')}")
storage=$work/container-test name=edgekit-test-$$
# podman wants a short path for what runs.
running=$(mktemp -d)
podman=(podman --runtime runc --cgroup-manager cgroupfs --storage-driver overlay
  --root "$storage/root" --runroot "$running")
# No higher limits than the shell's: raising them takes a privilege that a container around this one may lack.
run=("${podman[@]}" run --network none --memory 3g --ulimit nofile=1024:1024 --ulimit nproc=4096:4096 --volume models:/models)
cleanup() {
  tmux -L "$name" kill-server 2>/dev/null || true
  "${podman[@]}" system reset --force >/dev/null 2>&1 || true
  rm -rf "$storage" "$running"
}
trap cleanup EXIT

fresh_root bookworm amd64 container-base
say "Build"
mkdir -p "$storage/context"
cp "$package" "$storage/context/"
tar -C "$root" --exclude='./var/cache/apt/archives/*.deb' -c . | "${podman[@]}" import --quiet - localhost/bookworm >/dev/null
# One layer: each would copy all that is below it. chroot: apt-get needs no container of its own.
"${podman[@]}" build --quiet --layers=false --isolation chroot --network host --build-arg BASE=localhost/bookworm \
  --file "$here/Containerfile" --tag edgekit "$storage/context" >/dev/null
"${podman[@]}" images

say "What it counts with"
"${run[@]}" --rm edgekit pick --json >"$storage/pick.json"
"${run[@]}" --rm --cpus 1 edgekit probe --json >"$storage/probe.json"
python3 - "$storage" <<'PY'
import json, sys
machine = json.load(open(f"{sys.argv[1]}/pick.json"))["machine"]
threads = json.load(open(f"{sys.argv[1]}/probe.json"))["processor"]["usable_threads"]
print(machine["memory"], machine["container"], machine["notes"][0], f"--cpus 1: {threads} thread", sep="\n")
assert machine["memory"]["total"] == machine["memory"]["limit"] == 3 << 30
assert machine["memory"]["available"] <= 3 << 30
assert machine["container"] and "container limits the memory" in machine["notes"][0]
assert threads == 1
PY

say "edgekit demo, on a root that cannot be written"
"${run[@]}" --rm --read-only edgekit demo

say "A chat in a terminal"
screen() { tmux -L "$name" capture-pane -p; }
shows() {
  for _ in $(seq 120); do
    if screen | grep -qF "$1"; then return; fi
    sleep 0.5
  done
  screen
  fail "the screen does not show: $1"
}
tmux -L "$name" -f /dev/null new-session -d -x 90 -y 24 "${run[@]}" --interactive --tty --name chat edgekit chat demo
shows "Ask something"
tmux -L "$name" send-keys "Who are you?" Enter
shows "I am gemma4-pico"
screen
test "$("${podman[@]}" exec chat id -u)" = 1000 || fail "it does not run as user 1000"
tmux -L "$name" send-keys C-q
test "$(timeout 60 "${podman[@]}" wait chat)" = 0 || fail "the chat did not leave with Ctrl+Q"

say "What was written"
"${run[@]}" --rm edgekit conversations | tee "$storage/conversations"
grep -q "Who are you?" "$storage/conversations" || fail "the conversation is not on the volume"
"${run[@]}" --rm --entrypoint find edgekit /models -type f | tee "$storage/files"
for place in cache/edgekit/.*gguf data/edgekit/conversations.db; do
  grep -q "^/models/$place$" "$storage/files" || fail "nothing on the volume is $place"
done
pulled=$("${run[@]}" --rm --entrypoint /usr/lib/edgekit/bin/python3 edgekit -I -c '
from edgekit.paths import models_directory
print(models_directory())')
case $pulled in /models/*) ;; *) fail "edgekit pull would download to $pulled" ;; esac
# There podman writes itself, and the user cannot.
changed=$("${podman[@]}" diff chat | grep -vE '^[AC] /(etc|run)' || true)
if [ -n "$changed" ]; then fail "written beside the volume: $changed"; fi
echo "nothing beside the volume"
