"""`edgekit pull` against a Hub on this machine: what comes is whole and right, or it is no model."""

from __future__ import annotations

import json
import random
import signal
import time
from hashlib import sha256

import pytest
from one_line import assert_one_line_error
from servers.hub import E2B, E2B_FILE, PROJECTOR, PROJECTORS, TOKEN, Fault, hub

NAME = "gemma-4-E2B-it:Q4_0"
MODEL = random.Random(1).randbytes(3_000_000)
EYES = random.Random(2).randbytes(700_000)
OTHER = "someone/some-model-GGUF"
BAD_TOKEN = {"X-Error-Message": "Invalid credentials in Authorization header"}


@pytest.fixture
def published(server):
    """E2B as the catalog has it: the model and its projector in two repositories, other files beside them."""
    server.add(E2B, {E2B_FILE: MODEL, "gemma-4-E2B-it-mmproj.gguf": b"other", "README.md": b"# E2B"})
    server.add(PROJECTORS, {PROJECTOR: EYES, "gemma-4-E2B-it-Q8_0.gguf": b"another model"})
    return server


def test_model_and_projector_come_whole_and_alone(client, published):
    done = client("pull", NAME)
    assert done.returncode == 0, done.stderr
    assert client.names() == sorted([E2B_FILE, PROJECTOR])
    assert client.file(E2B, E2B_FILE).read_bytes() == MODEL
    assert client.file(PROJECTORS, PROJECTOR).read_bytes() == EYES
    assert client.unfinished() == []
    assert done.stdout.endswith(f"Ready: edgekit chat {NAME}\n")
    # Plain lines where there is no terminal, for each file and in all.
    assert f"{E2B_FILE}: 100% of 2.9 MiB, 100% of all" in done.stderr
    assert f"{PROJECTOR}:" in done.stderr
    assert "\x1b" not in done.stderr


def test_huggingface_hub_finds_what_was_pulled(client, published):
    from huggingface_hub import scan_cache_dir, try_to_load_from_cache

    assert client("pull", NAME).returncode == 0
    found = try_to_load_from_cache(E2B, E2B_FILE, cache_dir=client.cache)
    assert found == str(client.file(E2B, E2B_FILE))
    scanned = scan_cache_dir(client.cache)
    assert scanned.warnings == []
    assert {repo.repo_id: repo.size_on_disk for repo in scanned.repos} == {E2B: len(MODEL), PROJECTORS: len(EYES)}


def test_a_second_pull_downloads_nothing(client, published):
    client("pull", NAME)
    sent = dict(published.sent)
    done = client("pull", NAME)
    assert done.returncode == 0
    assert "All of it is here." in done.stderr
    assert published.sent == sent


def test_json_is_one_object(client, published):
    found = json.loads(client("pull", NAME, "--json", "--dry-run").stdout)
    assert found["name"] == NAME
    assert [(one["kind"], one["file"], one["how"]) for one in found["files"]] == [
        ("text", E2B_FILE, "missing"),
        ("projector", PROJECTOR, "missing"),
    ]
    assert not published.sent
    found = json.loads(client("pull", NAME, "--json").stdout)
    assert [one["how"] for one in found["files"]] == ["downloaded", "downloaded"]
    assert [one["path"] for one in found["files"]] == [
        str(client.file(E2B, E2B_FILE)),
        str(client.file(PROJECTORS, PROJECTOR)),
    ]


def test_files_are_found_by_what_the_repository_holds(client, server):
    """Names follow no pattern: by quantization, in folders, in parts, with a drafter and matrices beside them."""
    files = {
        "BF16/Some-Model-BF16-00001-of-00002.gguf": b"first",
        "BF16/Some-Model-BF16-00002-of-00002.gguf": b"second",
        "Some-Model_q4_0-it.gguf": b"four",
        "Some-Model-UD-Q4_K_XL.gguf": b"mixed",
        "Some-Model-imatrix.gguf": b"matrix",
        "mmproj-F32.gguf": b"eyes in F32",
        "mmproj-BF16.gguf": b"eyes in BF16",
        "mtp-Some-Model.gguf": b"drafter",
        "MTP/mtp-Some-Model-F16.gguf": b"finer",
    }
    server.add(OTHER, files)

    def names(*arguments):
        found = client("pull", *arguments, "--json", "--dry-run")
        return [one["file"] for one in json.loads(found.stdout)["files"]]

    beside = ["mmproj-BF16.gguf", "mtp-Some-Model.gguf"]
    assert names(OTHER, "--quant", "bf16") == [*list(files)[:2], *beside]
    assert names(f"{OTHER}:Q4_0") == ["Some-Model_q4_0-it.gguf", *beside]
    assert names(f"https://huggingface.co/{OTHER}/tree/main", "--quant", "ud-q4_k_xl", "--projector", "F32") == [
        "Some-Model-UD-Q4_K_XL.gguf",
        "mmproj-F32.gguf",
        "mtp-Some-Model.gguf",
    ]
    done = client("pull", f"{OTHER}:Q4_0")
    assert f"edgekit chat {OTHER}:Q4_0 --drafter auto" in done.stderr
    assert names(f"hf.co/{OTHER}:Q4_0", "--no-drafter", "--projector", "none") == ["Some-Model_q4_0-it.gguf"]
    alone = ("--quant", "q4_0", "--no-drafter", "--projector", "none")
    for address in (f"https://huggingface.co/{OTHER}/", f"{server.address}/{OTHER}", f"hf://{OTHER}"):
        assert names(address, *alone) == ["Some-Model_q4_0-it.gguf"]
    page = f"https://huggingface.co/{OTHER}/blob/main/Some-Model_q4_0-it.gguf?download=true"
    assert names(page, *alone[2:]) == ["Some-Model_q4_0-it.gguf"]


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("https://example.com/someone/some-model-GGUF", "is no address of a repository of models"),
        ("https://huggingface.co/datasets/someone/pictures", "is no address of a repository of models"),
        ("https://huggingface.co/someone/some-model-GGUF/tree/v2", "is no address of a repository of models"),
        ("https://huggingface.co/google", "is no address of a repository of models"),
        ("a/b/c", "a/b/c is neither in the catalog"),
        ("gemma-4-E2B-it:NOPE", "NOPE is no quantization: gemma-4-E2B-it is published as BF16, Q4_0"),
    ],
)
def test_what_can_be_no_model_is_said_without_asking(client, published, name, said):
    assert said in assert_one_line_error(client("pull", name))
    assert not published.asked


def test_an_empty_name_is_wrong_usage(client, published):
    for arguments in ([""], [" "], ["", "--quant", "Q4_0"]):
        done = client("pull", *arguments)
        assert (done.returncode, done.stdout) == (2, "")
        assert "MODEL: it is empty" in done.stderr
    assert not published.asked


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([OTHER], "several models: say which with --quant: Q4_0, Q8_0"),
        ([f"{OTHER}:Q2_K"], "holds no Q2_K: there are Q4_0, Q8_0"),
        ([f"{OTHER}:Q4_0", "--projector", "F16"], "no projector F16"),
        ([f"{OTHER}:Q4_0", "--quant", "Q8_0"], "leave out --quant Q8_0"),
        (["no-such-model"], "neither in the catalog (gemma-4-E2B-it"),
        (["no/such-model"], "has no repository no/such-model, or it is private"),
        (["someone/safetensors"], "no GGUF of a text model"),
        (["someone/hostile"], "unsafe name"),
        (["gemma-4-E2B-it:Q9_9"], "is not published as Q9_9: there are BF16, IQ9_1, Q4_0, Q4_K_M"),
        (["someone/parts"], "holds 2 of the 3 parts of Model-Q4_0"),
    ],
)
def test_what_is_not_there_is_said_with_what_is(client, server, arguments, said):
    server.add(OTHER, {"a-Q4_0.gguf": b"a", "a-Q8_0.gguf": b"b"})
    server.add("someone/safetensors", {"model.safetensors": b"a"})
    parts = {f"Model-Q4_0-0000{number}-of-00003.gguf": b"a" for number in (1, 3)}
    server.add("someone/parts", parts)
    # Beside what the catalog knows of; its other repositories are not there.
    server.add(PROJECTORS, {"gemma-4-E2B-it-IQ9_1.gguf": b"a"})
    server.add("someone/hostile", {"../../../../a-Q4_0.gguf": b"a"})
    assert said in assert_one_line_error(client("pull", *arguments))
    assert client.names() == []


def test_twenty_kills_at_random_moments_resume_to_equal_bytes(client, server):
    dice = random.Random(20)
    model, eyes = dice.randbytes(24_000_000), dice.randbytes(3_000_000)
    server.add(E2B, {E2B_FILE: model})
    server.add(PROJECTORS, {PROJECTOR: eyes})
    server.rate = 6e6
    killed = 0
    for turn in range(20):
        goal = sum(server.sent.values()) + dice.randrange(1_800_000)
        with client.start("pull", NAME) as process:
            if turn % 5:
                server.wait_sent(goal, patience=20)
            else:
                # Some before the first byte, while it asks.
                time.sleep(dice.uniform(0, 0.8))
            process.send_signal(signal.SIGKILL)
            process.communicate()
            killed += process.returncode == -signal.SIGKILL
        assert client.names() == []
        assert "edgekit pull" in assert_one_line_error(client("run", NAME, "Hello")) if turn == 10 else True
    assert killed == 20
    kept = sum(path.stat().st_size for path in client.cache.glob("models--*/blobs/*"))
    assert kept > 5_000_000
    server.rate, before = 0, sum(server.sent.values())
    assert client("pull", NAME).returncode == 0
    assert client.file(E2B, E2B_FILE).read_bytes() == model
    assert client.file(PROJECTORS, PROJECTOR).read_bytes() == eyes
    assert client.unfinished() == []
    # It went on from where it was. A piece that was on its way at the last kill may be counted late.
    assert 0 <= sum(server.sent.values()) - before - (len(model) + len(eyes) - kept) <= 1_000_000


def test_an_interruption_keeps_what_arrived(client, published):
    published.rate = 1e6
    with client.start("pull", NAME) as process:
        assert published.wait_sent(1_500_000, patience=20)
        process.send_signal(signal.SIGINT)
        _, error = process.communicate(timeout=20)
    assert process.returncode == 1
    assert error.splitlines()[-1] == "Stopped. What arrived is kept: the same command goes on from there."
    assert "Traceback" not in error
    assert client.unfinished()
    listed = json.loads(client("models", "list", "--json").stdout)
    assert (listed["models"], len(listed["unfinished"])) == ([], 1)


def test_wrong_bytes_never_become_a_model(client, published):
    published.forever["cdn"] = Fault(corrupt=True)
    done = client("pull", NAME)
    assert done.returncode == 1
    assert "arrived damaged: its checksum is" in done.stderr.splitlines()[-1]
    assert client.names() == []
    assert client.unfinished() == []
    assert "edgekit pull" in assert_one_line_error(client("run", NAME, "Hello"))


def test_more_bytes_than_said_are_refused(client, published):
    published.forever["cdn"] = Fault(tail=b"more")
    assert "is longer than the Hub says" in client("pull", NAME).stderr.splitlines()[-1]
    assert client.names() == []


def test_what_an_earlier_run_left_damaged_is_fetched_anew(client, published):
    partial = client.cache / f"models--{E2B.replace('/', '--')}/blobs/{sha256(MODEL).hexdigest()}.incomplete"
    partial.parent.mkdir(parents=True)
    partial.write_bytes(MODEL[:1_000_000] + b"a power cut" + MODEL[1_000_011:2_000_000])
    assert client("pull", NAME).returncode == 0
    assert client.file(E2B, E2B_FILE).read_bytes() == MODEL


@pytest.mark.parametrize(
    ("place", "faults"),
    [
        ("cdn", [Fault(cut_after=size) for size in (0, 1, 65_536, 200_000, 300_000)]),
        ("cdn", [Fault(status=status) for status in (503, 429, 500)]),
        ("cdn", [Fault(cut_after=400_000), Fault(whole=True)]),
        ("cdn", [Fault(status=403), Fault(status=416)]),
        ("resolve", [Fault(status=502), Fault(status=429, headers={"Retry-After": "1"})]),
        ("list", [Fault(status=504), Fault(status=429, headers={"RateLimit": '"api";r=0;t=1'})]),
    ],
    ids=["cuts", "statuses", "ignored-range", "expired-address", "redirects", "listing"],
)
def test_what_passes_is_waited_for(client, published, place, faults):
    published.faults[place] = faults
    done = client("pull", NAME)
    assert done.returncode == 0, done.stderr
    assert client.file(E2B, E2B_FILE).read_bytes() == MODEL
    assert published.faults[place] == []
    assert "waiting" in done.stderr


def test_a_signed_address_that_runs_out_is_asked_for_anew(client, published):
    published.faults["cdn"] = [Fault(cut_after=300_000) for _ in range(3)]
    published.address_lasts = 1
    assert client("pull", NAME).returncode == 0
    assert client.file(E2B, E2B_FILE).read_bytes() == MODEL


@pytest.mark.parametrize(
    ("place", "fault", "said"),
    [
        ("list", Fault(status=429, headers={"Retry-After": "3600"}), "asks for fewer requests (429)"),
        ("list", Fault(status=403), "refuses"),
        ("list", Fault(status=404), "has no"),
        ("list", Fault(status=401, headers=BAD_TOKEN), "does not accept your token"),
        ("list", Fault(body=b"<html>Log in to the hotel's network</html>"), "does not answer as the Hub does"),
        ("resolve", Fault(status=404, headers={"X-Error-Code": "EntryNotFound"}), "changed while it was asked"),
        ("resolve", Fault(body=b"<html>Log in</html>"), "is not what its listing says"),
        ("cdn", Fault(status=404), "has no"),
    ],
)
def test_what_does_not_pass_is_explained_at_once(client, published, place, fault, said):
    published.forever[place] = fault
    done = client("pull", NAME)
    assert done.returncode == 1
    assert said in done.stderr.splitlines()[-1]
    assert "Traceback" not in done.stderr
    assert client.names() == []


def test_a_gated_repository_is_explained_step_by_step(client, published):
    published.repos[E2B].gated = True
    done = client("pull", NAME)
    assert done.returncode == 1
    line = done.stderr.splitlines()[-1]
    steps = (f"{published.address}/{E2B}", "accept its terms", "/settings/tokens", "hf auth login")
    assert [step for step in steps if step not in line] == []
    done = client("pull", NAME, HF_TOKEN="hf_" + "b" * 34)
    assert "your token has no access" in done.stderr.splitlines()[-1]
    done = client("pull", NAME, HF_TOKEN=TOKEN)
    assert done.returncode == 0, done.stderr
    # The token is for the Hub alone.
    assert published.tokens_at_cdn == []


def test_small_files_in_git_are_checked_too(client, server):
    server.add(OTHER, {"a-Q4_0.gguf": b"small"}, large=False)
    assert client("pull", OTHER).returncode == 0
    assert client.file(OTHER, "a-Q4_0.gguf").read_bytes() == b"small"


def test_a_renamed_repository_comes_under_the_name_that_was_asked_for(client, server):
    server.add("someone/new-GGUF", {"a-Q4_0.gguf": MODEL})
    server.add("someone/git-GGUF", {"a-Q4_0.gguf": b"small"}, large=False)
    server.renamed = {OTHER: "someone/new-GGUF", "someone/old-git-GGUF": "someone/git-GGUF"}
    for name, content in ((OTHER, MODEL), ("someone/old-git-GGUF", b"small")):
        done = client("pull", name)
        assert done.returncode == 0, done.stderr
        assert client.file(name, "a-Q4_0.gguf").read_bytes() == content


@pytest.mark.parametrize("end", ["", "/"])
def test_a_mirror_may_lie_below_its_host(client, published, end):
    published.add(OTHER, {"a-Q4_0.gguf": b"small"}, large=False)
    published.repos[OTHER].gated = True
    published.prefix = "/api/huggingface/mirror"
    mirror = published.address + published.prefix
    environment = {"HF_ENDPOINT": mirror + end, "HF_TOKEN": TOKEN}
    for name in (NAME, f"{mirror}/{OTHER}"):
        done = client("pull", name, **environment)
        assert done.returncode == 0, done.stderr
    assert client.file(E2B, E2B_FILE).read_bytes() == MODEL
    assert client.file(OTHER, "a-Q4_0.gguf").read_bytes() == b"small"
    assert published.tokens_at_cdn == []
    line = client("pull", f"{OTHER}:Q2_K", **environment).stderr.splitlines()[-1]
    assert f"{OTHER} holds no Q2_K: there are Q4_0" in line


def test_a_mirror_may_send_one_elsewhere(client, published):
    with hub() as mirror:
        mirror.sends_to = published.address
        done = client("pull", NAME, HF_ENDPOINT=mirror.address)
    assert done.returncode == 0, done.stderr
    assert client.file(E2B, E2B_FILE).read_bytes() == MODEL


def test_a_login_page_does_not_replace_what_arrived(client, published):
    published.faults["cdn"] = [Fault(), Fault(cut_after=2_000_000)]
    published.forever["cdn"] = Fault(body=b"<html>Log in to the hotel's network</html>")
    done = client("pull", NAME)
    assert done.returncode == 1
    assert "is not what its listing says" in done.stderr.splitlines()[-1]
    [partial] = client.unfinished()
    assert MODEL.startswith(partial.read_bytes())
    assert partial.stat().st_size > 1_000_000
    del published.forever["cdn"]
    assert client("pull", NAME).returncode == 0
    assert client.file(E2B, E2B_FILE).read_bytes() == MODEL


def test_offline_nothing_is_asked(client, published):
    line = assert_one_line_error(client("pull", NAME, HF_HUB_OFFLINE="1"))
    assert "HF_HUB_OFFLINE is set" in line
    assert line.endswith(f"{NAME} is not here")
    assert not published.asked


@pytest.mark.parametrize("lost", ["offline", "network", "hotel"])
def test_what_is_here_is_found_without_the_hub(client, published, lost):
    client("pull", NAME)
    before = json.loads(client("pull", NAME, "--json").stdout)
    changes = {"offline": {"HF_HUB_OFFLINE": "1"}, "network": {"HF_ENDPOINT": "http://127.0.0.1:9"}}.get(lost, {})
    if lost == "hotel":
        published.forever["list"] = Fault(body=b"<html>Log in to the hotel's network</html>")
    done = client("pull", NAME, **changes)
    assert done.returncode == 0, done.stderr
    assert done.stderr.startswith("Not compared with the Hub: ")
    assert done.stdout.endswith(f"Ready: edgekit chat {NAME}\n")
    assert json.loads(client("pull", NAME, "--json", **changes).stdout) == before
    line = assert_one_line_error(client("pull", "gemma-4-E2B-it:Q8_0", **changes))
    assert line.endswith("gemma-4-E2B-it:Q8_0 is not here")


def test_offline_it_is_said_that_only_the_projector_is_missing(client, published):
    client("pull", NAME, "--projector", "none")
    line = assert_one_line_error(client("pull", NAME, HF_HUB_OFFLINE="1"))
    assert line.endswith(f"{NAME} is here, its projector is not (`--projector none` does without)")
    assert client("pull", NAME, "--projector", "none", HF_HUB_OFFLINE="1").returncode == 0


def test_no_server_at_all(client):
    client.environment["HF_ENDPOINT"] = "http://127.0.0.1:9"
    line = assert_one_line_error(client("pull", NAME))
    assert "127.0.0.1:9 cannot be reached" in line
    assert "kept" not in line


def test_what_arrived_is_said_to_be_kept_where_something_did(client, published):
    published.forever["cdn"] = Fault(status=503, headers={"Retry-After": "3600"})
    assert client("pull", NAME).stderr.splitlines()[-1].endswith("has trouble (503): try again later")
    published.faults["cdn"] = [Fault(), Fault(cut_after=2_000_000)]
    assert client("pull", NAME).stderr.splitlines()[-1].endswith("try again later; what arrived is kept")
    assert client.unfinished()


@pytest.mark.parametrize("address", ["notaurl", "http://", "ftp://huggingface.co", "http://[", ""])
def test_an_endpoint_that_is_no_address_is_said(client, address):
    line = assert_one_line_error(client("pull", NAME, HF_ENDPOINT=address))
    assert f"HF_ENDPOINT is {address!r}, which is no address" in line


def test_a_cache_that_cannot_be_written_is_said_before_the_network(client, published, tmp_path):
    (tmp_path / "file").touch()
    for folder in (tmp_path / "file", tmp_path / "file" / "hub", "/proc/hub"):
        line = assert_one_line_error(client("pull", NAME, HF_HUB_CACHE=str(folder)))
        assert f"models cannot come to {folder} (" in line
        assert "name another folder with HF_HUB_CACHE" in line
    assert not published.asked


def test_two_pulls_at_once_download_once(client, published):
    published.rate = 2e6
    with client.start("pull", NAME) as one, client.start("pull", NAME) as other:
        assert [process.communicate(timeout=60)[1] and process.returncode for process in (one, other)] == [0, 0]
    assert client.file(E2B, E2B_FILE).read_bytes() == MODEL
    assert sum(published.sent.values()) == len(MODEL) + len(EYES)
