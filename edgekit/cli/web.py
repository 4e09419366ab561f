"""`edgekit run --web`: the page of an ONNX folder for browsers on this machine."""

from __future__ import annotations

from pathlib import Path

from edgekit.cli import output
from edgekit.errors import FileError


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
