"""Ollama Modelfiles: the few lines that make a GGUF and its projector answer as they should."""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass

from edgekit.convert.modelfile_grammar import dropped, parameter, written
from edgekit.errors import UnsupportedError

# The first Ollama that runs these files as they are: a projector beside the model, Gemma 4's own prompt and parser.
REQUIRES = "0.30.5"
# The first whose llama.cpp drafts with Gemma 4's MTP drafters.
DRAFT_REQUIRES = "0.31.0"
# Google's sampling defaults for Gemma 3 and 4.
SAMPLING = (("temperature", "1"), ("top_k", "64"), ("top_p", "0.95"))
# Three tokens ahead is what Ollama's own Gemma 4 files ask of the drafter.
DRAFTING = ("draft_num_predict", "3")


@dataclass(frozen=True)
class Dialect:
    """Which of Ollama's built-in programs write prompts for a model and read its answers."""

    renderer: str
    parser: str


@dataclass(frozen=True)
class Modelfile:
    """A Modelfile; paths are relative to the Modelfile's own folder or absolute."""

    model: str
    projector: str | None = None
    # None leaves prompts to Ollama, which looks for a template of its own that is like the one in the file.
    dialect: Dialect | None = None
    # The MTP drafter.
    drafter: str | None = None
    system: str | None = None
    # A name may stand there several times: `stop` does.
    parameters: tuple[tuple[str, str], ...] = SAMPLING
    # The further files of a model in parts, which Ollama joins.
    parts: tuple[str, ...] = ()
    # Lines for people.
    comments: tuple[str, ...] = ("Written by edgekit. To use it: ollama create NAME -f FILE",)

    @property
    def files(self) -> tuple[str, ...]:
        """Return the files of the model and of its projector."""
        return (self.model, *self.parts, *([self.projector] if self.projector else ()))

    @property
    def requires(self) -> str:
        """Return the first version of Ollama that does all that it asks."""
        return DRAFT_REQUIRES if self.drafter else REQUIRES

    @property
    def template(self) -> str | None:
        """Return Ollama's own template, where a renderer and a parser do its work."""
        return "{{ .Prompt }}" if self.dialect else None

    def text(self) -> str:
        """Return the file's text; raises UnsupportedError where a value cannot be written in Ollama's grammar."""
        lines = [f"# {comment}" for comment in self.comments]
        lines += [f"FROM {_path(path)}" for path in self.files]
        lines += [f"DRAFT {_path(self.drafter)}"] if self.drafter else []
        if self.dialect:
            lines += [f"TEMPLATE {self.template}", f"RENDERER {self.dialect.renderer}", f"PARSER {self.dialect.parser}"]
        for name, value in self.all_parameters():
            parameter(name, value)
            lines.append(f"PARAMETER {name} {written(value)}")
        lines.append(f"REQUIRES {self.requires}")
        # An empty one would only take away what the model itself brings.
        if self.system:
            # Triple quotes also where none are needed: people add lines.
            lines.append(f"SYSTEM {written(self.system, quoted=True)}")
        return "\n".join(lines) + "\n"

    def all_parameters(self) -> tuple[tuple[str, str], ...]:
        """Return the parameters, with what a drafter needs."""
        missing = self.drafter and DRAFTING[0] not in dict(self.parameters)
        return (*self.parameters, *([DRAFTING] if missing else []))

    def warnings(self) -> list[str]:
        """Return what Ollama will not take as it is written, each in a sentence."""
        lost = dropped(self.system or "")
        if not lost:
            return []
        names = ", ".join(f"U+{ord(letter):04X} {unicodedata.name(letter, '')}".strip() for letter in lost[:5])
        return [f"Ollama leaves characters out when it reads a Modelfile: the system text will lack {names}"]


def _path(path: str) -> str:
    # A path that begins with neither is looked up as a model's name, and a typo becomes a download.
    if dropped(path) or any(letter in path for letter in "\t\r\n") or path != path.strip() or path.startswith('"'):
        raise UnsupportedError(f"{path!r} cannot stand in a Modelfile: rename the file")
    return path if path.startswith(("/", "./", "../", "~")) else f"./{path}"
