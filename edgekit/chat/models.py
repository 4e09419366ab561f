"""From what a person calls a model to the plan that runs it."""

from __future__ import annotations

from difflib import SequenceMatcher
from pathlib import Path

from edgekit import hub
from edgekit.catalog.load import variants
from edgekit.catalog.variant import ModelFile, Variant
from edgekit.chat.demo_model import DEMO_NAMES, demo_files
from edgekit.convert.progress import Progress, silent
from edgekit.engine.check import check_model, embedding_length, projected_lengths, trained_context
from edgekit.errors import FileError
from edgekit.fit.file_plan import suited
from edgekit.fit.measured import tuned
from edgekit.fit.plan import Plan
from edgekit.gguf_header import Header, read_header
from edgekit.hardware.probe import probe

_CONTEXT = 8192
# A model that reads pictures in both directions needs the largest of them in one batch.
_LARGEST_PICTURE = 1120
# So small a file computes faster on one thread than two can meet after every operation.
_TINY = 64 << 20


def find_plan(
    name: str,
    *,
    projector: Path | None = None,
    context: int | None = None,
    progress: Progress = silent,
    as_tuned: bool = True,
) -> Plan:
    """Return the plan for a GGUF file, a catalog name or `demo`; never goes to the network.

    `name` is a path to a GGUF (its projector `mmproj-*.gguf` is found beside it), `VARIANT:QUANTIZATION` as in
    `gemma-4-E2B-it:Q4_0` when it lies in the local Hugging Face cache, `demo` for the bundled model or `demo:french`
    for it with its French adapter: both are converted on first use, which `progress` reports. With `as_tuned` the
    settings are those that `edgekit bench --tune` found. Raises FileError or UnsupportedError with what to do.
    """
    found: Path | None = None
    if name in DEMO_NAMES:
        model, found = demo_files(name, progress)
    elif (variant := _variant(name)) and not Path(name).exists():
        model, found = _cached(variant, name.partition(":")[2])
    else:
        model = Path(name)
    header = check_model(model)
    projector = projector or found or projector_beside(header)
    causal = bool(header.keys.get("gemma4.embedding_length_per_layer_input"))
    batch = _LARGEST_PICTURE if projector and not causal else Plan.batch
    context = context or min(_CONTEXT, trained_context(header) or _CONTEXT)
    threads = 1 if header.bytes < _TINY else None
    machine = probe()
    plan = suited(Plan(model, projector, context, batch, batch, threads=threads), header, machine)
    return tuned(plan, header, machine) if as_tuned else plan


def projector_beside(model: Header) -> Path | None:
    """Return the projector in a model's folder that fits it best: same width of embeddings, then the likest name."""
    width = embedding_length(model)
    fitting = [path for path in sorted(model.path.parent.glob("*mmproj*.gguf")) if _projects_to(path, width)]

    def likeness(path: Path) -> float:
        return SequenceMatcher(None, path.name.replace("mmproj-", ""), model.path.name).ratio()

    return max(fitting, key=likeness, default=None)


def _projects_to(path: Path, width: int) -> bool:
    try:
        return projected_lengths(read_header(path)) == {width}
    except FileError:
        return False


def _variant(name: str) -> Variant | None:
    wanted = name.partition(":")[0].lower()
    return next((variant for variant in variants() if wanted in (variant.model.lower(), variant.name.lower())), None)


def _cached(variant: Variant, quantization: str) -> tuple[Path, Path | None]:
    files = [file for file in variant.files if file.quantization.lower() == (quantization or "Q4_0").lower()]
    if not files:
        known = ", ".join(sorted({file.quantization for file in variant.files}))
        raise FileError(f"{variant.model} is not known as {quantization}: there are {known}")
    for file in files:
        if model := hub.cached_file(file.repo, _file_name(variant, file)):
            found = (hub.cached_file(projector.repo, projector.file or "") for projector in variant.projectors)
            return model, next(filter(None, found), None)
    missing = files[0]
    raise FileError(
        f"{variant.model} {missing.quantization} is not on this machine yet: "
        f"`hf download {missing.repo} {_file_name(variant, missing)}` gets it"
    )


def _file_name(variant: Variant, file: ModelFile) -> str:
    return file.file or f"{variant.model}-{file.quantization}.gguf"
