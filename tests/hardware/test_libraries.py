"""Of a llama.cpp with a library per kind of processor, the one is taken that ggml would take."""

import subprocess

import pytest

from edgekit.hardware import libraries


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setattr(libraries, "library_folder", lambda: tmp_path)
    libraries.processor_library.cache_clear()
    yield tmp_path
    libraries.processor_library.cache_clear()


def _library(folder, name, code):
    source = folder / f"{name}.c"
    source.write_text(code)
    subprocess.run(["cc", "-shared", "-fPIC", "-o", folder / f"{name}.so", source], check=True)


def _scored(folder, kind, score):
    _library(folder, f"libggml-cpu-{kind}", f"int ggml_backend_score(void) {{ return {score}; }}")


def test_takes_the_best_that_runs_here(folder):
    for kind, score in (("x64", 1), ("haswell", 64), ("zen4", 0)):
        _scored(folder, kind, score)
    _library(folder, "libggml-cpu-old", "int other(void) { return 9; }")
    (folder / "libggml-cpu-broken.so").write_bytes(b"\x7fELF")
    assert libraries.processor_library() == folder / "libggml-cpu-haswell.so"
    _library(folder, "libggml", "void ggml_backend_load_all_from_path(const char * folder) { (void) folder; }")
    assert libraries.backend_loader() is not None


def test_takes_the_only_one_where_nothing_is_to_choose(folder):
    _scored(folder, "zen4", 64)
    _library(folder, "libggml-cpu", "")
    assert libraries.processor_library() == folder / "libggml-cpu.so"
    assert libraries.backend_loader() is None


def test_knows_when_nothing_runs_here(folder):
    _scored(folder, "zen4", 0)
    assert libraries.processor_library() is None
