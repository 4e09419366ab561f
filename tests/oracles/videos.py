"""Videos whose frames tell when they were shown."""

from __future__ import annotations

from pathlib import Path

import av
import numpy as np

RATE = 16_000


def make_video(path: Path, seconds: float, *, fps: int = 10, sound: bool = False, turned: int = 0) -> Path:
    """Each second has a brightness of its own: twenty times its number."""
    with av.open(str(path), "w") as container:
        video = container.add_stream("mpeg4", rate=fps, width=160, height=96, pix_fmt="yuv420p")
        video.bit_rate = 2_000_000
        audio = container.add_stream("aac", rate=RATE, layout="mono") if sound else None
        for index in range(round(seconds * fps)):
            pixels = np.full((96, 160, 3), 20 * (index // fps) % 256, np.uint8)
            container.mux(video.encode(av.VideoFrame.from_ndarray(pixels, format="rgb24")))
        container.mux(video.encode())
        if audio:
            samples = np.sin(np.arange(int(seconds * RATE)) / 9).astype(np.float32)[None]
            frame = av.AudioFrame.from_ndarray(samples, format="fltp", layout="mono")
            frame.sample_rate = RATE
            container.mux(audio.encode(frame))
            container.mux(audio.encode())
    return path
