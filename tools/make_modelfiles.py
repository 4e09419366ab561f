"""Write modelfiles/*.Modelfile anew: one for Google's own GGUF of each variant. Run: python tools/make_modelfiles.py"""

from __future__ import annotations

from edgekit import paths
from edgekit.convert.ollama import released_modelfiles, write_modelfile


def main() -> None:
    """Write the files."""
    for name, modelfile in released_modelfiles().items():
        write_modelfile(paths.modelfiles_directory() / name, modelfile)
        print(name)


if __name__ == "__main__":
    main()
