"""`edgekit probe` and `edgekit pick` as a person and as a script run them."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest
from one_line import assert_one_line_error

from edgekit.hardware.profile import profile_names

CANDIDATE = {
    "variant",
    "quantization",
    "repo",
    "file",
    "context",
    "placement",
    "fits",
    "memory",
    "decode_tokens_per_second",
    "prefill_tokens_per_second",
    "quality",
    "reason",
}
HEAVY = {"numpy", "llama_cpp", "gguf", "textual", "huggingface_hub", "jinja2", "psutil"}


def test_pick_as_json(edgekit):
    done = edgekit("pick", "--profile", "raspberry-pi-5-8gb", "--json")
    assert done.returncode == 0
    found = json.loads(done.stdout)
    assert set(found) == {"machine", "recommendation", "candidates", "guide", "notes"}
    assert found["machine"]["name"] == "raspberry-pi-5-8gb"
    assert found["recommendation"] in found["candidates"]
    for one in found["candidates"]:
        assert set(one) >= CANDIDATE
        assert set(one["memory"]) == {"total", "host", "gpu", "lines"}
        assert one["memory"]["total"] == sum(line["bytes"] for line in one["memory"]["lines"])
        assert all({"what", "bytes", "where"} <= set(line) for line in one["memory"]["lines"])
        assert set(one["decode_tokens_per_second"]) == {"low", "high", "basis"}
        assert 0 < one["decode_tokens_per_second"]["low"] <= one["decode_tokens_per_second"]["high"]


def test_probe_as_json(edgekit):
    done = edgekit("probe", "--no-measure", "--json")
    assert done.returncode == 0
    machine = json.loads(done.stdout)
    assert {"name", "memory", "processor", "accelerators", "board", "container", "notes"} <= set(machine)
    assert 0 < machine["memory"]["available"] <= machine["memory"]["total"]


def test_probe_is_readable(edgekit):
    done = edgekit("probe", "--no-measure")
    assert done.returncode == 0
    assert [word for word in ("Processor", "Memory", "Accelerator", "Bandwidth") if word not in done.stdout] == []


@pytest.mark.parametrize("profile", profile_names())
def test_the_table_fits_80_columns_and_names_the_next_command(edgekit, profile):
    done = edgekit("pick", "--profile", profile)
    assert done.returncode == 0
    table = done.stdout.partition("\n\n")[2].partition("\n\n")[0]
    assert len(table.splitlines()) == 6
    assert max(map(len, table.splitlines())) <= 80
    assert "…" not in table
    (chosen,) = [line for line in table.splitlines() if line.startswith("→")]
    assert f"Take gemma-4-{chosen.split()[1]}-it:{chosen.split()[2]}." in done.stdout
    assert "  hf download " in done.stdout
    assert "  edgekit chat " in done.stdout
    assert "\x1b[" not in done.stdout


def test_explain_shows_where_the_memory_goes(edgekit):
    done = edgekit("pick", "--profile", "laptop-8gb", "--explain")
    wanted = (
        "weights",
        "token embeddings",
        "per layer embeddings",
        "kv full",
        "kv sliding",
        "compute",
        "process",
        "total",
    )
    assert [word for word in wanted if f"\n{word} " not in done.stdout] == []


def test_all_shows_every_file(edgekit):
    some, every = (edgekit("pick", "--profile", "laptop-8gb", *extra).stdout for extra in ([], ["--all"]))
    assert "BF16" not in some
    assert "BF16" in every


def test_profiles_are_listed(edgekit):
    assert set(json.loads(edgekit("pick", "--profiles", "--json").stdout)["profiles"]) == set(profile_names())
    listed = edgekit("pick", "--profiles").stdout
    assert [name for name in profile_names() if name not in listed] == []


def test_modalities_and_the_published_table(edgekit):
    done = edgekit("pick", "--profile", "laptop-32gb", "--for", "audio", "--for", "image", "--json")
    assert {one["variant"] for one in json.loads(done.stdout)["candidates"]} == {"E2B", "E4B", "12B"}
    silent = edgekit("pick", "--profile", "desktop-rtx-3060-12gb", "--policy", "guide")
    assert silent.returncode == 0
    assert "says nothing about 12 GB" in silent.stdout


def test_nothing_fits_is_an_answer(edgekit):
    done = edgekit("pick", "--profile", "container-2gb", "--context", "131072")
    assert done.returncode == 0
    assert "Nothing fits." in done.stdout
    assert "a context of 16,384 would fit and a machine with 4 GB would hold it." in done.stdout


def test_a_context_that_no_variant_has_is_one_line(edgekit):
    said = assert_one_line_error(edgekit("pick", "--profile", "laptop-16gb", "--context", "1000000000"))
    assert "no Gemma 4 has a context of 1,000,000,000 tokens: the largest is 262,144" in said


def test_an_unknown_profile_is_one_line(edgekit):
    assert "--profiles" in assert_one_line_error(edgekit("pick", "--profile", "pi-9"))


@pytest.mark.parametrize(
    "arguments", [["--context", "many"], ["--context", "1"], ["--for", "smell"], ["--prefer", "x"]]
)
def test_wrong_usage(edgekit, arguments):
    assert edgekit("pick", *arguments).returncode == 2


def test_pick_imports_nothing_heavy(environment):
    code = (
        "import sys; from edgekit.cli.app import app; "
        "app(['pick', '--no-measure', '--json'], standalone_mode=False); "
        "print(*{name.partition('.')[0] for name in sys.modules}, file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment, check=True)
    assert HEAVY & set(done.stderr.split()) == set()
