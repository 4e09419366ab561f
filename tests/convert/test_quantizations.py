"""Every quantization holds what llama.cpp's converter followed by its quantizer writes, byte by byte."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import gguf
import pytest
from oracles import deep_checkpoints, importance
from oracles.gguf_compare import contents, differences
from oracles.llama_converter import llama_convert
from oracles.quantizer import Asked, llama_quantize, llama_quantize_code
from safetensors.torch import load_file, save_file

from edgekit.catalog.quantization import BASE_TYPES
from edgekit.catalog.recipe import Choices
from edgekit.convert.general import OWN_KEYS
from edgekit.convert.job import ConvertJob, ConvertResult, convert
from edgekit.errors import UnsupportedError

Made = Callable[[str], Path]
# The others the converter makes by itself: test_equality_with_llama_cpp compares them.
QUANTIZED = [name for name in BASE_TYPES if name not in ("F32", "BF16", "F16", "Q8_0")]
NEED_IMPORTANCE = ("Q2_K_S", "IQ3_XS", "IQ3_XXS", "IQ2_M", "IQ2_S", "IQ2_XS", "IQ2_XXS", "IQ1_M", "IQ1_S")
FREE = [name for name in QUANTIZED if name not in NEED_IMPORTANCE]
# Those that treat layers differently: the others have nothing to show on a deep model.
MIXED = ("Q5_K_M", "Q4_K_M", "Q4_K_S", "Q3_K_M", "Q4_0", "IQ4_XS", "IQ3_XS", "IQ3_XXS", "IQ2_M", "Q2_K_S")
NAMES = ("narrow", "dense", "experts", "deep", "704", "eight", "untied")
# What the others do not show: blocks of 256 fall back for rows of 704, eight experts get types of their own, and token
# embeddings beside an output matrix. tests/catalog/test_mixture_rules.py compares the types in every quantization.
SHOWN = {
    "deep": MIXED,
    "704": ("Q6_K", "Q5_K_M", "Q4_K_M", "Q3_K_M", "Q2_K", "IQ4_XS", "IQ3_XXS", "IQ2_XS", "IQ1_S", "MXFP4_MOE"),
    "eight": ("Q4_K_M", "Q3_K_M", "Q2_K", "IQ4_XS", "IQ3_M", "IQ2_M", "MXFP4_MOE"),
    "untied": ("Q5_K_M", "Q4_0", "Q3_K_S", "IQ4_NL", "IQ3_XXS", "IQ2_M", "IQ2_XS", "IQ1_M"),
}
TYPE = gguf.GGMLQuantizationType


@pytest.fixture(scope="module")
def given(tmp_path_factory: pytest.TempPathFactory) -> Made:
    """Return the folder of a checkpoint by name; llama.cpp's BF16 GGUF of it lies beside it, and random importance."""
    folder = tmp_path_factory.mktemp("given")

    def make(name: str) -> Path:
        path = folder / name
        if not path.exists():
            deep_checkpoints.write(path, name)
            llama_convert(path, folder / f"{name}-llama", ("BF16",))
            sums = importance.random_sums(source(path))
            importance.write_gguf(folder / f"{name}.imatrix.gguf", sums)
            importance.write_legacy(folder / f"{name}.imatrix.dat", sums)
        return path

    return make


def source(checkpoint: Path) -> Path:
    return checkpoint.with_name(f"{checkpoint.name}-llama") / "BF16.gguf"


def matrix(checkpoint: Path, *, legacy: bool = False) -> Path:
    return checkpoint.with_name(f"{checkpoint.name}.imatrix.{'dat' if legacy else 'gguf'}")


def with_importance(checkpoint: Path, *, legacy: bool = False) -> Asked:
    sums = importance.random_sums(source(checkpoint))
    keys: dict[str, str | int] = {
        "quantize.imatrix.file": str(matrix(checkpoint, legacy=legacy)),
        "quantize.imatrix.dataset": importance.DATASET,
        "quantize.imatrix.entries_count": len(sums),
        "quantize.imatrix.chunks_count": importance.CHUNKS,
    }
    return Asked(importance=importance.as_read(sums, legacy=legacy), keys=keys)


@pytest.fixture(scope="module")
def ours(given: Made, tmp_path_factory: pytest.TempPathFactory) -> Callable[[str, bool], Path]:
    """Return the folder of our files of a checkpoint in every quantization, all made in one run."""
    folder = tmp_path_factory.mktemp("ours")

    def make(name: str, weighed: bool) -> Path:
        path = folder / f"{name}-{weighed}"
        if not path.exists():
            quantizations = tuple(wanted for wanted in (QUANTIZED if weighed else FREE) if shows(name, wanted))
            imatrix = matrix(given(name)) if weighed else None
            convert(ConvertJob(given(name), path, (), quantizations, "none", imatrix=imatrix))
        return path

    return make


def shows(name: str, quantization: str) -> bool:
    return quantization in SHOWN.get(name, QUANTIZED)


def different(ours: Path, theirs: Path) -> list[str]:
    return differences(ours, theirs, allowed=frozenset(OWN_KEYS))


@pytest.mark.parametrize(
    ("name", "quantization"), [(name, wanted) for name in NAMES for wanted in FREE if shows(name, wanted)]
)
def test_equals_llama_cpps(
    name: str, quantization: str, given: Made, ours: Callable[[str, bool], Path], tmp_path: Path
) -> None:
    theirs = llama_quantize(source(given(name)), quantization, tmp_path / "theirs.gguf")
    assert different(ours(name, False) / f"{name}-{quantization}.gguf", theirs) == []


@pytest.mark.parametrize(
    ("name", "quantization"), [(name, wanted) for name in NAMES for wanted in QUANTIZED if shows(name, wanted)]
)
def test_equals_llama_cpps_with_an_importance_matrix(
    name: str, quantization: str, given: Made, ours: Callable[[str, bool], Path], tmp_path: Path
) -> None:
    asked = with_importance(given(name))
    theirs = llama_quantize(source(given(name)), quantization, tmp_path / "theirs.gguf", asked)
    assert different(ours(name, True) / f"{name}-{quantization}.gguf", theirs) == []


def make_one(checkpoint: Path, out: Path, quantization: str, choices: Choices, imatrix: Path | None = None) -> Path:
    result: ConvertResult = convert(
        ConvertJob(checkpoint, out, (), (quantization,), "none", choices=choices, imatrix=imatrix)
    )
    return result.outputs[0].path


@pytest.mark.parametrize("quantization", ["IQ4_XS", "Q4_K_M", "IQ2_XS"])
def test_the_legacy_form_gives_what_it_gives_llama_cpp(quantization: str, given: Made, tmp_path: Path) -> None:
    checkpoint = given("deep")
    asked = with_importance(checkpoint, legacy=True)
    theirs = llama_quantize(source(checkpoint), quantization, tmp_path / "theirs.gguf", asked)
    made = make_one(checkpoint, tmp_path, quantization, Choices(), matrix(checkpoint, legacy=True))
    assert different(made, theirs) == []


CHOSEN = {
    "pure": (Choices(pure=True), Asked(pure=True)),
    "a type for the token embeddings": (
        Choices(token_embedding="Q5_1"),
        Asked(token_embedding=TYPE.Q5_1),
    ),
    "a type for the output, which is the token embeddings": (Choices(output="Q4_1"), Asked(output=TYPE.Q4_1)),
    "patterns, of which the first that fits wins": (
        Choices(tensor_types=((r"blk\.[3-7]\.ffn_down", "Q8_0"), ("ffn_down", "Q3_K"), ("attn_v", "F16"))),
        Asked(tensor_types={r"blk\.[3-7]\.ffn_down": TYPE.Q8_0, "ffn_down": TYPE.Q3_K, "attn_v": TYPE.F16}),
    ),
    "a pattern for the table per layer before the type of both": (
        Choices(tensor_types=(("token_embd", "Q8_0"),), token_embedding="Q4_0"),
        Asked(tensor_types={"token_embd": TYPE.Q8_0}, token_embedding=TYPE.Q4_0),
    ),
    "a pattern that fallbacks follow": (
        Choices(tensor_types=((r"\.proj\.weight|attn_q", "Q4_K"),)),
        Asked(tensor_types={r"\.proj\.weight|attn_q": TYPE.Q4_K}),
    ),
}


@pytest.mark.parametrize("quantization", ["Q4_K_M", "Q8_0", "IQ3_M"])
@pytest.mark.parametrize("what", CHOSEN)
def test_chosen_types_equal_llama_cpps(what: str, quantization: str, given: Made, tmp_path: Path) -> None:
    choices, asked = CHOSEN[what]
    theirs = llama_quantize(source(given("deep")), quantization, tmp_path / "theirs.gguf", asked)
    assert different(make_one(given("deep"), tmp_path, quantization, choices), theirs) == []


def test_a_chosen_type_that_does_not_divide_rows_is_refused(given: Made, tmp_path: Path) -> None:
    asked = Asked(token_embedding=TYPE.Q5_K)
    assert llama_quantize_code(source(given("deep")), "Q4_K_M", tmp_path / "theirs.gguf", asked) != 0
    with pytest.raises(UnsupportedError, match=r"per_layer_token_embd.* as Q5_K: its rows of 288"):
        make_one(given("deep"), tmp_path / "ours", "Q4_K_M", Choices(token_embedding="Q5_K"))


@pytest.mark.parametrize("quantization", QUANTIZED)
def test_without_importance_what_llama_cpp_refuses_is_refused(quantization: str, given: Made, tmp_path: Path) -> None:
    theirs = llama_quantize_code(source(given("dense")), quantization, tmp_path / "theirs.gguf")
    assert (theirs != 0) == (quantization in NEED_IMPORTANCE)
    if theirs:
        with pytest.raises(UnsupportedError, match=rf"{quantization} needs an importance matrix.*edgekit imatrix"):
            make_one(given("dense"), tmp_path / "ours", quantization, Choices())
        assert not (tmp_path / "ours").exists()


def test_converted_files_do_not_depend_on_importance(given: Made, tmp_path: Path) -> None:
    checkpoint = given("deep")
    for quantization in ("F16", "Q8_0"):
        plain = make_one(checkpoint, tmp_path / "plain", quantization, Choices())
        weighed = make_one(checkpoint, tmp_path / "weighed", quantization, Choices(), matrix(checkpoint))
        assert plain.read_bytes() == weighed.read_bytes()


def test_rows_in_blocks_meet_without_a_seam(
    given: Made, ours: Callable[[str, bool], Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Three rows of a matrix, one expert.
    monkeypatch.setattr("edgekit.convert.stream._BLOCK", 800)
    quantizations = ("IQ2_XS", "Q4_K_M")
    convert(ConvertJob(given("experts"), tmp_path, (), quantizations, "none", imatrix=matrix(given("experts"))))
    for quantization in quantizations:
        name = f"experts-{quantization}.gguf"
        assert (tmp_path / name).read_bytes() == (ours("experts", True) / name).read_bytes()


def test_a_weight_that_no_output_uses_needs_no_importance(given: Made, tmp_path: Path) -> None:
    """In the released checkpoints, layers that share keys keep their own; llama.cpp refuses to make IQ2 of them."""
    checkpoint = released(given("deep"), tmp_path / "released")
    made = make_one(checkpoint, tmp_path / "out", "IQ2_XS", Choices(), matrix(given("deep")))
    types = {name: kind for name, (kind, _, _) in contents(made).tensors.items()}
    assert types["blk.16.attn_k.weight"] == types["blk.0.attn_k.weight"] == "IQ2_XS"


@pytest.mark.parametrize("quantization", ["Q4_K_M", "Q3_K_M"])
def test_the_count_of_attn_v_is_that_of_the_checkpoint_at_hand(
    quantization: str, given: Made, ours: Callable[[str, bool], Path], tmp_path: Path
) -> None:
    """With keys and values on layers that share them, llama.cpp spreads the larger types over more layers.

    A chain through peft loses those on the way, so its file has other types: neither is ours to choose.
    """
    checkpoint = released(given("deep"), tmp_path / "released")
    llama_convert(checkpoint, tmp_path, ("BF16",))
    theirs = llama_quantize(tmp_path / "BF16.gguf", quantization, tmp_path / "theirs.gguf")
    made = make_one(checkpoint, tmp_path / "out", quantization, Choices())
    assert different(made, theirs) == []
    stripped = ours("deep", False) / f"deep-{quantization}.gguf"
    types = [{name: kind for name, (kind, _, _) in contents(path).tensors.items()} for path in (made, stripped)]
    others = {name for name in types[0].keys() & types[1].keys() if types[0][name] != types[1][name]}
    assert {name.split(".")[2] for name in others} == ({"attn_v"} if quantization == "Q4_K_M" else set())


def released(source: Path, folder: Path) -> Path:
    folder.mkdir()
    for path in source.iterdir():
        if path.suffix != ".safetensors":
            (folder / path.name).write_bytes(path.read_bytes())
    weights = load_file(source / "model.safetensors")
    inside = "model.language_model.layers.{}.self_attn.{}"
    for layer in range(15, 18):
        for part in ("k_proj.weight", "v_proj.weight", "k_norm.weight"):
            weights[inside.format(layer, part)] = weights[inside.format(layer % 3, part)].clone()
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    return folder
