"""What passes by itself is waited for, longer each time; what does not is explained at once."""

from __future__ import annotations

import re
import time
from collections.abc import Callable

from edgekit.hub.complaints import CutError, explain

# Hears in a few words what is waited for; nothing when it is over.
Say = Callable[[str], None]
_TRIES = 6
_FIRST_PAUSE = 0.5
_LONGEST_PAUSE = 10.0
# A server may ask for more than this: then a person is told instead.
_LONGEST_WISH = 300.0
_PASSING = (408, 425, 429, 500, 502, 503, 504)


def silent(text: str) -> None:
    """Tell nobody."""


class Patience:
    """Counts failures in a row and waits after each."""

    def __init__(self, repo: str, say: Say = silent, *, tries: int = _TRIES) -> None:
        self._repo, self._say, self._left, self._tries = repo, say, tries, tries

    def lost(self, problem: Exception, *, progressed: bool = False, underway: bool = False, kept: bool = False) -> None:
        """Wait where trying again may help; raises the explained error where it will not, or helped too rarely.

        `progressed` says that something arrived since the last failure; `underway` that a connection once held, so that
        a network that is gone now may come back; `kept` that something of the file is here.
        """
        self._left = self._tries if progressed else self._left
        if not self._left or not _passes(problem, underway=underway):
            raise explain(problem, self._repo, kept=kept) or problem from problem
        pause = min(_LONGEST_PAUSE, _FIRST_PAUSE * 2 ** (self._tries - self._left))
        wish = _wished(problem)
        if wish > _LONGEST_WISH:
            raise explain(problem, self._repo, kept=kept) or problem from problem
        self._left -= 1
        self._say(f"waiting {max(pause, wish):.0f} s: {_reason(problem)}")
        time.sleep(max(pause, wish))
        self._say("")


def _passes(problem: Exception, *, underway: bool) -> bool:
    import httpx2
    from huggingface_hub.errors import HfHubHTTPError

    if isinstance(problem, HfHubHTTPError):
        return problem.response.status_code in _PASSING
    if isinstance(problem, httpx2.ConnectError):
        return underway
    passing = (httpx2.TimeoutException, httpx2.NetworkError, httpx2.RemoteProtocolError, CutError)
    return isinstance(problem, passing)


def _wished(problem: Exception) -> float:
    """Return the seconds that a server asks to wait: Retry-After, or t= of the IETF's RateLimit."""
    headers = getattr(getattr(problem, "response", None), "headers", {})
    text = headers.get("Retry-After", "").strip()
    if text.isascii() and text.isdigit():
        return float(text)
    limit = re.search(r"\br=0\b.*\bt=(\d+)", headers.get("RateLimit", ""))
    return float(limit[1]) if limit else 0.0


def _reason(problem: Exception) -> str:
    code = getattr(getattr(problem, "response", None), "status_code", None)
    return f"the server answered {code}" if code else "the connection broke"
