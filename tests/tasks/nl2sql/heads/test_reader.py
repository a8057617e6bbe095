"""What a model says of parts of queries: the same in any batch, above any floor, and of rows that others propose."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from ietool.core.candidates import PRODUCT, Candidates, Floor, union
from ietool.tasks.nl2sql.data.example import EQUAL, REAL, TEXT, Example
from ietool.tasks.nl2sql.data.holding import cells_of
from ietool.tasks.nl2sql.features.values import values_by_form, values_of
from ietool.tasks.nl2sql.heads.sketch import reader as reader_room
from ietool.tasks.nl2sql.heads.sketch.batches import inputs_of, item_of
from ietool.tasks.nl2sql.heads.sketch.decode import COMPARE, LAYOUT, SELECT, open_decoder
from ietool.tasks.nl2sql.heads.sketch.model import SketchModel
from ietool.tasks.nl2sql.heads.sketch.reader import SketchReader
from tests.tasks.nl2sql.invented import table
from tests.tasks.nl2sql.made import encoder_folder, examples, loud_model, prepare_examples, small_recipe

ALL = Floor(default=-1.0)
SOME = examples(9)

Made = tuple[Any, Path, SketchModel]


@pytest.fixture(scope="module", params=["characters", "pretrained"])
def made(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Made:
    folder = tmp_path_factory.mktemp(request.param)
    encoder = encoder_folder(folder / "encoder") if request.param == "pretrained" else "characters"
    recipe = small_recipe(f"model.encoder={encoder}")
    prepared = prepare_examples(recipe, folder, examples(12))
    return recipe, prepared.folder, loud_model(recipe, prepared.folder)


def reader_of(made: Made, batch_size: int = 5, pool: int = 2) -> SketchReader:
    recipe, folder, model = made
    chosen = recipe.model_copy(deep=True)
    chosen.decode.batch_size = batch_size
    return SketchReader(chosen, model, folder, pool=pool)


def proposed(made: Made, floor: Floor = ALL, **more: int) -> list[Candidates]:
    found = list(reader_of(made, **more).propose(SOME, floor=floor))
    assert [item for item, _ in found] == list(SOME)
    return [one for _, one in found]


def test_rows_are_the_same_in_any_batch(made: Made) -> None:
    expected = proposed(made, batch_size=1)
    for more in ({"batch_size": 9}, {"batch_size": 4, "pool": 1}):
        for found, wanted in zip(proposed(made, **more), expected, strict=True):
            assert found.rows.tolist() == wanted.rows.tolist()
            np.testing.assert_allclose(found.parts, wanted.parts, rtol=1e-4, atol=1e-6)
            np.testing.assert_allclose(found.whole, wanted.whole, rtol=1e-4, atol=1e-6)


def test_what_is_said_is_what_the_classifiers_say(made: Made) -> None:
    """Of one question, step by step."""
    model, reader = made[2], reader_of(made)
    tagged = 0
    for example, found in zip(SOME, proposed(made), strict=True):
        (piece,) = reader.featurizer.pieces([example])
        with torch.no_grad():
            read = model.read(**inputs_of([item_of(piece)]))
            connector = model.connector(read.whole)[0].softmax(-1)
            aggregate = model.aggregate(read.columns)[0].softmax(-1)
            operator = model.operator(read.question)[0].log_softmax(-1)
        np.testing.assert_allclose(found.whole, connector, rtol=1e-4)
        spans = set(values_of(example.question, example.table))
        for (part, start, end, column, kind, form), (p, place) in zip(
            found.rows.tolist(), found.parts.tolist(), strict=True
        ):
            if part == SELECT:
                assert (start, end, form, place) == (0, 0, 0, 1)
                assert p == pytest.approx(float(aggregate[column, kind]), rel=1e-3, abs=1e-6)
                continue
            assert part == COMPARE and values_by_form(example.question, example.table, start, end)[column, form]
            units = [n for n in range(len(piece)) if start <= piece.units.starts[n] < end and piece.asked[n]]
            assert p == pytest.approx(float(operator[units, kind].mean().exp()), rel=1e-3, abs=1e-6)
            if (start, end) not in spans:  # a stretch of one operator
                tagged += 1
                assert len({int(operator[n].argmax()) for n in units}) == 1
        # The values of a stretch and that it is none make one.
        for span in {tuple(row[1:3]) for row in found.rows.tolist() if row[0] == COMPARE}:
            first = (found.rows[:, 0] == COMPARE) & (found.rows[:, 1:3] == span).all(1) & (found.rows[:, 4] == 0)
            assert found.parts[first, 1].sum() < 1
        assert {tuple(row[1:3]) for row in found.rows.tolist() if row[0] == COMPARE} >= {
            span for span in spans if piece.units.span_of(*span) is not None
        }
    assert tagged


def test_a_pool_holds_so_many_cells(made: Made, monkeypatch: pytest.MonkeyPatch) -> None:
    """Questions that each bring a table of their own."""
    monkeypatch.setattr(reader_room, "POOL_CELLS", 2 * max(cells_of(one.table) for one in SOME))
    own = [replace(one, table=replace(one.table, id=str(n))) for n, one in enumerate(SOME)]
    asked = 0

    def stream() -> Iterator[Example]:
        nonlocal asked
        for one in own:
            asked += 1
            yield one

    ahead = []
    for n, (item, found) in enumerate(reader_of(made, batch_size=9).propose(stream(), floor=ALL)):
        ahead.append(asked - n)
        assert item is own[n] and found.rows.tolist() == proposed(made)[n].rows.tolist()
    assert len(ahead) == len(SOME) and max(ahead) < len(SOME)


@pytest.mark.parametrize("floor", [Floor(0.05), Floor(parts={PRODUCT: 0.02}), Floor(parts={"place": 0.3})])
def test_a_floor_leaves_out_what_lies_below_it(made: Made, floor: Floor) -> None:
    for found, every in zip(proposed(made, floor), proposed(made), strict=True):
        least = [floor.of(name) for name in LAYOUT.parts]
        kept = (every.parts > np.float32(least)).all(1) & (LAYOUT.probability(every.parts) >= floor.of(PRODUCT))
        assert found.rows.tolist() == every.rows[kept].tolist()
        assert 0 < len(found) < len(every) and found.whole.tolist() == every.whole.tolist()


def test_a_question_has_no_more_rows_than_the_cap(made: Made) -> None:
    reader = reader_of(made)
    reader.most = 30
    for (_, found), every in zip(reader.propose(SOME, floor=ALL), proposed(made), strict=True):
        assert len(found) == min(30, len(every)) and found.capped == max(0, len(every) - 30)
        least = np.sort(LAYOUT.probability(every.parts))[::-1][: len(found)].min()
        assert LAYOUT.probability(found.parts).min() >= least


def test_rows_of_others_are_scored(made: Made) -> None:
    """Those of a model of other weights, that mark other stretches; what is not there has nothing."""
    recipe, folder, _ = made
    own = proposed(made)
    other = proposed((recipe, folder, loud_model(recipe, folder, seed=11)))
    given, at = [], []
    for one, two in zip(own, other, strict=True):
        rows = union([one, two])
        nowhere = np.array([[COMPARE, 0, 1, 99, EQUAL, 0], [SELECT, 0, 0, 99, 0, 0]], np.int32)
        rows = np.concatenate([rows, nowhere])
        given.append(Candidates(rows, np.zeros((len(rows), 2), np.float32), np.zeros(3, np.float32)))
        at.append({tuple(row): n for n, row in enumerate(rows.tolist())})
    found = list(reader_of(made).score(zip(SOME, given, strict=True)))
    further = 0
    for (_, said), places, one in zip(found, at, own, strict=True):
        np.testing.assert_allclose(said.whole, one.whole, rtol=1e-4)
        assert (said.parts[-2:] == 0).all()
        rows = [places[tuple(row)] for row in one.rows.tolist()]
        np.testing.assert_allclose(said.parts[rows], one.parts, rtol=1e-3, atol=1e-6)
        rest = sorted(set(range(len(said) - 2)) - set(rows))
        further += len(rest)
        assert (said.parts[rest] > 0).all()
    assert further


def test_headers_without_room_are_told_and_never_selected(tmp_path: Path) -> None:
    wide = table(
        [["甲", *range(30)]], ["名称", *(f"第{'一二三四五六七八九十'[n % 10]}栏数字{n}" for n in range(30))],
        [TEXT, *[REAL] * 30],
    )  # fmt: skip
    asked = [replace(one, table=wide, query=None) for one in examples(6)]
    recipe = small_recipe("data.longest=96")
    prepared = prepare_examples(recipe, tmp_path, examples(12))
    model = loud_model(recipe, prepared.folder)
    reader = SketchReader(recipe, model, prepared.folder)
    assert not reader.notes
    for example, found in reader.propose(asked, floor=ALL):
        (piece,) = reader.featurizer.pieces([example])
        assert piece.left_out and set(found.rows[:, 3].tolist()) <= set(piece.columns.tolist())
    assert len(reader.notes) == 1 and reader.notes[0].startswith("6 questions ask tables with more headers than 96")
    long = Example(0, "多少" * 60, wide)
    list(reader.propose([long], floor=ALL))
    assert "1 questions lose their end" in reader.notes[1]


def test_what_belongs_to_another_model_is_refused(made: Made, tmp_path: Path) -> None:
    from ietool.errors import UserError

    model = made[2]
    other = small_recipe("model.encoder=characters", "model.encoder.min_char_count=9")
    prepared = prepare_examples(other, tmp_path, examples(12))
    with pytest.raises(UserError, match="does not fit the model"):
        SketchReader(other, model, prepared.folder)


@pytest.mark.parametrize("made", ["characters"], indirect=True)  # the decoder knows no encoder
def test_queries_hold_values_of_the_table(made: Made) -> None:
    """From candidates to a query: of equally good ones that which returns something is taken."""
    recipe, folder, _ = made
    decoder = open_decoder(recipe, folder)
    passed = 0
    for example, found in zip(SOME, proposed(made), strict=True):
        answered = decoder.decode(example, found, recipe.decode)
        assert len(answered.queries) <= recipe.decode.beam
        assert all(a.probability > 0 for a in answered.queries)
        plain = recipe.decode.model_copy(update={"execute": False})
        blind = decoder.decode(example, found, plain)
        assert blind.chosen == 0 and blind.queries == answered.queries
        assert sum(answered.passed.values()) >= answered.chosen
        passed += answered.chosen
    assert passed
