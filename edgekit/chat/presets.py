"""Tasks that Gemma 4 was trained for, with the prompts that its own documents give.

Sources: speech from Google's audio guide (ai.google.dev/gemma/docs/capabilities/audio) and the model cards of E2B and
E4B; boxes and text in pictures from the image guide (.../capabilities/vision/image); captions, descriptions and videos
from the launch post of Hugging Face (huggingface.co/blog/gemma4). Token budgets from the image guide: up to 280 for
looking, 560 and more for small text and details.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Literal

from edgekit.errors import EdgekitError

_FORMAT = (
    "Follow these specific instructions for formatting the answer:\n"
    "* Only output the transcription, with no newlines.\n"
    "* When transcribing numbers, write the digits, i.e. write 1.7 and not one point seven, "
    "and write 3 instead of three."
)
_ORIGINAL = "its original language"


@dataclass(frozen=True)
class Wish:
    """What a person adds to a preset: what to look for, and languages."""

    subject: str = ""
    source: str = ""
    target: str = ""
    # What goes with the question.
    kinds: Collection[str] = ()


@dataclass(frozen=True)
class Preset:
    """A task by its name; a word in capitals is what a person adds to it, in brackets where it may be left out."""

    name: str
    argument: str
    help: str
    needs: tuple[Literal["image", "audio", "video"], ...]
    write: Callable[[Wish], str]
    image_tokens: int = 280

    def prompt(self, wish: Wish) -> str:
        """Return the prompt; EdgekitError where something is missing."""
        if not set(self.needs) & set(wish.kinds):
            words = {"image": "a picture", "audio": "a sound", "video": "a video"}
            raise EdgekitError(f"{self.name} needs {' or '.join(words[kind] for kind in self.needs)}")
        return self.write(wish)


def preset(name: str) -> Preset:
    """Return a preset by its name; EdgekitError where there is none."""
    found = next((preset for preset in PRESETS if preset.name == name), None)
    if found is None:
        raise EdgekitError(f"there is no preset {name!r}: there are {', '.join(one.name for one in PRESETS)}")
    return found


def preset_budget(name: str | None) -> int:
    """Return the soft tokens per picture that suit a preset; Gemma 4's own default without one."""
    return preset(name).image_tokens if name else Preset.image_tokens


def _transcribe(wish: Wish) -> str:
    where = f"{wish.source} into {wish.source} text" if wish.source else _ORIGINAL
    return f"Transcribe the following speech segment in {where}.\n\n{_FORMAT}"


def _translate(wish: Wish) -> str:
    source, target = wish.source or _ORIGINAL, wish.target
    if not target:
        raise EdgekitError("translate needs a language to translate into, such as French")
    return (
        f"Transcribe the following speech segment in {source}, then translate it into {target}.\n"
        f"When formatting the answer, first output the transcription in {source}, then one newline, "
        f"then output the string '{target}: ', then the translation in {target}."
    )


def _detect(wish: Wish) -> str:
    if not wish.subject:
        raise EdgekitError("detect needs what to look for, such as: person and car")
    return f"detect {wish.subject}, output only ```json"


def _read(wish: Wish) -> str:
    # The guide asks "What does the sign say?"; what carries the text is the person's to say.
    return f"What does the {wish.subject or 'text in this image'} say?"


def _caption(_: Wish) -> str:
    return "Write single detailed caption for this image."


def _describe(wish: Wish) -> str:
    return "What is happening in this video?" if "video" in wish.kinds else "Describe this image in detail."


PRESETS = (
    Preset("transcribe", "[LANGUAGE]", "write down what is said", ("audio", "video"), _transcribe),
    Preset("translate", "LANGUAGE", "write down what is said, and translate it", ("audio", "video"), _translate),
    Preset("detect", "WHAT", "find things in a picture, with their boxes", ("image",), _detect, 560),
    Preset("read", "[WHAT]", "read the text in a picture", ("image",), _read, 1120),
    Preset("caption", "", "write a caption for a picture", ("image",), _caption),
    Preset("describe", "", "describe a picture or a video", ("image", "video"), _describe),
)
