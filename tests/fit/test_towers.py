"""The working memory of the encoders against what llama.cpp reserves for them."""

from __future__ import annotations

import pytest
from oracles.pico import q8_plan
from oracles.projector_file import warmed_up, write_projector

from edgekit.catalog.load import variants
from edgekit.catalog.variant import Tower
from edgekit.fit.buffers import audio_buffer, vision_buffer
from edgekit.fit.file_shape import towers
from edgekit.fit.plan import Plan
from edgekit.gguf_header import read_header

__all__ = ["q8_plan"]

MIB = 1 << 20
# The bundled model's embeddings: the towers are of real width, only what they project to is not.
WIDTH = 128
VARIANTS = {variant.name: variant for variant in variants()}
VISION = [*(VARIANTS[name].vision for name in ("E2B", "26B-A4B", "12B")), Tower(96, 192, 9, 0, 3, True)]
AUDIO = [VARIANTS["E2B"].audio, Tower(96, 384, 1, 750, 3, True)]


@pytest.mark.parametrize("flash_attention", [True, False])
@pytest.mark.parametrize("tower", VISION, ids=lambda one: one.hidden_size)
def test_a_picture_of_256_soft_tokens(tmp_path, q8_plan: Plan, tower, flash_attention):
    file = tmp_path / "mmproj.gguf"
    write_projector(file, WIDTH, vision=tower)
    said = warmed_up(q8_plan.model, file, flash_attention=flash_attention)
    computed = vision_buffer(tower, 256, flash_attention=flash_attention)
    assert computed / MIB == pytest.approx(said, abs=0.0051)


@pytest.mark.parametrize("tower", AUDIO, ids=lambda one: one.hidden_size)
def test_thirty_seconds_of_sound(tmp_path, q8_plan: Plan, tower):
    file = tmp_path / "mmproj.gguf"
    write_projector(file, WIDTH, audio=tower)
    assert audio_buffer(tower, 750) / MIB == pytest.approx(warmed_up(q8_plan.model, file), abs=0.0051)


def test_towers_by_a_projectors_own_header(tmp_path):
    file = tmp_path / "mmproj.gguf"
    vision, audio = VARIANTS["E2B"].vision, VARIANTS["E2B"].audio
    write_projector(file, WIDTH, vision=vision, audio=audio)
    assert towers(read_header(file)) == {"vision": vision, "audio": audio}
