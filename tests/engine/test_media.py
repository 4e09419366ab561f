"""Pictures and sounds arrive as transformers' processors would prepare them."""

from __future__ import annotations

import socket
import wave
from pathlib import Path

import av
import numpy as np
import pytest
from PIL import Image, ImageOps
from transformers.image_utils import load_image
from transformers.models.gemma4.image_processing_pil_gemma4 import get_aspect_ratio_preserving_size

from edgekit.engine.media import IMAGE_TOKENS, open_picture, open_sound, picture_size, prepare_picture
from edgekit.errors import FileError, UnsupportedError

SIZES = [
    (1, 1),
    (48, 48),
    (100, 200),
    (5000, 40),
    (40, 5000),
    (47, 49),
    (1920, 1080),
    (333, 777),
    (8, 3000),
    (640, 480),
]


def noise(width, height, mode="RGB"):
    bands = len(Image.new(mode, (1, 1)).getbands())
    pixels = np.random.default_rng(width * height).integers(0, 256, (height, width, bands), dtype=np.uint8)
    return Image.frombytes(mode, (width, height), pixels.tobytes())


def reference_pixels(image, budget, reference):
    """The reference processor's picture, put together again from its patches."""
    # Padding follows the real patches: their count gives the size.
    width, height = picture_size(image.width, image.height, budget)
    patches = reference._eyes(image, max_soft_tokens=budget, return_tensors="np")["pixel_values"][0]
    rows, columns = height // 16, width // 16
    grid = np.asarray(patches)[: rows * columns].reshape(rows, columns, 16, 16, 3)
    return grid.transpose(0, 2, 1, 3, 4).reshape(height, width, 3)


@pytest.mark.parametrize("budget", IMAGE_TOKENS)
def test_sizes_equal_the_reference(budget):
    for width, height in SIZES:
        wanted = get_aspect_ratio_preserving_size(height, width, 16, budget * 9, 3)
        assert picture_size(width, height, budget) == wanted[::-1], (width, height)


@pytest.mark.parametrize("size", SIZES[2:])
@pytest.mark.parametrize("mode", ["RGB", "L", "RGBA", "LA", "CMYK"])
def test_pixels_equal_the_reference(size, mode, reference):
    image = noise(*size, mode)
    pixels = prepare_picture(image, 70).pixels
    assert pixels.dtype == np.uint8
    assert np.abs(pixels / 255 - reference_pixels(image, 70, reference)).max() < 1e-6


def test_files_are_opened_as_the_reference_opens_them(tmp_path, reference):
    """Turned by EXIF, with a palette, with a transparent colour."""
    turned, palette, clear = tmp_path / "turned.jpg", tmp_path / "palette.png", tmp_path / "clear.gif"
    exif = Image.Exif()
    exif[0x0112] = 6
    noise(120, 60).save(turned, exif=exif)
    noise(100, 100).quantize(16).save(palette)
    noise(100, 100).quantize(16).save(clear, transparency=3)
    for path in (turned, palette):
        wanted = reference_pixels(load_image(str(path)), 140, reference)
        assert np.abs(open_picture(path, 140).pixels / 255 - wanted).max() < 1e-6, path
    assert open_picture(turned, 140).pixels.shape[0] > open_picture(turned, 140).pixels.shape[1]
    with Image.open(clear) as image:
        wanted = reference_pixels(ImageOps.exif_transpose(image), 140, reference)
    assert np.abs(open_picture(clear, 140).pixels / 255 - wanted).max() < 1e-6


def test_equal_pictures_have_one_digest():
    image = noise(100, 100)
    assert prepare_picture(image).digest == prepare_picture(image).digest
    assert prepare_picture(image, 70).digest != prepare_picture(image, 140).digest


def test_a_budget_gemma_does_not_know():
    with pytest.raises(UnsupportedError, match="70, 140, 280, 560, 1120"):
        prepare_picture(noise(10, 10), 100)


def save_wave(path, samples, rate, channels=1):
    with wave.open(str(path), "wb") as file:
        file.setnchannels(channels)
        file.setsampwidth(2)
        file.setframerate(rate)
        file.writeframes((samples * 32767).astype("<i2").tobytes())


def tone(seconds, rate, frequency=440.0):
    return 0.5 * np.sin(2 * np.pi * frequency * np.arange(int(seconds * rate)) / rate)


def test_a_sound_at_16_khz_is_taken_as_it_is(tmp_path):
    samples = tone(1.5, 16_000)
    save_wave(tmp_path / "a.wav", samples, 16_000)
    heard = open_sound(tmp_path / "a.wav").samples
    assert heard.dtype == np.float32
    assert heard.shape == (24_000,)
    assert np.abs(heard - samples).max() < 1e-4


def test_stereo_at_44_khz_becomes_mono_at_16_khz(tmp_path):
    samples = tone(2, 44_100)
    save_wave(tmp_path / "a.wav", np.stack([samples, samples], axis=1).reshape(-1), 44_100, channels=2)
    heard = open_sound(tmp_path / "a.wav").samples
    assert abs(len(heard) - 32_000) <= 16
    wanted = tone(2, 16_000)[: len(heard)]
    middle = slice(1000, 30_000)
    assert np.abs(heard[middle] - wanted[middle]).max() < 0.02


def test_a_sound_is_heard_in_pieces_of_thirty_seconds(tmp_path):
    save_wave(tmp_path / "fits.wav", tone(30, 16_000), 16_000)
    assert [len(piece.samples) for piece in open_sound(tmp_path / "fits.wav").pieces()] == [480_000]
    save_wave(tmp_path / "long.wav", tone(70.05, 16_000), 16_000)
    sound = open_sound(tmp_path / "long.wav")
    assert [len(piece.samples) for piece in sound.pieces()] == [480_000, 480_000, 160_800]
    assert np.array_equal(np.concatenate([piece.samples for piece in sound.pieces()]), sound.samples)
    # A rest shorter than a tenth of a second holds nothing to hear.
    save_wave(tmp_path / "rest.wav", tone(30.05, 16_000), 16_000)
    assert [len(piece.samples) for piece in open_sound(tmp_path / "rest.wav").pieces()] == [480_000]


def test_five_minutes_are_the_limit(tmp_path):
    save_wave(tmp_path / "long.wav", tone(301, 16_000), 16_000)
    with pytest.raises(UnsupportedError, match="over 5 minutes"):
        open_sound(tmp_path / "long.wav")


def test_too_short_to_hear(tmp_path):
    save_wave(tmp_path / "click.wav", tone(0.01, 16_000), 16_000)
    with pytest.raises(FileError, match="too short"):
        open_sound(tmp_path / "click.wav")


@pytest.mark.parametrize("open_it", [open_picture, open_sound])
def test_what_is_neither_picture_nor_sound(open_it, tmp_path):
    (tmp_path / "text").write_text("neither")
    (tmp_path / "empty").write_bytes(b"")
    noise(50, 50).save(tmp_path / "whole.png")
    (tmp_path / "cut.png").write_bytes((tmp_path / "whole.png").read_bytes()[:200])
    for name in ("text", "empty", "missing", "cut.png", "."):
        with pytest.raises(FileError) as problem:
            open_it(tmp_path / name)
        assert "\n" not in str(problem.value)


@pytest.mark.parametrize(
    ("mode", "values"),
    [("I;16", np.uint16), ("I", np.int32), ("F", np.float32)],
)
def test_grey_of_more_than_8_bits(mode, values):
    ramp = np.linspace(0, 65_535, 256).round()
    image = Image.fromarray(np.tile(ramp, (256, 1)).astype(values))
    assert image.mode == mode
    plain = Image.fromarray(np.tile(np.arange(256, dtype=np.uint8), (256, 1)))
    assert np.array_equal(prepare_picture(image, 70).pixels, prepare_picture(plain, 70).pixels)


def test_grey_from_0_to_1():
    grey = Image.fromarray(np.full((48, 48), 0.5, np.float32))
    bright = Image.fromarray(np.ones((48, 48), np.float32))
    assert prepare_picture(grey, 70).pixels.mean() == 128
    assert prepare_picture(bright, 70).pixels.min() == 255


def test_a_picture_of_too_many_pixels(tmp_path, recwarn):
    Image.new("1", (10_000, 9_000)).save(tmp_path / "huge.png")
    with pytest.raises(FileError, match="too large a picture: make it smaller than 89 megapixels"):
        open_picture(tmp_path / "huge.png")
    assert not recwarn.list


def test_no_picture_starts_another_program(tmp_path, monkeypatch):
    monkeypatch.setattr("PIL.EpsImagePlugin.Ghostscript", None)
    noise(100, 100).save(tmp_path / "page.eps")
    with pytest.raises(FileError, match="cannot identify"):
        open_picture(tmp_path / "page.eps")


def test_a_sound_is_a_file_and_no_address(tmp_path):
    """Neither given as an address nor named inside a playlist."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(0.2)
        address = f"http://127.0.0.1:{server.getsockname()[1]}/a.wav"
        (tmp_path / "list.m3u8").write_text(
            f"#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXTINF:9,\n{address}\n#EXT-X-ENDLIST\n"
        )
        for path in (Path(address), tmp_path / "list.m3u8"):
            with pytest.raises(FileError):
                open_sound(path)
        with pytest.raises(TimeoutError):
            server.accept()


def test_a_sound_with_a_colon_in_its_name(tmp_path):
    save_wave(tmp_path / "http:a #1?.wav", tone(1, 16_000), 16_000)
    assert len(open_sound(tmp_path / "http:a #1?.wav").samples) == 16_000


@pytest.mark.parametrize("value", [np.nan, np.inf, 1e30])
def test_samples_that_are_no_numbers(value, tmp_path):
    samples = tone(1, 16_000).astype("<f4")
    samples[100] = value
    with av.open(str(tmp_path / "a.wav"), "w") as container:
        stream = container.add_stream("pcm_f32le", rate=16_000, layout="mono")
        frame = av.AudioFrame.from_ndarray(samples[None], format="flt", layout="mono")
        frame.sample_rate = 16_000
        container.mux(stream.encode(frame))
    with pytest.raises(FileError, match="no numbers"):
        open_sound(tmp_path / "a.wav")


def test_what_sounds_may_be(tmp_path):
    (tmp_path / "text").write_text("neither")
    with pytest.raises(FileError, match="give a WAV") as problem:
        open_sound(tmp_path / "text")
    assert "Errno" not in str(problem.value)


def test_a_picture_longer_than_the_table_of_positions(q8_engine):
    """840 patches a side in the bundled model."""
    assert q8_engine.prepare(prepare_picture(noise(5000, 40), 560)).length <= 560
    with pytest.raises(UnsupportedError, match="at most 13440 along a side"):
        q8_engine.prepare(prepare_picture(noise(5000, 40), 1120))
