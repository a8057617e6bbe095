"""``ietool clean``: planted errors are found, a review is written and applied, and nothing else changes."""

from __future__ import annotations

import csv
import io
import json
import shutil
from dataclasses import replace
from pathlib import Path
from random import Random
from typing import Any

import pytest

from ietool.cli.app import run as command
from ietool.contest.clean.review import COLUMNS, mark_of, marked, read_review
from ietool.contest.clean.suggest import Limits, Suggestion, suggestions
from ietool.tasks.ner.data.example import Entity, Example
from ietool.tasks.ner.data.reading import load_examples
from ietool.tasks.ner.labels import EntityLabels
from tests.cli.conftest import complaint, output_of
from tests.tasks.ner.made import SMALL, acting, examples, write_json

LEARNING = ("training.epochs=4", "training.head_learning_rate=0.03", "training.warmup_epochs=0",
            "training.ema_decay=0.8", "training.schedule=constant_with_warmup", "training.patience=0")  # fmt: skip


def planted(some: list[Example]) -> tuple[list[Example], dict[str, tuple[str, Entity]]]:
    """Texts of which a tenth has an entity too few, too many or of another type, and text → (what was done, entity)."""
    dice, found, done = Random(3), [], dict[str, tuple[str, Entity]]()
    for number, example in enumerate(some):
        entities = list(example.entities)
        if number % 10 == 0:
            at = dice.randrange(len(entities))
            how = ("dropped", "altered", "invented")[number // 10 % 3]
            one = entities[at]
            done[example.text] = (how, one)
            if how == "dropped":
                del entities[at]
            elif how == "altered":
                entities[at] = Entity(one.start, one.end, "人物" if one.type == "地点" else "地点")
            else:
                made = Entity(len(example.text) - 2, len(example.text), "人物")
                done[example.text] = (how, made)
                entities.append(made)
        found.append(Example(example.text, tuple(sorted(set(entities)))))
    return found, done


@pytest.fixture(scope="module")
def group(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("clean")
    some, _ = planted(examples(150))
    write_json(folder / "train.json", some)
    write_json(folder / "dev.json", examples(20, seed=2))
    settings = [word for one in acting("ner-crf", SMALL, *LEARNING) for word in ("--set", one)]
    patch = pytest.MonkeyPatch()
    patch.setenv("IETOOL_HOME", str(folder))
    arguments = ["train", "--recipe", "ner-crf", "--data", str(folder), *settings, "--folds", "2", "--seeds", "2",
                 "--output", str(folder / "folds"), "--device", "cpu"]  # fmt: skip
    assert command(arguments) == 0
    patch.undo()
    return folder / "folds"


def rows(review: Path) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(review.read_text("utf-8-sig"), newline=""), dialect=csv.excel_tab))


def save(review: Path, changed: list[dict[str, str]], encoding: str = "utf-8") -> Path:
    """As a spreadsheet saves it: with other line ends, and quotes only where they are needed."""
    out = io.StringIO(newline="")
    writer = csv.DictWriter(out, COLUMNS, dialect=csv.excel_tab)
    writer.writeheader()
    writer.writerows(changed)
    review.write_bytes(out.getvalue().encode(encoding))
    return review


@pytest.fixture(scope="module")
def review(group: Path) -> Path:
    output = group.parent / "cleaned"
    assert command(["clean", str(group), "--output", str(output), "--add", "0.5", "--drop", "0.1"]) == 0
    return output / "review.tsv"


def test_planted_errors_are_ticked(group: Path, review: Path) -> None:
    some, done = planted(examples(150))
    assert review.read_bytes()[:3] == b"\xef\xbb\xbf"
    marks = {mark_of(e.text): e.text for e in some}
    right = 0
    ticked = [row for row in rows(review) if row["accept"]]
    found = set[str]()
    for row in ticked:
        text = marks[row["mark"]]
        how, entity = done.get(text, ("", Entity(0, 0, "")))
        wanted = {"dropped": "missing entity", "altered": "wrong type", "invented": "doubtful entity"}.get(how)
        shown = json.loads(row["gold"] or row["proposed"])
        if wanted == row["kind"] and (shown["start"], shown["end"]) == (entity.start, entity.end):
            right += 1
            found.add(text)
        assert "of 2" in row["votes"] and "⟦" in row["text"]
        assert text == row["text"].replace("⟦", "").replace("⟧", "")
    assert right >= 0.8 * len(ticked) and len(found) >= 0.5 * len(done), (right, len(ticked), len(done))


@pytest.mark.parametrize("name", ["gold/mine.txt", "gold", "train.jsonl"])
def test_what_is_of_others_is_not_replaced(
    name: str, group: Path, review: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    place = tmp_path / name
    place.parent.mkdir(exist_ok=True)
    place.write_text("mine", encoding="utf-8")
    for more in ([], ["--apply", review]):
        error = complaint(capsys, "clean", group, "--output", tmp_path, *more)
        assert "would be replaced, and is not of ietool clean" in error
        assert place.read_text(encoding="utf-8") == "mine" and len(list(tmp_path.iterdir())) == 1


def test_a_review_is_applied(group: Path, review: Path, capsys: pytest.CaptureFixture[str]) -> None:
    output, train = group.parent / "applied", group.parent / "train.json"
    before = train.read_bytes()
    accepted = [row for row in rows(review) if row["accept"]]
    made = json.loads(output_of(capsys, "clean", group, "--output", output, "--apply", review, "--json"))
    assert train.read_bytes() == before and Path(made["train"]) == output / "train.jsonl"
    assert sum(made["changes"].values()) == len(accepted)
    old = {e.text: set(e.entities) for e in load_examples(train)}
    new = {e.text: set(e.entities) for e in load_examples(output / "train.jsonl")}
    assert list(new) == list(old)
    log = [json.loads(line) for line in (output / "provenance.jsonl").read_text("utf-8").splitlines()]
    assert len(log) == len(accepted) and {"record", "change", "gold", "proposed", "votes", "model"} <= set(log[0])
    expected = {text: set(entities) for text, entities in old.items()}
    for entry in log:
        for name, change in (("gold", set.discard), ("proposed", set.add)):
            if (plain := entry[name]) is not None:
                change(expected[entry["text"]], Entity(plain["start"], plain["end"], plain["type"]))
    assert new == expected != old
    # Lines of texts that stay are the same bytes.
    lines = dict(zip(old, before.decode().splitlines(), strict=True))
    after = dict(zip(new, (output / "train.jsonl").read_text("utf-8").splitlines(), strict=True))
    assert all(after[text] == line for text, line in lines.items() if new[text] == old[text])


def test_lines_that_cannot_be_read_are_counted(
    group: Path, review: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """They were left out by --skip-bad when the folds were prepared."""
    train = group.parent / "train.json"
    before = train.read_bytes()
    train.write_bytes(before + "云".encode("gb18030") + b"\n")
    try:
        assert command(["clean", str(group), "--output", str(tmp_path / "out"), "--apply", str(review)]) == 0
    finally:
        train.write_bytes(before)
    assert "left out: 1 line that cannot be read, as --skip-bad did" in capsys.readouterr().err
    assert len(list(load_examples(tmp_path / "out" / "train.jsonl"))) == 150


def test_what_a_person_ticks_counts(group: Path, review: Path, tmp_path: Path) -> None:
    """Also in UTF-16, as spreadsheets save it, and with an item that was mended by hand."""
    changed = rows(review)
    for row in changed:
        row["accept"] = ""
    row = next(row for row in changed if row["proposed"])
    item = json.loads(row["proposed"])
    row["accept"], row["proposed"] = "X", json.dumps({**item, "type": "机构"}, ensure_ascii=False)
    table = save(tmp_path / "mine.tsv", changed, "utf-16")
    assert command(["clean", str(group), "--output", str(tmp_path / "out"), "--apply", str(table)]) == 0
    assert len((tmp_path / "out" / "provenance.jsonl").read_text("utf-8").splitlines()) == 1
    new = {e.text: e for e in load_examples(tmp_path / "out" / "train.jsonl")}
    text = next(text for text in new if mark_of(text) == row["mark"])
    assert Entity(item["start"], item["end"], "机构") in new[text].entities


@pytest.mark.parametrize(
    ("column", "value", "said"),
    [
        ("accept", "maybe", "accept: is 'maybe' → write x"),
        ("record", "151", "record: there are 150 records"),
        ("record", "one", "record: 'one' is no number"),
        ("mark", "t00", "mark: record"),
        ("gold", "{", "gold: is not JSON any more"),
        ("gold", '{"type": "人物", "start": 0, "end": 1}', "gold: record"),
        ("proposed", '{"type": "人物", "start": 5, "end": 500}', "proposed: start, end: 5 to 500"),
    ],
)
def test_a_damaged_review_is_told(
    group: Path, review: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], column: str, value: str, said: str
) -> None:
    changed = rows(review)
    at = next(n for n, row in enumerate(changed) if row["accept"] and (row[column] or column == "accept"))
    changed[at][column] = value
    table = save(tmp_path / "bad.tsv", changed)
    error = complaint(capsys, "clean", group, "--output", tmp_path / "out", "--apply", table)
    assert f"{table}:{at + 2}: {said}" in error
    assert not (tmp_path / "out" / "train.jsonl").exists()


def test_a_review_that_was_ticked_by_hand_is_kept(
    group: Path, review: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = shutil.copytree(review.parent, tmp_path / "cleaned")
    table, again = folder / "review.tsv", ("clean", group, "--output", folder, "--add", "0.9")
    output_of(capsys, *again)  # as it was written: other limits take its place
    mine = table.read_bytes() + b"\n"
    table.write_bytes(mine)
    assert f"{table}: was changed since it was written" in complaint(capsys, *again)
    (folder / "clean.json").unlink()  # and one of which nothing is known
    assert "→ choose another --output; --overwrite gives up" in complaint(capsys, *again)
    assert table.read_bytes() == mine
    output_of(capsys, *again, "--overwrite")
    assert table.read_bytes() == mine[:-1]
    error = complaint(capsys, "clean", group, "--output", folder, "--apply", table, "--overwrite")
    assert "--overwrite: is for making a review" in error


def test_a_missing_column_and_a_changed_file_are_told(
    group: Path, review: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    lines = review.read_text("utf-8-sig").replace("\tmark\n", "\tmork\n", 1)
    (tmp_path / "bad.tsv").write_text(lines, "utf-8")
    error = complaint(capsys, "clean", group, "--output", tmp_path / "out", "--apply", tmp_path / "bad.tsv")
    assert ":1: mark: the column is missing" in error
    train = group.parent / "train.json"
    text = train.read_text("utf-8")
    train.write_text(text.replace("（", "〔"), "utf-8")
    try:
        error = complaint(capsys, "clean", group, "--output", tmp_path / "out", "--apply", review)
    finally:
        train.write_text(text, "utf-8")
    assert "has changed since the folds were cut" in error and not (tmp_path / "out" / "train.jsonl").exists()
    error = complaint(capsys, "clean", group.parent, "--output", tmp_path / "out")
    assert "is no group of folds" in error
    error = complaint(capsys, "clean", group, "--output", group.parent)
    assert "holds a file that is read" in error


def test_scores_of_other_data_are_refused(group: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    about = group / "oof" / "candidates.json"
    text = about.read_text("utf-8")
    data = json.loads(text)
    data["about"]["input"] = "0" * 64
    about.write_text(json.dumps(data), "utf-8")
    try:
        assert "are scores of another input" in complaint(capsys, "clean", group, "--output", tmp_path / "out")
    finally:
        about.write_text(text, "utf-8")


def test_cells_are_safe_in_a_spreadsheet(tmp_path: Path) -> None:
    from ietool.contest.clean.review import ReviewWriter

    out = io.StringIO(newline="")
    one = Suggestion(0, "missing entity", None, "x", 0.0, 0.9, 0, 1, 1)
    item = {"name": '=1+1\t"', "type": "-x"}
    text = '=HYPERLINK("x")\tb\nc'
    ReviewWriter(out).add(one, is_ticked=True, gold=None, proposed=item, text=text, places=[], mark=mark_of(text))
    table = tmp_path / "review.tsv"
    table.write_text(out.getvalue(), "utf-8", newline="")
    assert not any(cell.startswith(("=", "+", "-", "@")) for line in rows(table) for cell in line.values())
    (row,) = read_review(table)
    assert row.proposed == item and row.accepted and row.text_mark == mark_of(text)
    assert marked("abc", [(0, 2), (1, 3)]) == "⟦a⟦b⟧c⟧"


class _Labels:
    """Items are (start, end, type), with the scores that a test gives."""

    item = "entity"

    def __init__(self, gold: list[Entity], scores: dict[Entity, float]) -> None:
        self._gold, self._scores = gold, scores

    def gold(self, record: Any) -> list[Entity]:
        return self._gold

    def key(self, item: Entity) -> Entity:
        return item

    def scores(self, record: Any, found: Any, items: list[Entity]) -> list[float]:
        return [self._scores[item] for item in items]

    def asked(self, record: Any, found: Any, items: list[Entity]) -> list[bool]:
        return [item.type != "?" for item in items]

    differs = EntityLabels.differs


def test_what_gold_has_beside_what_models_find_is_extra() -> None:
    right, inner, other = Entity(0, 4, "人物"), Entity(1, 3, "人物"), Entity(0, 4, "地点")
    far, unasked = Entity(6, 8, "人物"), Entity(9, 10, "?")
    scores = {right: 0.9, inner: 0.01, other: 0.02, far: 0.01, unasked: 0.0}
    labels: Any = _Labels([right, inner, far, other, unasked], scores)

    def kinds(*said: list[Entity]) -> dict[Entity | None, tuple[str, float, bool]]:
        found = suggestions(0, None, None, said, labels)  # type: ignore[arg-type]
        return {one.gold: (one.kind, one.beside, one.is_asked) for one in found}

    assert kinds([right]) == {
        inner: ("extra entity", 0.9, True),
        other: ("extra entity", 0.9, True),
        far: ("doubtful entity", 1.0, True),
        unasked: ("doubtful entity", 1.0, False),
    }
    # Where not all models find the other, it is no reason against this one.
    assert {kind for kind, _, _ in kinds([right], [far]).values()} == {"doubtful entity"}


def test_an_entity_in_place_of_another_is_trusted_soonest() -> None:
    def one(kind: str, gold: float, proposed: float, votes: int = 1, models: int = 1) -> Suggestion:
        old = None if kind.startswith("missing") else "a"
        new = None if kind.startswith("doubtful") else "b"
        return Suggestion(0, kind, old, new, gold, proposed, models - votes, votes, models)

    plain = Limits()
    assert one("wrong entity", 0.05, 0.6).is_ticked(plain) and not one("wrong type", 0.05, 0.6).is_ticked(plain)
    assert one("wrong type", 1e-5, 0.85).is_ticked(plain) and not one("missing triple", 0, 0.7).is_ticked(plain)
    # What is merely not found is not ticked by itself, however improbable; --drop says otherwise.
    assert not one("doubtful triple", 0.0, 0).is_ticked(plain)
    assert one("doubtful triple", 0.3, 0).is_ticked(Limits(drop=0.4))
    # A triple that is extra needs to be less probable than the other alone.
    assert replace(one("extra triple", 0.05, 0), beside=0.9).is_ticked(plain)
    assert not replace(one("extra triple", 0.05, 0), beside=0.3).is_ticked(plain)
    assert not replace(one("extra entity", 0.05, 0), beside=0.9).is_ticked(plain)
    # An answer gives way to one that is a hundred thousand times as probable.
    answer = one("wrong answer", 1e-6, 0.2)
    assert replace(answer, beside=0.2).is_ticked(plain) and not replace(answer, beside=0.01).is_ticked(plain)
    # Of what models can say nothing their silence tells nothing.
    assert not replace(one("doubtful triple", 0.0, 0), is_asked=False).is_ticked(Limits(drop=1))
    assert not one("missing triple", 0, 0.9, votes=1, models=2).is_ticked(plain)
    assert one("missing triple", 0, 0.9, votes=1, models=2).is_ticked(Limits(agree=0.5))
