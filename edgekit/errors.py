"""The errors that a person may see."""


class EdgekitError(Exception):
    """A command cannot go on; the message is one line that says why and what to do."""


class FileError(EdgekitError):
    """A file is missing, damaged, of the wrong kind or unsafe."""


class NotHereError(FileError):
    """A model has a name but was not downloaded; `name` is what `edgekit pull` takes."""

    def __init__(self, message: str, name: str) -> None:
        super().__init__(message)
        self.name = name


class UnavailableError(EdgekitError):
    """Nothing can be downloaded now: no network, no answer of the Hub's, no folder to write; what is here is usable."""


class DoesNotFitError(EdgekitError):
    """Something needs more memory or disk than there is."""


class AdapterError(EdgekitError):
    """An adapter does not belong to the checkpoint."""


class UnsupportedError(EdgekitError):
    """A model, format or input is sound, but edgekit or the loaded model cannot take it."""


def explain(problem: BaseException) -> str:
    """Return the line that says what went wrong; of what edgekit did not foresee, how to report it, too."""
    if isinstance(problem, EdgekitError):
        return str(problem)
    if isinstance(problem, OSError):
        return f"{problem.strerror or problem}" + (f": {problem.filename}" if problem.filename else "")
    return f"unexpected {type(problem).__name__}: {problem} (run again as `edgekit --debug ...` and report it)"
