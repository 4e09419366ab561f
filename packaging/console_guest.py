"""Start the emulated machine of test_console.sh and use its console as a person does: by its keyboard and its screen.

Usage: python3 packaging/console_guest.py FOLDER       with kernel, initrd and disk in it; pictures are written there.

What is asked of it: the chat is on the first console after the start, answers, draws no character that the console's
font lacks, is there again after leaving it, leaves Alt+F2 to a login, and makes way for one when its unit is disabled.
"""

from __future__ import annotations

import base64
import gzip
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

# Seconds; an emulated processor is slow, and may have to share the machine.
_PATIENCE = 300
_UNIT = "edgekit-console@pi"
_NAMES = {" ": "spc", "?": "shift-slash", "/": "slash"}
# Where the kernel's font has ■, which it draws for what it lacks.
_MISSING, _SQUARE = 0xFE, "■"
# What a command ends with, written so that its echo is not taken for it.
_END, _SAY_END = b"=end=\r\n", "echo =e''nd="


class Guest:
    """A machine with a screen and a keyboard, and a serial line on which root is logged in."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        places = {name: folder / f"{name}.socket" for name in ("monitor", "serial")}
        self._process = subprocess.Popen(
            [
                *("qemu-system-x86_64", "-accel", "tcg", "-cpu", "max", "-smp", "2", "-m", "2048"),
                *("-nic", "none", "-vga", "std", "-display", "none"),
                *("-kernel", folder / "kernel", "-initrd", folder / "initrd"),
                *("-append", "root=/dev/vda rw console=ttyS0 console=tty1 quiet"),
                *("-drive", f"file={folder / 'disk'},if=virtio,format=raw"),
                *("-monitor", f"unix:{places['monitor']},server,wait=off"),
                *("-serial", f"unix:{places['serial']},server,wait=off"),
            ],
        )
        self._monitor, self._serial = self._connected(places["monitor"]), self._connected(places["serial"])
        _read_until(self._monitor, b"(qemu) ")

    def log_in(self) -> None:
        """Wait for the shell on the serial line, and make it show nothing but what commands print."""
        _read_until(self._serial, b"# ")
        self.run("stty -echo; PS1=")

    def run(self, command: str) -> str:
        """Run a command in the machine; returns what it prints."""
        self._serial.sendall(f"{command}; {_SAY_END}\n".encode())
        return _read_until(self._serial, _END).decode().replace("\r\n", "\n").strip()

    def press(self, *keys: str) -> None:
        """Press keys, by qemu's names, one after the other."""
        for key in keys:
            self._ask(f"sendkey {key}")
            time.sleep(0.2)

    def type(self, text: str) -> None:
        """Type a line."""
        self.press(*(_NAMES.get(one, f"shift-{one.lower()}" if one.isupper() else one) for one in text), "ret")

    def screen(self, console: int = 1) -> str:
        """Return the text on a console; AssertionError where it has characters that are not drawn as themselves."""
        names = (f"{kind}{console}" for kind in ("vcsa", "vcs", "vcsu"))
        printed = self.run("; ".join(f"gzip -c /dev/{name} | base64 -w0; echo" for name in names))
        whole, glyphs, text = (gzip.decompress(base64.b64decode(line)) for line in printed.splitlines())
        characters, columns = text.decode("utf-32-le"), whole[1]
        lacking = {one for one, glyph in zip(characters, glyphs, strict=True) if glyph == _MISSING and one != _SQUARE}
        assert not lacking, f"not in the console's font: {lacking}"
        return "\n".join(characters[at : at + columns].rstrip() for at in range(0, len(characters), columns))

    def shows(self, text: str, console: int = 1) -> None:
        """Wait until a text is on a console."""
        wait_for(lambda: text in self.screen(console), f"{text!r} on console {console}", lambda: self.screen(console))

    def closes(self, text: str) -> None:
        """Press Esc and wait until what shows a text is gone: Esc just before another key would be Alt."""
        self.press("esc")
        wait_for(lambda: text not in self.screen(), f"Esc to close {text!r}", self.screen)

    def picture(self, name: str) -> None:
        """Write what the screen shows into NAME.png."""
        self._ask(f"screendump {self._folder / name}.png -f png")
        print(f"   {self._folder / name}.png")

    def turn_off(self) -> None:
        """Shut it down as its power button would."""
        self._ask("system_powerdown")
        self._process.wait(_PATIENCE)

    def kill(self) -> None:
        """Leave no process behind."""
        self._process.kill()
        self._process.wait()

    def _connected(self, place: Path) -> socket.socket:
        line = socket.socket(socket.AF_UNIX)
        # Once qemu listens there.
        while line.connect_ex(str(place)):
            assert self._process.poll() is None, "qemu could not start"
            time.sleep(0.1)
        line.settimeout(_PATIENCE)
        return line

    def _ask(self, command: str) -> None:
        self._monitor.sendall(f"{command}\n".encode())
        _read_until(self._monitor, b"(qemu) ")


def _read_until(line: socket.socket, end: bytes) -> bytes:
    read = b""
    while not read.endswith(end):
        piece = line.recv(1 << 16)
        assert piece, f"the machine is gone; last it said {read[-500:]!r}"
        read += piece
    return read[: -len(end)]


def wait_for(condition: Callable[[], bool], what: str, instead: Callable[[], str] = str) -> None:
    """Wait until something is so; AssertionError says what there is instead."""
    deadline = time.monotonic() + _PATIENCE
    while not condition():
        assert time.monotonic() < deadline, f"waited in vain for {what}:\n{instead()}"
        # Not all the time: looking takes processor time of the machine looked at.
        time.sleep(2)


def judge(guest: Guest) -> None:
    """Use the console."""
    started = time.monotonic()

    def say(text: str) -> None:
        print(f"{time.monotonic() - started:5.0f} s  {text}", flush=True)

    guest.log_in()
    guest.shows("Ask something")
    say("the chat is on the first console")
    assert guest.run(f"stat -c %U /proc/$(systemctl show --value -p MainPID {_UNIT})") == "pi"
    guest.type("Who are you?")
    guest.shows("I am gemma4-pico")
    say("asked: " + guest.run("runuser -u pi edgekit conversations list").splitlines()[-1].strip())
    guest.picture("answer")
    guest.press("f1")
    guest.shows("Thinking on or off")
    guest.picture("help")
    guest.closes("Thinking on or off")
    guest.press("ctrl-o")
    guest.shows("folder above")
    guest.picture("files")
    guest.closes("folder above")
    guest.press("ctrl-z", "ctrl-t")
    guest.shows("thinking on")
    # Not everything makes the bundled model think.
    guest.type("Count to three")
    guest.shows("Thought")
    say("every character is in the font: answer, help, files, thought; Ctrl+Z stops nothing")
    guest.picture("thought")

    guest.press("ctrl-q")
    wait_for(lambda: guest.run(f"systemctl show --value -p NRestarts {_UNIT}") == "1", "a restart")
    guest.shows("nothing leaves this machine")
    say("left with Ctrl+Q, there again")
    guest.press("alt-f2")
    guest.shows("login:", console=2)
    guest.press("alt-f1")
    wait_for(lambda: guest.run("fgconsole") == "1", "the first console")
    say("Alt+F2 is a login, Alt+F1 the chat")

    guest.run(f"systemctl disable --now {_UNIT}")
    state = guest.run(f"systemctl show --value -p ActiveState -p Result -p UnitFileState {_UNIT}").split()
    assert sorted(state) == ["disabled", "inactive", "success"], state
    guest.run("systemctl start getty@tty1")
    guest.shows("login:")
    say("disabled: a login is on the first console")
    guest.turn_off()
    say("turned off")


if __name__ == "__main__":
    # The machine must not outlive this.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    machine = Guest(Path(sys.argv[1]))
    try:
        judge(machine)
    finally:
        machine.kill()
