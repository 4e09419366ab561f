"""`edgekit models`, and the names by which `run` and `chat` find what was pulled."""

from __future__ import annotations

import json

import pytest
from one_line import assert_one_line_error
from servers.hub import E2B, E2B_FILE, PROJECTOR, PROJECTORS

NAME = "gemma-4-E2B-it:Q4_0"
OTHER = "someone/pico-GGUF"


@pytest.fixture
def published(server, q8_plan):
    """The bundled model under the catalog's name of E2B, and in a repository that the catalog does not know."""
    model, eyes = q8_plan.model.read_bytes(), q8_plan.projector.read_bytes()
    server.add(E2B, {E2B_FILE: model})
    server.add(PROJECTORS, {PROJECTOR: eyes})
    server.add(OTHER, {"pico-Q8_0.gguf": model + bytes(32), "pico-Q4_0.gguf": model, "mmproj-pico-F16.gguf": eyes})
    return server


def listed(client):
    return {one["name"]: one for one in json.loads(client("models", "list", "--json").stdout)["models"]}


def test_what_was_pulled_runs_by_its_name_offline(client, published):
    assert client("pull", NAME).returncode == 0
    picture = "edgekit/demo/samples/red-circle.png"
    done = client("run", NAME, "What is this?", "--image", picture, "--json", HF_HUB_OFFLINE="1")
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert "red circle" in found["answer"].lower()
    assert published.asked["list"] == 2


def test_a_repository_of_its_own_runs_by_its_name(client, published):
    assert client("pull", f"{OTHER}:Q8_0").returncode == 0
    assert client("run", f"{OTHER}:Q8_0", "Who are you?").returncode == 0
    assert client("run", OTHER, "Who are you?").returncode == 0
    line = assert_one_line_error(client("run", f"{OTHER}:Q4_0", "Who are you?"))
    assert f"`edgekit pull {OTHER}:Q4_0` gets it" in line
    client("pull", f"{OTHER}:Q4_0")
    assert f"say which: {OTHER}:Q4_0, {OTHER}:Q8_0" in assert_one_line_error(client("run", OTHER, "Who are you?"))


def test_the_list_says_what_there_is(client, published, q8_plan):
    assert "edgekit pull" in client("models").stderr
    client("pull", NAME)
    client("pull", f"{OTHER}:Q8_0")
    before = client.file(E2B, E2B_FILE).stat().st_atime_ns
    assert client("models", "--json").stdout == client("models", "list", "--json").stdout
    found = listed(client)
    assert sorted(found) == [NAME, f"{OTHER}:Q8_0"]
    one = found[NAME]
    assert (one["repo"], one["file"], one["bytes"]) == (E2B, E2B_FILE, q8_plan.model.stat().st_size)
    assert (one["revision"], one["template"], one["fits"]) == (published.repos[E2B].commit, "own", True)
    assert one["projector"] == str(client.file(PROJECTORS, PROJECTOR))
    assert found[f"{OTHER}:Q8_0"]["projector"] == str(client.file(OTHER, "mmproj-pico-F16.gguf"))
    # Looking is no use.
    assert client.file(E2B, E2B_FILE).stat().st_atime_ns == before
    table = client("models").stdout
    assert [
        word for word in ("Model", "Size", "Used", "Template", "Fits", NAME, "own", "yes") if word not in table
    ] == []


def test_removing_takes_what_no_other_model_uses(client, published):
    for name in (NAME, f"{OTHER}:Q8_0", f"{OTHER}:Q4_0"):
        assert client("pull", name).returncode == 0
    assert "--yes" in assert_one_line_error(client("models", "remove", NAME))
    assert "there is no model gemma" in assert_one_line_error(client("models", "remove", "gemma", "--yes"))
    assert client("models", "remove", f"{OTHER}:Q8_0", "--yes").returncode == 0
    # Its projector serves the other one.
    assert client.names() == sorted([E2B_FILE, PROJECTOR, "pico-Q4_0.gguf", "mmproj-pico-F16.gguf"])
    done = client("models", "remove", NAME, f"{OTHER}:Q4_0", "--yes")
    assert done.returncode == 0
    assert [path for path in client.cache.glob("models--*/**/*") if path.is_file()] == []
    assert listed(client) == {}


def test_newer_revisions_are_told_of_and_come(client, published):
    client("pull", NAME)
    assert client("models", "updates").stdout == "No model here has a newer revision.\n"
    old = client.file(E2B, E2B_FILE)
    published.add(E2B, {E2B_FILE: old.read_bytes() + bytes(32)})
    assert client("models", "updates").stdout == f"{NAME} has a newer revision: edgekit pull {NAME}\n"
    assert client("pull", NAME).returncode == 0
    assert listed(client)[NAME]["bytes"] == old.stat().st_size + 32
    assert client("models", "updates").stdout == "No model here has a newer revision.\n"
    assert client("models", "clean", "--yes").returncode == 0
    assert not old.exists()
    assert list(listed(client)) == [NAME]
    assert "HF_HUB_OFFLINE" in assert_one_line_error(client("models", "updates", HF_HUB_OFFLINE="1"))


def test_a_repository_that_is_gone_hides_no_newer_revision(client, published):
    client("pull", f"{OTHER}:Q8_0")
    client("pull", NAME)
    published.add(E2B, {E2B_FILE: bytes(32)})
    del published.repos[OTHER]
    done = client("models", "updates")
    assert (done.returncode, done.stdout) == (0, f"{NAME} has a newer revision: edgekit pull {NAME}\n")
    assert done.stderr.startswith(f"{OTHER}:Q8_0: ")
    assert "has no repository" in done.stderr


def test_two_files_of_one_quantization_have_names_of_their_own(client, published, q8_plan):
    published.add(PROJECTORS, {PROJECTOR: q8_plan.projector.read_bytes(), "gemma-Q4_0.gguf": b"another"})
    assert client("pull", f"{PROJECTORS}:Q4_0").returncode == 0
    assert list(listed(client)) == [NAME]
    assert client("pull", NAME).returncode == 0
    assert {name: one["repo"] for name, one in listed(client).items()} == {NAME: E2B, f"{PROJECTORS}:Q4_0": PROJECTORS}
    assert client("models", "remove", f"{PROJECTORS}:Q4_0", "--yes").returncode == 0
    assert {name: one["repo"] for name, one in listed(client).items()} == {NAME: E2B}
    # The projector of the other repository is the model's own.
    assert client.names() == sorted([E2B_FILE, PROJECTOR])


def test_what_several_names_share_stays_for_the_last(client, published, q8_plan):
    client("pull", NAME)
    client("pull", f"{OTHER}:Q4_0")
    done = client("models", "remove", NAME, "--yes")
    assert done.stderr.endswith("are free now; another name or program has the same file and keeps it.\n")
    assert client("run", f"{OTHER}:Q4_0", "Who are you?").returncode == 0
    done = client("models", "remove", f"{OTHER}:Q4_0", "--yes")
    whole = sum(path.stat().st_size for path in (q8_plan.model, q8_plan.projector)) / 2**20
    assert done.stderr.endswith(f": {whole:.1f} MiB are free now.\n")


def test_a_name_whose_file_is_gone_is_told_of_and_forgotten(client, published):
    client("pull", NAME)
    content = client.file(E2B, E2B_FILE).resolve()
    elsewhere = client.home / "on another disk"
    content.rename(elsewhere)
    content.symlink_to(elsewhere)
    assert list(listed(client)) == [NAME]
    elsewhere.unlink()
    done = client("models")
    assert (done.returncode, done.stdout) == (0, "")
    assert f"Gone from where it was linked: {E2B_FILE}: `edgekit pull` gets it again" in done.stderr
    assert client("models", "clean", "--yes").returncode == 0
    assert client.names() == [PROJECTOR]
    assert not content.is_symlink()


def test_nothing_to_clean_is_said_and_well(client, published):
    assert client("pull", NAME).returncode == 0
    done = client("models", "clean")
    assert (done.returncode, done.stderr) == (0, "There is nothing to remove.\n")
    wrong = client("models", "--json", "clean")
    assert wrong.returncode == 2
    assert "--json: write it behind clean" in wrong.stderr


def test_a_damaged_model_is_listed_as_such(client, published):
    client("pull", NAME)
    client.file(E2B, E2B_FILE).resolve().write_bytes(b"GGUF")
    assert listed(client)[NAME]["template"] == "damaged"
    advice = f"{NAME} is damaged: `edgekit pull {NAME}` gets it anew, `edgekit models remove {NAME}` removes it."
    assert " ".join(client("models").stderr.split()) == advice
    assert client("models", "remove", NAME, "--yes").returncode == 0


@pytest.mark.parametrize(
    ("repo", "spoilt", "cut"),
    [(E2B, E2B_FILE, False), (PROJECTORS, PROJECTOR, True)],
    ids=["overwritten-model", "cut-projector"],
)
def test_what_was_damaged_is_not_here_and_comes_anew(client, published, q8_plan, repo, spoilt, cut):
    client("pull", NAME)
    whole = client.file(repo, spoilt).read_bytes()
    client.file(repo, spoilt).write_bytes(whole[:100_000] if cut else bytes(64) + whole[64:])
    times = client.file(repo, spoilt).stat()
    offline = client("pull", NAME, HF_HUB_OFFLINE="1")
    line = assert_one_line_error(offline)
    assert f"{NAME} is here and damaged ({spoilt}): `edgekit pull {NAME}` brings it anew" in line
    assert offline.stdout == ""
    assert client.file(repo, spoilt).stat().st_atime_ns == times.st_atime_ns
    planned = json.loads(client("pull", NAME, "--dry-run", "--json").stdout)["files"]
    assert {one["file"] for one in planned if one["how"] == "missing"} == {spoilt}
    before = sum(published.sent.values())
    done = client("pull", NAME)
    assert (done.returncode, sum(published.sent.values()) - before) == (0, len(whole))
    assert f"{len(whole) / 2**20:.1f} MiB to download." in done.stderr
    assert client.file(repo, spoilt).read_bytes() == whole
    assert f"edgekit chat {NAME}" in client("pull", NAME, HF_HUB_OFFLINE="1").stdout
