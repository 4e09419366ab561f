"""The disk: too little room is seen before the first byte, a disk that fills up on the way loses nothing."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys

from servers.hub import E2B, E2B_FILE, PROJECTOR, PROJECTORS

NAME = "gemma-4-E2B-it:Q4_0"
MODEL = bytes(range(256)) * 12_000
# On a file system of 6 MiB in memory: pull, fill the disk when a part is there, make room again, pull again.
SCRIPT = """
mkdir -p {cache} && mount -t tmpfs -o size=6m disk {cache} || exit 9
{pull} 2>{home}/error >&2 & process=$!
part() {{ cat {cache}/models--*/blobs/*.incomplete 2>/dev/null | wc -c; }}
until ! kill -0 $process 2>/dev/null || [ "$(part)" -gt 500000 ]; do sleep 0.05; done
dd if=/dev/zero of={cache}/filler bs=65536 2>/dev/null
wait $process
echo code $?
ls {cache}/models--*/snapshots 2>/dev/null
rm {cache}/filler
{pull} 2>/dev/null >&2
echo code $?
cat {cache}/models--google--*/snapshots/*/{file} | sha256sum
"""


# On a disk that may only be read.
READ_ONLY = """
mount --bind {cache} {cache} && mount -o remount,bind,ro {cache} || exit 9
for words in "pull {name}" "models list" "run {name} Who?" "models remove {name} --yes" "pull gemma-4-E4B-it:Q4_0"; do
    {edgekit} $words 2>{home}/error
    echo "code $? $(tail -1 {home}/error)"
done
"""


def with_mounts(client, script: str) -> subprocess.CompletedProcess[str]:
    """Run a script whose mounts nobody else sees."""
    # Only who is not root needs a name space of users, which some systems forbid.
    as_root = [] if os.geteuid() == 0 else ["--user", "--map-root-user"]
    line = ["unshare", *as_root, "--mount", "sh", "-c", script]
    return subprocess.run(line, capture_output=True, text=True, env=client.environment, timeout=120, check=False)


def test_a_disk_that_may_only_be_read_still_has_its_models(client, server, q8_plan):
    server.add(E2B, {E2B_FILE: q8_plan.model.read_bytes()})
    server.add(PROJECTORS, {PROJECTOR: q8_plan.projector.read_bytes()})
    assert client("pull", NAME).returncode == 0
    edgekit = shlex.join([sys.executable, "-m", "edgekit"])
    script = READ_ONLY.format(cache=client.cache, home=client.home, edgekit=edgekit, name=NAME)
    lines = with_mounts(client, script).stdout.splitlines()
    codes = [line for line in lines if line.startswith("code ")]
    assert [line[:6] for line in codes] == ["code 0", "code 0", "code 0", "code 1", "code 1"], lines
    assert f"Ready: edgekit chat {NAME}" in lines
    assert "cannot be removed (Read-only file system)" in codes[3]
    assert codes[4].endswith("name another folder with HF_HUB_CACHE; gemma-4-E4B-it:Q4_0 is not here")
    assert len(client.names()) == 2


def test_too_little_room_is_said_before_the_first_byte(client, server):
    server.add(E2B, {E2B_FILE: MODEL}).claims[E2B_FILE] = 1 << 60
    done = client("pull", NAME)
    assert done.returncode == 1
    assert "1073741824.00 GiB are to come and the disk of" in done.stderr.splitlines()[-1]
    assert not server.sent
    assert client.names() == []


def test_a_disk_that_fills_up_keeps_what_arrived(client, server):
    from hashlib import sha256

    server.add(E2B, {E2B_FILE: MODEL})
    server.rate = 1e6
    pull = shlex.join([sys.executable, "-m", "edgekit", "pull", NAME])
    script = SCRIPT.format(cache=client.cache, home=client.home, pull=pull, file=E2B_FILE)
    done = with_mounts(client, script)
    assert done.stdout.splitlines() == ["code 1", "code 0", f"{sha256(MODEL).hexdigest()}  -"], done.stderr
    assert "the disk is full: free some space" in (client.home / "error").read_text().splitlines()[-1]
    # The second run went on: not all of it came twice.
    assert sum(server.sent.values()) < 2 * len(MODEL) - 400_000
