"""What a preparation writes, counts and says."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from ietool.core.groups import GROUPS
from ietool.errors import UserError
from ietool.tasks.ner.data.example import Entity, Example
from ietool.tasks.ner.features.featurizer import Featurizer, Labels
from ietool.tasks.ner.heads.crf.tagset import TagSet
from ietool.tasks.ner.prepare.labelling import APART, OVERLAP, TOKEN, TYPE
from ietool.tasks.ner.prepare.preparation import KEPT
from ietool.text.windows import RECORD
from tests.tasks.ner.made import (
    TASK,
    encoder_folder,
    examples,
    prepare_examples,
    prepare_files,
    small_recipe,
    write_json,
    write_tags,
)

HEADS = ("ner-crf", "ner-globalpointer")


@pytest.fixture(scope="module")
def encoder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return encoder_folder(tmp_path_factory.mktemp("ner") / "tiny")


def placed(recipe_folder: Path, recipe: str, encoder: str, item: dict[str, np.ndarray], text: str) -> set[Entity]:
    """The rows of an item as entities of its text, which fits one window."""
    featurizer = Featurizer.open(small_recipe(recipe, f"model.encoder={encoder}"), recipe_folder)
    (piece,) = featurizer.pieces([text])
    assert piece.units.ids.tolist() == item["ids"].tolist() and piece.units.inside.tolist() == item["inside"].tolist()
    types = Labels.load(recipe_folder).types
    return {Entity(*piece.units.text_span(a, b), types[kind]) for a, b, kind in item["rows"].tolist()}


@pytest.mark.parametrize("name", HEADS)
@pytest.mark.parametrize("tokens", [False, True], ids=["characters", "bert"])
def test_rows_say_what_gold_says(tmp_path: Path, encoder: Path, name: str, tokens: bool) -> None:
    chosen = str(encoder) if tokens else "characters"
    recipe = small_recipe(name, f"model.encoder={chosen}")
    train = examples(30)
    prepared = prepare_examples(recipe, tmp_path, train, examples(6, seed=2))
    assert prepared.oracle("train") == prepared.oracle("dev") == {}
    assert prepared.report.statistics["train"]["oracle"]["spurious"] == 0
    data = TASK.training_set(recipe, prepared.folder)
    assert len(data) == len(train) == len(data.lengths)
    for n, example in enumerate(train):
        assert placed(prepared.folder, name, chosen, data[n], example.text) == set(example.entities)
    batch = data.collate([data[n] for n in range(5)])
    tags = TagSet(2, "bioes")
    types = Labels.load(prepared.folder).types
    for n in range(5):
        count = int(batch["inside"][n].sum())
        assert count == data[n]["inside"].sum() and batch["lengths"][n] == len(data[n]["ids"])
        if name == "ner-crf":
            inside = np.flatnonzero(data[n]["inside"])
            rows = [
                (inside[a], inside[b - 1] + 1, kind) for a, b, kind in tags.decode(batch["targets"][n, :count].tolist())
            ]
        else:
            mine = batch["positives"][:, batch["positives"][0] == n]
            rows = [(a, b + 1, kind) for _, kind, a, b in mine.T.tolist()]
        assert sorted(rows) == sorted(map(tuple, data[n]["rows"].tolist()))
        assert len(types) == 2


def test_tags_and_json_of_the_same_text_prepare_alike(tmp_path: Path) -> None:
    plain = [e for e in examples(20) if " " not in e.text]
    rows = []
    for n, write in enumerate((write_json, write_tags)):
        folder = tmp_path / str(n)
        folder.mkdir()
        prepared = prepare_files(
            small_recipe(), folder, train=write(folder / "t", plain), dev=write(folder / "d", plain)
        )
        data = TASK.training_set(small_recipe(), prepared.folder)
        rows.append([(data[n]["ids"].tolist(), data[n]["rows"].tolist()) for n in range(len(data))])
        assert prepared.report.statistics["train"]["forms"] == {("cluener", "bmes")[n]: len(plain)}
        assert Labels.load(prepared.folder).form == ("cluener", "bmes")[n]
    assert rows[0] == rows[1]


def test_a_tab_between_token_and_tag_is_remembered(tmp_path: Path) -> None:
    path = write_tags(tmp_path / "t", examples(20), "bio", "\t")
    prepared = prepare_files(small_recipe(), tmp_path, train=path, dev=path)
    assert Labels.load(prepared.folder) == Labels(("人物", "地点"), "bio", "\t")


# -- the oracle


def test_nested_entities(tmp_path: Path) -> None:
    train = examples(30, nested=True)
    inner = sum(
        any(o != e and o.start <= e.start and e.end <= o.end for o in x.entities) for x in train for e in x.entities
    )
    assert inner
    flat = prepare_examples(small_recipe(), tmp_path / "crf", train, train)
    assert flat.oracle("train") == {OVERLAP: inner}
    assert any("overlap a longer one and cannot be tagged" in note for note in flat.report.notes)
    whole = prepare_examples(small_recipe("ner-globalpointer"), tmp_path / "gp", train, train)
    assert whole.oracle("train") == {} and not any("overlap" in note for note in whole.report.notes)


@pytest.mark.parametrize("name", HEADS)
def test_borders_within_a_subword_and_types_that_train_lacks(tmp_path: Path, encoder: Path, name: str) -> None:
    recipe = small_recipe(name, f"model.encoder={encoder}")
    dev = [
        Example("Ada Lin在云州", (Entity(0, 7, "人物"), Entity(8, 10, "地点"))),
        Example("在AdaLin处", (Entity(1, 4, "人物"), Entity(7, 8, "地点"))),  # one word of several tokens
        Example("2024年", (Entity(0, 4, "时间"),)),
        Example("20241年", (Entity(0, 3, "地点"),)),
    ]
    prepared = prepare_examples(recipe, tmp_path, examples(30), dev)
    featurizer = Featurizer.open(recipe, prepared.folder)
    lost = 0
    for example in dev:
        (piece,) = featurizer.pieces([example.text])
        lost += sum(piece.units.span_of(e.start, e.end) is None for e in example.entities if e.type != "时间")
    assert lost >= 1
    assert prepared.oracle() == {TYPE: 1, TOKEN: lost}
    # Characters have no such borders.
    again = prepare_examples(small_recipe(name), tmp_path / "characters", examples(30), dev)
    assert again.oracle() == {TYPE: 1}


def test_windows(tmp_path: Path) -> None:
    """Windows of 32 with 12 shared: [0, 32), [20, 52), [40, 60) of a text of 60 without any sentence end."""
    text = "".join(chr(0x4E00 + n) for n in range(60))
    spans = {
        (30, 34): None, (20, 32): None, (25, 27): None, (59, 60): None,
        (10, 45): APART,  # longer than a window
        (18, 34): APART,  # on the border, longer than what two windows share
        (1, 30): None,
        (13, 40): APART,
        (19, 32): None,  # its middle is the first window's
        (20, 41): None,  # whole in the second alone
    }  # fmt: skip
    dev = Example(text, tuple(Entity(*at, "人物") for at in sorted(spans)))
    prepared = prepare_examples(small_recipe("ner-globalpointer"), tmp_path, examples(30), [dev])
    assert prepared.oracle() == {APART: list(spans.values()).count(APART)}
    assert any("1 texts are longer than data.window=32" in note for note in prepared.report.notes)
    statistics = prepared.report.statistics["dev"]
    assert (statistics["windows"], statistics["texts_longer_than_window"]) == (3, 1)


def test_an_encoder_with_few_positions_reads_all_of_a_text(tmp_path: Path) -> None:
    few = encoder_folder(tmp_path / "tiny", positions=24)
    recipe = small_recipe("ner-crf", f"model.encoder={few}")
    text = "林满在云州，" * 5 + "高岳"
    dev = Example(text, (*(Entity(at, at + 2, "人物") for at in range(0, 30, 6)), Entity(30, 32, "人物")))
    prepared = prepare_examples(recipe, tmp_path / "p", examples(30), [dev])
    pieces = Featurizer.open(recipe, prepared.folder).pieces([text])
    assert len(pieces) > 1 and all(len(piece.units) <= 24 for piece in pieces)
    assert pieces[0].start == 0 and pieces[-1].end == len(text)
    assert prepared.oracle() == {}


# -- counts and notes


def test_counts_and_notes(tmp_path: Path) -> None:
    some = examples(12)
    conflicting = Example(some[0].text, ())
    train = write_json(tmp_path / "t", [*some, some[1], conflicting])
    dev = write_json(tmp_path / "d", [some[2], *examples(3, seed=9), Example("雨停")])
    prepared = prepare_files(small_recipe(), tmp_path, train=train, dev=dev)
    numbers = prepared.report.statistics["train"]
    assert (numbers["records"], numbers["texts"], numbers["duplicates"]) == (14, 12, 2)
    assert numbers["conflicting_duplicates"] == 1
    assert numbers["types"] == {
        kind: sum(e.type == kind for x in some for e in x.entities) for kind in ("人物", "地点")
    }
    assert prepared.report.statistics["dev"]["texts_without_entities"] == 1
    notes = " ".join(prepared.report.notes)
    assert "train: 2 records repeat a text, the first copy of each is used; 1 have other entities" in notes
    assert "1 texts of dev stand in train too" in notes
    assert [e.text for e in TASK.gold(prepared.folder)] == [e.text for e in [some[2], *examples(3, seed=9)]] + ["雨停"]
    assert TASK.gold(prepared.folder, "train", 5) == [
        Example(e.text, e.entities, "cluener") for e in some[:5]
    ]  # fmt: skip


def test_broken_tags_are_remarked(tmp_path: Path) -> None:
    (tmp_path / "t").write_text("林 B-甲\n满 I-甲\n\n云 O\n州 I-甲\n", encoding="utf-8")
    prepared = prepare_files(small_recipe(), tmp_path, train=tmp_path / "t", dev=tmp_path / "t")
    assert prepared.report.statistics["train"]["tags_that_break_the_scheme"] == 1
    assert any("train: 1 tags break the scheme of the file (I- behind O" in note for note in prepared.report.notes)


def test_a_share_is_held_out_where_there_is_no_dev(tmp_path: Path) -> None:
    some = examples(60)
    prepared = prepare_files(
        small_recipe("ner-crf", "data.held_out=0.2"), tmp_path, train=write_json(tmp_path / "t", some)
    )
    train, dev = (TASK.gold(prepared.folder, split) for split in ("train", "dev"))
    assert len(train) + len(dev) == 60 and 4 <= len(dev) <= 24
    assert {e.text for e in train}.isdisjoint(e.text for e in dev)
    assert any(f"{len(dev)} texts of train are held out (data.held_out=0.2" in note for note in prepared.report.notes)
    with pytest.raises(UserError, match="gives no text to hold out as dev → name a dev file"):
        prepare_files(small_recipe("ner-crf", "data.held_out=0"), tmp_path / "none", train=tmp_path / "t")


def test_bad_records_are_counted_and_listed(tmp_path: Path) -> None:
    train = write_json(tmp_path / "t", examples(12))
    with train.open("a", encoding="utf-8") as out:
        out.write('{"text": "林满", "label": {"人物": {"林": [[1, 1]]}}}\n{"text": "\n')
    with pytest.raises(UserError, match=r"t:13: label\.人物\.林: the span"):
        prepare_files(small_recipe(), tmp_path / "strict", train=train, dev=train)
    prepared = prepare_files(small_recipe(), tmp_path / "skip", rejects=True, train=train, dev=train)
    assert prepared.report.rejected == 4 and prepared.report.statistics["train"]["rejected"] == 2
    listed = [json.loads(line) for line in (prepared.folder / "rejects.jsonl").read_text("utf-8").splitlines()]
    assert len(listed) == 4 and "the span [1, 1] holds" in json.dumps(listed[0], ensure_ascii=False)


def test_a_corpus_without_entities_is_refused(tmp_path: Path) -> None:
    path = write_json(tmp_path / "t", [Example("雨停"), Example("云州")])
    with pytest.raises(UserError, match="t: has no entity to learn from"):
        prepare_files(small_recipe(), tmp_path, train=path, dev=path)


# -- what is kept


@pytest.mark.parametrize("name", HEADS)
def test_all_of_train_is_kept_with_row_numbers(tmp_path: Path, name: str) -> None:
    long = Example("林满在云州，" * 20, tuple(Entity(at, at + 2, "人物") for at in range(0, 120, 6)))
    some = [*examples(30), long, Example("Lin 林满。"), Example("lin林满"), Example("。！")]
    train = write_json(tmp_path / "t", [*some[:20], some[3], *some[20:]])  # one stands twice
    recipe = small_recipe(name)
    prepared = prepare_files(recipe, tmp_path, train=train, dev=train)
    kept = TASK.gold(prepared.folder, "train")
    assert [(e.text, e.entities) for e in kept] == [(e.text, e.entities) for e in some]
    assert list(KEPT.read(prepared.folder / "train.jsonl", [2, 30])) == [kept[2], kept[30]]
    # A window knows its record.
    data = TASK.training_set(recipe, prepared.folder)
    records = data.table.column(RECORD).to_pylist()  # type: ignore[attr-defined]
    assert sorted(set(records)) == list(range(len(some))) and records == sorted(records)
    assert records.count(30) > 3
    # Those that differ by case, width, blanks and punctuation alone are of one group.
    groups = np.load(prepared.folder / GROUPS)
    assert groups.tolist() == [*range(32), 31, 33]


@pytest.mark.parametrize("name", HEADS)
def test_a_training_set_of_some_records(tmp_path: Path, name: str) -> None:
    long = Example("林满在云州，" * 20, tuple(Entity(at, at + 2, "人物") for at in range(0, 120, 6)))
    recipe = small_recipe(name)
    folder = prepare_examples(recipe, tmp_path, [*examples(6), long, *examples(9)[6:]], examples(3)).folder
    every = TASK.training_set(recipe, folder)
    records = every.table.column(RECORD).to_pylist()  # type: ignore[attr-defined]
    for rows in ([], [6], [0, 6, 7], [8, 2], range(4), range(100)):
        some = TASK.training_set(recipe, folder, rows=rows)
        wanted = [n for n, record in enumerate(records) if record in rows]
        assert len(some) == len(wanted) == len(some.lengths)
        for n, at in enumerate(wanted):
            assert some.lengths[n] == every.lengths[at]
            assert {k: v.tolist() for k, v in some[n].items()} == {k: v.tolist() for k, v in every[at].items()}
    assert len(TASK.training_set(recipe, folder, rows=[6])) > 3
