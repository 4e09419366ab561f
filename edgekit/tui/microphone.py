"""Recording a sound for the next question, where sounddevice is installed and a microphone is there."""

from __future__ import annotations

import time
import wave
from pathlib import Path
from typing import Protocol

from edgekit.engine.media import LONGEST_SOUND, SAMPLE_RATE
from edgekit.errors import EdgekitError, UnsupportedError
from edgekit.installation import command_for


class Buffer(Protocol):
    """What PortAudio hands over: bytes() copies it."""

    def __bytes__(self) -> bytes:
        """Return a copy."""


class Recording:
    """A sound that is being recorded: 16 kHz, mono, no longer than the model hears."""

    def __init__(self, folder: Path) -> None:
        """Begin; raises UnsupportedError without sounddevice, EdgekitError without a microphone."""
        try:
            # The type: its stubs exist nowhere.
            import sounddevice
        except ImportError:
            raise UnsupportedError(f"recording needs sounddevice: `{command_for('microphone')}`") from None
        except OSError:
            raise UnsupportedError("recording needs PortAudio: `sudo apt install libportaudio2`") from None
        self._folder, self._pieces = folder, list[bytes]()
        try:
            self._stream = sounddevice.RawInputStream(SAMPLE_RATE, channels=1, dtype="int16", callback=self._hear)
            self._stream.start()
        except sounddevice.PortAudioError as problem:
            raise EdgekitError(f"there is no microphone to record from: {problem}") from None

    def _hear(self, data: Buffer, frames: int, _time: object, _status: object) -> None:
        if sum(map(len, self._pieces)) < LONGEST_SOUND * SAMPLE_RATE * 2:
            self._pieces.append(bytes(data))

    def finish(self) -> Path:
        """End it and return the file; EdgekitError where nothing was recorded."""
        self._stream.stop()
        self._stream.close()
        return write_sound(b"".join(self._pieces)[: LONGEST_SOUND * SAMPLE_RATE * 2], self._folder)


def write_sound(samples: bytes, folder: Path) -> Path:
    """Write samples, 16 bits each, as a WAV file of this second's name; EdgekitError where there are none."""
    if not samples:
        raise EdgekitError("nothing was recorded")
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / time.strftime("recorded-%Y-%m-%d-%H%M%S.wav")
    with wave.open(str(path), "wb") as file:
        file.setparams((1, 2, SAMPLE_RATE, 0, "NONE", ""))
        file.writeframes(samples)
    return path
