"""What a preparation writes: rows that are told nothing of their own part of train, borders, candidates."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
from datasets import load_from_disk

from ietool.core.contract import PrepareReport
from ietool.core.groups import GROUPS
from ietool.core.sources import Sources
from ietool.errors import UserError
from ietool.recipe_io import load_recipe
from ietool.tasks.el import ElTask
from ietool.tasks.el.data.example import Example, Mention
from ietool.tasks.el.features.annotations import Annotations, Folds, Habit, text_habits, text_sides
from ietool.tasks.el.features.assets import ANNOTATIONS, FOLDS, NIL_TYPES, copy_assets
from ietool.tasks.el.features.featurizer import Featurizer
from ietool.tasks.el.features.rows import NIL_ROW, NO_RECORD, UNKNOWN
from ietool.tasks.el.features.signals import SIGNALS
from ietool.tasks.el.heads.joint.recipe import JointRecipe
from ietool.tasks.el.heads.joint.sampling import JointTrainingSet
from ietool.tasks.el.prepare.preparation import KEPT
from ietool.text.characters import fold
from ietool.text.windows import RECORD

ENTITIES = [
    ("1", "云朵之歌", ["云朵"], "林满演唱的歌曲"),
    ("2", "云朵", [], "水汽"),
    ("3", "云朵", ["Cloud"], "一家公司"),
    ("4", "林满", ["小林"], "歌手"),
    ("5", "林满", [], "画家"),
    ("6", "下载", [], "动作"),
    ("7", "望山", ["望山镇"], "地名"),
    *((str(20 + i), "同名", [], f"第{i}个同名的人") for i in range(9)),
]
TEXTS = [
    ("听{0}的云朵之歌", [("{0}", "4"), ("云朵之歌", "1")]),
    ("{0}下载云朵", [("云朵", "3")]),
    ("Cloud在望山镇，{0}", [("Cloud", "3"), ("望山镇", "7")]),
    ("{0}画望山", [("{0}", "5"), ("望山", "7")]),
    ("{0}与同名", [("同名", "25"), ("{0}", "NIL")]),
    ("青砖巷里的{0}", [("青砖巷", "NIL_Location"), ("{0}", "4")]),
    ("同名去了云朵，{0}", [("同名", "99"), ("云朵", "NIL_Organization|NIL_Other")]),
]
"""Patterns of texts with the mentions in them; 99 is an id that the knowledge base lacks."""


def record(number: int) -> dict[str, Any]:
    pattern, mentions = TEXTS[number % len(TEXTS)]
    person = ("林满", "小林")[number % 2]
    text = pattern.format(person) + f"，第{number}日" + "雨" * (number % 5)
    found = []
    for mention, kb_id in mentions:
        name = mention.format(person)
        found.append({"kb_id": kb_id, "mention": name, "offset": str(text.index(name))})
    return {"text_id": str(number), "text": text, "mention_data": found}


def write(path: Path, records: list[dict[str, Any]]) -> Path:
    path.write_text("".join(json.dumps(r, ensure_ascii=False) + "\n" for r in records), encoding="utf-8")
    return path


class Prepared(NamedTuple):
    recipe: JointRecipe
    folder: Path
    report: PrepareReport


def run(
    folder: Path, *overrides: str, train: list[dict[str, Any]] | None = None, dev: bool = True, extra: bool = False
) -> Prepared:
    folder.mkdir(parents=True, exist_ok=True)
    recipe = load_recipe("el", ("data.folds=4", "model.head.description=16", *overrides))
    assert isinstance(recipe, JointRecipe)
    kb = [{"subject_id": kb_id, "subject": name, "alias": alias, "type": ["Thing"],
           "data": [{"predicate": "摘要", "object": told}]} for kb_id, name, alias, told in ENTITIES]  # fmt: skip
    train = [record(i) for i in range(42)] if train is None else train
    files = {"kb": write(folder / "kb_data", kb), "train": write(folder / "train.json", train)}
    if dev:
        files["dev"] = write(folder / "dev.json", [record(i) for i in range(100, 110)])
    if extra:
        marked = [record(i) for i in range(200, 207)]
        for one in marked:
            one["mention_data"] = [{k: v for k, v in m.items() if k != "kb_id"} for m in one["mention_data"]]
        files["mentions"] = write(folder / "mentions.json", [*marked, record(0)])
    out = folder / "out"
    out.mkdir()
    return Prepared(recipe, out, ElTask().prepare(recipe, Sources(files), out, rejects=None, progress=lambda *_: None))


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Prepared:
    return run(tmp_path_factory.mktemp("prepared"))


def rows(folder: Path) -> list[dict[str, Any]]:
    return list(load_from_disk(str(folder / "train")).with_format("numpy"))


def counted(featurizer: Featurizer, examples: list[Example], nil: str = "drop") -> Annotations:
    """The annotators' statistics of some texts, as if there were no others."""
    found = Annotations()
    for example in examples:
        matches = featurizer.find(example.text)
        gold = {
            (m.start, m.end): "" if m.is_nil else m.kb_id for m in example.mentions if nil == "keep" or not m.is_nil
        }
        found.add(text_habits(matches, gold), text_sides(fold(example.text), matches, gold))
    return found


def with_habits(featurizer: Featurizer, habits: Annotations) -> Featurizer:
    """One that knows other annotators' statistics, and else the same."""
    return Featurizer(featurizer.recipe, featurizer.encoder, featurizer.kb, habits, featurizer.types)


def told_of_others(featurizer: Featurizer, examples: list[Example]) -> Iterator[tuple[int, Featurizer]]:
    """(part, what encodes a text by the statistics of the texts outside it alone)."""
    folds = Folds(featurizer.recipe.data.folds)
    for part in range(len(folds.parts)):
        others = [example for example in examples if folds.part(example.text) != part]
        yield part, with_habits(featurizer, counted(featurizer, others))


def test_a_training_text_is_told_nothing_of_its_own_part(prepared: Prepared) -> None:
    examples = KEPT.split(prepared.folder, "train")
    others = dict(told_of_others(Featurizer.open(prepared.recipe, prepared.folder), examples))
    table = rows(prepared.folder)
    assert len(table) == len(examples) == 42
    assert {row["fold"] for row in table} == set(others)
    seen = 0
    for row, example in zip(table, examples, strict=True):
        assert row["text"] == example.text and row["length"] == len(example.text)
        expected = others[int(row["fold"])].encode(example.text)
        np.testing.assert_array_equal(row["matches"].reshape(-1, 3), expected.matches)
        np.testing.assert_array_equal(row["signals"].reshape(-1, SIGNALS), expected.signals)
        np.testing.assert_array_equal(row["names"], expected.names.reshape(-1))
        for name in ("ids", "words", "tags"):
            np.testing.assert_array_equal(row[name], getattr(expected.units, name))
        seen += len(expected.matches)
    assert seen > 80


def priors(prepared: Prepared) -> Iterator[tuple[bool, Any, Any]]:
    """(whether the gold entity has the name, what the candidates of a training mention are told, what those of a text
    outside its part would be)."""
    examples = KEPT.split(prepared.folder, "train")
    data = JointTrainingSet(prepared.recipe, prepared.folder)
    others = dict(told_of_others(data.featurizer, examples))
    for index, row in enumerate(rows(prepared.folder)):
        featurizer = others[int(row["fold"])]
        for link in data[index]["linkables"]:
            number = featurizer.kb.number(examples[index].text[link.start : link.end])
            assert number is not None
            entities, candidates = [entity.row for entity in link.entities], featurizer.candidates(number)
            named = link.gold < 0 or entities[link.gold] in candidates
            yield named, link.priors, featurizer.priors(number, entities, len(candidates))


def test_nor_are_its_candidates(prepared: Prepared) -> None:
    found = list(priors(prepared))
    assert len(found) > 30
    for _, told, expected in found:
        np.testing.assert_array_equal(told, expected)


def test_a_gold_entity_that_lacks_the_name_is_never_a_candidate(prepared: Prepared) -> None:
    """Prediction could never choose it."""
    data = JointTrainingSet(prepared.recipe, prepared.folder)
    known = [row for index in range(len(data)) for row in rows(prepared.folder)[index]["mentions"].reshape(-1, 5)]
    foreign = [row for row in known if row[3] >= 0 and row[3] not in data.featurizer.candidates(int(row[2]))]
    assert foreign  # the corpus holds such mentions
    assert all(named for named, _, _ in priors(prepared))


def test_a_text_met_for_the_first_time_is_told_of_all(prepared: Prepared) -> None:
    featurizer = Featurizer.open(prepared.recipe, prepared.folder)
    whole = counted(featurizer, KEPT.split(prepared.folder, "train"))
    fresh = with_habits(featurizer, whole)
    for example in KEPT.split(prepared.folder, "dev"):
        np.testing.assert_array_equal(featurizer.encode(example.text).signals, fresh.encode(example.text).signals)


def test_the_parts_on_disk_sum_to_the_whole(prepared: Prepared) -> None:
    parts = Folds.load_parts(prepared.folder / FOLDS)
    total = Annotations.load(prepared.folder / ANNOTATIONS)
    assert len(parts) == 4 and all(len(part) for part in parts)
    for name, habit in total:
        rest = habit
        for part in parts:
            rest = rest.minus(part.get(name))
        assert rest == Habit(), name
    assert {name for part in parts for name, _ in part} == {name for name, _ in total}
    for kb_id, times in total.entities.items():
        assert times == sum(part.entities[kb_id] for part in parts)
    for key in (">，", "<的", "<", ">>，第"):
        sums = [sum(column) for column in zip(*(part.beside(key) for part in parts), strict=True)]
        assert total.beside(key) == tuple(sums) != (0, 0)


@pytest.mark.parametrize("nil", ["drop", "keep"])
def test_borders_are_those_of_every_mention(tmp_path: Path, nil: str) -> None:
    made = run(tmp_path, f"data.nil={nil}")
    kb = Featurizer.open(made.recipe, made.folder).kb
    types = (made.folder / NIL_TYPES).read_text(encoding="utf-8").split()
    # Of several types the first counts; the most frequent one stands first, and names decide between equals.
    assert types == ["NIL", "NIL_Location", "NIL_Organization"]
    for row, example in zip(rows(made.folder), KEPT.split(made.folder, "train"), strict=True):
        borders = [tuple(pair) for pair in row["borders"].reshape(-1, 2).tolist()]
        assert borders == [(m.start, m.end - 1) for m in example.mentions]
        gold = {(m.start, m.end) for m in example.mentions if nil == "keep" or not m.is_nil}
        labels = [(a, b) in gold for a, b, _ in row["matches"].reshape(-1, 3).tolist()]
        assert row["labels"].tolist() == labels
        expected = []
        for m in example.mentions:
            number = kb.number(m.mention)
            type_ = types.index(m.kb_id.split("|")[0]) if m.is_nil and nil == "keep" else -1
            gold_row = NIL_ROW if m.is_nil else kb.row(m.kb_id)
            if number is not None or type_ >= 0:
                expected.append(
                    [m.start, m.end, -1 if number is None else number, UNKNOWN if gold_row is None else gold_row, type_]
                )
        assert row["mentions"].reshape(-1, 5).tolist() == expected
    # In a text of the pattern of the sixth, 青砖巷 is in no knowledge base: a border, and a mention only if kept.
    sixth = rows(made.folder)[5]
    assert [0, 2] in sixth["borders"].reshape(-1, 2).tolist()
    assert ([0, 3, -1, NIL_ROW, 1] in sixth["mentions"].reshape(-1, 5).tolist()) == (nil == "keep")


def contents(folder: Path) -> dict[str, bytes]:
    """The files whose bytes matter; datasets names its table's fingerprint in the others."""
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.name not in ("state.json", "dataset_info.json")
    }


def test_the_same_input_gives_the_same_preparation(prepared: Prepared, tmp_path: Path) -> None:
    again = run(tmp_path)
    assert contents(prepared.folder) == contents(again.folder)
    assert prepared.report.statistics == again.report.statistics


def test_the_order_of_the_texts_changes_no_statistics(prepared: Prepared, tmp_path: Path) -> None:
    turned = run(tmp_path, train=[record(i) for i in reversed(range(42))])
    for path in (ANNOTATIONS, *(f"{FOLDS}/{i:03}.jsonl" for i in range(4))):
        ours, theirs = Annotations.load(prepared.folder / path), Annotations.load(turned.folder / path)
        assert dict(ours) == dict(theirs)
    signals = {row["text"]: row["signals"].tolist() for row in rows(prepared.folder)}
    assert signals == {row["text"]: row["signals"].tolist() for row in rows(turned.folder)}


def test_a_repeated_text_counts_once(prepared: Prepared, tmp_path: Path) -> None:
    twice = run(tmp_path, train=[record(i) for i in (*range(42), *range(9))])
    assert twice.report.statistics["train"]["duplicates"] == 9
    assert contents(prepared.folder)["annotations.jsonl"] == contents(twice.folder)["annotations.jsonl"]
    assert len(rows(twice.folder)) == 42


def test_texts_held_out_are_in_no_part(tmp_path: Path) -> None:
    made = run(tmp_path, "data.held_out=0.3", dev=False)
    train, dev = (KEPT.split(made.folder, split) for split in ("train", "dev"))
    assert train and dev and len(train) + len(dev) == 42
    assert not {e.text for e in train} & {e.text for e in dev}
    whole = counted(Featurizer.open(made.recipe, made.folder), train)
    assert dict(Annotations.load(made.folder / ANNOTATIONS)) == dict(whole)


def test_long_texts_are_read_in_windows(tmp_path: Path) -> None:
    long = record(0)
    long["text"] = "雨" * 21 + long["text"] + "雨" * 30
    for mention in long["mention_data"]:
        mention["offset"] = str(int(mention["offset"]) + 21)
    made = run(tmp_path, "data.window=16", "data.overlap=8", train=[record(1), long])
    pieces = [row for row in rows(made.folder) if row["text"] in long["text"]]
    assert len(pieces) > 3 and len({int(row["fold"]) for row in pieces}) == 1
    whole = [row for row in pieces if "云朵之歌" in row["text"]]
    assert whole
    for row in whole:  # positions are those in the window
        at = row["text"].index("云朵之歌")
        assert [at, at + 3] in row["borders"].reshape(-1, 2).tolist()
        assert [at, at + 4] in row["mentions"].reshape(-1, 5)[:, :2].tolist()
        labels = dict(zip(map(tuple, row["matches"].reshape(-1, 3)[:, :2].tolist()), row["labels"], strict=True))
        assert labels[at, at + 4] == 1


def test_mentions_without_ids_teach_mentions_alone(tmp_path: Path) -> None:
    made = run(tmp_path, extra=True)
    assert made.report.statistics["extra_mention_texts"] == 7
    table = rows(made.folder)
    assert len(table) == 42 + 7
    assert any(row["labels"].any() for row in table[42:])
    assert all((row["mentions"].reshape(-1, 5)[:, 3] == UNKNOWN).all() for row in table[42:])
    data = JointTrainingSet(made.recipe, made.folder)
    assert not any(data[index]["linkables"] for index in range(42, 49))
    batch = data.collate([data[index] for index in range(42, 49)])
    assert batch["pairs"].shape == (2, 0) and batch["borders"].shape[1] > 5
    without = run(tmp_path / "without", "data.extra_mentions=false", extra=True)
    assert len(rows(without.folder)) == 42


def test_ids_that_the_knowledge_base_lacks_are_counted(prepared: Prepared) -> None:
    numbers = prepared.report.statistics["train"]
    assert numbers["unknown_ids"] == 6 and numbers["records"] == 42
    assert any("train: 6 mentions have an id that the knowledge base lacks" in note for note in prepared.report.notes)


@pytest.mark.parametrize("loss, most", [("listwise", 3), ("pair", 1)])
def test_candidates_are_drawn_by_seed_epoch_and_index(prepared: Prepared, loss: str, most: int) -> None:
    recipe = prepared.recipe.model_copy(deep=True)
    recipe.sampling.loss = loss  # type: ignore[assignment]
    recipe.sampling.candidates = 3

    def draw(epoch: int, order: list[int]) -> dict[int, list[tuple[int, list[int], int]]]:
        data = JointTrainingSet(recipe, prepared.folder)
        data.set_epoch(epoch)
        return {
            index: [(link.start, [e.row for e in link.entities], link.gold) for link in data[index]["linkables"]]
            for index in order
        }

    forward, backward = draw(0, list(range(42))), draw(0, list(reversed(range(42))))
    assert forward == backward != draw(1, list(range(42)))
    kb = Featurizer.open(recipe, prepared.folder).kb
    for index, links in forward.items():
        gold = {int(m["offset"]): m["kb_id"] for m in record(index)["mention_data"]}
        for start, entities, at in links:
            assert 0 < len(entities) <= most and len(set(entities)) == len(entities)
            if at >= 0:
                assert kb.kb_id(entities[at]) == gold[start]
            elif loss == "listwise":
                assert gold[start].startswith("NIL")  # all that have an id are shown it


def test_a_run_folder_opens_without_the_preparation(prepared: Prepared, tmp_path: Path) -> None:
    copy_assets(prepared.folder, tmp_path)
    text = "小林听Cloud，下载云朵之歌"
    ours, theirs = (Featurizer.open(prepared.recipe, folder).encode(text) for folder in (tmp_path, prepared.folder))
    np.testing.assert_array_equal(ours.signals, theirs.signals)
    np.testing.assert_array_equal(ours.units.ids, theirs.units.ids)
    assert len(ours.matches) > 3


def test_nothing_to_hold_out_is_told(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="gives no text to hold out as dev"):
        run(tmp_path, "data.held_out=0", dev=False)


def test_all_of_train_is_kept_with_row_numbers(tmp_path: Path) -> None:
    twins = [record(3), record(3) | {"text_id": "t", "text": record(3)["text"] + "！"}]
    train = [record(0), record(1), *twins, record(1), record(5)]
    made = run(tmp_path, "data.window=16", "data.overlap=8", train=train, extra=True)
    kept = KEPT.split(made.folder, "train")
    assert [e.text for e in kept] == [train[i]["text"] for i in (0, 1, 2, 3, 5)]
    assert [e.mentions for e in kept][1] == tuple(
        Mention(m["mention"], int(m["offset"]), m["kb_id"])
        for m in sorted(train[1]["mention_data"], key=lambda m: int(m["offset"]))
    )
    # Near-duplicates are of one group; the text that stands twice is kept once.
    assert np.load(made.folder / GROUPS).tolist() == [0, 1, 2, 2, 4]
    table = rows(made.folder)
    records = [int(row[RECORD]) for row in table]
    assert set(records[: -records[::-1].count(NO_RECORD)]) == {0, 1, 2, 3, 4}
    for row in table:
        if row[RECORD] >= 0:
            assert row["text"] in kept[int(row[RECORD])].text
        else:
            assert not any(row["text"] == e.text for e in kept)
    assert records.count(NO_RECORD) >= 7  # what a file of mentions without ids adds, in windows
    every, some = JointTrainingSet(made.recipe, made.folder), JointTrainingSet(made.recipe, made.folder, rows=range(2))
    assert len(every) == len(table) and len(some) == sum(0 <= n < 2 for n in records) >= 2
    for index in range(len(some)):  # the first two texts come first
        ours, theirs = some[index], every[index]
        assert ours["text"] == theirs["text"] and some.lengths[index] == len(ours["text"])
        assert [link.start for link in ours["linkables"]] == [link.start for link in theirs["linkables"]]
    last = JointTrainingSet(made.recipe, made.folder, rows=[4, NO_RECORD])
    assert len(last) == records.count(4) + records.count(NO_RECORD)
    assert last[0]["text"] in kept[4].text
