"""`edgekit probe` and `edgekit pick` as a person and as a script run them."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from io import StringIO

import pytest
from one_line import assert_one_line_error
from rich.console import Console

from edgekit.catalog.load import variants
from edgekit.catalog.variant import ModelFile
from edgekit.cli.pick_table import table
from edgekit.cli.pick_view import show
from edgekit.fit.needs import Needs
from edgekit.fit.next_commands import projector_to_pull
from edgekit.fit.picker import pick
from edgekit.fit.placement import best_candidate
from edgekit.hardware.profile import profile_names, read_profile

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
        assert {"total", "host", "gpu", "lines"} <= set(one["memory"])
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
def test_the_table_and_the_next_command(edgekit, profile):
    done = edgekit("pick", "--profile", profile)
    assert done.returncode == 0
    table = done.stdout.partition("\n\n")[2].partition("\n\n")[0]
    assert len(table.splitlines()) == 6
    assert "\x1b[" not in done.stdout
    chosen = [line for line in table.splitlines() if line.startswith("→")]
    if not chosen:
        assert "Nothing fits.\nThe nearest is gemma-4-E2B-it:UD-Q4_K_XL. Lacks 0." in done.stdout
        return
    variant, quantization = chosen[0].split()[1:3]
    assert f"Take gemma-4-{variant}-it:{quantization}." in done.stdout
    assert f"\n  edgekit chat gemma-4-{variant}-it:{quantization}" in done.stdout
    assert re.search(rf"\n  edgekit pull gemma-4-{variant}-it:{quantization}( --projector none)?\n", done.stdout)


def _files() -> Iterator[ModelFile]:
    return (one for variant in variants() for one in (*variant.files, *variant.projectors))


def test_every_file_has_the_name_it_is_published_under():
    assert [(one.repo, one.quantization) for one in _files() if not (one.file or "").endswith(".gguf")] == []


def test_another_projector_than_the_usual_one_is_named(edgekit):
    done = edgekit("pick", "--profile", "laptop-16gb", "--for", "audio")
    assert re.search(r"\n  edgekit pull gemma-4-E[24]B-it:\S+ --projector F16\n", done.stdout), done.stdout


def test_a_projector_that_would_not_fit_is_left_out():
    """The chat loads a projector that is there; where text alone fits, pick must not bring one."""
    asked = set()
    for profile in profile_names():
        machine = read_profile(profile)
        for chosen in (one for one in pick(machine, Needs()).candidates if one.fits):
            option = projector_to_pull(chosen, machine)
            seeing = replace(chosen.load, projector=chosen.load.variant.projectors[0], modalities=("text", "image"))
            fits = best_candidate(seeing, machine, Needs(chosen.settings.context, ("text", "image"))).fits
            assert option == ("" if fits else "none")
            asked.add(option)
    assert asked == {"", "none"}


@pytest.mark.parametrize("width", [60, 80, 120])
@pytest.mark.parametrize("prefer", ["balanced", "speed"])
def test_the_table_fits_its_columns(width, prefer):
    for profile in profile_names():
        found = pick(read_profile(profile), Needs(prefer=prefer))
        console = Console(width=width, file=StringIO(), color_system=None)
        console.print(table(found, found.candidates, width))
        assert isinstance(console.file, StringIO)
        lines = console.file.getvalue().splitlines()
        assert len(lines) == 1 + len(found.candidates)
        assert max(map(len, lines)) <= width
        assert "…" not in console.file.getvalue()
        assert ("█" in lines[1], "Context" in lines[0]) == (width >= 80, width >= 120)


def test_a_command_is_never_broken(monkeypatch, capsys):
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True, raising=False)
    monkeypatch.setenv("COLUMNS", "56")
    show(pick(read_profile("laptop-32gb"), Needs()), every=False, explain=False)
    (line,) = [line for line in capsys.readouterr().out.splitlines() if "edgekit chat" in line]
    assert line.endswith("--context 32768")
    assert len(line) > 56


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


def test_explain_shows_the_settings(edgekit):
    alone = edgekit("pick", "--profile", "container-2gb", "--explain").stdout
    assert re.search(r"Context [\d,]+, 512 tokens at once, KV cache F16, without a repacked copy\.", alone)
    cards = edgekit("pick", "--profile", "workstation-two-rtx-3090", "--explain").stdout
    assert re.search(r"61 of 61 layers on \d+\.\d+ GiB \+ \d+\.\d+ GiB of GPU\.", cards)


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


@pytest.mark.parametrize("name", ["pi-9", ""])
def test_an_unknown_profile_is_one_line(edgekit, name):
    assert "--profiles" in assert_one_line_error(edgekit("pick", "--no-measure", "--profile", name))


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
