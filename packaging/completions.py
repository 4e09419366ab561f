"""Write what makes shells complete edgekit's commands and options: they ask edgekit itself.

Usage: python packaging/completions.py FOLDER    e.g. /usr/share, where every shell looks
"""

from __future__ import annotations

import sys
from pathlib import Path

# Shell: where it looks for what packages bring.
PLACES = {
    "bash": "bash-completion/completions/edgekit",
    "zsh": "zsh/vendor-completions/_edgekit",
    "fish": "fish/vendor_completions.d/edgekit.fish",
}


def write(share: Path) -> None:
    """Write the script of every shell below `share`."""
    from typer.completion import get_completion_script

    for shell, place in PLACES.items():
        script = get_completion_script(prog_name="edgekit", complete_var="_EDGEKIT_COMPLETE", shell=shell)
        if shell == "zsh":
            # Typer's is for ~/.zshrc. From its own file it would only define the function at the first Tab.
            script += '\n_edgekit_completion "$@"'
        path = share / place
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(script.strip() + "\n")


if __name__ == "__main__":
    write(Path(sys.argv[1]))
