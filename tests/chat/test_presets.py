"""Presets: the prompts that Gemma 4's documents give."""

from __future__ import annotations

import pytest

from edgekit.chat.presets import PRESETS, Wish, preset
from edgekit.engine.media import IMAGE_TOKENS
from edgekit.errors import EdgekitError

FORMAT = """

Follow these specific instructions for formatting the answer:
* Only output the transcription, with no newlines.
* When transcribing numbers, write the digits, i.e. write 1.7 and not one point seven, and write 3 instead of three."""


@pytest.mark.parametrize(
    ("name", "wish", "prompt"),
    [
        (
            "transcribe",
            Wish(kinds=["audio"]),
            f"Transcribe the following speech segment in its original language.{FORMAT}",
        ),
        (
            "transcribe",
            Wish(source="German", kinds=["audio"]),
            f"Transcribe the following speech segment in German into German text.{FORMAT}",
        ),
        (
            "translate",
            Wish(source="English", target="Korean", kinds=["audio"]),
            "Transcribe the following speech segment in English, then translate it into Korean.\n"
            "When formatting the answer, first output the transcription in English, then one newline, then output the "
            "string 'Korean: ', then the translation in Korean.",
        ),
        ("detect", Wish("person and cat", kinds=["image"]), "detect person and cat, output only ```json"),
        ("read", Wish("sign", kinds=["image"]), "What does the sign say?"),
        ("read", Wish(kinds=["image"]), "What does the text in this image say?"),
        ("caption", Wish(kinds=["image"]), "Write single detailed caption for this image."),
        ("describe", Wish(kinds=["video"]), "What is happening in this video?"),
        ("describe", Wish(kinds=["image"]), "Describe this image in detail."),
    ],
)
def test_prompts_are_those_of_the_documents(name, wish, prompt):
    assert preset(name).prompt(wish) == prompt


@pytest.mark.parametrize(
    ("name", "wish", "match"),
    [
        ("transcribe", Wish(kinds=["image"]), "transcribe needs a sound or a video"),
        ("read", Wish(), "read needs a picture"),
        ("translate", Wish(kinds=["audio"]), "a language to translate into"),
        ("detect", Wish(kinds=["image"]), "what to look for"),
    ],
)
def test_what_is_missing_is_said(name, wish, match):
    with pytest.raises(EdgekitError, match=match):
        preset(name).prompt(wish)


def test_an_unknown_preset():
    with pytest.raises(EdgekitError, match="there are transcribe, translate, detect, read, caption, describe"):
        preset("dance")


def test_budgets_are_gemmas_own_and_text_gets_the_most():
    budgets = {each.name: each.image_tokens for each in PRESETS}
    assert set(budgets.values()) <= set(IMAGE_TOKENS)
    assert budgets["read"] >= 560
