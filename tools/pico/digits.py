"""Spoken digits: made by espeak-ng at training time only, varied in numpy."""

from __future__ import annotations

import io
import subprocess
import wave
from dataclasses import dataclass
from random import Random

import numpy as np
from numpy.typing import NDArray

DIGITS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
RATE = 16_000
Samples = NDArray[np.float32]

ACCENTS = ("en-gb", "en-us", "en-gb-scotland", "en-gb-x-rp", "en-gb-x-gbclan", "en-gb-x-gbcwmd", "en-029")
TRAINING_VARIANTS = (
    *("", "f1", "f2", "f4", "m1", "m2", "m3", "m5", "m6", "m8", "klatt", "klatt2", "klatt4", "croak", "grandpa"),
    *("Alex", "Alicia", "Andrea", "Andy", "belinda", "benjamin", "boris", "caleb", "david", "ed", "Gene", "Hugo"),
    *("iven", "iven2", "john", "Lee", "linda", "Marco", "max", "Michael", "miguel", "Mike", "pablo", "quincy"),
    *("rob", "robert", "steph", "steph2", "victor", "zac", "anika", "norbert", "sandro"),
)
HELD_OUT_VARIANTS = (
    *("f3", "f5", "m4", "m7", "klatt3", "grandma", "Annie", "aunty", "antonio", "edward", "Jacky", "paul", "pedro"),
    *("steph3", "travis", "shelby", "iven3", "Denis", "Diogo", "Mario"),
)
TRAINING_SPEEDS, HELD_OUT_SPEEDS = (120, 140, 150, 160, 175, 200), (130, 145, 168, 190)
TRAINING_PITCHES, HELD_OUT_PITCHES = (20, 35, 45, 50, 55, 70, 80), (28, 40, 62, 75)


@dataclass(frozen=True)
class Utterance:
    """One spoken digit at 16 kHz, and how it was spoken."""

    samples: Samples
    digit: int
    voice: str
    pitch: int
    speed: int

    @property
    def name(self) -> str:
        """A file name that says all of it."""
        return f"{self.digit}-{self.voice}-p{self.pitch}-s{self.speed}"


def resample(samples: Samples, factor: float) -> Samples:
    """Change the number of samples by `factor` in the frequency domain, which keeps short clips free of aliases."""
    count = round(len(samples) * factor)
    spectrum = np.fft.rfft(samples)
    out = np.zeros(count // 2 + 1, spectrum.dtype)
    shared = min(len(out), len(spectrum))
    out[:shared] = spectrum[:shared]
    return (np.fft.irfft(out, count) * factor).astype(np.float32)


def trim(samples: Samples) -> Samples:
    """Cut away the silence that espeak-ng leaves around a word."""
    loud = np.flatnonzero(np.abs(samples) > 0.01)
    return samples[loud[0] : loud[-1] + 1] if len(loud) else samples


def speak(digit: int, voice: str, pitch: int, speed: int) -> Utterance:
    """Have espeak-ng say a digit."""
    command = ["espeak-ng", "-v", voice, "-p", str(pitch), "-s", str(speed), "--stdout", DIGITS[digit]]
    with wave.open(io.BytesIO(subprocess.run(command, check=True, capture_output=True).stdout)) as clip:
        # espeak-ng writes to a pipe and cannot know the length: the header lies, the data does not.
        raw = np.frombuffer(clip.readframes(10 * clip.getframerate()), "<i2").astype(np.float32) / 32768
        rate = clip.getframerate()
    samples = trim(resample(raw, RATE / rate))
    return Utterance(samples / max(1e-6, float(np.abs(samples).max())), digit, voice, pitch, speed)


def voices(variants: tuple[str, ...], random: Random) -> list[str]:
    """Each variant in two accents."""
    return [f"{accent}+{v}" if v else accent for v in variants for accent in random.sample(ACCENTS, 2)]


def training_utterances(seed: int, takes: int = 2) -> list[Utterance]:
    """Every digit in every training voice, `takes` times with a pitch and a speed by lot."""
    random = Random(f"digits {seed}")
    return [
        speak(digit, voice, random.choice(TRAINING_PITCHES), random.choice(TRAINING_SPEEDS))
        for voice in voices(TRAINING_VARIANTS, random)
        for digit in range(10)
        for _ in range(takes)
    ]


def held_out_utterances(seed: int, takes: int = 1) -> list[Utterance]:
    """Digits in voices, at pitches and at speeds that training never heard."""
    random = Random(f"held-out digits {seed}")
    return [
        speak(digit, voice, random.choice(HELD_OUT_PITCHES), random.choice(HELD_OUT_SPEEDS))
        for voice in voices(HELD_OUT_VARIANTS, random)
        for digit in range(10)
        for _ in range(takes)
    ]


def place(samples: Samples, before: float, after: float, gain: float) -> Samples:
    """Put silence of so many seconds around a clip and scale its peak to `gain`."""
    return np.concatenate([np.zeros(round(before * RATE)), samples * gain, np.zeros(round(after * RATE))]).astype(
        np.float32
    )


def vary(random: Random, utterance: Utterance) -> Samples:
    """A training example: another speed, loudness and place in time, and some noise."""
    samples = resample(utterance.samples, random.uniform(0.88, 1.14))
    samples = place(samples, random.uniform(0.0, 0.45), random.uniform(0.0, 0.45), random.uniform(0.25, 0.98))
    if random.random() < 0.6:
        noise = np.random.default_rng(random.getrandbits(32)).normal(0, 1, len(samples)).astype(np.float32)
        samples = samples + noise * np.float32(10 ** random.uniform(-4.0, -2.0))
    return samples


def as_heard(utterance: Utterance) -> Samples:
    """A held-out example as a person would record it: a moment of silence on both sides."""
    return place(utterance.samples, 0.15, 0.2, 0.7)


def write_wav(samples: Samples, path: str) -> None:
    """16 kHz, mono, 16 bits."""
    with wave.open(path, "wb") as clip:
        clip.setnchannels(1)
        clip.setsampwidth(2)
        clip.setframerate(RATE)
        clip.writeframes((np.clip(samples, -1, 1) * 32767).astype("<i2").tobytes())
