"""`edgekit pick --model` on a folder of ONNX files."""

from __future__ import annotations

from pathlib import Path

from edgekit.chat.onnx_fit import fit_folder, speed_here
from edgekit.cli import output
from edgekit.cli.judged import Judged, speed_line
from edgekit.cli.pick_json import speed
from edgekit.engine.onnx.damage import check_whole
from edgekit.engine.onnx.folder import check_folder, check_precision
from edgekit.errors import UnsupportedError
from edgekit.fit.needs import Needs
from edgekit.fit.speed import DEPTH
from edgekit.hardware.machine import Machine


def judge_folder(path: Path, precision: str | None, machine: Machine, needs: Needs) -> Judged:
    """Return whether a folder fits a machine in a precision, or in which one.

    Raises FileError where it is damaged or no model, UnsupportedError where it cannot take in what is needed.
    """
    folder = check_folder(path)
    check_whole(folder)
    takes = {"text"}
    if folder.find("vision_encoder"):
        takes |= {"image", "video"}
    if folder.find("audio_encoder"):
        takes.add("audio")
    if missing := [kind for kind in needs.modalities if kind not in takes]:
        raise UnsupportedError(f"{path} is not for {missing[0]}: it was converted without that encoder")
    wanted = check_precision(folder, precision) if precision else None
    found = fit_folder(folder, machine, context=needs.context, precision=wanted)
    precision = found.plan.precision
    decode = speed_here("decode", found, machine, DEPTH)
    facts = {
        "architecture": folder.config.get("model_type"),
        "file": found.plan.model,
        "bytes": folder.bytes(precision),
        "placement": "cpu",
        "decode_tokens_per_second": speed(decode),
        "prefill_tokens_per_second": speed(speed_here("prefill", found, machine, 0)),
    }
    return Judged(
        found,
        found.plan.model.name,
        precision,
        f"ONNX {precision}, {output.size(folder.bytes(precision))}, main memory",
        "edgekit's formulas on the folder's config and file sizes",
        (str(found.plan.model), "--quant", precision),
        found.plan.context,
        facts,
        speed_line(decode),
    )
