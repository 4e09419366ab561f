"""Ollama Modelfiles: the few lines that make a GGUF and its projector answer as they should."""

from __future__ import annotations

from dataclasses import dataclass, field

from edgekit.errors import UnsupportedError

# The first Ollama that runs these files as they are: a projector beside the model, Gemma 4's own prompt and parser.
REQUIRES = "0.30.5"
# Google's sampling defaults for Gemma 4.
PARAMETERS = {"temperature": "1", "top_k": "64", "top_p": "0.95"}


@dataclass(frozen=True)
class Modelfile:
    """A Modelfile for a Gemma 4; paths are relative to the Modelfile's own folder or absolute."""

    model: str
    projector: str | None = None
    # E2B and E4B are small; 12B, 26B-A4B and 31B are large. Said outright: Ollama's own guess goes wrong on 12B.
    renderer: str = "gemma4-small"
    # The MTP drafter.
    drafter: str | None = None
    system: str | None = None
    parameters: dict[str, str] = field(default_factory=lambda: dict(PARAMETERS))

    def text(self) -> str:
        """Return the file's text; raises UnsupportedError where a value cannot be written in Ollama's grammar."""
        lines = ["# Written by edgekit. To use it: ollama create NAME -f FILE"]
        lines += [f"FROM {_path(path)}" for path in (self.model, self.projector) if path]
        lines += [f"DRAFT {_path(self.drafter)}"] if self.drafter else []
        # The renderer and the parser do the work of a template; Ollama's own Gemma 4 files have this line too.
        lines += ["TEMPLATE {{ .Prompt }}", f"RENDERER {self.renderer}", "PARSER gemma4"]
        lines += [f"PARAMETER {name} {value}" for name, value in self._parameters().items()]
        lines.append(f"REQUIRES {REQUIRES}")
        # An empty one would only take away what the model itself brings.
        if self.system:
            lines.append(f'SYSTEM """{_quotable(self.system)}"""')
        return "\n".join(lines) + "\n"

    def _parameters(self) -> dict[str, str]:
        # Three tokens ahead is what Ollama's own Gemma 4 files ask of the drafter.
        return self.parameters | ({"draft_num_predict": "3"} if self.drafter else {})


def _path(path: str) -> str:
    # A path that begins with neither is looked up as a model's name, and a typo becomes a download.
    if any(ord(letter) < 32 for letter in path) or path != path.strip() or path.startswith('"'):
        raise UnsupportedError(f"{path!r} cannot stand in a Modelfile: rename the file")
    return path if path.startswith(("/", "./", "../", "~")) else f"./{path}"


def _quotable(text: str) -> str:
    if '"""' in text:
        raise UnsupportedError('a system text in a Modelfile cannot hold """: Ollama has no way to write it')
    # A quote at the end would run into those that close the text.
    return f"{text}\n" if text.endswith('"') else text
