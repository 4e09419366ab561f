"""What is on this machine already is used in place: by checksum, never twice, never if it is another content."""

from __future__ import annotations

import json
import tempfile
from hashlib import sha256
from pathlib import Path

import pytest
from one_line import assert_one_line_error
from servers.hub import E2B, E2B_FILE

NAME = "gemma-4-E2B-it:Q4_0"
MODEL = bytes(range(256)) * 4000
DIGEST = sha256(MODEL).hexdigest()


@pytest.fixture
def published(server):
    server.add(E2B, {E2B_FILE: MODEL})
    return server


def pulled(client, *arguments, **environment):
    done = client("pull", *(arguments or [NAME]), "--json", **environment)
    assert done.returncode == 0, done.stderr
    [file] = json.loads(done.stdout)["files"]
    return file


def kept(path, content=MODEL):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return path


def test_ollamas_blob_is_linked(client, published, tmp_path):
    blob = kept(tmp_path / ".ollama/models/blobs" / f"sha256-{DIGEST}")
    assert pulled(client)["how"] == "linked"
    assert client.file(E2B, E2B_FILE).samefile(blob)
    assert blob.stat().st_nlink == 2
    assert not published.sent
    # Ollama's own removal leaves it whole.
    blob.unlink()
    assert client.file(E2B, E2B_FILE).read_bytes() == MODEL


def test_on_another_disk_it_is_a_reference(client, published):
    with tempfile.TemporaryDirectory(dir="/dev/shm") as folder:
        blob = kept(Path(folder) / "blobs" / f"sha256-{DIGEST}")
        assert blob.stat().st_dev != client.home.stat().st_dev
        assert pulled(client, OLLAMA_MODELS=folder)["how"] == "linked"
        assert client.file(E2B, E2B_FILE).resolve() == blob
        assert not published.sent
    # Gone with that disk: then it is no model, and is downloaded.
    assert "edgekit pull" in assert_one_line_error(client("run", NAME, "Hello"))
    assert pulled(client)["how"] == "downloaded"
    assert client.file(E2B, E2B_FILE).read_bytes() == MODEL


def test_lm_studios_file_is_linked(client, published, tmp_path):
    folder = tmp_path / ".lmstudio/models/google/gemma-4-E2B"
    kept(folder / "another-of-that-size.gguf", bytes(len(MODEL)))
    file = kept(folder / "renamed.gguf")
    assert pulled(client)["how"] == "linked"
    assert client.file(E2B, E2B_FILE).samefile(file)
    assert not published.sent


def test_another_content_under_that_name_is_not_taken(client, published, tmp_path):
    kept(tmp_path / ".ollama/models/blobs" / f"sha256-{DIGEST}", bytes(len(MODEL)))
    kept(tmp_path / f".lmstudio/models/google/gemma-4-E2B/{E2B_FILE}", MODEL[:-1])
    assert pulled(client)["how"] == "downloaded"
    assert client.file(E2B, E2B_FILE).read_bytes() == MODEL


def test_the_same_content_of_another_repository_is_linked(client, published):
    pulled(client)
    published.add("someone/copy-GGUF", {"copy-Q4_0.gguf": MODEL})
    assert pulled(client, "someone/copy-GGUF")["how"] == "linked"
    assert client.file("someone/copy-GGUF", "copy-Q4_0.gguf").samefile(client.file(E2B, E2B_FILE))
    assert sum(published.sent.values()) == len(MODEL)


def test_what_huggingface_hub_downloaded_is_there(client, published, monkeypatch):
    from huggingface_hub import hf_hub_download

    # The server tells of Xet as the Hub does; the bytes come by HTTP.
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_DISABLE_XET", True)
    hf_hub_download(E2B, E2B_FILE, cache_dir=client.cache, endpoint=published.address)
    before = sum(published.sent.values())
    assert pulled(client)["how"] == "here"
    assert sum(published.sent.values()) == before
