"""Being built in this session by its owner."""


def command() -> None:
    """Being built."""
