"""`edgekit bench` as a person and as a script run it; no test asserts a speed."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from one_line import assert_one_line_error
from oracles.pico_onnx import onnx_folder

__all__ = ["onnx_folder"]

LONG = ["--repetitions", "100000", "--depth", "0"]
QUICK = ("--context", "300", "--repetitions", "1")
RESULT = {
    "test",
    "depth",
    "tokens",
    "tokens_per_second",
    "repetitions",
    "llama_cpp_tokens_per_second",
    "llama_cpp_repetitions",
    "ratio",
    "predicted",
}


@pytest.fixture(scope="module")
def demo(edgekit, home) -> Path:
    """The demo's own model file, converted on its first use."""
    assert edgekit("run", "demo", "Hello", "--max-tokens", "2").returncode == 0
    return next(path for path in home.rglob("gemma4-pico-*.gguf") if not path.name.startswith("mmproj"))


def kept(home: Path) -> dict[str, list[dict[str, object]]]:
    found = list(home.rglob("measurements.json"))
    return json.loads(found[0].read_text()) if found else {"benches": [], "tuned": []}


def test_bench_as_json_and_kept(edgekit, demo, home):
    done = edgekit("bench", demo, *QUICK, "--json")
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert set(found) == {"model", "settings", "results", "kept"}
    assert [(one["test"], one["depth"]) for one in found["results"]] == [("prefill", 0), ("decode", 0)]
    for one in found["results"]:
        assert set(one) == RESULT
        assert one["tokens_per_second"] > 0
        assert one["llama_cpp_tokens_per_second"] > 0
        assert len(one["repetitions"]) == 1
    # Other tests have the same home.
    (record,) = (one for one in kept(home)["benches"] if one["file"] == demo.name)
    assert [sample["edgekit"] for sample in record["samples"]] == [one["repetitions"] for one in found["results"]]
    assert Path(found["kept"]).is_file()


def test_bench_is_readable(edgekit, demo):
    done = edgekit("bench", demo, "--context", "400", "--depth", "0", "--depth", "64", "--repetitions", "2")
    assert done.returncode == 0, done.stderr
    header, *rows = done.stdout.strip().splitlines()
    assert header.split() == ["after", "edgekit", "llama.cpp", "ratio", "predicted"]
    assert [row.split()[0] for row in rows] == ["prefill", "decode"] * (len(rows) // 2)
    assert max(map(len, done.stdout.splitlines())) <= 80
    assert "Tokens per second" in done.stderr


def test_tuning_is_kept_and_used_by_run(edgekit, demo, home):
    done = edgekit("bench", demo, "--tune", "--seconds", "20", "--json")
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["best"] in found["trials"]
    (record,) = kept(home)["tuned"]
    assert {name: record[name] for name in ("threads", "batch_threads", "ubatch", "repack")} == {
        name: found["best"][name] for name in ("threads", "batch_threads", "ubatch", "repack")
    }
    assert edgekit("run", demo, "Hello", "--max-tokens", "2").returncode == 0


def test_tuning_is_readable(edgekit, demo):
    done = edgekit("bench", demo, "--tune", "--seconds", "1")
    assert done.returncode == 0, done.stderr
    assert sum(line.startswith("→") for line in done.stdout.splitlines()) == 1
    assert max(map(len, done.stdout.splitlines())) <= 80


@pytest.mark.parametrize(
    ("name", "library", "extra"),
    [("demo", "libllama", LONG), ("demo", "libllama", ["--tune"]), ("onnx_folder", "onnxruntime", LONG)],
)
def test_ctrl_c_keeps_nothing(name, library, extra, request, environment, tmp_path):
    model, own = request.getfixturevalue(name), {**environment, "HOME": str(tmp_path)}
    # A search on so small a model may be over before the signal comes; then the next one gets it sooner.
    stopped = (stop(model, own, tmp_path, extra, after, library) for after in (1, 0.3, 0.1, 0))
    code, out, said = next(result for result in stopped if result[0] != 0)
    assert code == 1, said
    assert (out, said.strip()) == ("", "stopped; nothing was kept")
    assert list(tmp_path.rglob("measurements*")) == []


def stop(model, environment, home, extra, after, library):
    """Return the exit code and what a bench says that gets Ctrl+C so long after its model began to load."""
    for kept in home.rglob("measurements*"):
        kept.unlink()
    arguments = [sys.executable, "-m", "edgekit", "bench", str(model), *extra]
    process = subprocess.Popen(arguments, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    # The library is mapped once the model is about to be loaded, well after the signal is turned into an event.
    deadline = time.monotonic() + 120
    while library not in Path(f"/proc/{process.pid}/maps").read_text() and time.monotonic() < deadline:
        time.sleep(0.05)
    time.sleep(after)
    os.kill(process.pid, signal.SIGINT)
    out, said = process.communicate(timeout=120)
    return process.returncode, out, said


@pytest.mark.parametrize("option", [("--depth", 0), ("--repetitions", 1), ("--context", 400), ("--quant", "q4")])
def test_what_tuning_does_not_heed_is_wrong_usage(edgekit, option):
    done = edgekit("bench", "demo", "--tune", *option)
    assert (done.returncode, done.stdout) == (2, "")
    assert f"{option[0]}: it has no meaning with --tune" in " ".join(done.stderr.split())


def test_a_missing_file_is_one_line(edgekit, tmp_path):
    assert "does not exist" in assert_one_line_error(edgekit("bench", tmp_path / "none.gguf"))


def test_a_damaged_file_is_one_line(edgekit, demo, tmp_path):
    cut = tmp_path / "cut.gguf"
    cut.write_bytes(demo.read_bytes()[:400_000])
    assert "cut short" in assert_one_line_error(edgekit("bench", cut))
    assert "cut short" in assert_one_line_error(edgekit("bench", cut, "--tune"))


def test_a_projector_is_no_model(edgekit, demo):
    projector = next(demo.parent.glob("mmproj-*.gguf"))
    assert "is a projector" in assert_one_line_error(edgekit("bench", projector))


def test_a_context_too_small_or_too_large_is_one_line(edgekit, demo):
    assert "too small" in assert_one_line_error(edgekit("bench", demo, "--context", "20"))
    assert "trained for at most" in assert_one_line_error(edgekit("bench", demo, "--context", "9999999"))


@pytest.mark.parametrize(
    "arguments", [[], ["x", "--repetitions", "0"], ["x", "--depth", "-1"], ["x", "--seconds", "0"]]
)
def test_wrong_usage(edgekit, arguments):
    assert edgekit("bench", *arguments).returncode == 2
