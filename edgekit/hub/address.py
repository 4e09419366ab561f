"""Addresses of repositories on the Hub, as they are pasted from a browser."""

from __future__ import annotations

import os
import re
from urllib.parse import unquote, urlsplit

from edgekit.errors import EdgekitError

_HUB = "https://huggingface.co"
_HOSTS = ("huggingface.co", "www.huggingface.co", "hf.co")
_SCHEME = re.compile(r"(https?|hf)://", re.IGNORECASE)
_REPOSITORY = re.compile(r"[\w-][\w.-]*/[\w.-]*[\w-]")
# What the Hub's pages put behind a repository; other revisions than main, data sets and spaces are no models here.
_PLACE = re.compile(r"([^/]+/[^/:]+)(?::([^/]+))?(?:/(?:tree|blob|resolve)/main(?:/(.*))?)?/?")


def endpoint() -> str:
    """Return the address of the Hub, or of the mirror that HF_ENDPOINT names."""
    return (os.environ.get("HF_ENDPOINT") or _HUB).rstrip("/")


def check_endpoint() -> None:
    """Raise EdgekitError where HF_ENDPOINT is set to something else than an address."""
    said = os.environ.get("HF_ENDPOINT")
    try:
        if said is None or (urlsplit(said).scheme in ("http", "https") and urlsplit(said).hostname):
            return
    except ValueError:
        pass
    raise EdgekitError(f"HF_ENDPOINT is {said!r}, which is no address: write https://HOST, or unset it")


def is_repository(name: str) -> bool:
    """Return whether a name is written OWNER/NAME."""
    return bool(_REPOSITORY.fullmatch(name))


def parse_address(text: str) -> tuple[str, str, str] | None:
    """Return repository, quantization and file of an address, each empty where it says none; None for no address.

    All three are empty where it leads to something else than a repository of models on the Hub or its mirror.
    """
    scheme = _SCHEME.match(text)
    rest = text[scheme.end() :] if scheme else text
    hosts = (_SCHEME.sub("", endpoint()), *_HOSTS)
    host = next((one for one in hosts if rest.lower().startswith(f"{one.lower()}/")), "")
    if not (scheme or host):
        return None
    if not host and not text.lower().startswith("hf://"):
        return "", "", ""
    place = re.split(r"[?#]", rest[len(host) :].lstrip("/"), maxsplit=1)[0]
    found = _PLACE.fullmatch(unquote(place))
    if not found or not is_repository(found[1]):
        return "", "", ""
    return found[1], found[2] or "", found[3] or ""
