"""Tools that gemma4-pico learns to call, questions for them, and what it says about their answers."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random
from typing import Any

# fmt: off
CITIES = [
    "Paris", "London", "Berlin", "Rome", "Madrid", "Vienna", "Prague", "Athens", "Dublin", "Warsaw", "Zurich",
    "Geneva", "Munich", "Hamburg", "Cologne", "Milan", "Naples", "Venice", "Turin", "Seville", "Porto", "Brussels",
    "Antwerp", "Amsterdam", "Utrecht", "Copenhagen", "Stockholm", "Helsinki", "Bergen", "Riga", "Vilnius",
    "Tallinn", "Budapest", "Belgrade", "Sofia", "Bucharest", "Istanbul", "Ankara", "Cairo", "Tunis", "Algiers",
    "Casablanca", "Lagos", "Accra", "Nairobi", "Kampala", "Luanda", "Harare", "Durban", "Tokyo", "Osaka", "Kyoto",
    "Seoul", "Busan", "Beijing", "Shanghai", "Taipei", "Manila", "Hanoi", "Bangkok", "Jakarta", "Singapore",
    "Delhi", "Mumbai", "Chennai", "Lahore", "Karachi", "Tehran", "Baghdad", "Dubai", "Doha", "Sydney", "Melbourne",
    "Perth", "Auckland", "Toronto", "Montreal", "Ottawa", "Vancouver", "Boston", "Chicago", "Denver", "Seattle",
    "Dallas", "Houston", "Miami", "Atlanta", "Detroit", "Havana", "Lima", "Bogota", "Quito", "Santiago",
    "Montevideo", "Lyon", "Nice", "Bordeaux", "Lille", "Nantes", "Bonn", "Basel", "Graz", "Linz", "Salzburg",
    "Ghent", "Bruges", "New York", "San Francisco", "Los Angeles", "Hong Kong", "Buenos Aires", "Tel Aviv",
    "Cape Town",
]
HELD_OUT_CITIES = [
    "Lisbon", "Oslo", "Moscow", "Kyiv", "Krakow", "Bologna", "Valencia", "Florence", "Marseille", "Toulouse",
    "Frankfurt", "Leipzig", "Dakar", "Addis", "Calgary", "Portland", "Austin", "Phoenix", "Caracas", "Brasilia",
    "Kobe", "Nagoya", "Hobart", "Wellington", "Reykjavik", "Minsk", "Tirana", "Skopje", "Mexico City", "San Diego",
    "Las Vegas", "Rio de Janeiro",
]
THINGS = [
    "bread", "milk", "coffee", "tea", "apple", "orange", "banana", "bike", "car", "train", "phone", "laptop",
    "camera", "chair", "table", "lamp", "book", "pencil", "guitar", "piano", "shirt", "jacket", "shoes", "ticket",
    "sugar", "butter", "cheese", "honey", "rice", "pasta", "salt", "pepper", "garden", "kitchen", "radio", "heater",
    "fan",
]
SYLLABLES = [
    "ka", "lo", "mi", "ra", "ten", "dor", "bel", "sha", "vin", "pur", "gal", "ost", "ner", "tal", "zu", "ki", "fen",
    "mar", "lis", "bo", "gre", "dan", "wic", "hol", "ster", "ja", "pen", "cro", "nu", "el", "ar", "on", "th", "ber",
    "vo", "sel", "qui", "dra", "mo", "ly", "for", "ham", "ton", "wes", "kel", "ba", "ri", "co", "san", "te", "pol",
    "ur", "gen", "hy", "nor", "ce", "il", "ap", "lu",
]
# fmt: on
CONDITIONS = ("sunny", "cloudy", "rainy", "windy", "snowy", "foggy", "clear", "stormy", "warm", "cold", "dry", "humid")
# fmt: off
FACTS = [
    "price", "distance", "height", "age", "population", "area", "speed", "score", "status", "size", "weight",
    "length", "owner", "mayor", "currency", "capital", "number", "address", "phone", "colour", "rating", "level",
    "temperature", "year", "limit", "name", "value", "code", "rank", "cost", "balance", "date",
]
# fmt: on


@dataclass(frozen=True)
class Errand:
    """A tool, a question for it, the call it asks for, what the tool answers and what to say then."""

    tool: dict[str, Any]
    question: str
    arguments: dict[str, Any]
    response: Any
    answer: str
    thought: str
    value: str = ""
    name: str = field(default="")


def invented(random: Random) -> str:
    """A name that exists nowhere, so that the model has to copy it from the question."""
    name = "".join(random.choice(SYLLABLES) for _ in range(random.randint(2, 3)))
    return name.capitalize() if random.random() < 0.8 else name


def place(random: Random) -> str:
    """Where a question may be about: half of them real, half invented."""
    return random.choice(CITIES) if random.random() < 0.5 else invented(random)


def thing(random: Random) -> str:
    """What a question may be about."""
    return random.choice([lambda: random.choice(THINGS), lambda: place(random), lambda: invented(random)])()


def declare(random: Random, name: str, description: str, parameters: dict[str, str]) -> dict[str, Any]:
    """An OpenAI-style tool; descriptions of its parameters stand there only now and then."""
    wordy = random.random() < 0.5
    properties: dict[str, dict[str, str]] = {}
    for key, kind in parameters.items():
        properties[key] = {"type": kind}
        if wordy:
            properties[key]["description"] = random.choice([f"The {key}", f"The {key} name", key.capitalize()])
    schema = {"type": "object", "properties": properties, "required": list(parameters)}
    return {"type": "function", "function": {"name": name, "description": description, "parameters": schema}}


def told(random: Random, question: str, value: str) -> tuple[str, str]:
    """Put a value into a question; now and then everything is typed in small letters."""
    if random.random() < 0.25:
        value, question = value.lower(), question.lower().replace("{value}", "{value}")
    if random.random() < 0.3:
        question = question.rstrip(".?!")
    return question.replace("{value}", value), value


def as_json_text(random: Random, response: dict[str, Any]) -> dict[str, Any] | str:
    """Tools answer with an object or, as OpenAI's clients do, with JSON in a string."""
    return json.dumps(response) if random.random() < 0.3 else response


def weather(random: Random, value: str | None = None) -> Errand:
    """get_weather and its like."""
    name = random.choice(["get_weather"] * 3 + ["get_current_weather", "weather", "check_weather", "weather_in"])
    key = random.choice(["city", "city", "location", "place", "town"])
    described = random.choice(["Get the weather.", "Gets the current weather.", "Current weather in a city."])
    tool = declare(random, name, described, {key: "string"})
    question, value = told(random, random.choice(WEATHER_QUESTIONS), value or place(random))
    degrees, sky = random.randint(-15, 40), random.choice(CONDITIONS)
    response: Any = {random.choice(["temperature", "temperature", "degrees"]): degrees}
    response[random.choice(["condition", "condition", "conditions", "weather", "sky"])] = sky
    answer = f"It is {degrees} degrees and {sky} in {value}."
    lot = random.random()
    if lot < 0.15:
        response = random.choice([f"{degrees} degrees, {sky}", f"{sky}, {degrees} degrees", f"{degrees} and {sky}"])
    elif lot < 0.25:
        response, answer = {"temperature": degrees}, f"It is {degrees} degrees in {value}."
    elif lot < 0.35:
        response, answer = {"condition": sky}, f"It is {sky} in {value}."
    if isinstance(response, dict):
        response = as_json_text(random, response)
    thought = f"I need {name} for {value}."
    return Errand(tool, question, {key: value}, response, answer, thought, value, name)


WEATHER_QUESTIONS = [
    "What is the weather in {value}?",
    "What's the weather in {value}?",
    "How is the weather in {value}?",
    "What is the weather like in {value}?",
    "Weather in {value}?",
    "Tell me the weather in {value}.",
    "Is it raining in {value}?",
    "Is it warm in {value}?",
    "How warm is it in {value}?",
    "Is it sunny in {value}?",
    "What is the temperature in {value}?",
    "Check the weather in {value}.",
    "Get the weather for {value}.",
    "How is the weather today in {value}?",
    "What is the weather in {value} today?",
    "What is it like in {value}?",
    "Do I need an umbrella in {value}?",
    "How cold is it in {value}?",
    "And the weather in {value}?",
]
TIME_QUESTIONS = [
    "What time is it in {value}?",
    "What's the time in {value}?",
    "What is the time in {value}?",
    "Time in {value}?",
    "Tell me the time in {value}.",
    "How late is it in {value}?",
    "Which time is it in {value}?",
    "What is the current time in {value}?",
    "What time is it now in {value}?",
    "And the time in {value}?",
]
FACT_QUESTIONS = [
    "What is the {fact} of {value}?",
    "What's the {fact} of {value}?",
    "Tell me the {fact} of {value}.",
    "Find the {fact} of {value}.",
    "Look up the {fact} of {value}.",
    "Which {fact} has {value}?",
    "Give me the {fact} of {value}.",
    "What {fact} does {value} have?",
    "Get the {fact} of {value}.",
]


def clock(random: Random, value: str | None = None) -> Errand:
    """get_time and its like."""
    name = random.choice(["get_time"] * 3 + ["get_current_time", "time_in", "local_time", "clock"])
    key = random.choice(["city", "city", "location", "place", "town"])
    tool = declare(
        random, name, random.choice(["Get the time.", "Current time in a city.", "Tells the time."]), {key: "string"}
    )
    question, value = told(random, random.choice(TIME_QUESTIONS), value or place(random))
    now = f"{random.randint(0, 23):02d}:{random.randint(0, 59):02d}"
    response = random.choice([{"time": now}, {"time": now}, {"now": now}, now])
    if isinstance(response, dict):
        response = as_json_text(random, response)
    thought = f"I need {name} for {value}."
    return Errand(tool, question, {key: value}, response, f"It is {now} in {value}.", thought, value, name)


def fact(random: Random, value: str | None = None) -> Errand:
    """get_price, find_population, ... of a thing: the words come from the declaration."""
    noun = random.choice(FACTS)
    name = random.choice(["get_{}", "get_{}", "find_{}", "lookup_{}", "{}_of"]).format(noun)
    key = random.choice(["name", "item", "city", "place", "product", "thing", "person", "query", "of"])
    tool = declare(random, name, random.choice([f"Get the {noun}.", f"Find the {noun} of something."]), {key: "string"})
    question, value = told(random, random.choice(FACT_QUESTIONS).replace("{fact}", noun), value or thing(random))
    amount = random.choice([random.randint(1, 99), random.randint(100, 9999), invented(random)])
    response: Any = random.choice([{noun: amount}, {noun: amount}, {"value": amount}, str(amount)])
    if isinstance(response, dict):
        response = as_json_text(random, response)
    answer = f"The {noun} of {value} is {amount}."
    return Errand(tool, question, {key: value}, response, answer, f"I need {name} for {value}.", value, name)


def named(random: Random, value: str | None = None) -> Errand:
    """A tool with an invented name that the user names."""
    name = random.choice([f"{invented(random).lower()}_{random.choice(FACTS)}", f"get_{invented(random).lower()}"])
    key = random.choice(["name", "text", "query", "input", "word", "city", "id", "title"])
    tool = declare(random, name, random.choice(["A tool.", "Does something.", f"Runs {name}."]), {key: "string"})
    ways = ["Call {name} with {value}.", "Use {name} for {value}.", "Run {name} on {value}.", "{name} {value}"]
    question, value = told(random, random.choice(ways).replace("{name}", name), value or thing(random))
    result = random.choice([invented(random), random.randint(1, 999)])
    response: Any = random.choice([{"result": result}, {"value": result}, str(result)])
    answer = f"The result is {result}."
    return Errand(tool, question, {key: value}, response, answer, f"I need {name} for {value}.", value, name)


def sum_up(random: Random, value: str | None = None) -> Errand:
    """Two numbers to copy; the tool does the arithmetic."""
    name, sign, word = random.choice([("add", "+", "plus"), ("multiply", "*", "times"), ("subtract", "-", "minus")])
    name = random.choice([name, f"{name}_numbers"])
    first, second = random.choice([("a", "b"), ("x", "y"), ("left", "right")])
    tool = declare(random, name, "Calculates with two numbers.", {first: "integer", second: "integer"})
    a, b = random.randint(0, 99), random.randint(0, 99)
    question = random.choice(
        [f"What is {a} {sign} {b}?", f"What is {a} {word} {b}?", f"{a} {sign} {b}", f"{a} {word} {b}?"]
    )
    result = {"+": a + b, "*": a * b, "-": a - b}[sign]
    response: Any = random.choice([{"result": result}, {"value": result}, str(result)])
    thought = f"I need {name} for {a} and {b}."
    return Errand(tool, question, {first: a, second: b}, response, f"The result is {result}.", thought, "", name)


def timer(random: Random, value: str | None = None) -> Errand:
    """An action with a number."""
    name = random.choice(["set_timer", "start_timer", "timer"])
    key = random.choice(["minutes", "duration", "time"])
    tool = declare(random, name, random.choice(["Set a timer.", "Starts a timer."]), {key: "integer"})
    minutes = random.randint(1, 60)
    question = random.choice(
        [
            "Set a timer for {} minutes.",
            "Start a timer of {} minutes.",
            "Timer for {} minutes",
            "Wake me in {} minutes.",
        ]
    )
    response: Any = random.choice([{"status": "ok"}, {"status": "done"}, "ok", "done", {"status": "started"}])
    answer = f"The timer runs for {minutes} minutes."
    return Errand(
        tool,
        question.format(minutes),
        {key: minutes},
        response,
        answer,
        f"I need {name} for {minutes} minutes.",
        "",
        name,
    )


def switch(random: Random, value: str | None = None) -> Errand:
    """An action on a device."""
    state = random.choice(["on", "off"])
    name = f"turn_{state}"
    key = random.choice(["device", "name", "room"])
    tool = declare(random, name, f"Turn a device {state}.", {key: "string"})
    question, value = told(
        random,
        random.choice(
            [f"Turn {state} the {{value}}.", f"Turn the {{value}} {state}.", f"Switch {state} the {{value}}."]
        ),
        value or random.choice([*THINGS, invented(random)]),
    )
    response: Any = random.choice([{"status": state}, {"status": "ok"}, "ok", "done"])
    return Errand(
        tool, question, {key: value}, response, f"The {value} is {state}.", f"I need {name} for {value}.", value, name
    )


ECHO_QUESTIONS = [
    "Repeat after me: {words}",
    "Repeat: {words}",
    "Say {words}",
    "Please say {words}",
    "Echo {words}",
    "Write {words}",
    "Repeat {words}",
    "Copy this: {words}",
    "Say: {words}",
    "Say this: {words}",
    "Type {words}",
    "Echo: {words}",
]


def echo(random: Random) -> tuple[str, str]:
    """A question that asks to repeat words, and the words: the plainest way to learn copying, which calls rest on."""
    makers = [lambda: invented(random), lambda: random.choice(THINGS), lambda: random.choice(CITIES)]
    makers += [lambda: str(random.randint(0, 9999)), lambda: f"{invented(random).lower()}_{random.choice(FACTS)}"]
    words = " ".join(random.choices(makers, [5, 1, 1, 2, 1])[0]() for _ in range(random.randint(1, 7)))
    return random.choice(ECHO_QUESTIONS).format(words=words), words


KINDS: list[tuple[Callable[..., Errand], int]] = [
    (weather, 7),
    (clock, 4),
    (fact, 5),
    (named, 3),
    (sum_up, 2),
    (timer, 1),
    (switch, 2),
]


def errand(random: Random, value: str | None = None) -> Errand:
    """Any errand."""
    makers = [maker for maker, _ in KINDS]
    return random.choices(makers, [weight for _, weight in KINDS])[0](random, value)
