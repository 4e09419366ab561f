"""The Debian package: nothing that writes, runs or stays behind, and what belongs to the system at its place.

Of edgekit's wheel alone, without what it needs: that takes seconds. `packaging/test_deb.sh` installs the whole.
"""

import os
import subprocess
import sys
import tarfile
from pathlib import Path

import deb
import pytest
import targets
import wheelhouse
from needed import needed

from edgekit import __version__

_SITE = f"./usr/lib/edgekit/lib/python{targets.PYTHON}/site-packages"


def build(out: Path) -> Path:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(deb, "WORK", out)
        return deb.build(targets.TARGETS["aarch64"], [wheelhouse.edgekit_wheel(out)], out)


@pytest.fixture(scope="module")
def package(tmp_path_factory) -> Path:
    needed("dpkg-deb", "dpkg")
    return build(tmp_path_factory.mktemp("dist"))


@pytest.fixture(scope="module")
def members(package) -> dict[str, tarfile.TarInfo]:
    packed = subprocess.Popen(["dpkg-deb", "--fsys-tarfile", package], stdout=subprocess.PIPE)
    with tarfile.open(fileobj=packed.stdout, mode="r|") as archive:
        return {member.name: member for member in archive}


def _field(package, name):
    return subprocess.check_output(["dpkg-deb", "--field", package, name], text=True).strip()


def test_says_what_it_is_and_needs(package):
    assert package.name == f"edgekit_{__version__}+py{targets.PYTHON}_arm64.deb"
    assert _field(package, "Architecture") == "arm64"
    minor = sys.version_info.minor
    assert f"python3 (>= 3.{minor}), python3 (<< 3.{minor + 1})" in _field(package, "Depends")


def test_two_builds_of_a_commit_are_the_same(package, tmp_path, monkeypatch):
    # Later, elsewhere, and as somebody whose files nobody else may read.
    monkeypatch.setenv("PYTHONHASHSEED", "1")
    before = os.umask(0o077)
    try:
        again = build(tmp_path)
    finally:
        os.umask(before)
    for one, other in zip(*(sorted(folder.glob("*edgekit*")) for folder in (package.parent, tmp_path)), strict=True):
        if one.is_file():
            assert (one.name, one.read_bytes()) == (other.name, other.read_bytes())
    assert again.stat().st_size == package.stat().st_size


def test_the_date_is_the_one_that_is_asked_for_or_the_commit_s(members, monkeypatch):
    asked = ["git", "-C", str(targets.ROOT), "log", "-1", "--format=%ct"]
    # A source archive has none.
    is_checkout = (targets.ROOT / ".git").exists()
    committed = subprocess.check_output(asked, text=True).strip() if is_checkout else targets.NO_COMMIT
    assert {str(int(member.mtime)) for member in members.values()} == {committed}
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1700000000")
    assert targets.source_date() == "1700000000"
    monkeypatch.delenv("SOURCE_DATE_EPOCH")
    monkeypatch.setattr(targets, "ROOT", targets.ROOT / "packaging")
    assert targets.source_date() == targets.NO_COMMIT


def test_runs_nothing_when_installed_or_removed(package, tmp_path):
    subprocess.run(["dpkg-deb", "--control", package, tmp_path / "control"], check=True)
    assert {path.name for path in (tmp_path / "control").iterdir()} == {"control", "md5sums"}


def test_belongs_to_root_and_is_readable(members):
    assert {(member.uname, member.uid) for member in members.values()} == {("root", 0)}
    assert not [name for name, member in members.items() if not member.issym() and member.mode & 0o444 != 0o444]
    assert not [name for name, member in members.items() if not member.issym() and member.mode & 0o022]


def test_has_the_byte_code_of_every_module(members):
    modules = [name for name in members if name.startswith(f"{_SITE}/edgekit/") and name.endswith(".py")]
    assert len(modules) > 300
    tag = sys.implementation.cache_tag
    for name in modules:
        folder, _, file = name.rpartition("/")
        assert f"{folder}/__pycache__/{file[:-3]}.{tag}.pyc" in members, name


@pytest.mark.parametrize(
    "place",
    [
        "./usr/lib/edgekit/pyvenv.cfg",
        f"{_SITE}/edgekit/demo/gemma4-pico/model.safetensors",
        f"{_SITE}/edgekit/profiles/machines/raspberry-pi-5-8gb.toml",
        f"{_SITE}/edgekit/tui/status.tcss",
        "./usr/share/man/man1/edgekit.1.gz",
        "./usr/share/bash-completion/completions/edgekit",
        "./usr/share/zsh/vendor-completions/_edgekit",
        "./usr/share/fish/vendor_completions.d/edgekit.fish",
        "./usr/share/applications/edgekit.desktop",
        "./usr/share/icons/hicolor/scalable/apps/edgekit.svg",
        "./usr/lib/systemd/system/edgekit-console@.service",
        "./usr/share/doc/edgekit/copyright",
    ],
)
def test_brings(members, place):
    assert members[place].size > 0


def test_its_command_runs_in_its_own_environment(members):
    assert members["./usr/bin/edgekit"].linkname == "../lib/edgekit/bin/edgekit"
    assert members["./usr/lib/edgekit/bin/edgekit"].mode & 0o111
    assert members["./usr/lib/edgekit/bin/python3"].linkname == f"/usr/bin/python{targets.PYTHON}"
