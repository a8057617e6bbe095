"""Does the compiled knowledge base scale? A synthetic one of 400,000 entities: built, opened, matched.

    python benchmarks/el_kb.py [--entities 400000] [--characters 10000000] [--work FOLDER]

Measures, each in a process of its own: seconds and peak memory of compiling, seconds and resident memory of opening
(what ``ietool kb stats`` tells of itself, with the files in the system's cache and without), characters matched a
second, all occurrences and maximum matching; and the size on disk. Prints a table, then one JSON line.

The knowledge base is made here, by seed. Its *core* of 4,000 entities has all names that the texts mention; the rest
has names of the same lengths over the same characters, but each ends in one of 200 characters that no text holds. So
``write_kb`` makes knowledge bases of any size in which every text has the same mentions, and every mention the same
candidates in the same order, while the automaton walks into the further names as far as their last character. The core
is spread evenly among the rest, as the entities of some texts are in a real knowledge base. What differs between two
sizes is the size alone.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

CORE = 4_000
CHARACTERS, RESERVED = 4_000, 200
"""Different characters in all, and those among them that stand only in names of entities outside the core."""

# Lengths of names and how many of a hundred have them, as in encyclopedias: people, places and works of 2 to 5
# characters, then titles and organisations.
_LENGTHS = {2: 11, 3: 23, 4: 24, 5: 13, 6: 10, 7: 6, 8: 4, 9: 3, 10: 2, 12: 2, 15: 1, 20: 1}
_TYPES = ("Person", "Place", "CreativeWork", "Organization", "Vocabulary", "Thing", "Food", "Animal", "Software")
_POOL = 1 << 18


class _Maker:
    """Draws names and descriptions; all follows from the seed and from ``kind``."""

    def __init__(self, seed: int, kind: str) -> None:
        self.rng = random.Random(f"{seed}:{kind}")
        # On their own, so that names do not follow from how long descriptions are.
        self._descriptions = random.Random(f"{seed}:{kind}:descriptions")
        shared = random.Random(seed)
        # Frequencies of characters fall as in running text, about as 1/(rank + 20).
        alphabet = [chr(0x4E00 + 5 * i) for i in range(CHARACTERS)]
        shared.shuffle(alphabet)
        self.reserved, common = alphabet[:RESERVED], alphabet[RESERVED:]
        weights = [1 / (rank + 20) for rank in range(len(common))]
        self.pool = "".join(self.rng.choices(common, weights, k=_POOL))
        self.predicates = ["".join(shared.sample(common, 3)) for _ in range(300)]
        self.own = kind == "core"
        self.names: list[str] = []
        self.by_name: dict[str, list[str]] = {}

    def text(self, size: int, rng: random.Random | None = None) -> str:
        """Some characters in a row, at most 256."""
        at = (rng or self.rng).randrange(_POOL - 256)
        return self.pool[at : at + size]

    def name(self) -> str:
        """A name: one in five is that of an earlier entity, some of them often."""
        rng = self.rng
        if self.names and rng.random() < 0.2:
            return self.names[int(len(self.names) * rng.random() ** 3)]
        size = rng.choices(list(_LENGTHS), list(_LENGTHS.values()))[0]
        name = self.text(size) if self.own else self.text(size - 1) + rng.choice(self.reserved)
        self.names.append(name)
        return name

    def entity(self, kb_id: str, characters: float) -> dict[str, Any]:
        """A record whose description has, on average, so many characters."""
        rng = self._descriptions
        subject = self.name()
        aliases = [self.name() for _ in range(self.rng.choices((0, 1, 2, 3), (62, 26, 9, 3))[0])]
        for name in dict.fromkeys((subject, *aliases)):
            self.by_name.setdefault(name, []).append(kb_id)
        left = round(characters * rng.choice((0.5, 0.5, 0.5, 1, 1, 1, 1, 1.5, 1.5, 1.5)))
        data = []
        while left > 0:
            predicate = rng.choice(self.predicates)
            size = max(1, min(left - 3, rng.choice((4, 6, 10, 20, 40))))
            data.append({"predicate": predicate, "object": self.text(size, rng)})
            left -= 3 + size
        return {"alias": aliases, "subject_id": kb_id, "subject": subject, "type": [rng.choice(_TYPES)], "data": data}


def records(entities: int, characters: float, seed: int) -> Iterator[dict[str, Any]]:
    """The records of a knowledge base of so many entities (``CORE`` or more), of so many characters each on average."""
    core, rest = _Maker(seed, "core"), _Maker(seed, "rest")
    for index in range(entities):
        made = index * CORE // entities
        if (index + 1) * CORE // entities > made:
            yield core.entity(str(10_000 + made), characters)
        else:
            yield rest.entity(str(1_000_000 + index), characters)


def write_kb(path: Path, entities: int, *, characters: float = 25.0, seed: int = 42) -> None:
    """Write a kb_data file; see the head of this file for what knowledge bases of two sizes have in common."""
    with path.open("w", encoding="utf-8", newline="\n") as out:
        for record in records(entities, characters, seed):
            out.write(json.dumps(record, ensure_ascii=False) + "\n")


def texts(count: int, *, seed: int = 42) -> Iterator[dict[str, Any]]:
    """Texts of some 35 characters with two or three names of the core, as records of a training file.

    They and their gold are the same for every size of the knowledge base.
    """
    core = _Maker(seed, "core")
    for index in range(CORE):
        core.entity(str(10_000 + index), 25.0)
    rng = random.Random(f"{seed}:texts")
    names = list(core.by_name)
    for number in range(count):
        text, mentions = core.text(rng.randint(4, 12)), []
        for _ in range(rng.choice((2, 2, 3))):
            name = names[int(len(names) * rng.random() ** 2)]
            kb_id = rng.choice(core.by_name[name])
            mentions.append({"kb_id": kb_id, "mention": name, "offset": str(len(text))})
            text += name + core.text(rng.randint(4, 12))
        yield {"text_id": str(number + 1), "text": text, "mention_data": mentions}


def write_texts(path: Path, count: int, *, seed: int = 42) -> None:
    """Write :func:`texts`, one JSON object a line."""
    with path.open("w", encoding="utf-8", newline="\n") as out:
        for record in texts(count, seed=seed):
            out.write(json.dumps(record, ensure_ascii=False) + "\n")


def _build(source: Path, folder: Path) -> dict[str, float]:
    """Compile in this process."""
    began = time.perf_counter()
    from ietool.tasks.el.kb.knowledge_base import compile_kb

    info = compile_kb(source, folder).info
    return {
        "seconds": time.perf_counter() - began,
        "entities": info.entities,
        "names": info.names,
        "ambiguous_names": info.ambiguous_names,
        "candidates_mean": info.candidates_mean,
        "description_characters": info.description_characters,
        "disk_mb": info.bytes / 1e6,
    }


def _match(folder: Path, source: Path, rounds: int) -> dict[str, float]:
    """Match the texts of a file, best of some rounds."""
    from ietool.tasks.el.kb.knowledge_base import KnowledgeBase

    kb = KnowledgeBase.open(folder)
    given = [json.loads(line)["text"] for line in source.open(encoding="utf-8")]
    result: dict[str, float] = {"texts": len(given), "characters": sum(map(len, given))}
    # The worst case: texts that are nothing but names, of the whole knowledge base.
    rng = random.Random(0)
    dense = ["".join(rng.choices(kb.names, k=8)) for _ in given]
    for name, find, read in (("all", kb.match, given), ("longest", kb.longest, given), ("dense", kb.match, dense)):
        best, size = float("inf"), sum(map(len, read))
        for _ in range(rounds):
            began = time.perf_counter()
            found = sum(len(find(text)) for text in read)
            best = min(best, time.perf_counter() - began)
        result |= {f"{name}_characters_per_second": size / best, f"{name}_found": found}
    candidates = sum(len(kb.candidates(n)) for text in given for _, _, n in kb.match(text))
    return {**result, "candidates_per_mention": candidates / result["all_found"]}


def _child(*arguments: object) -> tuple[dict[str, Any], float]:
    """What a fresh process printed as JSON, and its peak memory in MB."""
    with tempfile.TemporaryFile() as out:
        process = subprocess.Popen([sys.executable, *map(str, arguments)], stdout=out)
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            sys.exit(process.returncode)
        out.seek(0)
        # ru_maxrss is in KiB on Linux and in bytes on macOS.
        return json.loads(out.read()), usage.ru_maxrss * (1 if sys.platform == "darwin" else 1024) / 1e6


def _forget(folder: Path) -> bool:
    """Ask the system to drop the files from its cache; whether it can be asked."""
    if not hasattr(os, "posix_fadvise"):
        return False
    for path in folder.iterdir():
        with path.open("rb") as stream:
            os.fsync(stream.fileno())
            os.posix_fadvise(stream.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
    return True


def measure(work: Path, entities: int, characters: float, count: int, seed: int) -> dict[str, Any]:
    """All figures of a knowledge base of so many entities, of so many characters each on average."""
    source, lines, folder = work / "kb_data", work / "texts.json", work / "compiled"
    write_kb(source, entities, characters=characters, seed=seed)
    write_texts(lines, count, seed=seed)
    here = Path(__file__)
    built, peak = _child(here, "--step", "build", source, folder)
    stats = ("-m", "ietool", "kb", "stats", folder, "--json")
    opened = [_child(*stats)[0] for _ in range(5)]
    cold = _child(*stats)[0]["seconds_to_open"] if _forget(folder) else None
    return {
        "seed": seed,
        "source_mb": source.stat().st_size / 1e6,
        **built,
        "build_peak_mb": peak,
        "open_seconds": min(one["seconds_to_open"] for one in opened),
        "open_seconds_cold": cold,
        "resident_mb": max(one["resident_bytes"] for one in opened) / 1e6,
        **_child(here, "--step", "match", folder, lines)[0],
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--entities", type=int, default=400_000)
    parser.add_argument("--characters", type=int, default=10_000_000, help="of all descriptions together, about")
    parser.add_argument("--texts", type=int, default=30_000)
    parser.add_argument("--rounds", type=int, default=3, help="of matching, the best counts")
    parser.add_argument("--seed", type=int, default=42)
    parser.add_argument("--work", type=Path, help="keep the files in this folder")
    parser.add_argument("--step", choices=("build", "match"), help=argparse.SUPPRESS)
    parser.add_argument("paths", nargs="*", type=Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.step:
        first, second = arguments.paths
        done = _build(first, second) if arguments.step == "build" else _match(first, second, arguments.rounds)
        print(json.dumps(done))
        return
    if arguments.entities < CORE:
        parser.error(f"--entities: at least {CORE:,}")
    with tempfile.TemporaryDirectory() as scratch:
        work = arguments.work or Path(scratch)
        work.mkdir(parents=True, exist_ok=True)
        mean = arguments.characters / arguments.entities
        result = measure(work, arguments.entities, mean, arguments.texts, arguments.seed)
    cold = result["open_seconds_cold"]
    found = (f"{result[f'{kind}_found'] / result['texts']:.1f}" for kind in ("all", "dense"))
    rows = (
        ("entities", f"{result['entities']:,}", ""),
        ("names", f"{result['names']:,}, {result['ambiguous_names']:,} of them ambiguous", ""),
        ("description characters", f"{result['description_characters']:,}", ""),
        ("build", f"{result['seconds']:.1f} s", "< 180 s"),
        ("build, peak memory", f"{result['build_peak_mb']:.0f} MB", ""),
        ("size on disk", f"{result['disk_mb']:.0f} MB of {result['source_mb']:.0f} MB JSON", ""),
        ("open", f"{result['open_seconds']:.3f} s" + ("" if cold is None else f"; {cold:.3f} s from disk"), "< 0.5 s"),
        ("resident memory then", f"{result['resident_mb']:.0f} MB", "< 300 MB"),
        ("all occurrences", f"{result['all_characters_per_second'] / 1e6:.2f} million characters/s", "> 1"),
        ("maximum matching", f"{result['longest_characters_per_second'] / 1e6:.2f} million characters/s", "> 1"),
        ("texts of names only", f"{result['dense_characters_per_second'] / 1e6:.2f} million characters/s", "> 1"),
        ("found in a text", "{}; of names only: {}".format(*found), ""),
        ("candidates of a find", f"{result['candidates_per_mention']:.2f}", ""),
    )
    for what, value, target in rows:
        print(f"{what:26}{value:44}{target}".rstrip())
    print(json.dumps(result))


if __name__ == "__main__":
    main()
