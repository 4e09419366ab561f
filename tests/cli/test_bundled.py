"""`demo` and `demo:french` name the bundled checkpoint and adapter wherever a folder of one is asked for."""

import json

import pytest
from typer.testing import CliRunner

from edgekit.cli.app import app
from edgekit.cli.options import bundled
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
