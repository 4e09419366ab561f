"""Checkpoints and adapters that cannot be converted: one line, exit code 1, nothing left behind."""

from __future__ import annotations

import json
import math
import shutil
import struct
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from one_line import assert_one_line_error
from oracles import peft_merge
from safetensors.torch import load_file, save_file

from edgekit import paths
from edgekit.cli.app import main
from edgekit.convert.job import ConvertJob, convert

Made = Callable[[str], Path]
Command = Callable[..., "subprocess.CompletedProcess[str]"]
# The command in this process, for the many cases; those that matter most run it in a process of its own.
Refusal = Callable[..., str]
Damage = Callable[[Path], object]


@pytest.fixture
def refusal(capfd: pytest.CaptureFixture[str]) -> Refusal:
    """Run `edgekit ARGUMENTS...`, which must fail with one line, and return that line."""

    def run(*arguments: object) -> str:
        # What making checkpoints and adapters printed.
        capfd.readouterr()
        with pytest.raises(SystemExit) as stopped:
            main([str(argument) for argument in arguments])
        out, err = capfd.readouterr()
        code = stopped.value.code
        assert isinstance(code, int)
        return assert_one_line_error(subprocess.CompletedProcess([], code, out, err))

    return run


def copy(checkpoint: Path, folder: Path) -> Path:
    shutil.copytree(checkpoint, folder)
    for path in folder.iterdir():
        path.chmod(0o644)
    return folder


def edit(path: Path, **changes: Any) -> None:
    values = json.loads(path.read_text())
    path.write_text(json.dumps(values | changes))


def cut(path: Path, share: float) -> None:
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * share)])


def rewrite(path: Path, change: Callable[[dict[str, torch.Tensor]], object]) -> None:
    weights = load_file(path)
    change(weights)
    save_file(weights, path, metadata={"format": "pt"})


def to_pickle(folder: Path) -> None:
    torch.save(load_file(folder / "model.safetensors"), folder / "pytorch_model.bin")
    (folder / "model.safetensors").unlink()


def forget_a_shard(folder: Path) -> None:
    index = {"weight_map": {"a": "model-00001-of-00002.safetensors", "b": "model-00002-of-00002.safetensors"}}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index))


def lead_outside(folder: Path) -> None:
    (folder / "model.safetensors.index.json").write_text(json.dumps({"weight_map": {"a": "../model.safetensors"}}))


def huge_header(folder: Path) -> None:
    (folder / "model.safetensors").write_bytes(struct.pack("<Q", 1 << 60) + b"{}")


def bad_offsets(folder: Path) -> None:
    header = json.dumps({"x": {"dtype": "BF16", "shape": [1 << 40, 1 << 40], "data_offsets": [0, 8]}}).encode()
    (folder / "model.safetensors").write_bytes(struct.pack("<Q", len(header)) + header + bytes(8))


def another_shape(folder: Path) -> None:
    edit(folder / "config.json", architectures=["LlamaForCausalLM"])


def wider(folder: Path) -> None:
    values = json.loads((folder / "config.json").read_text())
    values["text_config"]["intermediate_size"] += 8
    (folder / "config.json").write_text(json.dumps(values))


def with_experts(folder: Path) -> None:
    values = json.loads((folder / "config.json").read_text())
    values["text_config"]["enable_moe_block"] = True
    (folder / "config.json").write_text(json.dumps(values))


def diffusion(folder: Path) -> None:
    edit(folder / "config.json", architectures=["DiffusionGemmaForBlockDiffusion"])


def quantized(folder: Path) -> None:
    edit(folder / "config.json", quantization_config={"quant_method": "bitsandbytes", "load_in_4bit": True})


def both_sides(folder: Path) -> None:
    values = json.loads((folder / "config.json").read_text())
    values["text_config"]["use_bidirectional_attention"] = "all"
    (folder / "config.json").write_text(json.dumps(values))


def twice(folder: Path) -> None:
    def add(weights: dict[str, torch.Tensor]) -> None:
        weights["language_model.model.norm.weight"] = weights["model.language_model.norm.weight"].clone()

    rewrite(folder / "model.safetensors", add)


def stretched(name: str) -> Damage:
    """Give a tensor one more row; a scalar becomes two numbers."""

    def stretch(weights: dict[str, torch.Tensor]) -> None:
        old = weights[name].reshape(1) if weights[name].dim() == 0 else weights[name]
        weights[name] = torch.cat([old, old[:1]])

    return lambda folder: rewrite(folder / "model.safetensors", stretch)


def plain(name: str) -> str:
    return name.removeprefix("model.").replace(".linear.", ".")


def nan(folder: Path) -> None:
    def spoil(weights: dict[str, torch.Tensor]) -> None:
        weights["model.language_model.layers.1.mlp.up_proj.weight"][3, 3] = math.nan

    rewrite(folder / "model.safetensors", spoil)


def spoil(name: str, value: float) -> Damage:
    """Put a value into a tensor, into its middle where it has one."""

    def replace(weights: dict[str, torch.Tensor]) -> None:
        flat = weights[name].reshape(-1).clone()
        flat[len(flat) // 2] = value
        weights[name] = flat.reshape(weights[name].shape)

    return lambda folder: rewrite(folder / "model.safetensors", replace)


def without(name: str) -> Damage:
    return lambda folder: rewrite(folder / "model.safetensors", lambda weights: weights.pop(name))


def without_key(key: str) -> Damage:
    def damage(folder: Path) -> None:
        values = json.loads((folder / "config.json").read_text())
        del values[key]
        (folder / "config.json").write_text(json.dumps(values))

    return damage


# One of each kind: bare parameters, matrices, norms, biases, bounds, projections.
OF_TOWERS = [
    "model.embed_audio.embedding_projection.weight",
    "model.embed_vision.embedding_projection.weight",
    "model.vision_tower.patch_embedder.position_embedding_table",
    "model.vision_tower.encoder.layers.1.self_attn.q_norm.weight",
    "model.vision_tower.encoder.layers.1.mlp.up_proj.linear.weight",
    "model.vision_tower.encoder.layers.0.mlp.up_proj.input_min",
    "model.vision_tower.encoder.layers.1.self_attn.o_proj.output_max",
    "model.audio_tower.output_proj.bias",
    "model.audio_tower.subsample_conv_projection.layer0.norm.weight",
    "model.audio_tower.layers.0.feed_forward1.ffw_layer_2.linear.weight",
    "model.audio_tower.layers.1.feed_forward2.ffw_layer_1.input_max",
    "model.audio_tower.layers.1.self_attn.per_dim_scale",
    "model.audio_tower.layers.1.lconv1d.linear_end.output_min",
]

CHECKPOINTS: dict[str, tuple[Damage, str]] = {
    "pickle": (to_pickle, "pickle"),
    "truncated": (lambda folder: cut(folder / "model.safetensors", 0.6), "cut short"),
    "truncated in its header": (lambda folder: cut(folder / "model.safetensors", 0.005), "cut short"),
    "empty": (lambda folder: (folder / "model.safetensors").write_bytes(b""), "cut short"),
    "endless header": (huge_header, "cut short or damaged"),
    "impossible shape": (bad_offsets, "damaged"),
    "missing shard": (forget_a_shard, "missing"),
    "index that leads outside": (lead_outside, "lists no shards"),
    "no weights": (lambda folder: (folder / "model.safetensors").unlink(), "download the whole checkpoint"),
    "no config": (lambda folder: (folder / "config.json").unlink(), "no config.json"),
    "config that is no JSON": (lambda folder: (folder / "config.json").write_text("{"), "no JSON"),
    "config without sizes": (lambda folder: edit(folder / "config.json", text_config={}), "hidden_size is missing"),
    "no tokenizer": (lambda folder: (folder / "tokenizer.json").unlink(), "copy it from the base model"),
    "empty tokenizer": (lambda folder: (folder / "tokenizer.json").write_text("{}"), "no tokenizer"),
    "another model": (another_shape, "LlamaForCausalLM"),
    "config of another size": (wider, "belongs to another model"),
    "experts without their number": (with_experts, "config.json.text_config: num_experts is missing"),
    "another kind of Gemma": (diffusion, "is a DiffusionGemmaForBlockDiffusion; edgekit converts"),
    "quantized already": (quantized, "quantized already (bitsandbytes)"),
    "attention to both sides": (both_sides, "tokens see those behind them"),
    "a tensor in two spellings": (twice, "are the same tensor"),
    "missing tensor": (
        lambda folder: rewrite(
            folder / "model.safetensors", lambda weights: weights.pop("model.language_model.norm.weight")
        ),
        "has no norm.weight:",
    ),
    **{f"without {name}": (without(name), f"has no {plain(name)}:") for name in OF_TOWERS},
    **{f"another shape of {name}": (stretched(name), f"by it {name} would have") for name in OF_TOWERS},
    "foreign tensor": (
        lambda folder: rewrite(folder / "model.safetensors", lambda weights: weights.update(extra=torch.ones(2))),
        "extra",
    ),
    "NaN": (nan, "model.language_model.layers.1.mlp.up_proj.weight holds NaN"),
    **{
        f"{value} in {name}": (spoil(name, value), f"{name} holds NaN or infinity")
        for name, value in [
            ("model.language_model.norm.weight", math.nan),
            ("model.language_model.layers.0.layer_scalar", math.inf),
            ("model.vision_tower.encoder.layers.1.mlp.up_proj.linear.weight", math.nan),
            ("model.audio_tower.layers.0.self_attn.per_dim_scale", math.nan),
            ("model.audio_tower.layers.0.self_attn.post.output_max", math.nan),
        ]
    },
    "config without an architecture": (
        lambda folder: [without_key("architectures")(folder), without_key("model_type")(folder)],
        "config.json: architectures is missing",
    ),
    "config without a text model": (without_key("text_config"), "config.json: text_config is missing"),
    "template that is no text": (
        lambda folder: (folder / "chat_template.jinja").write_bytes(b"\xff\x00"),
        "chat_template.jinja cannot be read as text",
    ),
    "sampling that is a list": (
        lambda folder: (folder / "generation_config.json").write_text("[]"),
        "generation_config.json holds no JSON object",
    ),
    "temperature that is no number": (
        lambda folder: edit(folder / "generation_config.json", temperature="hot"),
        "generation_config.json is damaged",
    ),
}


@pytest.mark.parametrize("kind", CHECKPOINTS)
def test_a_wrong_checkpoint_is_refused_with_its_reason(
    kind: str, checkpoint: Made, tmp_path: Path, refusal: Refusal
) -> None:
    damage, reason = CHECKPOINTS[kind]
    folder = copy(checkpoint("tiny"), tmp_path / "model")
    damage(folder)
    line = refusal("convert", folder, "--out", tmp_path / "out")
    assert reason in line
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("given", "reason"),
    [("nowhere", "does not exist"), ("file.txt", "is a file"), ("empty", "no config.json"), (".", "no config.json")],
)
def test_what_is_no_folder_of_a_checkpoint_is_refused(
    given: str, reason: str, tmp_path: Path, refusal: Refusal
) -> None:
    (tmp_path / "file.txt").write_text("hello")
    (tmp_path / "empty").mkdir()
    line = refusal("convert", tmp_path / given, "--out", tmp_path / "out")
    assert reason in line
    assert not (tmp_path / "out").exists()


def test_an_adapter_in_the_place_of_a_checkpoint_is_explained(
    checkpoint: Made, tmp_path: Path, refusal: Refusal
) -> None:
    adapter = peft_merge.make_adapter(checkpoint("tiny"), tmp_path / "adapter")
    shutil.copy(checkpoint("tiny") / "config.json", adapter)
    assert "--adapter" in refusal("convert", adapter, "--out", tmp_path / "out")


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        (("--quant", "Q9_K_M"), "not 'Q9_K_M'"),
        (("--quant", "Q8_0", "--quant", ""), "not ''"),
        (("--projector", "Q4_0"), "not 'Q4_0'"),
        (("--quant", "../../etc"), "not '../../etc'"),
    ],
)
def test_what_edgekit_does_not_make_is_wrong_usage(
    options: tuple[str, ...], reason: str, checkpoint: Made, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    folder = checkpoint("tiny")
    with pytest.raises(SystemExit) as stopped:
        main(["convert", str(folder), "--out", str(tmp_path / "out"), *options])
    assert stopped.value.code == 2
    said = " ".join(capfd.readouterr().err.split())
    assert options[-2] in said
    assert reason in said
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("options", "reason"),
    [(("--name", name), "no name for a file") for name in ("../outside", "", ".", "..", ".hidden")],
)
def test_what_is_no_name_for_a_file_is_refused(
    options: tuple[str, ...], reason: str, checkpoint: Made, tmp_path: Path, refusal: Refusal
) -> None:
    line = refusal("convert", checkpoint("tiny"), "--out", tmp_path / "out", *options)
    assert reason in line
    assert not (tmp_path / "out").exists()


WEIGHTS = "adapter_model.safetensors"
CONFIG = "adapter_config.json"
UP = "base_model.model.model.language_model.layers.0.mlp.up_proj."
FIRST = f"{UP}lora_{{}}.weight"
FOREIGN = FIRST.format("A").replace("layers.0", "layers.77")


def change(key: str, spoil: Callable[[torch.Tensor], torch.Tensor]) -> Damage:
    def damage(folder: Path) -> None:
        def replace(weights: dict[str, torch.Tensor]) -> None:
            weights[key] = spoil(weights[key]).contiguous()

        rewrite(folder / WEIGHTS, replace)

    return damage


def set_nan(tensor: torch.Tensor) -> torch.Tensor:
    tensor[0, 0] = math.nan
    return tensor


def rename(folder: Path, old: str, new: str) -> None:
    def move(weights: dict[str, torch.Tensor]) -> None:
        for key in [key for key in weights if old in key]:
            weights[key.replace(old, new)] = weights.pop(key)

    rewrite(folder / WEIGHTS, move)


ADAPTERS: dict[str, tuple[Damage, str]] = {
    "foreign key": (lambda folder: rename(folder, "layers.0.", "layers.77."), "layers.77."),
    "wrong width": (change(FIRST.format("A"), lambda tensor: tensor[:, :50]), f"{UP}lora_B.weight: its shape"),
    "wrong height": (change(FIRST.format("B"), lambda tensor: tensor[:50]), f"{UP}lora_B.weight: its shape"),
    "wrong rank": (change(FIRST.format("A"), lambda tensor: tensor[:2]), f"{UP}lora_A.weight: it has [2] rows"),
    "missing half": (
        lambda folder: rewrite(folder / WEIGHTS, lambda w: w.pop(FIRST.format("B"))),
        f"{UP}lora_A.weight: lora_B",
    ),
    "NaN": (change(FIRST.format("B"), set_nan), f"{UP}lora_B.weight holds NaN"),
    "infinity": (change(FIRST.format("A"), lambda tensor: tensor / 0), f"{UP}lora_A.weight holds NaN or infinity"),
    "truncated": (lambda folder: cut(folder / WEIGHTS, 0.5), f"{WEIGHTS} is cut short"),
    "truncated in its header": (lambda folder: cut(folder / WEIGHTS, 0.001), f"{WEIGHTS} is cut short"),
    "truncated by little": (lambda folder: cut(folder / WEIGHTS, 0.9999), f"{WEIGHTS} is cut short"),
    "one foreign key": (
        lambda folder: rewrite(folder / WEIGHTS, lambda w: w.update({FOREIGN: torch.ones(4, 96)})),
        f"{FOREIGN}: lora_B, its other half, is missing",
    ),
    "one foreign weight": (
        lambda folder: rewrite(folder / WEIGHTS, lambda w: w.update({"foreign.weight": torch.ones(4, 96)})),
        "foreign.weight: it fits none of the checkpoint's tensors",
    ),
    "no weights": (lambda folder: (folder / WEIGHTS).unlink(), "missing"),
    "no config": (lambda folder: (folder / CONFIG).unlink(), CONFIG),
    "pickle": (
        lambda folder: [(folder / WEIGHTS).unlink(), (folder / "adapter_model.bin").write_bytes(b"\x80\x02")],
        "pickle",
    ),
    "another method": (lambda folder: edit(folder / CONFIG, peft_type="IA3"), "IA3"),
    "DoRA": (lambda folder: edit(folder / CONFIG, use_dora=True), "DoRA"),
    "whole modules": (lambda folder: edit(folder / CONFIG, modules_to_save=["lm_head"]), "modules_to_save"),
    "bias of a layer without": (
        lambda folder: rewrite(folder / WEIGHTS, lambda w: w.update({FIRST.format("B")[:-6] + "bias": torch.ones(80)})),
        "bias",
    ),
    "tokens without rows": (lambda folder: edit(folder / CONFIG, trainable_token_indices=[3]), "token_indices"),
    "changed base": (lambda folder: edit(folder / CONFIG, init_lora_weights="pissa_niter_4"), "pissa"),
    "unknown part": (
        lambda folder: rewrite(folder / WEIGHTS, lambda w: w.update({FIRST.format("E"): torch.ones(4)})),
        "lora_E",
    ),
    "no method": (lambda folder: edit(folder / CONFIG, peft_type=None), "adapter_config.json has no peft_type"),
    "rank that is no number": (lambda folder: edit(folder / CONFIG, r="four"), "config.json's r is no number"),
    "alpha that is no number": (
        lambda folder: edit(folder / CONFIG, lora_alpha="x"),
        "config.json's lora_alpha is no number",
    ),
    "pattern of no numbers": (
        lambda folder: edit(folder / CONFIG, alpha_pattern={".*": "x"}),
        "config.json's alpha_pattern for",
    ),
    "pattern that is no expression": (lambda folder: edit(folder / CONFIG, rank_pattern={"(": 1}), "rank_pattern"),
}


@pytest.fixture(scope="module")
def adapter(checkpoint: Made, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return peft_merge.make_adapter(checkpoint("tiny"), tmp_path_factory.mktemp("adapter") / "good")


@pytest.mark.parametrize("kind", ADAPTERS)
def test_a_wrong_adapter_is_refused_by_name(
    kind: str, adapter: Path, checkpoint: Made, tmp_path: Path, refusal: Refusal
) -> None:
    damage, reason = ADAPTERS[kind]
    folder = copy(adapter, tmp_path / "adapter")
    damage(folder)
    line = refusal("convert", checkpoint("tiny"), "--adapter", folder, "--out", tmp_path / "out")
    assert reason in line
    assert str(folder) in line
    assert not (tmp_path / "out").exists()


def test_an_adapter_for_another_model_is_refused(
    adapter: Path, checkpoint: Made, tmp_path: Path, refusal: Refusal
) -> None:
    line = refusal("convert", checkpoint("wide"), "--adapter", adapter, "--out", tmp_path / "out")
    assert "does not belong to this checkpoint" in line
    assert not (tmp_path / "out").exists()


def test_an_alpha_that_makes_weights_infinite_is_refused(
    adapter: Path, checkpoint: Made, tmp_path: Path, refusal: Refusal
) -> None:
    edit(copy(adapter, tmp_path / "adapter") / CONFIG, lora_alpha=1e300)
    line = refusal("convert", checkpoint("tiny"), "--adapter", tmp_path / "adapter", "--out", tmp_path / "out")
    assert "an adapter's alpha or weight is too large" in line
    assert not (tmp_path / "out").exists()


def test_an_adapter_given_twice_is_refused(adapter: Path, checkpoint: Made, tmp_path: Path, refusal: Refusal) -> None:
    again = adapter.parent / "." / adapter.name
    given = ("--adapter", adapter, "--adapter", f"{again}/")
    assert "given twice" in refusal("convert", checkpoint("tiny"), *given, "--out", tmp_path / "out")
    assert not (tmp_path / "out").exists()


def without_towers(folder: Path) -> None:
    def remove(weights: dict[str, torch.Tensor]) -> None:
        for name in [name for name in weights if not name.startswith("model.language_model.")]:
            del weights[name]

    rewrite(folder / "model.safetensors", remove)


def without_audio(folder: Path) -> None:
    def remove(weights: dict[str, torch.Tensor]) -> None:
        for name in [name for name in weights if "audio" in name]:
            del weights[name]

    rewrite(folder / "model.safetensors", remove)
    edit(folder / "config.json", audio_config=None)


def unclipped(folder: Path) -> None:
    def remove(weights: dict[str, torch.Tensor]) -> None:
        for name in [name for name in weights if name.endswith(("_min", "_max"))]:
            del weights[name]

    rewrite(folder / "model.safetensors", remove)
    values = json.loads((folder / "config.json").read_text())
    for tower in ("vision_config", "audio_config"):
        values[tower]["use_clipped_linears"] = False
    (folder / "config.json").write_text(json.dumps(values))


@pytest.mark.parametrize(
    ("change", "files"),
    [
        (without_towers, 2),
        (without_audio, 3),
        (unclipped, 3),
        (spoil("model.audio_tower.layers.0.self_attn.post.output_max", math.inf), 3),
    ],
)
def test_a_checkpoint_with_less_than_everything_converts(
    change: Damage, files: int, checkpoint: Made, tmp_path: Path
) -> None:
    folder = copy(checkpoint("tiny"), tmp_path / "model")
    change(folder)
    assert len(convert(ConvertJob(folder, tmp_path / "out")).outputs) == files


def test_a_projector_that_nobody_asks_for_may_be_incomplete(checkpoint: Made, tmp_path: Path) -> None:
    folder = copy(checkpoint("tiny"), tmp_path / "model")
    without(OF_TOWERS[0])(folder)
    assert len(convert(ConvertJob(folder, tmp_path / "out", projector="none")).outputs) == 2


def test_a_missing_template_is_a_warning(checkpoint: Made, tmp_path: Path, edgekit: Command) -> None:
    folder = copy(checkpoint("tiny"), tmp_path / "model")
    (folder / "chat_template.jinja").unlink()
    result = edgekit("convert", folder, "--out", tmp_path / "out", "--json")
    assert result.returncode == 0, result.stderr
    assert "no chat template: chat and run will refuse this file" in result.stderr
    assert len(json.loads(result.stdout)["warnings"]) == 1


def test_a_good_pair_still_converts(adapter: Path, checkpoint: Made, tmp_path: Path, edgekit: Command) -> None:
    """The refusals above mean something only if what they start from is accepted."""
    result = edgekit("convert", checkpoint("tiny"), "--adapter", adapter, "--out", tmp_path / "out")
    assert result.returncode == 0, result.stderr
    assert (tmp_path / "out" / "Modelfile").is_file()


@pytest.mark.parametrize("kind", ["pickle", "truncated", "no weights"])
def test_a_process_of_its_own_refuses_too(kind: str, checkpoint: Made, tmp_path: Path, edgekit: Command) -> None:
    damage, reason = CHECKPOINTS[kind]
    folder = copy(checkpoint("tiny"), tmp_path / "model")
    damage(folder)
    assert reason in assert_one_line_error(edgekit("convert", folder, "--out", tmp_path / "out"))
    assert {path.name for path in tmp_path.iterdir()} == {"model"}


def test_a_process_of_its_own_refuses_the_bundled_adapter_on_another_model(
    checkpoint: Made, tmp_path: Path, edgekit: Command
) -> None:
    result = edgekit("convert", checkpoint("tiny"), "--adapter", paths.demo_adapter(), "--out", tmp_path / "out")
    assert "does not belong to this checkpoint" in assert_one_line_error(result)
    assert list(tmp_path.iterdir()) == []
