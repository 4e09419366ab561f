"""From what a person calls a model to the plan that runs it, whatever its files are."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from edgekit.chat.models import USUAL_CONTEXT, find_plan
from edgekit.chat.onnx_fit import fit_folder
from edgekit.chat.run_options import RunOptions
from edgekit.convert.progress import Progress, silent
from edgekit.engine.onnx.folder import check_folder, check_precision, is_onnx_folder
from edgekit.engine.onnx.runtime import find_provider
from edgekit.errors import DoesNotFitError, UnsupportedError
from edgekit.fit.onnx_plan import OnnxPlan
from edgekit.fit.plan import Plan
from edgekit.hardware.probe import probe


def find_runnable(
    name: str,
    options: RunOptions = RunOptions(),  # noqa: B008 - frozen
    progress: Progress = silent,
    *,
    usual: int = USUAL_CONTEXT,
    media: bool = True,
) -> Plan | OnnxPlan:
    """Return the plan for a folder of ONNX files, or for what `find_plan` knows.

    `usual` and `media` are for `find_plan`: a folder has its encoders, and its cache grows as it is filled.
    Raises what `find_plan` raises, and UnsupportedError for options of the other kind of model.
    """
    if check_options(name, options):
        return replace(_find_folder(Path(name), options), adapter=_find_adapter(Path(name), options.adapter))
    return find_plan(
        name,
        projector=options.projector,
        drafter=options.drafter,
        context=options.context,
        usual=usual,
        media=media,
        force=options.force,
        progress=progress,
    )


def check_options(name: str, options: RunOptions) -> bool:
    """Return whether a name is a folder of ONNX files; UnsupportedError for options of the other kind of model."""
    if not is_onnx_folder(Path(name)):
        if (options.precision, options.provider, options.adapter) != (None, None, None):
            raise UnsupportedError(
                f"{name} is no folder of ONNX files: --quant, --provider and --adapter are for those"
            )
        return False
    if options.projector is not None:
        raise UnsupportedError(f"{name} is a folder of ONNX files with its encoders inside: leave --projector out")
    if options.drafter is not None:
        raise UnsupportedError(f"{name} is a folder of ONNX files, which take no drafter: leave --drafter out")
    return True


def _find_adapter(folder: Path, adapter: Path | None) -> Path | None:
    """Return where an adapter's file lies: where its path says, or in the folder of the model."""
    if adapter is None or adapter.is_file() or not (folder / adapter).is_file():
        return adapter
    return folder / adapter


def _find_folder(path: Path, options: RunOptions) -> OnnxPlan:
    folder = check_folder(path)
    wanted = check_precision(folder, options.precision) if options.precision else None
    provider = find_provider(options.provider)
    best = fit_folder(folder, probe(), context=options.context, precision=wanted, provider=provider)
    if not (best.fits or options.force):
        why = best.reason.rstrip(".")
        raise DoesNotFitError(
            f"{path} does not fit into memory: it {why[0].lower()}{why[1:]}; "
            "close other programs, or run it all the same with --force"
        )
    return best.plan
