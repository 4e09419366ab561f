"""The rearranged copy of the weights against llama.cpp's own, for the processor that the tests run on."""

from __future__ import annotations

from pathlib import Path

import pytest
from oracles.dry_run import Answer, Question, ask
from oracles.header_only import write_header_only

from edgekit.catalog.load import variants
from edgekit.catalog.variant import ModelFile
from edgekit.catalog.weights import weights
from edgekit.fit.repack import repackable
from edgekit.hardware.build import built_features
from edgekit.hardware.machine import Processor
from edgekit.hardware.probe import probe

VARIANTS = {variant.name: variant for variant in variants()}
QUANTIZATIONS = ("Q4_0", "Q4_K_M", "Q5_K_M", "Q6_K", "Q8_0", "IQ4_NL", "IQ4_XS", "Q3_K_M", "Q2_K", "MXFP4_MOE", "BF16")


@pytest.fixture(scope="module")
def answers(tmp_path_factory: pytest.TempPathFactory) -> dict[tuple[str, str], Answer]:
    folder: Path = tmp_path_factory.mktemp("header-only")
    pairs = [(name, quantization) for name in VARIANTS for quantization in QUANTIZATIONS]
    for name, quantization in pairs:
        write_header_only(VARIANTS[name], quantization, folder / f"{name}-{quantization}")
    found = ask([Question(str(folder / f"{name}-{quantization}"), 512, repack=True) for name, quantization in pairs])
    return dict(zip(pairs, found, strict=True))


@pytest.mark.parametrize("quantization", QUANTIZATIONS)
@pytest.mark.parametrize("name", VARIANTS)
def test_copy_is_what_llama_cpp_would_make(answers, name, quantization):
    said = answers[name, quantization]
    parts = weights(VARIANTS[name].shape, ModelFile(quantization, ""))
    assert said.repacked == repackable(parts.by_type, _processor())


def test_processors_that_gain_nothing():
    by_type = {"Q4_K": 100, "Q8_0": 10, "BF16": 1}
    assert repackable(by_type, Processor("Cortex-A72", "aarch64", 4, 4, ("neon",))) == 0
    assert repackable(by_type, Processor("Cortex-A76", "aarch64", 4, 4, ("dotprod", "neon"))) == 110
    assert repackable(by_type, Processor("Core i5", "x86_64", 4, 4, ("avx2",))) == 100


def _processor() -> Processor:
    """Return this processor with the features that llama.cpp was built for: it asks its own build."""
    processor = probe(measure=False).processor
    built = built_features()
    known = processor.features if built is None else tuple(one for one in processor.features if one in built)
    return Processor(processor.model, processor.architecture, 4, 4, known)
