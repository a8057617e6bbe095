"""Ways in which a file goes wrong: bytes, lines, encodings, JSON values, archives. A seed makes the same file again."""

from __future__ import annotations

import gzip
import io
import json
import lzma
import random
import tarfile
import zipfile
from collections.abc import Callable
from typing import Any

Mutation = Callable[[bytes, random.Random], bytes]

ODD_TEXTS = (
    "", " ", "\u3000", "null", "0", "-1", "江城大学" * 300, "\x1b[31m", "a\x00b", "\ud83d", "😀𠮷", "\u2028", "\u202e",
    "../../x", "/etc/passwd", "{}", "NaN", "true", "&amp;", "%s%n", "\ufeff",
)  # fmt: skip
ODD_VALUES: tuple[Any, ...] = (
    None, True, False, 0, -1, 1 << 70, 1.5, -0.0, [], {}, [None], [[]], {"": {}}, *ODD_TEXTS,
)  # fmt: skip
ODD_BYTES = (
    b"\x00", b"\xff", b"\x1b[2J", b"\r", b"\n\n", b"\t", b" ", b",", b"{", b"[", b"]", b'"', b"\xef\xbb\xbf", b"\xe6",
    b"NaN", b"Infinity", b"1e999", b"9" * 5000, b"[" * 3000, b'{"a":' * 2000, b"\\ud800", b"null", b"!!python/object ",
)  # fmt: skip


# -- of bytes


def flip(data: bytes, rng: random.Random) -> bytes:
    """Some bytes become others."""
    out = bytearray(data)
    for _ in range(rng.choice((1, 1, 3, 30))):
        if out:
            out[rng.randrange(len(out))] = rng.randrange(256)
    return bytes(out)


def insert(data: bytes, rng: random.Random) -> bytes:
    """Something odd stands somewhere."""
    at = rng.randrange(len(data) + 1)
    return data[:at] + rng.choice(ODD_BYTES) + data[at:]


def cut(data: bytes, rng: random.Random) -> bytes:
    """The file ends early."""
    return data[: rng.randrange(len(data) + 1)]


def drop(data: bytes, rng: random.Random) -> bytes:
    """A stretch is missing."""
    a, b = sorted(rng.randrange(len(data) + 1) for _ in range(2))
    return data[:a] + data[b:]


def repeat(data: bytes, rng: random.Random) -> bytes:
    """The file comes twice, or a stretch of it."""
    a, b = sorted(rng.randrange(len(data) + 1) for _ in range(2))
    return data + rng.choice((data, data[a:b]))


def empty(_data: bytes, rng: random.Random) -> bytes:
    """Nothing, or nothing to read."""
    return rng.choice((b"", b"\n", b" \n\t\n", b"\xef\xbb\xbf", b"\x00" * 100, b"[]", b"{}", b"null", b'""', b"0"))


# -- of lines and encodings


def shuffle_lines(data: bytes, rng: random.Random) -> bytes:
    """Lines in another order, joined, doubled or gone."""
    lines = data.split(b"\n")
    how = rng.randrange(4)
    if how == 0:
        rng.shuffle(lines)
    elif how == 1:
        lines = lines[::2]
    at = rng.randrange(len(lines))
    if how == 2:
        lines.insert(at, lines[rng.randrange(len(lines))])
    if how == 3:
        lines[at : at + 2] = [b"".join(lines[at : at + 2])]
    return b"\n".join(lines)


def encode(data: bytes, rng: random.Random) -> bytes:
    """Another encoding, other ends of lines."""
    text = data.decode("utf-8", "replace")
    codec = rng.choice(("utf-16", "utf-16-le", "gb18030", "latin-1", "utf-8-sig", "utf-32", "big5"))
    if rng.random() < 0.3:
        return text.replace("\n", rng.choice(("\r\n", "\r", "\u2028", "\n\n", ",\n"))).encode()
    return text.encode(codec, "replace")


def columns(data: bytes, rng: random.Random) -> bytes:
    """Blanks, tabs and commas take one another's place."""
    old, new = rng.sample((b"\t", b" ", b",", b"  ", b"\n", b":"), 2)
    return data.replace(old, new, rng.choice((1, 5, -1)))


# -- of JSON


def change_json(data: bytes, rng: random.Random) -> bytes:
    """A value, a key or an item of one record is another one, missing, doubled, or deep inside something."""
    text = data.decode("utf-8", "replace")
    try:
        return _dump(_changed(json.loads(text), rng), rng)
    except (ValueError, RecursionError):
        pass
    lines = text.split("\n")
    numbers = [n for n, line in enumerate(lines) if line.lstrip()[:1] in ("{", "[")]
    if not numbers:
        return flip(data, rng)
    chosen = numbers if rng.random() < 0.2 else [rng.choice(numbers)]
    for number in chosen:
        try:
            lines[number] = _dump(_changed(json.loads(lines[number]), rng), rng).decode("utf-8", "surrogatepass")
        except (ValueError, RecursionError):
            continue
    return "\n".join(lines).encode("utf-8", "surrogatepass")


def _dump(value: Any, rng: random.Random) -> bytes:
    text = json.dumps(value, ensure_ascii=rng.random() < 0.3, indent=rng.choice((None, None, 1)))
    return text.encode("utf-8", "surrogatepass")


def _changed(value: Any, rng: random.Random) -> Any:
    holders: list[Any] = []

    def walk(one: Any) -> None:
        if isinstance(one, dict | list) and one:
            holders.append(one)
            for inner in one.values() if isinstance(one, dict) else one:
                walk(inner)

    walk(value)
    if not holders or rng.random() < 0.05:
        return rng.choice((*ODD_VALUES, [value], {"data": value}, {"a": value}))
    for _ in range(rng.choice((1, 1, 1, 4))):
        holder = rng.choice(holders)
        if not holder:
            continue
        key = rng.choice(list(holder)) if isinstance(holder, dict) else rng.randrange(len(holder))
        how = rng.randrange(6)
        if how == 0:
            del holder[key]
        elif how == 1 and isinstance(holder, dict):
            holder[rng.choice((str(key).upper(), f"{key} ", "", "x", "@value", "text", "id"))] = holder.pop(key)
        elif how == 2 and isinstance(holder, list):
            holder.insert(key, holder[key])
        elif how == 3:
            holder[key] = rng.choice(([holder[key]], {"@value": holder[key]}, str(holder[key]), [holder[key]] * 50))
        elif how == 4 and isinstance(holder[key], str) and holder[key]:
            at = rng.randrange(len(holder[key]) + 1)
            holder[key] = holder[key][:at] + rng.choice(ODD_TEXTS) + holder[key][at:]
        elif how == 4 and isinstance(holder[key], int):
            holder[key] += rng.choice((1, -1, 1000, -(10**20), 10**20))
        else:
            holder[key] = rng.choice(ODD_VALUES)
    return value


# -- of archives


def pack(data: bytes, rng: random.Random) -> bytes:
    """Packed, in one of many ways, now and then damaged."""
    out = io.BytesIO()
    how = rng.randrange(4)
    if how == 0:
        out.write(gzip.compress(data, mtime=0))
    elif how == 1:
        squeeze = rng.choice(
            (bytes, lambda plain: gzip.compress(plain, mtime=0), lzma.compress)
        )  # "w:gz" tells the time
        plain = io.BytesIO()
        with tarfile.open(fileobj=plain, mode="w") as tar:
            member = tarfile.TarInfo(rng.choice(("a.json", "../a.json", "/a.json")))
            member.size = len(data)
            tar.addfile(member, io.BytesIO(data))
        out.write(squeeze(plain.getvalue()))
    else:
        names = rng.sample(("a.json", "__MACOSX/._a.json", "../../up.json", "b/", ".DS_Store", "\x1b[31m.txt"), 2)
        with zipfile.ZipFile(out, "w", rng.choice((zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED))) as archive:
            for name in names:
                archive.writestr(zipfile.ZipInfo(name), data if rng.random() < 0.8 else b"\x00" * (1 << 22))
    packed = out.getvalue()
    return flip(packed, rng) if rng.random() < 0.4 else cut(packed, rng) if rng.random() < 0.3 else packed


MUTATIONS: tuple[tuple[Mutation, int], ...] = (
    (change_json, 10), (flip, 3), (insert, 4), (cut, 2), (drop, 1), (repeat, 1), (empty, 1), (shuffle_lines, 2),
    (encode, 2), (columns, 3), (pack, 1),
)  # fmt: skip
"""Each with its weight."""


def mutate(data: bytes, rng: random.Random) -> tuple[str, bytes]:
    """A mutated file and by which mutations it was made, at times by two."""
    made: list[str] = []
    kinds, weights = zip(*MUTATIONS, strict=True)
    for kind in rng.choices(kinds, weights, k=rng.choice((1, 1, 1, 2))):
        data = kind(data, rng)
        made.append(kind.__name__)
    return "+".join(made), data
