"""Pictures and sounds in the formats that people have, small, to be spoiled."""

from __future__ import annotations

import io
from pathlib import Path

import av
import numpy as np
from PIL import Image, features

PICTURES = ("PNG", "JPEG", "GIF", "BMP", "TIFF", "WEBP", "ICO", "PPM", "TGA", "JPEG2000", "PCX", "SGI", "DDS", "AVIF")
# A container and a codec that FFmpeg writes.
SOUNDS = {
    "wav": "pcm_s16le",
    "flac": "flac",
    "mp3": "libmp3lame",
    "ogg": "libvorbis",
    "opus": "libopus",
    "m4a": "aac",
    "mkv": "aac",
    "aiff": "pcm_s16be",
}


def write_pictures(folder: Path) -> list[Path]:
    """Write one picture of each format that this Pillow writes."""
    pixels = np.random.default_rng(0).integers(0, 255, (24, 32, 3), np.uint8)
    image = Image.fromarray(np.repeat(np.repeat(pixels, 4, 0), 4, 1))
    known = [name for name in PICTURES if name != "AVIF" or features.check("avif")]
    return [_picture(image, name, folder / f"picture.{name.lower()}") for name in known]


def _picture(image: Image.Image, name: str, path: Path) -> Path:
    options = {"compression": "tiff_lzw"} if name == "TIFF" else {}
    made = io.BytesIO()
    image.save(made, name, **options)
    path.write_bytes(made.getvalue())
    return path


def write_sounds(folder: Path) -> list[Path]:
    """Write half a second in each kind that this FFmpeg writes."""
    return [path for kind, codec in SOUNDS.items() if (path := _sound(folder / f"sound.{kind}", codec))]


def _sound(path: Path, codec: str) -> Path | None:
    samples = (8000 * np.sin(np.arange(24_000) / 20)).astype(np.int16)
    try:
        with av.open(str(path), "w") as container:
            stream = container.add_stream(codec, rate=48_000, layout="mono")
            frame = av.AudioFrame.from_ndarray(samples[None], format="s16", layout="mono")
            frame.sample_rate = 48_000
            resampler = av.AudioResampler(stream.format, stream.layout, stream.rate, stream.frame_size or None)
            for piece in [*resampler.resample(frame), *resampler.resample(None)]:
                container.mux(stream.encode(piece))
            container.mux(stream.encode(None))
    except (av.FFmpegError, ValueError):
        path.unlink(missing_ok=True)
        return None
    return path
