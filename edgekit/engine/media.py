"""Pictures and sounds as Gemma 4 was trained to take them."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from hashlib import sha256
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from edgekit.engine.decoders import picture_file, reason, sound_file
from edgekit.engine.legibility import suited_tokens
from edgekit.errors import EdgekitError, FileError, UnsupportedError

if TYPE_CHECKING:
    import numpy as np
    from av.container import InputContainer
    from PIL import Image

IMAGE_TOKENS = (70, 140, 280, 560, 1120)
# Soft tokens of a picture, or as many as suit what it shows.
Budget = int | Literal["auto"]
# Pixels of one soft token's side: patches of 16, pooled 3 by 3.
CELL = 48
SAMPLE_RATE = 16_000
# Seconds: what Gemma 4 hears at once, and what is heard in pieces of that length.
LONGEST_PIECE = 30
LONGEST_SOUND = 300
# Shorter than one analysis frame of 20 ms there is nothing to hear, and mtmd computes with a negative length.
_SHORTEST_SOUND = 0.1
# Full volume is 1; squared in the spectrum, the largest floats become infinite.
_LOUDEST = 1e6


@dataclass(frozen=True, eq=False)
class Picture:
    """Pixels of shape (height, width, 3), uint8 RGB; both sides multiples of 48."""

    pixels: np.ndarray[Any, Any]

    @cached_property
    def digest(self) -> str:
        """Return a name for the content."""
        return sha256(repr(self.pixels.shape).encode() + self.pixels.tobytes()).hexdigest()

    @property
    def values(self) -> np.ndarray[Any, Any]:
        """Return the pixels."""
        return self.pixels


@dataclass(frozen=True, eq=False)
class Sound:
    """Samples of shape (length,), float32 from -1 to 1, mono, 16 kHz."""

    samples: np.ndarray[Any, Any]

    @cached_property
    def digest(self) -> str:
        """Return a name for the content."""
        return sha256(self.samples.tobytes()).hexdigest()

    @property
    def values(self) -> np.ndarray[Any, Any]:
        """Return the samples."""
        return self.samples

    def pieces(self) -> tuple[Sound, ...]:
        """Return it in pieces that are heard one by one; a rest too short to hear is left out."""
        size = LONGEST_PIECE * SAMPLE_RATE
        pieces = [self.samples[start : start + size] for start in range(0, len(self.samples), size)]
        return tuple(Sound(piece) for piece in pieces if len(piece) >= _SHORTEST_SOUND * SAMPLE_RATE)


def parse_budget(word: str) -> Budget:
    """Return a token budget as a person writes it; ValueError where there is none such."""
    if word == "auto":
        return "auto"
    if word not in map(str, IMAGE_TOKENS):
        raise ValueError(word)
    return int(word)


def picture_size(width: int, height: int, tokens: int) -> tuple[int, int]:
    """Return width and height in pixels that fill a budget of soft tokens and keep the proportions.

    The rule of transformers' Gemma4ImageProcessor: the largest multiples of 48 within the budget, up or down.
    """
    factor = math.sqrt(tokens * CELL * CELL / (width * height))
    columns = math.floor(factor * width / CELL)
    rows = math.floor(factor * height / CELL)
    if not rows:
        columns, rows = min(width // height, tokens), 1
    elif not columns:
        columns, rows = 1, min(height // width, tokens)
    return columns * CELL, rows * CELL


def open_picture(path: Path, tokens: Budget = 280) -> Picture:
    """Read a picture and resize it to a token budget; FileError where it is no picture."""
    from PIL import Image

    try:
        with picture_file(path) as image:
            image.load()
            return prepare_picture(image, tokens)
    except FileNotFoundError:
        raise FileError(f"no such picture: {path}") from None
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):
        raise FileError(f"{path} is too large a picture: make it smaller than 89 megapixels") from None
    except EdgekitError:
        raise
    # Pillow's readers raise whatever a damaged file leads them to: SyntaxError, RuntimeError, NotImplementedError.
    except Exception as problem:
        raise FileError(f"cannot read the picture {path}: {reason(problem)}") from None


def prepare_picture(image: Image.Image, tokens: Budget = 280) -> Picture:
    """Turn an image upright, onto white and to the size of a token budget; "auto" gives pages of text more."""
    import numpy as np
    from PIL import Image, ImageOps

    if tokens != "auto" and tokens not in IMAGE_TOKENS:
        raise UnsupportedError(f"{tokens} image tokens: Gemma 4 knows {', '.join(map(str, IMAGE_TOKENS))}")
    image = _on_white(ImageOps.exif_transpose(image))
    if tokens == "auto":
        tokens = suited_tokens(image)
    size = picture_size(image.width, image.height, tokens)
    if size != image.size:
        image = image.resize(size, Image.Resampling.BICUBIC)
    return Picture(np.ascontiguousarray(image))


def _on_white(image: Image.Image) -> Image.Image:
    from PIL import Image

    if "A" in image.getbands() or image.info.get("transparency") is not None:
        white = Image.new("RGBA", image.size, "white")
        return Image.alpha_composite(white, image.convert("RGBA")).convert("RGB")
    if image.mode[0] in "IF":
        image = _to_8_bits(image)
    return image.convert("RGB")


def _to_8_bits(image: Image.Image) -> Image.Image:
    import numpy as np
    from PIL import Image

    # Pillow cuts off what is over 255. Only the 16-bit modes say what white is: the others are judged by their values.
    values = np.nan_to_num(np.asarray(image, np.float32)).clip(0)
    brightest = float(values.max())
    whites = [65_535.0] if image.mode.startswith("I;16") else [1.0, 255.0, 65_535.0]
    white = next((white for white in whites if brightest <= white), brightest)
    return Image.fromarray((values * (255 / white)).round().astype(np.uint8))


def open_sound(path: Path) -> Sound:
    """Read the sound of an audio or video file; FileError where it has none, UnsupportedError over five minutes."""
    import av
    import numpy as np

    if not path.is_file():
        raise FileError(f"no such sound: {path}")
    try:
        with sound_file(path) as container:
            if not container.streams.audio:
                raise FileError(f"there is no sound in {path}")
            pieces = list(_samples(container))
    except (av.FFmpegError, ValueError) as problem:
        raise FileError(
            f"cannot read the sound {path}: {reason(problem)}; give a WAV, FLAC, MP3, M4A or Ogg file"
        ) from None
    samples = np.concatenate(pieces) if pieces else np.zeros(0, np.float32)
    seconds = len(samples) / SAMPLE_RATE
    if seconds > LONGEST_SOUND:
        raise UnsupportedError(f"{path} lasts over {LONGEST_SOUND // 60} minutes, the most that is heard: cut it")
    if seconds < _SHORTEST_SOUND:
        raise FileError(f"{path} lasts {seconds:.2f} s: too short to hear anything")
    # No number passes as false, too.
    if not np.abs(samples).max() <= _LOUDEST:
        raise FileError(f"{path} is damaged: some of its samples are no numbers or far too loud")
    return Sound(samples)


def _samples(container: InputContainer) -> Iterator[np.ndarray[Any, Any]]:
    import av

    resampler = av.AudioResampler(format="fltp", rate=SAMPLE_RATE)
    count = 0
    for frame in chain(container.decode(audio=0), [None]):
        for piece in resampler.resample(frame):
            # The mean of the channels: FFmpeg's own mix to mono is 3 dB louder and may clip.
            yield piece.to_ndarray().mean(axis=0)
            count += piece.samples
        if count > LONGEST_SOUND * SAMPLE_RATE:
            return
