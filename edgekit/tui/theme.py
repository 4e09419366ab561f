"""Two calm colour schemes, one for dark and one for light terminals, and one for 16 colours."""

from textual.theme import Theme

DARK = Theme(
    name="edgekit-dark",
    primary="#8ab4f8",
    secondary="#b8a5e3",
    accent="#7fd1b9",
    warning="#e8c07a",
    error="#f0908a",
    success="#8fce9b",
    foreground="#d8dbe2",
    background="#15171c",
    surface="#1c1f26",
    panel="#2a2e37",
    dark=True,
)

LIGHT = Theme(
    name="edgekit-light",
    primary="#2d5fb8",
    secondary="#6a51a8",
    accent="#1d7864",
    warning="#8f6400",
    error="#b3352d",
    success="#2f7a3d",
    foreground="#2a2d33",
    background="#fbfaf8",
    surface="#f2f0ec",
    panel="#e2dfd8",
    dark=False,
)

# The colours of the Linux console themselves: calmer ones would all become grey there.
CONSOLE = Theme(
    name="edgekit-console",
    primary="#55ffff",
    secondary="#ff55ff",
    accent="#55ff55",
    warning="#ffff55",
    error="#ff5555",
    success="#55ff55",
    foreground="#ffffff",
    background="#000000",
    surface="#000000",
    panel="#555555",
    dark=True,
)

THEMES = {"dark": DARK, "light": LIGHT, "console": CONSOLE}
