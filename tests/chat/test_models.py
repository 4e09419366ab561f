"""What a person calls a model becomes a plan, without the network."""

from __future__ import annotations

import shutil

import pytest

from edgekit import paths
from edgekit.chat.models import find_plan
from edgekit.errors import FileError, NotHereError, UnsupportedError


@pytest.fixture
def cache(tmp_path, monkeypatch):
    """A Hugging Face cache as downloads leave it."""
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path))

    def add(repo, file, source):
        folder = tmp_path / f"models--{repo.replace('/', '--')}"
        (folder / "refs").mkdir(parents=True, exist_ok=True)
        (folder / "refs" / "main").write_text("0" * 40)
        target = folder / "snapshots" / ("0" * 40) / file
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(source, target)
        return target

    return add


def test_a_file_with_its_projector_beside_it(q8_plan):
    plan = find_plan(str(q8_plan.model))
    assert (plan.model, plan.projector, plan.context) == (q8_plan.model, q8_plan.projector, 8192)
    assert plan.batch == plan.ubatch == 512
    assert find_plan(str(q8_plan.model), context=512).context == 512


def test_tiny_models_compute_on_one_thread(q8_plan, monkeypatch):
    assert find_plan(str(q8_plan.model)).threads == 1
    monkeypatch.setattr("edgekit.chat.models._TINY", q8_plan.model.stat().st_size)
    assert find_plan(str(q8_plan.model)).threads is None


def test_the_projector_that_fits_is_chosen(q8_plan, tmp_path):
    model = shutil.copy(q8_plan.model, tmp_path / "gemma4-pico-Q8_0.gguf")
    assert find_plan(str(model)).projector is None
    other = shutil.copy(q8_plan.projector, tmp_path / "mmproj-a-quite-different-one-F16.gguf")
    (tmp_path / "mmproj-gemma4-pico-Q8_0.gguf").write_bytes(b"damaged")
    assert find_plan(str(model)).projector == other
    named = shutil.copy(q8_plan.projector, tmp_path / "mmproj-gemma4-pico-BF16.gguf")
    assert find_plan(str(model)).projector == named
    assert find_plan(str(model), projector=other).projector == other


def test_a_catalog_name_in_the_hugging_face_cache(q8_plan, cache):
    model = cache("google/gemma-4-E2B-it-qat-q4_0-gguf", "gemma-4-E2B_q4_0-it.gguf", q8_plan.model)
    assert find_plan("gemma-4-E2B-it:Q4_0").model == model
    assert find_plan("gemma-4-e2b-it").projector is None
    projector = cache("ggml-org/gemma-4-E2B-it-GGUF", "mmproj-gemma-4-E2B-it-Q8_0.gguf", q8_plan.projector)
    assert find_plan("gemma-4-E2B-it:q4_0").projector == projector


def test_what_is_not_there_is_said_with_what_to_do(cache, tmp_path):
    with pytest.raises(NotHereError, match="`edgekit pull gemma-4-E2B-it:Q4_0` gets it"):
        find_plan("gemma-4-E2B-it:Q4_0")
    with pytest.raises(NotHereError, match="`edgekit pull someone/some-GGUF:Q4_0` gets it"):
        find_plan("someone/some-GGUF:Q4_0")
    with pytest.raises(FileError, match="Q8_0"):
        find_plan("gemma-4-E2B-it:Q9_9")
    with pytest.raises(FileError, match="NOPE is no quantization: gemma-4-E2B-it is published as"):
        find_plan("gemma-4-E2B-it:NOPE")
    with pytest.raises(FileError, match="does not exist"):
        find_plan(str(tmp_path / "nothing.gguf"))
    with pytest.raises(FileError, match="is a checkpoint: `edgekit convert "):
        find_plan(str(paths.demo_checkpoint()))


def test_too_long_a_context(q8_plan):
    from edgekit.engine.engine import Engine

    with pytest.raises(UnsupportedError, match="at most 32768"):
        Engine.open(find_plan(str(q8_plan.model), context=40_000))


def test_the_bundled_model_is_converted_once(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    heard = []
    plan = find_plan("demo", progress=lambda done, total, text="": heard.append(done / total))
    assert plan.projector is not None
    assert heard[-1] == 1
    written = plan.model.stat().st_mtime_ns
    assert find_plan("demo") == plan
    assert plan.model.stat().st_mtime_ns == written
    french = find_plan("demo:french")
    assert french.model.parent != plan.model.parent
    assert french.model.read_bytes() != plan.model.read_bytes()
    assert sorted(path.name for path in (tmp_path / "edgekit" / "demo").iterdir()) == sorted(
        (plan.model.parent.name, french.model.parent.name)
    )
