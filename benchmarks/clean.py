"""How well ``ietool clean`` finds planted errors in gold: precision and recall of what it suggests.

    python benchmarks/clean.py --recipe ske --output DIR [--share 0.1] [--folds 4] [--set KEY=VALUE …]
        [--add P] [--drop P]

Errors are planted into a share of the items of the shipped corpus (or of --data): an item is dropped, altered (another
name or type in its place) or invented (one more, made of names of the same text). Folds are trained on that, each with
the settings that are given; a finished group is not trained again, an unfinished one is resumed. Then every suggestion
that ``clean`` ticks by itself is held against the list of what was planted. Prints a table and one JSON line.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from random import Random
from typing import Any

from trainings import ietool

from ietool import paths
from ietool.files.lines import read_lines
from ietool.registry import get_task

DROPPED, ALTERED, INVENTED = "dropped", "altered", "invented"
Item = dict[str, Any]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--recipe", default="ske", help="of the tasks ske and ner")
    parser.add_argument("--data", type=Path, help="folder of the corpus; default: the one that ships")
    parser.add_argument(
        "--output", type=Path, required=True, help="folder of the planted corpus, the group and the review"
    )
    parser.add_argument("--share", type=float, default=0.1, help="of the items that are made wrong")
    parser.add_argument("--seed", type=int, default=42, help="of what is planted")
    parser.add_argument("--folds", type=int, default=4)
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--set", dest="settings", action="append", default=[], metavar="KEY=VALUE")
    parser.add_argument("--add", type=float, help="as ietool clean has it")
    parser.add_argument("--drop", type=float, help="as ietool clean has it")
    parser.add_argument("--plant-only", action="store_true", help="stop when the planted corpus is written")
    arguments = parser.parse_args()
    from ietool.recipe_io import load_recipe

    task = load_recipe(arguments.recipe).task
    folder, group = arguments.output, arguments.output / "folds"
    folder.mkdir(parents=True, exist_ok=True)
    files = get_task(task).locate(arguments.data or paths.shipped_data(task), needed=["train", "dev"]).files
    planted = plant(task, files["train"], folder / "train.jsonl", arguments.share, Random(arguments.seed))
    if arguments.plant_only:
        return
    named = [f"--{role}={files[role]}" for role in ("dev", "schema") if role in files]
    settings = [word for one in arguments.settings for word in ("--set", one)]
    if (group / "folds.json").is_file():
        if json.loads((group / "folds.json").read_text(encoding="utf-8"))["state"] != "finished":
            ietool("train", "--resume", "--output", group)
    else:
        counts = [f"--folds={arguments.folds}", f"--seeds={arguments.seeds}"]
        ietool("train", "--recipe", arguments.recipe, f"--train={folder / 'train.jsonl'}", *named, *settings, *counts,
               "--output", group)  # fmt: skip
    limits = [
        f"--{name}={value}" for name, value in (("add", arguments.add), ("drop", arguments.drop)) if value is not None
    ]
    ietool("clean", group, "--output", folder / "cleaned", *limits)
    report(planted, folder / "cleaned" / "review.tsv", arguments)


# -- planting


def plant(task: str, source: Path, target: Path, share: float, random: Random) -> list[dict[str, Any]]:
    """Write a corpus with errors; gives them: {"text", "how", "was", "now"}, ``was`` and ``now`` items or None."""
    plan = {"ske": _Triples, "ner": _Entities}[task]()
    records = [json.loads(line) for _, _, line in read_lines(source)]
    # One sentence each: which copy of a text is kept must not decide what is found.
    records = list({record["text"]: record for record in records}.values())
    planted = []
    with target.open("w", encoding="utf-8") as out:
        for record in records:
            text, items = record["text"], plan.items(record)
            kept = []
            for item in items:
                how = random.choice((DROPPED, ALTERED, INVENTED)) if random.random() < share else ""
                now = None
                if how in (ALTERED, INVENTED):
                    now = plan.wrong(text, item, items + kept, random)
                    how = how if now is not None else DROPPED
                kept += [item] if how in ("", INVENTED) else []
                kept += [now] if now is not None else []
                if how:
                    was = None if how == INVENTED else item
                    planted.append({"text": text, "how": how, "was": was, "now": now})
            out.write(json.dumps(plan.record(record, kept), ensure_ascii=False) + "\n")
    return planted


class _Triples:
    """Of texts with ``spo_list``."""

    def items(self, record: dict[str, Any]) -> list[Item]:
        return [dict(item) for item in record["spo_list"]]

    def record(self, record: dict[str, Any], items: list[Item]) -> dict[str, Any]:
        return {**record, "spo_list": items}

    def wrong(self, text: str, item: Item, others: list[Item], random: Random) -> Item | None:
        """The triple with a name of another triple of the text in place of its subject or object."""
        names = sorted({one["subject"] for one in others} | {one["object"]["@value"] for one in others})
        known = [self.key(one) for one in others]
        choices = [{**item, "subject": name} for name in names if name != item["object"]["@value"]]
        choices += [{**item, "object": {**item["object"], "@value": name}} for name in names if name != item["subject"]]
        choices = [one for one in choices if self.key(one) not in known]
        return random.choice(choices) if choices else None

    def key(self, item: Item) -> tuple[Any, ...]:
        return item["subject"], item["predicate"], sorted(item["object"].items())


class _Entities:
    """Of texts with ``label``."""

    def items(self, record: dict[str, Any]) -> list[Item]:
        return [
            {"type": kind, "start": start, "end": last + 1}
            for kind, names in record["label"].items()
            for spans in names.values()
            for start, last in spans
        ]

    def record(self, record: dict[str, Any], items: list[Item]) -> dict[str, Any]:
        label: dict[str, dict[str, list[list[int]]]] = {}
        for item in items:
            name = record["text"][item["start"] : item["end"]]
            label.setdefault(item["type"], {}).setdefault(name, []).append([item["start"], item["end"] - 1])
        return {**record, "label": label}

    def wrong(self, text: str, item: Item, others: list[Item], random: Random) -> Item | None:
        """The entity with another type, or with a border moved by up to two characters."""
        types = (
            "address",
            "book",
            "company",
            "game",
            "government",
            "movie",
            "name",
            "organization",
            "position",
            "scene",
        )
        choices = [{**item, "type": kind} for kind in types if kind != item["type"]]
        for left, right in ((-1, 0), (-2, 0), (1, 0), (0, 1), (0, 2), (0, -1)):
            start, end = item["start"] + left, item["end"] + right
            if 0 <= start < end <= len(text):
                choices += [{**item, "start": start, "end": end}] * 2
        return random.choice([one for one in choices if one not in others] or [None])


# -- what was found


def changes(review: Path) -> Iterator[tuple[str, str, Item]]:
    """(text, ``drop`` or ``add``, item) of what is ticked."""
    from ietool.contest.clean.review import read_review

    for row in read_review(review):
        if row.accepted:
            if row.gold is not None:
                yield row.text_mark, "drop", row.gold
            if row.proposed is not None:
                yield row.text_mark, "add", row.proposed


def _as_key(item: Item) -> str:
    """An item without types and names beside it, to be compared."""
    if "predicate" in item:
        value = item["object"]["@value"] if isinstance(item["object"], dict) else item["object"]
        others = (
            sorted((k, v) for k, v in item["object"].items() if k != "@value")
            if isinstance(item["object"], dict)
            else []
        )
        return json.dumps([item["subject"], item["predicate"], value, others], ensure_ascii=False)
    return json.dumps([item["start"], item["end"], item["type"]])


def report(planted: list[dict[str, Any]], review: Path, arguments: argparse.Namespace) -> None:
    """Hold what is ticked against what was planted; print it."""
    from ietool.contest.clean.review import mark_of

    wanted: dict[tuple[str, str, str], int] = {}
    for number, error in enumerate(planted):
        mark = mark_of(error["text"])
        if error["was"] is not None:
            wanted[mark, "add", _as_key(error["was"])] = number
        if error["now"] is not None:
            wanted[mark, "drop", _as_key(error["now"])] = number
    right, found, ticked = Counter[str](), set[int](), Counter[str]()
    for mark, what, item in changes(review):
        number = wanted.get((mark, what, _as_key(item)))
        ticked[what] += 1
        if number is not None:
            right[what] += 1
            found.add(number)
    total = ticked.total()
    precision = right.total() / max(total, 1)
    kinds = Counter(error["how"] for error in planted)
    by_kind = Counter(planted[number]["how"] for number in found)
    print("| what | planted | found | recall |\n|---|---|---|---|")
    for how in (DROPPED, ALTERED, INVENTED):
        print(f"| {how} | {kinds[how]} | {by_kind[how]} | {by_kind[how] / max(kinds[how], 1):.3f} |")
    recall = len(found) / max(len(planted), 1)
    print(f"\nprecision {precision:.3f} ({right.total()} of {total} changes), recall {recall:.3f}")
    print(json.dumps({
        "recipe": arguments.recipe, "set": arguments.settings, "folds": arguments.folds, "seeds": arguments.seeds,
        "share": arguments.share, "planted": dict(kinds), "found": dict(by_kind), "precision": round(precision, 4),
        "recall": round(recall, 4), "ticked": dict(ticked), "right": dict(right), "add": arguments.add,
        "drop": arguments.drop,
    }))  # fmt: skip


if __name__ == "__main__":
    sys.exit(main())
