"""A Modelfile for a GGUF that is already there, and for the released variants."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from gguf import Keys

from edgekit import paths
from edgekit.catalog.load import variants
from edgekit.catalog.variant import Variant
from edgekit.convert.modelfile import DRAFTING, SAMPLING, Dialect, Modelfile
from edgekit.convert.modelfile_grammar import parameter
from edgekit.convert.whole_file import WholeFile
from edgekit.engine.check import DRAFTERS, check_drafter, check_model, check_projector, trained_context
from edgekit.errors import UnsupportedError
from edgekit.gguf_header import Header, read_header
from edgekit.gguf_parts import further_parts
from edgekit.toml import read_toml

_GEMMA4 = "gemma4"
_GEMMAS = (_GEMMA4, "gemma3", "gemma3n")
# Only FunctionGemma's template writes them.
_FUNCTION_CALL = "<start_function_call>"
# What a file says of sampling, and what Ollama calls that.
_SAMPLING_KEYS = {
    "general.sampling.temp": "temperature",
    "general.sampling.top_k": "top_k",
    "general.sampling.top_p": "top_p",
    "general.sampling.min_p": "min_p",
    "general.sampling.penalty_repeat": "repeat_penalty",
}


def renderer(per_layer_input: int) -> str:
    """Return Ollama's name for the prompt of a variant; E2B and E4B are those with per-layer embeddings."""
    return "gemma4-small" if per_layer_input else "gemma4-large"


def dialect(keys: Mapping[str, object], template: str | None, *, think: bool = True) -> Dialect | None:
    """Return which of Ollama's programs fit a model, by its header's keys; None where Ollama has none for it.

    Said outright: Ollama's own guess goes wrong on 12B. Its parser makes a model think unless asked not to: one that
    never learned it, or whose template cannot ask for it, needs the other parser.
    """
    if keys.get(Keys.General.ARCHITECTURE) == _GEMMA4:
        width = keys.get(f"{_GEMMA4}.embedding_length_per_layer_input")
        thinks = think and (template is None or "enable_thinking" in template)
        return Dialect(renderer(width if isinstance(width, int) else 0), "gemma4" if thinks else "gemma4-no-thinking")
    if template and _FUNCTION_CALL in template:
        return Dialect("functiongemma", "functiongemma")
    return None


def sampling(keys: Mapping[str, object]) -> tuple[tuple[str, str], ...]:
    """Return the sampling defaults that a header gives, and Google's for what it leaves open on a Gemma."""
    known = dict(SAMPLING) if keys.get(Keys.General.ARCHITECTURE) in _GEMMAS else {}
    own = {
        name: f"{value:.6g}" for key, name in _SAMPLING_KEYS.items() if isinstance(value := keys.get(key), int | float)
    }
    return tuple((known | own).items())


def modelfile_for(
    model: Header,
    folder: Path,
    *,
    projector: Path | None = None,
    drafter: Path | None = None,
    system: str | None = None,
    parameters: Sequence[tuple[str, str]] = (),
    think: bool = True,
) -> Modelfile:
    """Return the Modelfile for a model, to lie in `folder`; files below it are named relative to it.

    `parameters` take the place of the file's own. Raises FileError where a file is missing or the projector belongs to
    another model, UnsupportedError for another kind of drafter and for parameters that Ollama would refuse.
    """
    if projector:
        check_projector(projector, model)
    if drafter:
        check_drafter(drafter, model)
    for name, value in parameters:
        _check_parameter(name, value, model)
    asked = {name for name, _ in parameters}
    kept = [(name, value) for name, value in sampling(model.keys) if name not in asked]
    return Modelfile(
        model=_seen_from(folder, model.path),
        projector=_seen_from(folder, projector) if projector else None,
        parts=tuple(_seen_from(folder, path) for path in further_parts(model)),
        dialect=dialect(model.keys, model.text(Keys.Tokenizer.CHAT_TEMPLATE), think=think),
        drafter=_seen_from(folder, drafter) if drafter else None,
        system=system,
        parameters=(*kept, *parameters),
    )


def read_model(path: Path) -> Header:
    """Return the header of a GGUF that Ollama can answer with; raises FileError or UnsupportedError for another."""
    if read_header(path).text(Keys.General.ARCHITECTURE) in DRAFTERS:
        raise UnsupportedError(f"{path} is a drafter: name the model it drafts for, and this one with --drafter")
    return check_model(path)


def write_modelfile(path: Path, modelfile: Modelfile) -> None:
    """Write a Modelfile, whole or not at all."""
    data = modelfile.text().encode("utf-8")
    with WholeFile(path) as file:
        file.write(data)


def released_modelfiles() -> dict[str, Modelfile]:
    """Return a Modelfile for Google's own GGUF of each variant, by file name; modelfiles/files.toml names those."""
    files = read_toml(paths.modelfiles_directory() / "files.toml")
    return {
        f"{variant.model}.Modelfile": Modelfile(
            model=files[variant.name]["model"],
            projector=files[variant.name]["projector"],
            dialect=Dialect(renderer(variant.shape.hidden_size_per_layer_input), "gemma4"),
            comments=(*Modelfile.comments, *_about_drafter(variant)),
        )
        for variant in variants()
    }


def _about_drafter(variant: Variant) -> tuple[str, ...]:
    # A line that names a file which is not there would stop `ollama create`.
    if variant.drafter is None:
        return ()
    drafter = f"{variant.model}-assistant"
    return (
        f"Faster with the drafter: edgekit convert {drafter} --out ., then two lines more (Ollama 0.31 or newer):",
        f"  DRAFT ./{drafter}-Q8_0.gguf",
        f"  PARAMETER {DRAFTING[0]} {DRAFTING[1]}",
    )


def _check_parameter(name: str, value: str, model: Header) -> None:
    found, trained = parameter(name, value), trained_context(model)
    if name == "num_ctx" and trained and isinstance(found, int) and not 0 < found <= trained:
        raise UnsupportedError(f"num_ctx is {value}: {model.path.name} was trained for at most {trained} tokens")


def _seen_from(folder: Path, path: Path) -> str:
    inside, whole = folder.resolve(), path.resolve()
    return f"./{whole.relative_to(inside)}" if whole.is_relative_to(inside) else str(whole)
