"""Where edgekit keeps things on disk: the only module that knows."""

import os
from pathlib import Path

import platformdirs

_PACKAGE = Path(__file__).parent
_APP = "edgekit"


def _shipped(name: str) -> Path:
    # In a wheel the top-level folders lie inside the package; in a checkout, beside it.
    inside = _PACKAGE / name
    return inside if inside.is_dir() else _PACKAGE.parent / name


def exists(path: Path) -> bool:
    """Return whether a path exists and one may look for it."""
    try:
        return path.exists()
    except PermissionError:
        return False


def profiles_directory() -> Path:
    """Return the folder that holds machines/*.toml and models/*.toml."""
    return _shipped("profiles")


def modelfiles_directory() -> Path:
    """Return the folder that holds one Modelfile per variant."""
    return _shipped("modelfiles")


def demo_directory() -> Path:
    """Return the folder of the bundled model, its adapter and its samples."""
    return _PACKAGE / "demo"


def demo_checkpoint() -> Path:
    """Return the bundled checkpoint, gemma4-pico."""
    return demo_directory() / "gemma4-pico"


def demo_adapter() -> Path:
    """Return the bundled adapter, which makes gemma4-pico answer in French."""
    return demo_directory() / "french"


def demo_samples() -> Path:
    """Return the folder of pictures and sounds to ask gemma4-pico about."""
    return demo_directory() / "samples"


def web_assets() -> Path:
    """Return the folder of the page that chats in a browser."""
    return _PACKAGE / "web" / "assets"


def web_libraries() -> Path:
    """Return the folder of the page's libraries, which tools/fetch_web.py fills."""
    return _PACKAGE / "web" / "vendor"


def cache_directory() -> Path:
    """Return the folder for what can be made again."""
    return Path(platformdirs.user_cache_dir(_APP))


def data_directory() -> Path:
    """Return the folder for what a person would miss."""
    return Path(platformdirs.user_data_dir(_APP))


def media_directory() -> Path:
    """Return the folder of pictures and sounds that came from the clipboard and the microphone."""
    return data_directory() / "media"


def settings_file() -> Path:
    """Return the file in which a person chooses theme and keys of the chat; it may be absent."""
    return Path(platformdirs.user_config_dir(_APP)) / "chat.toml"


def conversations_file() -> Path:
    """Return the database of saved conversations."""
    return data_directory() / "conversations.db"


def models_directory() -> Path:
    """Return the folder of downloaded models: the Hugging Face cache, found as huggingface_hub does."""
    if cache := os.environ.get("HF_HUB_CACHE"):
        return Path(cache).expanduser()
    caches = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    home = os.environ.get("HF_HOME") or Path(caches) / "huggingface"
    return Path(home).expanduser() / "hub"
