"""What the annotators did with each name: the statistics behind the name filter, the priors and the candidates.

Annotators are capricious (of 下载, 在线, 观看 some are linked, some not), so most of entity linking is knowing their
habits (kexue.fm 6919).
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from ietool.errors import UserError
from ietool.files.records import digest
from ietool.text.characters import fold
from ietool.text.matching import leftmost_longest


@dataclass(slots=True)
class Habit:
    """How a name was treated in the training texts.

    Attributes:
        yes, no: times maximum matching found it where it was annotated, and where it was not.
        hits, misses: the same for all its occurrences, those inside longer names included.
        links: kb_id → times it was linked to it.
    """

    yes: int = 0
    no: int = 0
    hits: int = 0
    misses: int = 0
    links: Counter[str] = field(default_factory=Counter)

    def minus(self, own: Habit | None) -> Habit:
        """The habit without what one text contributed: what the text would have met in a file without it."""
        if own is None:
            return self
        return Habit(
            self.yes - own.yes, self.no - own.no, self.hits - own.hits, self.misses - own.misses, self.links - own.links
        )

    @property
    def reluctance(self) -> float:
        """(no + 1) / (yes + 1): names with a high one are hardly ever annotated; 1 for a name never seen."""
        return (self.no + 1) / (self.yes + 1)


_NEVER = Habit()
Found = tuple[int, int, str]
"""A match in a text: (start, end, normalised name)."""


def text_habits(occurrences: Collection[Found], gold: Mapping[tuple[int, int], str]) -> dict[str, Habit]:
    """What one text contributes.

    Args:
        occurrences: all matches of names, overlapping ones too.
        gold: annotated (start, end) → kb_id, or an empty string where the id is unknown.

    Returns:
        Normalised name → habit, for every name found or annotated.
    """
    habits: dict[str, Habit] = {}
    for start, end, name in leftmost_longest(occurrences):
        habit = habits.setdefault(name, Habit())
        if (start, end) in gold:
            habit.yes += 1
        else:
            habit.no += 1
    for start, end, name in occurrences:
        habit = habits.setdefault(name, Habit())
        kb_id = gold.get((start, end))
        if kb_id is None:
            habit.misses += 1
        else:
            habit.hits += 1
            if kb_id:
                habit.links[kb_id] += 1
    return habits


SIDES = 4
"""Keys that :func:`sides` gives."""


def sides(text: str, start: int, end: int) -> tuple[str, str, str, str]:
    """Keys of what stands beside a span: one and two characters before it, one and two behind it; fewer at the borders
    of the text."""
    return (
        f"<{text[max(start - 1, 0) : start]}",
        f"<<{text[max(start - 2, 0) : start]}",
        f">{text[end : end + 1]}",
        f">>{text[end : end + 2]}",
    )


def text_sides(text: str, found: Collection[Found], gold: Collection[tuple[int, int]]) -> Counter[tuple[str, bool]]:
    """(key of :func:`sides`, whether the match is annotated) → matches of a folded text."""
    return Counter((key, (start, end) in gold) for start, end, _ in found for key in sides(text, start, end))


class Annotations:
    """Habits by normalised name."""

    def __init__(self) -> None:
        self._habits: dict[str, Habit] = {}
        self._sides: Counter[tuple[str, bool]] = Counter()
        self.entities: Counter[str] = Counter()
        """kb_id → times any name was linked to it."""

    def add(self, habits: Mapping[str, Habit], beside: Mapping[tuple[str, bool], int] | None = None) -> None:
        """Count one text in: what :func:`text_habits` and :func:`text_sides` give."""
        self._sides.update(beside or {})
        for name, more in habits.items():
            habit = self._habits.setdefault(name, Habit())
            habit.yes += more.yes
            habit.no += more.no
            habit.hits += more.hits
            habit.misses += more.misses
            habit.links.update(more.links)
            self.entities.update(more.links)

    def get(self, name: str) -> Habit:
        """The habit of a normalised name; an empty one of a name never seen."""
        return self._habits.get(name, _NEVER)

    def beside(self, key: str, without: Annotations | None = None) -> tuple[int, int]:
        """(annotated, left alone) among the matches beside which a key of :func:`sides` stands."""
        hits, misses = self._sides[key, True], self._sides[key, False]
        if without is None:
            return hits, misses
        return hits - without._sides[key, True], misses - without._sides[key, False]

    def __len__(self) -> int:
        return len(self._habits)

    def __iter__(self) -> Iterator[tuple[str, Habit]]:
        return iter(self._habits.items())

    def save(self, path: Path) -> None:
        """One JSON list a line: how many follow; keys of :func:`sides`, hits, misses; names, yes, no, hits, misses,
        links."""
        keys = sorted({key for key, _ in self._sides})
        with path.open("w", encoding="utf-8", newline="\n") as out:
            out.write(f"[{len(keys) + len(self._habits)}]\n")
            for key in keys:
                out.write(json.dumps([key, *self.beside(key)], ensure_ascii=False) + "\n")
            for name, h in sorted(self._habits.items()):
                out.write(json.dumps([name, h.yes, h.no, h.hits, h.misses, dict(h.links)], ensure_ascii=False) + "\n")

    @classmethod
    def load(cls, path: Path) -> Annotations:
        """Read what :meth:`save` wrote. Raises UserError naming the file and line where it is something else."""
        found = cls()
        number = 0
        try:
            with path.open(encoding="utf-8", newline="\n") as lines:
                number = 1
                (count,) = json.loads(next(lines, "[]"))
                for number, line in enumerate(lines, 2):  # noqa: B007  (told by the handler below)
                    cells = json.loads(line)
                    if len(cells) == 3:
                        key, hits, misses = cells
                        found._sides.update({(str(key), True): int(hits), (str(key), False): int(misses)})
                        continue
                    name, yes, no, hits, misses, links = cells
                    counted = Counter({str(kb_id): int(n) for kb_id, n in links.items()})
                    found._habits[str(name)] = Habit(int(yes), int(no), int(hits), int(misses), counted)
                    found.entities.update(counted)
            if count != number - 1:
                raise ValueError(f"{count} lines should follow the first one, {number - 1} do")
        except FileNotFoundError:
            raise UserError("is missing", file=path, mend="train again, or copy the run folder whole") from None
        except (OSError, ValueError, TypeError, AttributeError) as error:
            raise UserError(
                f"holds no annotators' statistics ({error})",
                file=path,
                line=number or None,
                mend="train again, or copy the run folder whole",
            ) from None
        return found


class Folds:
    """The statistics of train as a whole and of its parts, so that a training text can be told of the others alone.

    Leaving out nothing but the text itself would tell the answer: a network soon knows by heart how often a name occurs
    in train, and what is missing from its count is what the text holds.
    """

    def __init__(self, number: int) -> None:
        self.total = Annotations()
        self.parts = [Annotations() for _ in range(number)]

    def part(self, text: str) -> int:
        """Which part a text is in: the same in every run."""
        return int.from_bytes(digest(text)[:8], "little") % len(self.parts)

    def add(self, text: str, found: Collection[Found], gold: Mapping[tuple[int, int], str]) -> None:
        """Count a text in; ``found`` and ``gold`` as :func:`text_habits` takes them."""
        habits, beside = text_habits(found, gold), text_sides(fold(text), found, gold)
        self.total.add(habits, beside)
        self.parts[self.part(text)].add(habits, beside)

    def save(self, folder: Path) -> None:
        """Write the parts, not the whole, into a new folder."""
        folder.mkdir()
        for number, part in enumerate(self.parts):
            part.save(folder / f"{number:03}.jsonl")

    @staticmethod
    def load_parts(folder: Path) -> list[Annotations]:
        """What :meth:`save` wrote, in order."""
        return [Annotations.load(path) for path in sorted(folder.iterdir())]
