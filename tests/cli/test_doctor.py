"""`edgekit doctor` as a person starts it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import gguf
from needed import needed
from one_line import assert_one_line_error
from oracles.pico import q8_plan

from edgekit.fit.plan import Plan

__all__ = ["q8_plan"]


def endless_model(path: Path) -> Path:
    """Write a Gemma 4 without weights, template or end."""
    path.parent.mkdir(parents=True, exist_ok=True)
    writer = gguf.GGUFWriter(path, "gemma4")
    writer.add_token_list(["<pad>", "<bos>", "a", "a"])
    writer.add_token_types([3, 3, 1, 1])
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_ti_data_to_file()
    writer.close()
    return path


def test_sound_files_leave_nothing_to_mend(edgekit, q8_plan: Plan) -> None:
    ran = edgekit("doctor", "--json", q8_plan.model)
    assert ran.returncode == 0
    told = json.loads(ran.stdout)
    # The projector beside it is looked at, too.
    assert told["files"] == [str(q8_plan.model), str(q8_plan.projector)]
    assert [one for one in told["findings"] if one["file"]] == []
    assert told["machine"]["backend_devices"][0]["kind"] == "cpu"


def test_each_problem_of_a_file_is_a_line_with_its_name(edgekit, tmp_path: Path) -> None:
    path = endless_model(tmp_path / "endless.gguf")
    told = json.loads(edgekit("doctor", "--json", path).stdout)
    found = [one["name"] for one in told["findings"] if one["file"]]
    assert found == ["old_vocabulary", "no_end_token", "no_turn_end", "no_template"]
    ran = edgekit("doctor", path)
    assert ran.returncode == 0
    lines = [line for line in ran.stdout.splitlines() if line.startswith("! endless.gguf: ")]
    assert len(lines) == len(found)
    assert "Nothing to mend" not in ran.stdout


def test_what_was_downloaded_is_looked_at(edgekit, home: Path) -> None:
    snapshot = home / ".cache/huggingface/hub/models--google--gemma/snapshots/0123"
    path = endless_model(snapshot / "Q4" / "model.gguf")
    try:
        told = json.loads(edgekit("doctor", "--json").stdout)
    finally:
        path.unlink()
    assert told["files"] == [str(path)]
    assert "no_template" in {one["name"] for one in told["findings"]}


def test_a_damaged_file_is_a_finding_and_a_missing_one_an_error(edgekit, tmp_path: Path) -> None:
    path = tmp_path / "cut.gguf"
    path.write_bytes(endless_model(tmp_path / "whole.gguf").read_bytes()[:60])
    told = json.loads(edgekit("doctor", "--json", path).stdout)
    assert [one["name"] for one in told["findings"] if one["file"]] == ["damaged"]
    line = assert_one_line_error(edgekit("doctor", tmp_path / "absent.gguf"))
    assert "absent.gguf is no file" in line


def test_probe_tells_what_llama_cpp_lists(edgekit) -> None:
    told = json.loads(edgekit("probe", "--json", "--no-measure").stdout)
    assert told["backend_devices"][0]["name"] == "CPU"
    assert {"zram_total", "swap_total", "limit"} <= set(told["memory"])
    assert "efficiency_cores" in told["processor"]
    assert told["system"] == "Linux"


def test_a_cache_that_nobody_may_look_into_is_a_finding(environment: dict[str, str], tmp_path: Path) -> None:
    caches = tmp_path / "caches"
    caches.mkdir(mode=0o000)
    # Root looks into every folder, unless it gives that up.
    as_others = [needed("setpriv", "util-linux"), "--bounding-set=-dac_override,-dac_read_search"]
    line = [*(as_others if os.geteuid() == 0 else []), sys.executable, "-m", "edgekit", "doctor", "--json"]
    cache = {"HF_HUB_CACHE": str(caches / "huggingface" / "hub")}
    ran = subprocess.run(line, capture_output=True, text=True, env=environment | cache, check=False)
    assert ran.returncode == 0, ran.stderr
    assert "cache_not_writable" in [one["name"] for one in json.loads(ran.stdout)["findings"]]
