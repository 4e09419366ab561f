"""`edgekit run --web`: the page of an ONNX folder for browsers on this machine."""

from __future__ import annotations

from pathlib import Path

import typer

from edgekit.cli import output
from edgekit.errors import FileError

_ITS_OWN = ("model", "web", "port")


def refuse_others(invoked: typer.Context) -> None:
    """Raise what names an option or argument that has no meaning beside --web."""
    for parameter in invoked.command.params:
        name = parameter.name or ""
        source = invoked.get_parameter_source(name)
        if source is not None and source.name == "COMMANDLINE" and name not in _ITS_OWN:
            hint = parameter.opts[0] if parameter.opts[0].startswith("-") else name.upper()
            raise typer.BadParameter("it has no meaning with --web: leave it out", param_hint=hint)


def serve(model: str, port: int) -> None:
    """Serve a folder's page until Ctrl+C; FileError where it has none, EdgekitError where the port is taken."""
    from edgekit.engine.onnx.folder import check_folder
    from edgekit.web.page import check_page
    from edgekit.web.server import FolderServer

    folder = Path(model)
    if not folder.is_dir():
        raise FileError(
            f"{model} {'is no folder' if folder.exists() else 'does not exist'}: name a folder of ONNX files"
        )
    check_page(folder)
    check_folder(folder)
    with FolderServer(folder, port) as server:
        output.hint("Ctrl+C ends; nothing of it leaves this machine.")
        output.show(server.url)
        try:
            server.serve_forever()
        except KeyboardInterrupt:
            output.hint("ended")
