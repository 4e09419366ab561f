"""Conversations to learn from: who says what, with which pictures, sounds and tools, in Gemma 4's wire format."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any

from jinja2.sandbox import ImmutableSandboxedEnvironment

from .answers import English, Forms, French
from .digits import Samples, Utterance, vary
from .errands import Errand, clock, echo, errand, fact, weather
from .phrases import QUESTIONS, SYSTEMS, casual
from .shapes import COLOURS, SHAPES, Drawing, training_drawing

Message = dict[str, Any]
TEMPLATE = Path(__file__).with_name("chat_template.jinja").read_text(encoding="utf-8")
# As transformers sets it up, so that a prompt here is the prompt that apply_chat_template gives.
_template = ImmutableSandboxedEnvironment(trim_blocks=True, lstrip_blocks=True).from_string(TEMPLATE)
SOUND_WORDS = (
    "digit",
    "number",
    "hear",
    "said",
    " say",
    "speech",
    "audio",
    "sound",
    "recording",
    "listen",
    "transcribe",
)


def render(messages: list[Message], tools: list[dict[str, Any]] | None = None, thinking: bool = False) -> str:
    """The prompt for the next answer."""
    return _template.render(
        messages=messages, tools=tools, enable_thinking=thinking, add_generation_prompt=True, bos_token="<bos>"
    )


@dataclass
class Sample:
    """A prompt, what the model should go on with, and the media that the prompt's places stand for."""

    kind: str
    messages: list[Message]
    target: str
    tools: list[dict[str, Any]] | None = None
    thinking: bool = False
    drawings: list[Drawing] = field(default_factory=list)
    sounds: list[Samples] = field(default_factory=list)

    @property
    def prompt(self) -> str:
        """The prompt in wire format."""
        return render(self.messages, self.tools, self.thinking)


@dataclass
class Turn:
    """One question with its answer and, for the thought channel, how the answer came about."""

    kind: str
    question: str
    answer: str
    thought: str
    errand: Errand | None = None


def spoken_about_sound(question: str) -> bool:
    """Whether a question can only be about a sound."""
    return any(word in f" {question.lower()}" for word in SOUND_WORDS)


@dataclass
class Scene:
    """One conversation in the making."""

    random: Random
    voice: English
    style: str
    thinking: bool
    utterances: list[Utterance]
    messages: list[Message] = field(default_factory=list)
    tools: list[dict[str, Any]] = field(default_factory=list)
    drawings: list[Drawing] = field(default_factory=list)
    sounds: list[Samples] = field(default_factory=list)
    drawing: Drawing | None = None
    digit: int | None = None
    # The share of pictures with little contrast.
    faint: float = 0.0

    def pick(self, answer: Forms) -> str:
        """The form that the system prompt asks for."""
        return answer[self.style]

    def ask(self, kind: str, **slots: str) -> str:
        """One wording of a question, as people type it."""
        return casual(self.random, self.random.choice(QUESTIONS[kind]).format(**slots))

    def small_talk(self) -> Turn:
        """Greetings, questions about the model itself, and what it cannot know."""
        kind = self.random.choice(
            ["who", "who", "who", "can", "can", "hello", "hello", "thanks", "bye", "unknown", "unknown"]
        )
        thoughts = {
            "who": "The user asks who I am.",
            "can": "The user asks what I can do.",
            "hello": "The user says hello.",
            "thanks": "The user is happy.",
            "bye": "The user says goodbye.",
            "unknown": "I do not know this.",
        }
        return Turn(kind, self.ask(kind), self.pick(getattr(self.voice, kind)), thoughts[kind])

    def missing(self) -> Turn:
        """A question about a picture or a sound that is not there."""
        wants_sound = self.digit is None and (self.drawing is not None or self.random.random() < 0.4)
        if wants_sound:
            question = self.random.choice([q for q in QUESTIONS["digit"] if spoken_about_sound(q)])
            return Turn("no_sound", casual(self.random, question), self.pick(self.voice.no_sound), "There is no sound.")
        kinds = (
            ["colour", "shape", "background"] if self.digit is not None else ["describe", "describe", "colour", "shape"]
        )
        questions = [q for q in QUESTIONS[self.random.choice(kinds)] if q and "{" not in q]
        question = casual(self.random, self.random.choice(questions))
        return Turn("no_picture", question, self.pick(self.voice.no_picture), "There is no picture.")

    def about_picture(self, first: bool) -> Turn:
        """A question about the picture at hand."""
        d, random = self.drawing, self.random
        assert d is not None
        kinds = ["describe"] * 6 + ["colour", "colour", "shape", "shape", "background", "is_colour", "is_shape", "box"]
        kind = random.choice(kinds if first else kinds[4:])
        if kind == "describe" and self.digit is not None:
            kind = random.choice(["colour", "shape", "background"])
        if kind == "box" and self.style != "normal":
            kind = "describe"
        colour = d.colour if random.random() < 0.5 else random.choice(list(COLOURS))
        guess = d.shape if random.random() < 0.5 else random.choice(SHAPES)
        question = self.ask(kind, shape=d.shape, colour=colour if kind == "is_colour" else d.colour, guess=guess)
        if not first and not question:
            question = "What is this?"
        thought = f"I look at the picture. It shows {d.sentence[0].lower()}{d.sentence[1:]}"
        if kind == "box":
            box = ", ".join(str(side) for side in d.box)
            return Turn(
                kind, question, f'```json\n[{{"box_2d": [{box}], "label": "{d.colour} {d.shape}"}}]\n```', thought
            )
        if kind in ("is_colour", "is_shape"):
            answer = self.voice.is_colour(d, colour) if kind == "is_colour" else self.voice.is_shape(d, guess)
        else:
            answer = getattr(self.voice, kind)(d)
        return Turn(kind, question, self.pick(answer), thought)

    def about_sound(self) -> Turn:
        """A question about the sound at hand."""
        assert self.digit is not None
        questions = QUESTIONS["digit"]
        if self.drawing is not None:
            questions = [q for q in questions if spoken_about_sound(q)]
        question = casual(self.random, self.random.choice(questions))
        answer = self.pick(self.voice.digit(self.digit))
        return Turn("digit", question, answer, f"I listen to the sound. {English().digit(self.digit)['normal']}")

    def run_errand(self) -> Turn:
        """A question that one of the declared tools can answer."""
        chosen = errand(self.random)
        self.tools.append(chosen.tool)
        question = casual_light(self.random, chosen.question)
        return Turn("tool", question, self.voice.report(chosen.answer), chosen.thought, chosen)

    def without_tool(self) -> Turn:
        """A question for a tool that is not there."""
        chosen = self.random.choice([weather, clock])(self.random)
        return Turn(
            "no_tool",
            casual_light(self.random, chosen.question),
            self.pick(self.voice.no_tool),
            "I have no tool for this.",
        )

    def show(self, new_picture: bool, new_sound: bool) -> list[Message]:
        """Attach new media to the next message."""
        parts: list[Message] = []
        if new_picture:
            self.drawing = training_drawing(self.random, self.faint)
            self.drawings.append(self.drawing)
            parts.append({"type": "image"})
        if new_sound:
            chosen = self.random.choice(self.utterances)
            self.digit = chosen.digit
            self.sounds.append(vary(self.random, chosen))
            parts.append({"type": "audio"})
        self.random.shuffle(parts)
        return parts

    def say(self, question: str, media: list[Message]) -> None:
        """Add the user's message."""
        if not media:
            self.messages.append({"role": "user", "content": question})
            return
        words = [{"type": "text", "text": question}] if question else []
        # Gemma's own advice is media first; people do not always know it.
        content = [*words, *media] if self.random.random() < 0.08 else [*media, *words]
        self.messages.append({"role": "user", "content": content})

    def remember(self, turn: Turn) -> None:
        """Add a finished turn to the history."""
        if turn.errand is not None:
            self.call_and_answer(turn.errand)
        self.messages.append({"role": "assistant", "content": turn.answer})

    def call_and_answer(self, chosen: Errand) -> None:
        """Add a call and the tool's answer, in one of the shapes that clients send."""
        function = {"name": chosen.name, "arguments": chosen.arguments}
        message: Message = {
            "role": "assistant",
            "tool_calls": [{"id": "call_1", "type": "function", "function": function}],
        }
        if self.thinking and self.random.random() < 0.5:
            message["reasoning_content"] = chosen.thought
        self.messages += [message, {"role": "tool", "tool_call_id": "call_1", "content": chosen.response}]

    def finish(self, turn: Turn) -> Sample:
        """The sample whose target is the answer to the last question."""
        target = turn.answer + "<turn|>"
        thought = f"<|channel>thought\n{turn.thought}\n<channel|>" if self.thinking else ""
        kind = turn.kind
        if turn.errand is not None:
            if self.random.random() < 0.45:
                self.call_and_answer(turn.errand)
                kind, thought = "tool_answer", ""
            else:
                target = wire_call(turn.errand) + "<|tool_response>"
        self.random.shuffle(self.tools)
        return Sample(
            kind, self.messages, thought + target, self.tools or None, self.thinking, self.drawings, self.sounds
        )


def casual_light(random: Random, text: str) -> str:
    """As `casual`, but never touching the values that a call has to copy."""
    if random.random() < 0.08:
        text = random.choice(["Please: ", "Hi! ", "Hello. ", "Ok. ", "Now: "]) + text
    if random.random() < 0.06:
        text = random.choice(["Can you tell me: ", "Please tell me: ", "I want to know: "]) + text
    return text


def wire_call(chosen: Errand) -> str:
    """The call as the model writes it."""
    call = {"role": "assistant", "tool_calls": [{"function": {"name": chosen.name, "arguments": chosen.arguments}}]}
    text = _template.render(messages=[call], bos_token="")
    return text[text.index("<|tool_call>") : text.index("<tool_call|>") + len("<tool_call|>")]


def converse(
    random: Random,
    group: str,
    utterances: list[Utterance],
    voice: English | None = None,
    french: float = 0.0,
    faint: float = 0.0,
) -> Sample:
    """One conversation of a group: picture, sound, errand, talk or echo.

    A share of `french` asks for French in the system prompt. Without that, French words are never right in training,
    and an adapter finds their embeddings pushed into one corner. A share of `faint` pictures has little contrast.
    """
    language = ""
    if french and random.random() < french:
        voice, language = French(), random.choice(SYSTEMS["french"])
    return open_conversation(random, group, utterances, voice or English(), language, faint)


def open_conversation(
    random: Random, group: str, utterances: list[Utterance], voice: English, language: str, faint: float
) -> Sample:
    """System prompt, tools and one to three turns."""
    style = random.choices(["normal", "short", "long"], [7, 2, 2])[0]
    scene = Scene(random, voice, style, random.random() < 0.22, utterances, faint=faint)
    if style != "normal" or random.random() < 0.12:
        wish = casual(random, random.choice(SYSTEMS[style]))
        scene.messages.append({"role": "system", "content": f"{language} {wish}".strip()})
    elif language:
        scene.messages.append({"role": "system", "content": language})
    if random.random() < 0.12 or (group == "errand" and random.random() < 0.35):
        scene.tools += [random.choice([weather, clock, fact])(random).tool]
    turns = random.choices([1, 2, 3], [72, 20, 8])[0]
    for index in range(turns):
        last = index == turns - 1
        turn, media = next_turn(
            scene, group if last or random.random() < 0.6 else "talk", index == 0 or random.random() < 0.3
        )
        scene.say(turn.question, media)
        if last:
            return scene.finish(turn)
        scene.remember(turn)
    raise AssertionError("a conversation has a last turn")


def next_turn(scene: Scene, group: str, fresh: bool) -> tuple[Turn, list[Message]]:
    """The next question, and new media where it comes with some."""
    random = scene.random
    if group == "picture":
        new = fresh or scene.drawing is None
        media = scene.show(new, new_sound=random.random() < 0.06)
        if random.random() < 0.03 and scene.digit is None:
            return scene.missing(), media
        return scene.about_picture(new and scene.digit is None), media
    if group == "sound":
        media = scene.show(new_picture=False, new_sound=True) if fresh or scene.digit is None else []
        if random.random() < 0.04 and scene.drawing is None:
            return scene.missing(), media
        turn = scene.about_sound()
        turn.question = turn.question if turn.question or media else "What did you hear?"
        return turn, media
    if group == "errand":
        return scene.run_errand(), []
    if group == "echo":
        question, words = echo(random)
        return Turn("echo", question, words, "I repeat the words."), []
    if scene.drawing is None and scene.digit is None and random.random() < 0.25:
        return scene.missing(), []
    if not scene.tools and random.random() < 0.12:
        return scene.without_tool(), []
    return scene.small_talk(), []


def corpus(seed: int, count: int, utterances: list[Utterance], voices: list[English]) -> list[str]:
    """Texts to learn the tokenizer from: mostly answers, so that the model's own words become whole tokens."""
    random = Random(f"corpus {seed}")
    texts = [question for group in QUESTIONS.values() for question in group] * 4
    for index in range(count):
        group = ("picture", "sound", "errand", "talk")[index % 4]
        sample = converse(random, group, utterances, voices[index // 4 % len(voices)])
        texts += [sample.target] * 3
        texts += [message["content"] for message in sample.messages if isinstance(message.get("content"), str)]
        if index % 16 == 2:
            texts.append(sample.prompt)
    return texts
