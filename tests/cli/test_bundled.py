"""`demo` and `demo:french` name the bundled checkpoint and adapter wherever a folder of one is asked for."""

import json
import os
import shutil
from pathlib import Path

import pytest
from typer.testing import CliRunner

from edgekit.cli.app import app
from edgekit.cli.options import bundled
from edgekit.errors import FileError
from edgekit.paths import demo_checkpoint


@pytest.fixture(autouse=True)
def elsewhere(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def _run(*arguments):
    return CliRunner().invoke(app, arguments, catch_exceptions=False)


def test_converts_the_bundled_model_with_half_of_its_adapter(tmp_path):
    result = _run("convert", "demo", "--adapter", "demo:french=0.5", "--to", "safetensors", "--json")
    assert result.exit_code == 0, result.stderr
    assert (tmp_path / "gemma4-pico-french" / "model.safetensors").is_file()
    merged = [entry for entry in json.loads(result.stdout)["ledger"] if entry["status"] == "merged"]
    assert len(merged) == 72


@pytest.mark.parametrize(("name", "kind"), [("demo", "checkpoint"), ("demo:french", "adapter")])
def test_inspects_them(name, kind):
    assert json.loads(_run("inspect", name, "--json").stdout)["kind"] == kind


def test_a_folder_of_that_name_goes_first(tmp_path):
    (tmp_path / "demo").mkdir()
    assert bundled(tmp_path / "demo") == tmp_path / "demo"
    assert bundled((tmp_path / "demo").relative_to(tmp_path)).resolve() != demo_checkpoint()


def test_inspects_one_beside_the_other():
    assert json.loads(_run("inspect", "demo:french", "demo", "--json").stdout)["kind"] == "adapter"


@pytest.mark.parametrize("command", [("inspect", "PIPE"), ("imatrix", "demo", "PIPE"), ("inspect", "/dev/zero")])
def test_a_pipe_and_a_device_are_refused_unread(command, tmp_path, monkeypatch):
    os.mkfifo(tmp_path / "PIPE")
    result = CliRunner().invoke(app, command)
    assert isinstance(result.exception, FileError)
    assert "is no file" in str(result.exception)


def test_where_the_cache_cannot_be_written_advice_is_given(tmp_path, monkeypatch):
    (tmp_path / "file").touch()
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    result = CliRunner().invoke(app, ["run", "demo", "hi"])
    assert "name another cache folder with XDG_CACHE_HOME" in str(result.exception)


@pytest.mark.parametrize("weight", ["1e40", "-1e40", "nan", "0"])
def test_a_weight_that_no_file_can_hold_is_refused(weight):
    result = CliRunner().invoke(app, ["convert", "demo", "--adapter", f"demo:french={weight}"])
    assert "cannot be merged with weight" in str(result.exception)


def test_the_next_command_takes_a_leading_dash_for_a_name(tmp_path):
    result = _run("convert", "demo", "--name", "-dash", "--out", "-out")
    assert 'Next: edgekit run ./-out/-dash-Q8_0.gguf "Who are you?"' in result.stderr


def test_a_folder_whose_name_is_no_text_is_refused_by_name(tmp_path):
    folder = Path(os.fsdecode(os.fsencode(tmp_path / "name") + b"\xff"))
    shutil.copytree(demo_checkpoint(), folder)
    result = CliRunner().invoke(app, ["convert", str(folder)])
    assert "choose another with --name" in str(result.exception)
    assert _run("convert", str(folder), "--name", "x").exit_code == 0


def test_links_that_go_round_are_no_checkpoint(tmp_path):
    (tmp_path / "loop").symlink_to("loop")
    result = CliRunner().invoke(app, ["convert", "loop"])
    assert isinstance(result.exception, FileError)
