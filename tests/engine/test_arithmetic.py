"""llama.cpp on our F32 file computes what transformers computes on the checkpoint."""

from __future__ import annotations

from itertools import product
from random import Random

import numpy as np
import pytest
from oracles.reference import divergence, relative_rms
from PIL import Image, ImageDraw, ImageOps

from edgekit.engine.media import IMAGE_TOKENS, Sound, open_picture, open_sound, prepare_picture
from edgekit.engine.native import llama
from edgekit.engine.sampling import Sampling

PROMPTS = 20
ANSWER = 24
QUESTIONS = [
    "What is in the picture?",
    "Which colour has the shape?",
    "Which digit do you hear?",
    "Who are you?",
    "Hello!",
    "What can you do?",
    "Where is the square?",
    "Is the star red?",
    "What is the weather in Paris?",
    "Thank you, good bye.",
]
SYSTEMS = ["", "<|turn>system\nAnswer in one word.<turn|>\n"]
COLOURS = ["red", "green", "blue", "yellow", "black"]


def text_prompt(question, system, place=""):
    return f"<bos>{system}<|turn>user\n{place}{question}<turn|>\n<|turn>model\n"


def last_logits(engine):
    pointer = llama.llama_get_logits_ith(engine.cache.context, -1)
    return np.ctypeslib.as_array(pointer, shape=(engine.vocabulary.size,)).copy()


def fresh_logits(engine, prompt):
    engine.cache.clear()
    for _ in engine.read(prompt):
        pass
    return last_logits(engine)


def drawing(index):
    """A shape on a ground, at one of several sizes."""
    random = Random(index)
    size = random.choice([(96, 96), (120, 240), (300, 90), (200, 200)])
    image = Image.new("RGB", size, "white")
    x, y, side = size[0] * 0.25, size[1] * 0.25, min(size) * 0.5
    draw = ImageDraw.Draw(image)
    (draw.ellipse if index % 2 else draw.rectangle)((x, y, x + side, y + side), fill=COLOURS[index % len(COLOURS)])
    return image


def logits_at_every_position(engine, ids):
    """The prompt as one batch, then token by token: both ways to compute it."""
    yield len(ids) - 1, fresh_logits(engine, [ids])
    yield 0, fresh_logits(engine, [ids[:1]])
    for position in range(1, len(ids)):
        engine.cache.append(ids[position])
        yield position, last_logits(engine)


@pytest.mark.parametrize(("question", "system"), list(product(QUESTIONS, SYSTEMS)))
def test_text_at_every_position(question, system, reference, exact_engine):
    ids = reference.tokens(text_prompt(question, system))
    wanted = reference.logits(ids)
    for position, found in logits_at_every_position(exact_engine, ids):
        assert relative_rms(found, wanted[position]) <= 3e-3
        assert divergence(found, wanted[position]) <= 1e-4
        assert found.argmax() == wanted[position].argmax()


def test_text_differs_by_ggmls_table_of_gelu_alone(reference, exact_engine):
    """With the same table transformers comes ten times nearer: nothing else differs."""
    ids = reference.tokens(text_prompt(QUESTIONS[0], SYSTEMS[1]))
    with reference.with_gelu_of_ggml():
        wanted = reference.logits(ids)
    for position, found in logits_at_every_position(exact_engine, ids):
        assert relative_rms(found, wanted[position]) <= 1e-3


def compare(reference, engine, seen, media, place, question):
    """Relative error of the embeddings, divergence of the next token, and whether the greedy answers agree."""
    begin, soft, end = place
    before = reference.tokens(f"<bos><|turn>user\n{begin}")
    after = reference.tokens(f"{end}{question}<turn|>\n<|turn>model\n")
    ids = before + [seen.token] * len(seen.embeddings) + after
    assert reference.tokens(soft) == [seen.token]
    embeddings = engine.encode(media)
    assert embeddings.shape == seen.embeddings.shape
    found = fresh_logits(engine, [before, media, after])
    answer = list(engine.write(Sampling(temperature=0, max_tokens=ANSWER)))
    # An answer is greedy exactly if each of its tokens is the likeliest after those before it.
    wanted = reference.logits(ids + answer, seen)[len(ids) - 1 : -1]
    agrees = answer == wanted.argmax(axis=-1).tolist()
    return relative_rms(embeddings, seen.embeddings), divergence(found, wanted[0]), agrees


def judge(results):
    errors, divergences, agree = zip(*results, strict=True)
    assert max(errors) <= 2e-2
    assert np.median(divergences) <= 1e-4
    assert all(agree)


def test_pictures(reference, exact_engine):
    place = ("<|image>", "<|image|>", "<image|>")
    results = []
    for index in range(PROMPTS):
        image, question = drawing(index), QUESTIONS[index % 2]
        media = exact_engine.prepare(prepare_picture(image, 70))
        results.append(compare(reference, exact_engine, reference.see(image, 70), media, place, question))
    judge(results)


@pytest.mark.parametrize("budget", IMAGE_TOKENS)
def test_embeddings_for_every_budget(budget, reference, exact_engine):
    image = drawing(3)
    found = exact_engine.encode(exact_engine.prepare(prepare_picture(image, budget)))
    assert relative_rms(found, reference.see(image, budget).embeddings) <= 2e-2


def odd_pictures():
    """Sizes and kinds that cameras, scanners and web pages make, as files."""
    sizes = [(1, 1), (2, 3), (5000, 40), (40, 3000), (47, 47), (48, 48), (49, 97), (640, 480), (480, 640), (1023, 17)]
    random = np.random.default_rng(1)
    for width, height in sizes:
        yield Image.fromarray(random.integers(0, 256, (height, width, 3), np.uint8)), {}
    noise = Image.fromarray(random.integers(0, 256, (90, 130, 3), np.uint8))
    for mode in ("L", "1", "P", "CMYK", "RGBA", "LA"):
        yield noise.convert(mode), {}
    clear = noise.convert("RGBA")
    clear.putalpha(Image.fromarray(random.integers(0, 256, (90, 130), np.uint8)))
    yield clear, {}
    for orientation in (3, 6, 8):
        exif = Image.Exif()
        exif[0x0112] = orientation
        yield noise, {"exif": exif}


@pytest.mark.parametrize("number", range(20))
def test_embeddings_of_odd_pictures(number, reference, exact_engine, tmp_path):
    """transformers gets the picture upright and on white: its own processor does neither."""
    image, saved = list(odd_pictures())[number]
    path = tmp_path / f"odd.{'tiff' if image.mode in ('CMYK', 'LA') else 'png'}"
    image.save(path, **saved)
    found = exact_engine.encode(exact_engine.prepare(open_picture(path, 70)))
    with Image.open(path) as file:
        upright = ImageOps.exif_transpose(file)
        white = Image.new("RGBA", upright.size, "white")
        seen = reference.see(Image.alpha_composite(white, upright.convert("RGBA")).convert("RGB"), 70)
    assert relative_rms(found, seen.embeddings) <= 2e-2


def test_sounds(reference, exact_engine, spoken_digits):
    place = ("<|audio>", "<|audio|>", "<audio|>")
    results = []
    for path in spoken_digits[:PROMPTS]:
        sound = open_sound(path)
        media = exact_engine.prepare(sound)
        results.append(compare(reference, exact_engine, reference.hear(sound.samples), media, place, QUESTIONS[2]))
    assert len(results) == PROMPTS
    judge(results)


def test_sounds_of_any_length(reference, exact_engine):
    random = np.random.default_rng(0)
    for seconds in (0.1, 0.333, 1, 2.718, 30):
        samples = random.normal(0, 0.1, int(seconds * 16_000)).astype(np.float32)
        found = exact_engine.encode(exact_engine.prepare(Sound(samples)))
        assert relative_rms(found, reference.hear(samples).embeddings) <= 2e-2
