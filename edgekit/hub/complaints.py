"""What went wrong between here and the Hub, in a line that says what to do."""

from __future__ import annotations

from edgekit.errors import DoesNotFitError, EdgekitError, FileError, UnavailableError
from edgekit.hub.address import endpoint

_LOG_IN = "`hf auth login`"
_KEPT = "; what arrived is kept"


class CutError(Exception):
    """A connection ended before the file did."""


def explain(problem: Exception, repo: str, *, kept: bool = False) -> EdgekitError | None:
    """Return an error for people; None for what has nothing to do with the Hub. `kept` says that something arrived."""
    import errno

    import httpx2
    from huggingface_hub import errors

    host, address, kept_note = _host(), f"{endpoint()}/{repo}", _KEPT if kept else ""
    if isinstance(problem, EdgekitError):
        return problem
    if isinstance(problem, errors.OfflineModeIsEnabled):
        return UnavailableError(f"HF_HUB_OFFLINE is set, so {repo} is not asked for: unset it to download")
    if isinstance(problem, errors.GatedRepoError):
        return EdgekitError(_gated(problem, repo, address))
    if isinstance(problem, errors.RepositoryNotFoundError):
        return FileError(
            f"{host} has no repository {repo}, or it is private: check the spelling; {_LOG_IN} once where it is yours"
        )
    if isinstance(problem, errors.HFValidationError):
        return FileError(f"{repo!r} is no name of a repository: write OWNER/NAME")
    if isinstance(problem, (errors.EntryNotFoundError, errors.RevisionNotFoundError)):
        return FileError(f"{repo} changed while it was asked: run the command again")
    if isinstance(problem, errors.HfHubHTTPError):
        return _status(problem, host, repo, kept_note)
    if isinstance(problem, errors.FileMetadataError):
        return UnavailableError(f"{host} does not answer as the Hub does: check HF_ENDPOINT, the proxy and the network")
    if isinstance(problem, httpx2.ProxyError):
        return UnavailableError(f"the proxy refuses the way to {host}: check HTTPS_PROXY ({problem})")
    if isinstance(problem, (CutError, httpx2.TransportError, httpx2.TooManyRedirects, httpx2.InvalidURL)):
        return UnavailableError(
            f"{host} cannot be reached ({_short(problem)}): check the network, or name a mirror with HF_ENDPOINT"
            f"{kept_note}"
        )
    if isinstance(problem, OSError) and problem.errno in (errno.ENOSPC, errno.EDQUOT):
        return DoesNotFitError(f"the disk is full: free some space and run it again{kept_note}")
    if isinstance(problem, ValueError):
        return UnavailableError(f"{host} does not answer as the Hub does ({_short(problem)}): check HF_ENDPOINT")
    return None


def _gated(problem: Exception, repo: str, address: str) -> str:
    from huggingface_hub import get_token

    if get_token():
        return (
            f"{repo} is gated and your token has no access: open {address}, accept its terms (some are then granted "
            f"by a person), and run this again; where you did, the token may be old: {_LOG_IN} again"
        )
    return (
        f"{repo} is gated: open {address} in a browser, log in and accept its terms, make a token at "
        f"{endpoint()}/settings/tokens, give it to {_LOG_IN} (or HF_TOKEN), and run this again"
    )


def _status(problem: Exception, host: str, repo: str, kept_note: str) -> EdgekitError:
    from huggingface_hub.errors import HfHubHTTPError

    assert isinstance(problem, HfHubHTTPError)
    code = problem.response.status_code
    if code == 401:
        return EdgekitError(f"{host} does not accept your token: {_LOG_IN} again, or unset HF_TOKEN")
    if code == 403:
        return EdgekitError(f"{host} refuses {repo} (403): your token may lack the permission to read it; {_LOG_IN}")
    if code == 404:
        return FileError(f"{host} has no {repo} (404): check the spelling, and HF_ENDPOINT where it is set")
    if code == 429:
        return UnavailableError(
            f"{host} asks for fewer requests (429): wait some minutes, or {_LOG_IN} for a higher limit"
        )
    if code >= 500:
        return UnavailableError(f"{host} has trouble ({code}): try again later{kept_note}")
    return EdgekitError(f"{host} answers {code} to a request for {repo}: try again later")


def _short(problem: Exception) -> str:
    return " ".join(str(problem).split())[:120] or type(problem).__name__


def _host() -> str:
    return endpoint().partition("://")[2]
