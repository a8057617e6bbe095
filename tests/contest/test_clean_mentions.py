"""``ietool clean`` of linked mentions: gold is asked of the models however improbable they find it."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ietool.cli.app import run as command
from ietool.core.candidates import Candidates, Floor
from ietool.recipe_io import load_recipe
from ietool.registry import get_task
from ietool.tasks.el.data.example import Example, Mention
from ietool.tasks.el.data.reading import load_examples
from ietool.tasks.el.heads.linking import LinkedMention, Linking
from ietool.tasks.el.labels import MentionLabels
from ietool.workflow.predict import Loaded
from tests.contest.unread import check_left_out
from tests.tasks.el import made

Runs = Callable[..., Path]


def labels_of(run: Path, *changes: str) -> MentionLabels:
    recipe = load_recipe(str(run / "recipe.yaml"), list(changes))
    labels = get_task("el").labels(recipe, run)
    assert isinstance(labels, MentionLabels)
    return labels


def asked(labels: MentionLabels, example: Example) -> Candidates:
    none = Candidates.none(labels.layout)
    rows = np.array(labels.rows(example), np.int32).reshape(-1, 5)
    return replace(none, rows=rows, parts=np.zeros((len(rows), len(labels.layout.parts)), np.float32))


def test_gold_has_the_share_that_it_has_when_it_is_proposed(trained: Runs) -> None:
    """And an entity that its name does not mean has one beside them, too."""
    run = trained("el")
    labels, reader = labels_of(run), Loaded(run, "cpu").predictor.reader
    examples = list(load_examples(run.parent / "train.json"))[:20]
    proposed = [one for _, one in reader.propose(examples, floor=Floor(0.0))]
    given = ((example, asked(labels, example)) for example in examples)
    compared = 0
    for (example, said), other in zip(reader.score(given), proposed, strict=True):
        known = dict(zip(map(tuple, other.rows[:, :4].tolist()), other.parts.tolist(), strict=True))
        scores = labels.scores(example, said, example.mentions)
        for mention, score, able in zip(
            example.mentions, scores, labels.asked(example, said, example.mentions), strict=True
        ):
            number = labels.base.number(mention.mention)
            row = None if mention.is_nil else labels.base.row(mention.kb_id)
            assert able == (row is not None and number is not None)
            if able:
                parts = known[mention.start, mention.end, number, row]
                assert score == pytest.approx(parts[0] * parts[1], rel=1e-4)
                compared += 1
    assert compared > 20
    first = next(e for e in examples if "云朵" in e.text)
    strange = replace(first, mentions=(Mention("云朵", first.text.index("云朵"), "9"),))  # which is a street
    ((_, said),) = reader.score([(strange, asked(labels, strange))])
    assert 0 < labels.scores(strange, said, strange.mentions)[0] < 1
    assert labels.asked(strange, said, strange.mentions) == [True]
    lost = replace(first, mentions=(Mention("云朵", first.text.index("云朵"), "unknown"),))
    assert labels.rows(lost) == [] and labels.asked(lost, asked(labels, lost), lost.mentions) == [False]


def test_a_line_that_is_no_utf8_is_left_out_and_told(trained: Runs, tmp_path: Path) -> None:
    labels = labels_of(run := trained("el"))
    some = list(load_examples(run.parent / "train.json"))[:3]
    check_left_out(labels, tmp_path / "train.json", [labels.written(e, e.mentions) for e in some])


def test_where_nils_are_not_learnt_silence_agrees_with_them(trained: Runs) -> None:
    labels = labels_of(trained("el"))
    text = "小猫云朵在望山睡觉"
    nil = Mention("云朵", 2, "NIL")
    example = Example("1", text, (nil, Mention("望山", 5, "6")))

    def said(*found: LinkedMention) -> list[Mention]:
        none = Candidates.none(labels.layout)
        return list(labels.said(example, none, Linking("1", text, found), None))

    assert said() == [nil]
    assert said(LinkedMention("望山", 5, 7, "6", 0.9)) == [Mention("望山", 5, "6"), nil]
    assert said(LinkedMention("云朵", 2, 4, "1", 0.9)) == [Mention("云朵", 2, "1")]
    found = asked(labels, example)
    found = replace(found, parts=np.ones_like(found.parts))
    assert labels.asked(example, found, example.mentions) == [False, True]


def test_a_nil_of_several_types_is_found_as_one_of_them(trained: Runs, tmp_path: Path) -> None:
    labels = labels_of(trained("el"))
    labels.decoder.nil_types, labels.decoder.keep_nil = ["NIL_Other", "NIL_Person"], True
    several = Mention("白塔", 0, "NIL_Person|NIL_Other")
    example = Example("1", "白塔下有云朵", (several, Mention("云朵", 4, "NIL_Thing")))
    assert [row[:4] for row in labels.rows(example)] == [(0, 2, -1, -2), (0, 2, -1, -1)]
    linking = Linking("1", example.text, (LinkedMention("白塔", 0, 2, "NIL_Other", 0.9),))
    assert labels.said(example, Candidates.none(labels.layout), linking, None) == [several]
    found = replace(asked(labels, example), parts=np.array([[0.5, 0.4], [0.5, 0.6]], np.float32))
    assert labels.scores(example, found, example.mentions) == [pytest.approx(0.3), 0.0]
    assert labels.asked(example, found, example.mentions) == [True, False]


def test_wrong_entities_are_told_with_what_models_say_of_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every mention of gold that stands in the knowledge base has a score, and is written back as it was."""
    monkeypatch.setenv("IETOOL_HOME", str(tmp_path))
    made.make_data(tmp_path, train=40)
    records: list[dict[str, Any]] = [made.record(i, "ccks2019") | {"more": i} for i in range(40)]
    other = {"1": "2", "2": "1", "7": "8", "8": "7", "4": "5", "5": "4"}
    for number, record in enumerate(records):
        record["text"] += str(number)
        for mention in record["mention_data"][:1]:
            if number % 9 == 0 and mention["kb_id"] in other:
                mention["kb_id"] = other[mention["kb_id"]]
    train = made.write(tmp_path / "train.json", records)
    before = train.read_bytes()
    small = ("model.encoder.hidden_size=16", "model.head.attention_heads=2", "model.head.attention_head_size=4",
             "model.head.description=20", "data.folds=4", "decode.restrict=0", "training.epochs=2",
             "training.ema_decay=0", "training.batch_size=8", "training.learning_rate=0.02",
             "training.warmup_epochs=0")  # fmt: skip
    changes = [word for one in small for word in ("--set", one)]
    group, output = tmp_path / "folds", tmp_path / "cleaned"
    arguments = ["train", "--recipe", "el", "--data", tmp_path, *changes, "--folds", "2", "--output", group]
    assert command([str(one) for one in (*arguments, "--device", "cpu")]) == 0
    assert command(["clean", str(group), "--output", str(output), "--add", "0", "--drop", "1"]) == 0
    review = output / "review.tsv"
    table = list(csv.DictReader(io.StringIO(review.read_text("utf-8-sig"), newline=""), dialect=csv.excel_tab))
    gold = [row for row in table if row["gold"]]
    assert gold
    for row in gold:
        item = json.loads(row["gold"])
        able = item["kb_id"] != "NIL" and item["mention"] != "白塔"
        assert (0 < float(row["gold score"]) < 1) if able else (row["gold score"] == "not asked" and not row["accept"])
    assert command(["clean", str(group), "--output", str(output), "--apply", str(review)]) == 0
    assert train.read_bytes() == before
    ticked = [row for row in table if row["accept"]]
    new = [json.loads(line) for line in (output / "train.jsonl").read_text("utf-8").splitlines()]
    assert [(r["text"], r["more"]) for r in new] == [(r["text"], r["more"]) for r in records]
    changed = {int(row["record"]) - 1 for row in ticked}
    assert ticked and {n for n, r in enumerate(new) if r != records[n]} == changed
