"""How edgekit was installed, and what a person there can really do."""

from __future__ import annotations

import json
import sys
import sysconfig
from pathlib import Path

import pytest

from edgekit.hardware.backends import build_command
from edgekit.installation import command_for, kind


def test_an_environment_says_its_own_pip(monkeypatch, tmp_path):
    assert kind() == "virtual environment"
    programs = Path(sys.prefix) / "bin"
    monkeypatch.setenv("PATH", str(tmp_path))
    assert command_for("mcp") == f"{programs}/pip install 'edgekit[mcp]'"
    # Activated.
    monkeypatch.setenv("PATH", str(programs))
    assert command_for("mcp") == "pip install 'edgekit[mcp]'"


def test_a_llama_cpp_of_ones_own_takes_no_files_of_dpkgs(monkeypatch):
    monkeypatch.setattr(sys, "prefix", "/usr/lib/edgekit")
    assert kind() == "Debian package"
    assert build_command(["amd"], "Linux").startswith(
        "python3 -m venv ~/edgekit-env && ~/edgekit-env/bin/pip install edgekit && "
        'CMAKE_ARGS="-DGGML_VULKAN=on" ~/edgekit-env/bin/pip install --force-reinstall'
    )


@pytest.mark.parametrize("where", ["folder", "system"])
def test_what_is_closed_leads_to_an_environment_of_ones_own(monkeypatch, tmp_path, where):
    if where == "folder":
        monkeypatch.setattr(sys, "frozen", True, raising=False)
    else:
        # PEP 668, as Debian marks its Python.
        (tmp_path / "EXTERNALLY-MANAGED").touch()
        monkeypatch.setattr(sys, "prefix", sys.base_prefix)
        monkeypatch.setattr(sysconfig, "get_path", lambda name: str(tmp_path))
    assert command_for("mcp") == "python3 -m venv ~/edgekit-env && ~/edgekit-env/bin/pip install 'edgekit[mcp]'"


@pytest.mark.parametrize(
    ("marker", "command"),
    [
        ("pipx_metadata.json", "pipx runpip edgekit install 'edgekit[mcp]'"),
        ("uv-receipt.toml", "uv tool install 'edgekit[mcp]'"),
        ("pyvenv.cfg", "uv pip install --python {python} 'edgekit[mcp]'"),
    ],
)
def test_tools_that_keep_environments_are_asked(monkeypatch, tmp_path, marker, command):
    (tmp_path / marker).touch()
    monkeypatch.setattr(sys, "prefix", str(tmp_path))
    assert command_for("mcp") == command.format(python=sys.executable)


def test_doctor_tells_of_the_installation(edgekit, environment, monkeypatch, tmp_path):
    monkeypatch.delitem(environment, "WAYLAND_DISPLAY", raising=False)
    for name, value in (("SHELL", "/bin/bash"), ("DISPLAY", ":0"), ("PATH", str(tmp_path)), ("HOME", str(tmp_path))):
        monkeypatch.setitem(environment, name, value)
    told = json.loads(edgekit("doctor", "--json").stdout)
    here = told["installation"]
    assert (here["kind"], here["shell"], here["completion"]) == ("virtual environment", "bash", False)
    assert here["extras"]["onnx"] is True
    assert here["llama_cpp"].startswith("0.")
    assert "no_clipboard_tool" in {one["name"] for one in told["findings"]}
    script = tmp_path / ".bash_completions/edgekit.sh"
    script.parent.mkdir()
    script.touch()
    (tmp_path / "xclip").touch(mode=0o755)
    told = json.loads(edgekit("doctor", "--json").stdout)
    assert told["installation"]["completion"] is True
    assert "no_clipboard_tool" not in {one["name"] for one in told["findings"]}
    assert "bash has it" in edgekit("doctor").stdout
