"""The page beside a folder of ONNX files: index.html, and web/ with its scripts and libraries."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

from edgekit import paths
from edgekit.errors import FileError

# transformers.js with onnxruntime-web inside, and the latter's WebAssembly, for processors and WebGPU.
LIBRARIES = (
    "transformers.min.js",
    "ort-wasm-simd-threaded.asyncify.mjs",
    "ort-wasm-simd-threaded.asyncify.wasm",
)
INDEX = "index.html"
_SCRIPTS = "web"
_NAME = "name.json"


def check_place(folder: Path) -> None:
    """Raise FileError where another page lies in a folder, or the libraries were not fetched when edgekit was built."""
    places = [folder / _SCRIPTS, folder / INDEX]
    strange = [] if (places[0] / _NAME).is_file() else [path for path in places if path.exists() or path.is_symlink()]
    if strange:
        raise FileError(f"{strange[0]} is none of edgekit's, and would be written over: choose another --out")
    missing = [name for name in LIBRARIES if not (paths.web_libraries() / name).is_file()]
    if missing:
        raise FileError(
            f"the page's libraries are not here ({', '.join(missing)}): "
            "in edgekit's sources `python tools/fetch_web.py` fetches them"
        )


def page_sizes(name: str) -> dict[str, int]:
    """Return the bytes of what `write_page` writes, by the names in the folder."""
    index = paths.web_assets() / INDEX
    files = [path for path in paths.web_assets().rglob("*") if path.is_file() and path != index]
    libraries = [path for path in paths.web_libraries().rglob("*") if path.is_file()]
    inside = sum(path.stat().st_size for path in (*files, *libraries))
    return {_SCRIPTS: inside + len(_named(name)), INDEX: index.stat().st_size}


def _named(name: str) -> str:
    return json.dumps({"name": name})


def write_page(folder: Path, name: str) -> list[Path]:
    """Write the page that chats with the model of a folder, under a name; returns its files, index.html last.

    Raises FileError where the libraries are missing, another page is there or the folder cannot be written to.
    """
    check_place(folder)
    assets, libraries, scripts = paths.web_assets(), paths.web_libraries(), folder / _SCRIPTS
    made = scripts.with_name(f".{_SCRIPTS}-unfinished")
    try:
        shutil.rmtree(made, ignore_errors=True)
        shutil.copytree(assets, made, ignore=shutil.ignore_patterns(INDEX))
        shutil.copytree(libraries, made / "vendor")
        (made / _NAME).write_text(_named(name), "utf-8")
        shutil.rmtree(scripts, ignore_errors=True)
        made.rename(scripts)
        # Last: where it is, all is there.
        shutil.copyfile(assets / INDEX, folder / f".{INDEX}")
        (folder / f".{INDEX}").replace(folder / INDEX)
    except OSError as problem:
        raise FileError(f"cannot write the page into {folder}: {problem.strerror}") from None
    finally:
        shutil.rmtree(made, ignore_errors=True)
    return [*sorted(filter(Path.is_file, scripts.rglob("*"))), folder / INDEX]


def check_page(folder: Path) -> None:
    """Raise FileError where a folder has no page."""
    if not (folder / INDEX).is_file() or not (folder / _SCRIPTS / "worker.js").is_file():
        raise FileError(f"{folder} has no page: `edgekit convert CHECKPOINT --to onnx --web` writes one")
