"""The first minute: `edgekit` alone, the shell's completion, and what doctor says of the folder of models."""

from __future__ import annotations

import json

from servers.hub import E2B, E2B_FILE, PROJECTOR, PROJECTORS

NAME = "gemma-4-E2B-it:Q4_0"


def publish(server, q8_plan):
    server.add(E2B, {E2B_FILE: q8_plan.model.read_bytes()})
    server.add(PROJECTORS, {PROJECTOR: q8_plan.projector.read_bytes()})


def spoil(client):
    """Overwrite the model's first bytes: it is as large as before."""
    with client.file(E2B, E2B_FILE).open("r+b") as file:
        file.write(b"not a GGUF any more")


def test_edgekit_alone_says_what_to_type_next(client, server, q8_plan):
    publish(server, q8_plan)
    done = client()
    assert (done.returncode, done.stderr) == (0, "")
    assert [word for word in ("edgekit demo", "edgekit chat", "edgekit --help") if f"  {word}" not in done.stdout] == []
    assert "\n  edgekit pull gemma-4-" in done.stdout or "edgekit pick" in done.stdout
    assert f"edgekit chat {NAME}" not in done.stdout
    assert client("pull", NAME).returncode == 0
    assert f"Here already:\n  edgekit chat {NAME}\n" in client().stdout
    spoil(client)
    alone = client().stdout
    assert "Here already" not in alone
    assert f"\n  edgekit pull {NAME}\n  edgekit models remove {NAME}\n" in alone.partition("Damaged, to be")[2]


def test_the_shell_completes_names(client, server, q8_plan):
    publish(server, q8_plan)

    def completed(*words):
        asked = {"_EDGEKIT_COMPLETE": "complete_bash", "COMP_WORDS": " ".join(words), "COMP_CWORD": str(len(words) - 1)}
        return client(**asked).stdout.split()

    assert completed("edgekit", "pul") == ["pull"]
    assert NAME in completed("edgekit", "pull", "gemma-4-E2")
    assert completed("edgekit", "run", "gemma-4-E2") == []
    assert client("pull", NAME).returncode == 0
    assert completed("edgekit", "run", "gemma-4-E2") == [NAME]
    assert completed("edgekit", "models", "remove", "gem") == [NAME]


def test_doctor_looks_at_the_folder_of_models(client, server, q8_plan):
    def found():
        told = json.loads(client("doctor", "--json").stdout)["findings"]
        names = ("unfinished_downloads", "lost_file", "cache_not_writable")
        return [one["name"] for one in told if one["name"] in names]

    publish(server, q8_plan)
    assert client("pull", NAME).returncode == 0
    assert found() == []
    content = client.file(E2B, E2B_FILE).resolve()
    content.rename(content.with_name(f"{content.name}.incomplete"))
    assert found() == ["unfinished_downloads", "lost_file"]
    # Whole already, and right: it only has to be looked at.
    before = sum(server.sent.values())
    assert client("pull", NAME).returncode == 0
    assert found() == []
    assert sum(server.sent.values()) == before
