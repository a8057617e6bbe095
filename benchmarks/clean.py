"""How well ``ietool clean`` finds planted errors in gold: precision and recall of what it suggests.

    python benchmarks/clean.py --recipe ner-crf --output DIR [--folds 3] [--seeds 1] [--share 0.1] [--set KEY=VALUE …]
        [--seed 42] [--choose-seed 7]

Errors are planted into a share of the items of the shipped corpus (or of --data), see planting.py. Folds are trained on
that with the settings of ``ietool demo`` and those that are given; a finished group is not trained again, an unfinished
one is resumed. Then every change that ``clean`` ticks by itself is held against the list of what was planted.

With --choose-seed a second corpus is planted and trained on. Limits are chosen there, for each kind of suggestion those
that get most right at a precision of at least --precision; what they find on the corpus of --seed is printed beside
what the limits that ship find. Prints tables and one JSON line.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from random import Random
from typing import Any

from planting import PLANTERS, plant, wanted
from trainings import ietool

from ietool import paths
from ietool.contest.clean.review import ReviewRow, read_review, scores_of
from ietool.contest.clean.suggest import DOUBTFUL, EXTRA, MISSING, limits_of
from ietool.core.labelled import ANSWER
from ietool.registry import get_task

COMES = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.98)
GOES = (0.3, 0.1, 3e-2, 1e-2, 3e-3, 1e-3, 3e-4, 1e-4, 3e-5, 1e-5, 3e-6)
"""The limits that are tried: least score of what comes, highest of what goes (of an extra item and a wrong answer:
share of the score of the other)."""

Pair = tuple[float, float]
NOTHING: Pair = (2.0, -1.0)
"""Limits that tick nothing."""
Table = Mapping[str, Pair]


@dataclass(frozen=True)
class Change:
    """What a row of a review would change: ``errors`` planted ones that it mends, by number; ``right`` of its ``count``
    items, the one that goes and the one that comes, are such. ``is_open``: limits may tick it."""

    kind: str
    comes: float
    goes: float
    count: int
    right: int
    errors: frozenset[int]
    is_open: bool
    is_ticked: bool


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--recipe", default="ske")
    parser.add_argument("--data", type=Path, help="folder of the corpus; default: the one that ships")
    parser.add_argument("--output", type=Path, required=True, help="folder of planted corpora, groups and reviews")
    parser.add_argument("--share", type=float, default=0.1, help="of the items that are made wrong")
    parser.add_argument("--seed", type=int, default=42, help="of what is planted")
    parser.add_argument("--choose-seed", type=int, help="of what is planted where limits are chosen")
    parser.add_argument("--precision", type=float, default=0.78, help="of every kind where limits are chosen; .78")
    parser.add_argument("--folds", type=int, default=4)
    parser.add_argument("--seeds", type=int, default=1, help="models of each fold")
    parser.add_argument("--set", dest="settings", action="append", default=[], metavar="KEY=VALUE")
    parser.add_argument("--plant-only", action="store_true", help="stop when the planted corpora are written")
    arguments = parser.parse_args()
    if arguments.choose_seed == arguments.seed:
        parser.error("--choose-seed must be another seed than --seed")
    measured = changes_of(arguments, arguments.seed)
    chosen_on = None if arguments.choose_seed is None else changes_of(arguments, arguments.choose_seed)
    if arguments.plant_only:
        return
    changes, planted = measured
    result: dict[str, Any] = {"shipped": report("the limits that ship", planted, [c for c in changes if c.is_ticked])}
    if chosen_on is not None:
        limits = choose(chosen_on[0], arguments.precision)
        print("\n| kind | comes from | goes up to | shipped |\n|---|---|---|---|")
        for kind, (comes, goes) in limits.items():
            own = "–" if (comes, goes) == NOTHING or kind.startswith((DOUBTFUL, EXTRA)) else f"{comes:g}"
            other = "–" if (comes, goes) == NOTHING or kind.startswith(MISSING) else f"{goes:g}"
            print(f"| {kind} | {own} | {other} | {', '.join(f'{limit:g}' for limit in limits_of(kind))} |")
        seed = arguments.choose_seed
        there = report(f"chosen on seed {seed}, there", chosen_on[1], ticked(chosen_on[0], limits))
        result["chosen"] = report(f"chosen on seed {seed}", planted, ticked(changes, limits))
        result |= {"chosen there": there, "limits": limits}
    given = {name: getattr(arguments, name) for name in ("recipe", "settings", "folds", "seeds", "share", "seed")}
    print(json.dumps({**given, "choose_seed": arguments.choose_seed, **result}))


# -- groups


def changes_of(arguments: argparse.Namespace, seed: int) -> tuple[list[Change], list[dict[str, Any]]]:
    """What is suggested about a corpus with errors of some seed, and these."""
    from ietool.recipe_io import load_recipe

    task = get_task(load_recipe(arguments.recipe).task)
    folder = arguments.output / f"seed-{seed}"
    group, review = folder / "folds", folder / "cleaned" / "review.tsv"
    folder.mkdir(parents=True, exist_ok=True)
    roles = [role for role in ("dev", "schema", "kb") if role in (*task.roles, *task.further_roles, "dev")]
    located = task.locate(arguments.data or paths.shipped_data(task.name), needed=["train", "dev"]).files
    train = folder / f"train{located['train'].suffix}"
    planted = plant(task.name, dict(located), train, arguments.share, Random(seed))
    if arguments.plant_only:
        return [], planted
    if not (group / "folds.json").is_file():
        files = {role: located[role] for role in roles if role in located}
        named = [
            word
            for role, file in files.items()
            for word in ([f"--{role}={file}"] if role in ("dev", "schema") else ["--file", f"{role}={file}"])
        ]
        settings = [word for one in (*demo(task, arguments.recipe), *arguments.settings) for word in ("--set", one)]
        counts = [f"--folds={arguments.folds}", f"--seeds={arguments.seeds}"]
        ietool("train", "--recipe", arguments.recipe, f"--train={train}", *named, *settings, *counts, "--output", group)
    elif json.loads((group / "folds.json").read_text(encoding="utf-8"))["state"] != "finished":
        ietool("train", "--resume", "--output", group)
    # All that the models agree on, whatever its score; then what is ticked by itself.
    ietool("clean", group, "--output", folder / "cleaned", "--add", 0, "--drop", 1)
    agreed = {key_of(row) for row in read_review(review) if row.accepted}
    ietool("clean", group, "--output", folder / "cleaned")
    mends = dict(wanted(task.name, planted))
    return [change_of(row, mends, agreed, PLANTERS[task.name].key) for row in read_review(review)], planted


def demo(task: Any, recipe: str) -> list[str]:
    """The settings of the task's demo that act in a recipe."""
    from ietool.recipe_io import load_recipe
    from ietool.recipe_keys import keys_of

    plain = load_recipe(recipe)
    acting = set(keys_of(type(plain), plain.model_dump(mode="json")))
    return [setting for setting in task.demo if setting.partition("=")[0] in acting]


def key_of(row: ReviewRow) -> tuple[int, str, str]:
    """What tells a row from all others of its review."""
    return row.record, json.dumps(row.gold), json.dumps(row.proposed)


def change_of(
    row: ReviewRow, mends: Mapping[tuple[str, str, str], int], agreed: set[Any], key: Callable[[dict[str, Any]], str]
) -> Change:
    """A row beside what was planted."""
    items = [("drop", row.gold), ("add", row.proposed)]
    told = [(what, item) for what, item in items if item is not None]
    errors = [mends[row.text_mark, what, key(item)] for what, item in told if (row.text_mark, what, key(item)) in mends]
    scores = scores_of(row)
    return Change(
        row.kind,
        scores.get("proposed_score", 0.0),
        scores.get("gold_score", 0.0),
        len(told),
        len(errors),
        frozenset(errors),
        key_of(row) in agreed,
        row.accepted,
    )


# -- limits


def is_within(change: Change, pair: Pair) -> bool:
    """Whether limits tick a change, as :meth:`Suggestion.is_ticked` has it."""
    comes, goes = pair
    if change.kind.startswith(EXTRA):
        return change.goes <= goes * change.comes
    if change.kind == ANSWER:
        return change.comes >= comes and change.goes <= goes * change.comes
    is_added, is_dropped = change.kind.startswith(MISSING), change.kind.startswith(DOUBTFUL)
    return (is_dropped or change.comes >= comes) and (is_added or change.goes <= goes)


def ticked(changes: Sequence[Change], limits: Table) -> list[Change]:
    """The changes that limits tick; kinds without a limit are not."""
    return [c for c in changes if c.is_open and c.kind in limits and is_within(c, limits[c.kind])]


def tried(kind: str) -> Iterator[Pair]:
    """Pairs of limits of a kind."""
    if kind.startswith(MISSING):
        yield from ((comes, 1.0) for comes in COMES)
    elif kind.startswith((DOUBTFUL, EXTRA)):
        yield from ((0.0, goes) for goes in GOES)
    else:
        yield from product(COMES, GOES)


def choose(changes: Sequence[Change], precision: float) -> Table:
    """For each kind the limits that get most changes right among those that are precise enough. Two wrong ones are
    counted beside those that there are: a few right ones prove little."""
    by_kind = defaultdict(list)
    for change in changes:
        if change.is_open:
            by_kind[change.kind].append(change)
    limits: dict[str, Pair] = {}
    for kind, own in sorted(by_kind.items()):
        most = 0
        limits[kind] = NOTHING
        for pair in tried(kind):
            some = [c for c in own if is_within(c, pair)]
            right, count = sum(c.right for c in some), sum(c.count for c in some)
            if right > most and right >= precision * (count + 2):
                most, limits[kind] = right, pair
    return limits


def report(name: str, planted: Sequence[Mapping[str, Any]], some: Sequence[Change]) -> dict[str, Any]:
    """Precision of changes and recall of errors; prints a table."""
    found = frozenset[int]().union(*(c.errors for c in some))
    right, total = sum(c.right for c in some), sum(c.count for c in some)
    kinds, by_kind = Counter(error["how"] for error in planted), Counter(planted[n]["how"] for n in found)
    print(f"\n{name}:\n\n| what | planted | found | recall |\n|---|---|---|---|")
    for how, count in sorted(kinds.items()):
        print(f"| {how} | {count} | {by_kind[how]} | {by_kind[how] / count:.3f} |")
    print("\n| kind | right | of | precision |\n|---|---|---|---|")
    for kind in sorted({c.kind for c in some}):
        own = [c for c in some if c.kind == kind]
        of, well = sum(c.count for c in own), sum(c.right for c in own)
        print(f"| {kind} | {well} | {of} | {well / of:.3f} |")
    precision, recall = right / max(total, 1), len(found) / max(len(planted), 1)
    of_errors = f"{len(found)} of {len(planted)} errors"
    print(f"\nprecision {precision:.3f} ({right} of {total} changes), recall {recall:.3f} ({of_errors})")
    return {"precision": round(precision, 4), "recall": round(recall, 4), "right": right, "changes": total,
            "found": dict(by_kind), "planted": dict(kinds)}  # fmt: skip


if __name__ == "__main__":
    sys.exit(main())
