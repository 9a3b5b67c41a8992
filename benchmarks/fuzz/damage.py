"""Ways to damage a file: its bytes, or the values that its text holds."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from typing import Any

import yaml

#: Values that are put in place of others.
HOSTILE: tuple[Any, ...] = (
    None,
    True,
    -1,
    0,
    10**9,
    2**32,
    2**63,
    1e300,
    -1e300,
    float("nan"),
    float("inf"),
    "",
    "µ\u202e病",
    "x" * 300,
    "../../../etc/passwd",
    [],
    {},
    [[[[[[]]]]]],
    {"type": "Point"},
    [1, "a", None],
)


def cut(data: bytes, random_: random.Random) -> bytes:
    """Return the beginning."""
    return data[: random_.randrange(len(data))]


def zero(data: bytes, random_: random.Random) -> bytes:
    """Return the bytes with a stretch of zeros."""
    start, length = _choose_stretch(data, random_)
    return data[:start] + bytes(length) + data[start + length :]


def grow(data: bytes, random_: random.Random) -> bytes:
    """Return the bytes with up to 4 kB of noise put in."""
    at = random_.randrange(len(data) + 1)
    return data[:at] + random_.randbytes(random_.randint(1, 4096)) + data[at:]


def flip(data: bytes, random_: random.Random) -> bytes:
    """Return the bytes with up to 16 bits changed, mostly in the first kB."""
    changed = bytearray(data)
    for _ in range(random_.randint(1, 16)):
        end = min(len(changed), 1024) if random_.random() < 0.6 else len(changed)
        changed[random_.randrange(end)] ^= 1 << random_.randrange(8)
    return bytes(changed)


def fill(data: bytes, random_: random.Random) -> bytes:
    """Return the bytes with a few of them the largest or smallest numbers."""
    changed = bytearray(data)
    for _ in range(random_.randint(1, 4)):
        at = random_.randrange(min(len(changed), 2048))
        changed[at : at + 4] = random_.choice([b"\xff" * 4, b"\0" * 4, b"\x7f\xff\xff\xff"])
    return bytes(changed[: len(data)])


def exchange(data: bytes, random_: random.Random) -> bytes:
    """Return the bytes with two stretches exchanged."""
    start, length = _choose_stretch(data, random_)
    other = random_.randrange(max(1, len(data) - length))
    changed = bytearray(data)
    changed[start : start + length] = data[other : other + length]
    changed[other : other + length] = data[start : start + length]
    return bytes(changed[: len(data)])


BYTE_DAMAGE: tuple[Callable[[bytes, random.Random], bytes], ...] = (
    cut,
    zero,
    grow,
    flip,
    fill,
    exchange,
)


def damage_values(data: bytes, random_: random.Random, suffix: str) -> bytes:
    """Return JSON, YAML or CSV with one to three values replaced, removed, doubled or nested."""
    if suffix in (".json", ".geojson", ".yaml"):
        content = yaml.safe_load(data) if suffix == ".yaml" else json.loads(data)
        for _ in range(random_.randint(1, 3)):
            content = _replace_one(content, random_)
        if suffix == ".yaml":
            return yaml.safe_dump(content, allow_unicode=True).encode()
        if random_.random() < 0.05:
            return b'{"type":' * 5000 + json.dumps(content).encode()
        return json.dumps(content).encode()
    return _damage_table(data.decode(), random_).encode()


def _replace_one(content: Any, random_: random.Random) -> Any:
    """Return a copy with one value, at any depth, changed."""
    if not isinstance(content, dict | list) or not content or random_.random() < 0.15:
        return random_.choice(HOSTILE)
    keys = list(content) if isinstance(content, dict) else list(range(len(content)))
    key = random_.choice(keys)
    changed = content.copy()
    way = random_.random()
    if way < 0.15:
        del changed[key]
    elif way < 0.2 and isinstance(changed, dict):
        changed[random_.choice(["type", "kind", "unknown", "path"])] = random_.choice(HOSTILE)
    else:
        changed[key] = _replace_one(changed[key], random_)
    return changed


def _damage_table(text: str, random_: random.Random) -> str:
    rows = [line.split(",") for line in text.splitlines()]
    for _ in range(random_.randint(1, 3)):
        row = random_.choice(rows)
        at = random_.randrange(len(row))
        way = random_.random()
        if way < 0.2:
            del row[at]
        elif way < 0.3:
            row.insert(at, "more")
        elif way < 0.4:
            rows.append(row.copy())
        else:
            row[at] = str(random_.choice(HOSTILE))
        rows = [row for row in rows if row] or [[""]]
    return "\n".join(",".join(row) for row in rows)


def _choose_stretch(data: bytes, random_: random.Random) -> tuple[int, int]:
    start = random_.randrange(len(data))
    length = min(len(data) - start, random_.randint(1, max(1, len(data) // 4)))
    return start, length
