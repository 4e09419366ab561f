"""A folder of ONNX files."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from edgekit.convert.inspection.report import Report, variant_name
from edgekit.convert.progress import Progress
from edgekit.engine.onnx.checksums import changed
from edgekit.engine.onnx.damage import damages
from edgekit.engine.onnx.folder import PARTS, OnnxFolder, Part, check_folder
from edgekit.engine.onnx.template import chat_template
from edgekit.engine.problems import template_revision
from edgekit.errors import FileError, UnsupportedError
from edgekit.hardware.problem import Problem

_MIB = 1 << 20


def inspect_onnx(path: Path, progress: Progress) -> Report:
    """Describe a folder, whose files are read where their checksums lie beside them.

    Raises FileError and UnsupportedError where it holds no Gemma 4 that can be run.
    """
    folder = check_folder(path)
    text = folder.text_config
    template = _template(folder)
    architectures = folder.config.get("architectures")
    return Report(
        path=path,
        kind="onnx",
        bytes=sum(file.stat().st_size for file in (path / "onnx").iterdir()),
        architecture=str(architectures[0]) if isinstance(architectures, list) and architectures else None,
        variant=variant_name(text.get("hidden_size"), text.get("num_hidden_layers")),
        name=path.resolve().name,
        quantization=", ".join(folder.precisions),
        context=folder.trained_context or None,
        template=template_revision(template),
        details=_details(folder),
        problems=list(_problems(folder, template, progress)),
    )


def _template(folder: OnnxFolder) -> str | None:
    try:
        return chat_template(folder)
    except UnsupportedError:
        return None


def _details(folder: OnnxFolder) -> dict[str, str]:
    encoders = [part for part in PARTS[2:] if folder.find(part)]
    sizes = {name: f"{folder.bytes(name) / _MIB:.1f} MiB" for name in folder.precisions}
    return {**sizes, **({"encoders": ", ".join(encoders)} if encoders else {})}


def _left_out(folder: OnnxFolder, part: Part) -> bool:
    """Return whether config.json lists the graphs and has none of a part: whoever made the folder left it out."""
    settings = folder.config.get("transformers.js_config")
    listed = settings.get("use_external_data_format") if isinstance(settings, dict) else None
    # Where weights lie beside no graph, none is listed.
    return isinstance(listed, dict) and bool(listed) and not any(str(name).startswith(part) for name in listed)


def _damages(folder: OnnxFolder, progress: Progress) -> Iterator[str]:
    # What is cut short needs no reading to be told from what was written.
    found = list(damages(folder))
    try:
        yield from found or changed(folder.path, progress)
    except FileError as problem:
        yield str(problem)


def _problems(folder: OnnxFolder, template: str | None, progress: Progress) -> Iterator[Problem]:
    for damage in _damages(folder, progress):
        yield Problem("damaged", damage)
    if template is None:
        yield Problem("no_template", "it has no chat_template.jinja: copy it from the checkpoint")
    for section, part in (("vision_config", PARTS[2]), ("audio_config", PARTS[3])):
        if folder.config.get(section) and not folder.find(part) and not _left_out(folder, part):
            yield Problem(f"no_{part}", f"config.json has {section}, but there is no onnx/{part}*.onnx")
