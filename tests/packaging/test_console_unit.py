"""The unit that shows a chat on a board's console starts what there is, on streams that a chat takes."""

from configparser import ConfigParser

import targets
import typer

from edgekit.cli.app import app


def _service():
    parser = ConfigParser(interpolation=None, strict=False)
    # systemd tells upper from lower case.
    parser.optionxform = str
    parser.read(targets.ROOT / "packaging/files/edgekit-console@.service")
    return parser["Service"]


def test_every_stream_is_the_console():
    # `edgekit chat` refuses to start where one of them is not a terminal.
    service = _service()
    assert {service[f"Standard{name}"] for name in ("Input", "Output", "Error")} == {"tty"}
    assert service["TTYPath"] == "/dev/tty1"


def test_starts_a_command_that_exists():
    program, command, options = _service()["ExecStart"].split()
    assert program == "/usr/bin/edgekit"
    assert command in typer.main.get_command(app).commands
    # Unbraced: systemd parts it into words, and leaves it out where it is not set.
    assert options == "$EDGEKIT_CHAT"
