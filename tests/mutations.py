"""Files spoiled at random: bytes, lengths and JSON values of many wrong kinds; the same for the same seed."""

from __future__ import annotations

import copy
import json
import math
import random
import struct
from collections.abc import Callable
from typing import Any

# Stands in a JSON value for text that no JSON writer makes.
_RAW = "@raw@"
_DEEP = 20_000
_RAW_TEXTS = (
    "[" * _DEEP,
    "[" * _DEEP + "]" * _DEEP,
    '{"a":' * _DEEP + "1" + "}" * _DEEP,
    "9" * 5000,
    "1e999",
    "",
    "nul",
)
_NUMBERS = (
    0,
    1,
    0x7F,
    0xFF,
    0x7FFFFFFF,
    0x80000000,
    0xFFFFFFFF,
    (1 << 63) - 1,
    1 << 63,
    (1 << 64) - 1,
    1 << 62,
    1 << 40,
)
_FLOATS = (math.nan, math.inf, -math.inf, -1.0, 1e308)


def _junk(dice: random.Random) -> Any:
    return dice.choice(
        (
            *(None, True, False, 0, 1, -1, 3, 2**31, 2**63, 2**64, 10**30, -(10**30), 0.5, -0.0, 1e308),
            *(
                math.nan,
                math.inf,
                -math.inf,
                "",
                "x",
                "0",
                "1.5",
                "\ud800",
                "a\x00b",
                "\x1b[31m\n[/x]",
                "../x",
                "é" * 300,
            ),
            *([], {}, [[]], [{}], [None], {"": None}, {"content": 3}, ["a", 1, None], [[["x"]]], list(range(500))),
            "".join(chr(dice.randrange(1, 0x3000)) for _ in range(5)),
        )
    )


def _places(value: Any) -> list[tuple[Any, Any]]:
    """List every container with each of its keys, depth first."""
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    # A vocabulary's thousand entries are alike: a few of them stand for all.
    listed = list(items)[:80]
    return [(value, key) for key, _ in listed] + [place for _, inner in listed for place in _places(inner)]


def _set_junk(container: Any, key: Any, dice: random.Random) -> None:
    container[key] = _junk(dice)


def _set_raw(container: Any, key: Any, dice: random.Random) -> None:
    container[key] = f"{_RAW}{dice.randrange(len(_RAW_TEXTS))}"


def _remove(container: Any, key: Any, dice: random.Random) -> None:
    del container[key]


def _add(container: Any, key: Any, dice: random.Random) -> None:
    if isinstance(container, dict):
        container[str(_junk(dice))] = copy.deepcopy(container[key])
    else:
        container.append(_junk(dice))


def _repeat(container: Any, key: Any, dice: random.Random) -> None:
    others = list(container) if isinstance(container, dict) else range(len(container))
    container[key] = copy.deepcopy(container[dice.choice(list(others))])


def _nudge(container: Any, key: Any, dice: random.Random) -> None:
    value = container[key]
    if isinstance(value, bool) or not isinstance(value, (int, float, str, list)):
        container[key] = not value
    elif isinstance(value, (str, list)):
        container[key] = value * 2
    else:
        container[key] = dice.choice((value + 1, value - 1, -value, value * 2, value / 2, value * 10**6, float(value)))


_CHANGES: tuple[Callable[[Any, Any, random.Random], None], ...] = (
    *(_set_junk, _set_junk, _set_junk, _nudge, _nudge, _remove, _add, _repeat, _set_raw),
)


def spoiled_json(data: bytes, dice: random.Random) -> bytes:
    """Change some values, keys or the text itself of a JSON file."""
    if dice.random() < 0.15:
        return spoiled_bytes(data, dice, len(data))
    values = json.loads(data)
    for _ in range(dice.choice((1, 1, 2, 4))):
        places = _places(values)
        if not places:
            break
        # The first places are the outermost, where most settings are.
        container, key = places[min(dice.randrange(len(places)), dice.randrange(len(places)))]
        dice.choice(_CHANGES)(container, key, dice)
    text = json.dumps(values)
    for number, raw in enumerate(_RAW_TEXTS):
        text = text.replace(f'"{_RAW}{number}"', raw)
    return text.encode()


def spoiled_safetensors(data: bytes, dice: random.Random) -> bytes:
    """Change the header of a safetensors file, its length, or the file's."""
    length = int.from_bytes(data[:8], "little")
    kind = dice.random()
    if kind < 0.2:
        return spoiled_bytes(data, dice, 8 + length)
    if kind < 0.3:
        return struct.pack("<Q", dice.choice((*_NUMBERS, length - 1, length + 1, len(data)))) + data[8:]
    header = spoiled_json(data[8 : 8 + length], dice)
    rest = data[8 + length :]
    return struct.pack("<Q", len(header)) + header + (rest[: dice.randrange(len(rest))] if kind < 0.4 else rest)


def spoiled_bytes(data: bytes, dice: random.Random, head: int) -> bytes:
    """Change bytes or numbers among the first `head`, cut, repeat or empty a file."""
    made = bytearray(data)
    kind = dice.random()
    if kind < 0.02:
        return b""
    if kind < 0.1:
        return bytes(made[: dice.randrange(len(made))])
    for _ in range(dice.choice((1, 1, 2, 5))):
        at = dice.randrange(max(1, min(head, len(made)) - 8))
        piece = dice.choice(
            (
                bytes([dice.randrange(256)]),
                struct.pack("<I", dice.choice(_NUMBERS) & 0xFFFFFFFF),
                struct.pack("<Q", dice.choice(_NUMBERS)),
                struct.pack("<f", dice.choice(_FLOATS[:4])),
                struct.pack("<d", dice.choice(_FLOATS)),
                bytes(made[(start := dice.randrange(len(made))) : start + dice.randrange(1, 64)]),
            )
        )
        # In the place of others, or between them: then all that follows has moved.
        made[at : at + (len(piece) if dice.random() < 0.8 else 0)] = piece
    return bytes(made)
