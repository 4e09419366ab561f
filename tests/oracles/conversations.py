"""Random conversations in the form that chat templates take: the same ones for the same seed."""

from __future__ import annotations

from dataclasses import dataclass
from random import Random
from typing import Any

SENTENCES = """What is this a red circle on the left of 3 blue stars? Tell me: which digit (0-9) do you hear... naïve
Straße 你好 🙂 {curly} [square] "quoted" 'single' 10.5% a_b <b>bold</b> x<y $5 tab & more"""
WORDS = SENTENCES.split()
Dict = dict[str, Any]


@dataclass(frozen=True)
class Conversation:
    """What a template is given."""

    messages: list[Dict]
    tools: list[Dict]
    think: bool


def conversation(seed: int) -> Conversation:
    random = Random(seed)
    messages: list[Dict] = []
    if random.random() < 0.4:
        messages.append({"role": "system", "content": text(random)})
    turns = random.randint(1, 4)
    for turn in range(turns):
        messages.append({"role": "user", "content": user_content(random)})
        if turn < turns - 1:
            messages += reply(random)
    if random.random() < 0.25:
        # The answer to a call is still to be spoken about.
        messages += called(random)
    tools = [declaration(random, f"tool_{index}") for index in range(random.choice((0, 0, 1, 2)))]
    return Conversation(messages, tools, random.random() < 0.3)


def text(random: Random) -> str:
    words = " ".join(random.choices(WORDS, k=random.randint(1, 12)))
    return random.choice(("", "", " ", "\n")) + words.replace(". ", ".\n\n") + random.choice(("", "", "\n", "  "))


def user_content(random: Random) -> str | list[Dict]:
    if random.random() < 0.5:
        return text(random)
    parts: list[Dict] = [{"type": random.choice(("image", "audio"))} for _ in range(random.randint(0, 3))]
    parts += [{"type": "text", "text": text(random)} for _ in range(random.randint(1, 2))]
    if random.random() < 0.2:
        random.shuffle(parts)
    return parts


def reply(random: Random) -> list[Dict]:
    messages = called(random) if random.random() < 0.3 else []
    return [*messages, {"role": "assistant", "content": text(random)}]


def called(random: Random) -> list[Dict]:
    names = [f"tool_{index}" for index in range(random.randint(1, 2))]
    functions = [{"name": name, "arguments": arguments(random)} for name in names]
    calls: list[Dict] = [{"id": each["name"], "type": "function", "function": each} for each in functions]
    message: Dict = {"role": "assistant", "content": "", "tool_calls": calls}
    if random.random() < 0.5:
        message["reasoning_content"] = text(random).strip()
    if random.random() < 0.5:
        message["tool_responses"] = [{"name": name, "response": arguments(random)} for name in names]
        return [message]
    return [message, *({"role": "tool", "tool_call_id": name, "name": name, "content": text(random)} for name in names)]


def arguments(random: Random) -> Dict:
    return {
        key: value(random, 2) for key in random.sample(("city", "days", "Exact", "list", "where"), random.randint(0, 3))
    }


def value(random: Random, depth: int) -> Any:
    kinds = ["text", "integer", "float", "boolean"] + ["list", "mapping"] * (depth > 0)
    match random.choice(kinds):
        case "text":
            return text(random)
        case "integer":
            return random.randint(-1000, 1000)
        case "float":
            return random.choice((0.5, -12.25, 1e-05, 3.0))
        case "boolean":
            return random.random() < 0.5
        case "list":
            return [value(random, depth - 1) for _ in range(random.randint(0, 3))]
        case _:
            return {key: value(random, depth - 1) for key in random.sample("abcd", random.randint(0, 2))}


def declaration(random: Random, name: str) -> Dict:
    properties: Dict = {
        "city": {"type": "string", "description": text(random).strip()},
        "unit": {"type": "string", "enum": ["C", "F"], "description": "the unit"},
        "days": {"type": "integer", "description": "how many", "nullable": True},
        "names": {"type": "array", "items": {"type": "string"}, "description": "some names"},
        "place": {
            "type": "object",
            "description": "where",
            "properties": {"x": {"type": "number", "description": "east"}},
            "required": ["x"],
        },
    }
    chosen = random.sample(list(properties), random.randint(1, 4))
    parameters = {"type": "object", "properties": {key: properties[key] for key in chosen}, "required": chosen[:1]}
    function = {"name": name, "description": text(random).strip(), "parameters": parameters}
    return {"type": "function", "function": function}
