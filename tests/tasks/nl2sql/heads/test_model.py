"""The classifiers against a literal reading: units, headers and values one by one."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from ietool.tasks.nl2sql.features.featurizer import Featurizer
from ietool.tasks.nl2sql.features.stretches import NO_OPERATOR, NOT_SELECTED
from ietool.tasks.nl2sql.heads.sketch.model import HEAD_SIZE, SketchModel
from ietool.tasks.nl2sql.heads.sketch.sampling import SketchTrainingSet, shuffled
from tests.tasks.nl2sql.made import Prepared, encoder_folder, examples, loud_model, prepare_examples, small_recipe


@pytest.fixture(scope="module", params=["characters", "pretrained"])
def made(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[Prepared, Any]:
    folder = tmp_path_factory.mktemp(request.param)
    encoder = encoder_folder(folder / "encoder") if request.param == "pretrained" else "characters"
    recipe = small_recipe(f"model.encoder={encoder}")
    return prepare_examples(recipe, folder, examples(12)), recipe


def attended(query: Any, over: list[Any], layer: Any, links: Any) -> Any:
    """One vector that looks at others, head by head; links (others, heads) are added."""
    found = []
    keys_values = [layer.kv(one) for one in over]
    width = layer.heads * HEAD_SIZE
    asked = layer.q(query)
    for head in range(layer.heads):
        part = slice(head * HEAD_SIZE, (head + 1) * HEAD_SIZE)
        scores = torch.stack([asked[part] @ kv[:width][part] for kv in keys_values]) / HEAD_SIZE**0.5 + links[:, head]
        weights = scores.softmax(0)
        found.append(sum(w * kv[width:][part] for w, kv in zip(weights, keys_values, strict=True)))
    return torch.cat(found)


def literal_losses(model: SketchModel, item: dict[str, Any]) -> list[Any]:
    """Connector, aggregates, operators, places of one question."""
    cuts = item["cuts"].tolist()
    bits = torch.tensor([[float(mark >> n & 1) for n in range(7)] for mark in item["marks"].tolist()]).double()
    ids = torch.tensor(item["ids"][None].astype(np.int64))
    words, tags = (torch.tensor(item[name][None].astype(np.int64)) for name in ("words", "tags"))
    h = model.encoder(ids, torch.ones_like(ids, dtype=torch.bool), words, tags, added=model.marks(bits)[None])[0]
    linked = torch.zeros(len(cuts) - 1, cuts[1], 2).double()
    for place, unit, kind in item["links"].tolist():
        linked[1 + place, unit, kind] = 1
    there, back = linked @ model.linked[0].T, linked @ model.linked[1].T
    symbols = [h[at] for at in cuts[:-1]]
    if model.config.means:
        symbols = [one + h[at:end].mean(0) for one, at, end in zip(symbols, cuts[:-1], cuts[1:], strict=True)]
    classes = [
        one + model.from_question(attended(one, list(h[: cuts[1]]), model.over_question, there[n]))
        for n, one in enumerate(symbols)
    ]
    units = [h[n] + model.from_columns(attended(h[n], classes, model.over_columns, back[:, n])) for n in range(cuts[1])]
    whole, *columns = classes

    def entropy(logits: Any, target: int) -> Any:
        return -F.log_softmax(logits, -1)[target]

    connector = entropy(model.connector(whole), int(item["connector"][0]))
    pairs = zip(columns, item["aggregates"].tolist(), strict=True)
    aggregate = sum(entropy(model.aggregate(column), target) for column, target in pairs)
    operators = zip(units, item["operators"].tolist(), strict=True)
    operator = sum(entropy(model.operator(unit), target) for unit, target in operators if target >= 0)
    place: Any = 0.0
    for n, (_, _, first, last) in enumerate(item["spans"].tolist()):
        stretch = torch.cat([units[first], units[last], torch.stack(units[first : last + 1]).mean(0)])
        scores, target = [torch.zeros(()).double()], 0
        for (of, column, _, _), features, right in zip(
            item["values"].tolist(), item["features"], item["targets"].tolist(), strict=True
        ):
            if of == n:
                summed = model.of_stretch(stretch) + model.of_column(columns[column])
                summed = summed + model.of_value(torch.tensor(features / 255.0).float().double())
                target = len(scores) if right else target
                scores.append(model.place(torch.tanh(summed))[0])
        place = place + entropy(torch.stack(scores), target)
    return [connector, aggregate, operator, place]


def test_losses_are_those_of_a_literal_reading(made: tuple[Prepared, Any]) -> None:
    prepared, recipe = made
    model = loud_model(recipe, prepared.folder)
    assert model.config.means is (recipe.model.encoder.kind == "pretrained")
    data = SketchTrainingSet(recipe, prepared.folder)
    items = [data[n] for n in range(4)]
    with torch.no_grad():
        found = model(**data.collate(items))
        wanted = torch.tensor([[float(x) for x in literal_losses(model, item)] for item in items]).mean(0)
    names = ("connector_loss", "aggregate_loss", "operator_loss", "place_loss")
    # Classifiers are in single precision where they choose.
    assert [float(found[name]) for name in names] == pytest.approx(wanted.tolist(), rel=1e-5)
    assert float(found["loss"]) == pytest.approx(float(wanted.sum()), rel=1e-5)


def test_gold_is_what_is_taught(made: tuple[Prepared, Any]) -> None:
    prepared, recipe = made
    recipe = recipe.model_copy(deep=True)
    recipe.model.head.shuffle = False
    data = SketchTrainingSet(recipe, prepared.folder)
    for n, example in enumerate(examples(12)):
        query, item = example.query, data[n]
        assert query is not None
        selected = {c: kind for c, kind in enumerate(item["aggregates"].tolist()) if kind != NOT_SELECTED}
        assert selected == dict(zip(query.select, query.aggregates, strict=True))
        assert item["connector"].tolist() == [query.connector]
        assert item["targets"].sum() == len(query.conditions)
        taught = item["values"][item["targets"].astype(bool)]
        found = set()
        for stretch, _, column, _ in taught.tolist():
            first, last = item["spans"][stretch, 2:]
            (operator,) = set(item["operators"][first : last + 1].tolist())
            found.add((column, operator))
        assert found == {(one.column, one.operator) for one in query.conditions}
        tagged = {int(o) for o in item["operators"] if o not in (-1, NO_OPERATOR)}
        assert tagged == {one.operator for one in query.conditions}


def test_headers_in_another_order_are_the_same_question(made: tuple[Prepared, Any]) -> None:
    prepared, recipe = made
    data = SketchTrainingSet(recipe, prepared.folder)
    reader = Featurizer.open(recipe, prepared.folder)
    orders = set()
    for epoch in range(3):
        data.set_epoch(epoch)
        for n, (piece, example) in enumerate(zip(reader.pieces(examples(12)), examples(12), strict=True)):
            item, query = data[n], example.query
            assert query is not None
            cuts = item["cuts"].tolist()
            own = [tuple(item["ids"][a:b].tolist()) for a, b in pairwise(cuts[1:])]
            plain = piece.cuts.tolist()
            by_ids = [tuple(piece.units.ids[a:b].tolist()) for a, b in pairwise(plain[1:])]
            order = [by_ids.index(ids) for ids in own]
            assert sorted(order) == list(range(len(own)))
            orders.add(tuple(order))
            selected = {order[c]: k for c, k in enumerate(item["aggregates"].tolist()) if k != NOT_SELECTED}
            assert selected == dict(zip(query.select, query.aggregates, strict=True))
            assert all(order[place] == column for _, place, column, _ in item["values"].tolist())
            links = {(order[place], unit, kind) for place, unit, kind in item["links"].tolist()}
            assert links == set(map(tuple, piece.links.tolist()))
    assert len(orders) > 10
    again = SketchTrainingSet(recipe, prepared.folder)
    again.set_epoch(2)
    assert all((again[3][key] == data[3][key]).all() for key in data[3])
    item = data[0]
    places = list(range(len(item["aggregates"])))
    same = shuffled(item, places)
    assert all((same[key] == item[key]).all() for key in item)


def test_a_class_symbol_of_our_own_is_learnt(made: tuple[Prepared, Any]) -> None:
    """Marks are trained: of the first step all of them have a gradient that its questions have."""
    prepared, recipe = made
    data = SketchTrainingSet(recipe, prepared.folder)
    batch = data.collate([data[n] for n in range(12)])
    torch.manual_seed(1)
    model = loud_model(recipe, prepared.folder).float()
    model(**batch)["loss"].backward()
    seen = [n for n in range(7) if (batch["marks"] >> n & 1).any()]
    assert len(seen) >= 6 and model.marks.weight.grad is not None
    assert all(model.marks.weight.grad[:, n].abs().max() > 0 for n in seen)


def test_twice_the_same_is_not_apart(made: tuple[Prepared, Any]) -> None:
    prepared, recipe = made
    data = SketchTrainingSet(recipe, prepared.folder)
    batch = data.collate([data[n] for n in range(6)])
    one, other = (loud_model(recipe, prepared.folder, seed).float() for seed in (5, 6))
    with torch.no_grad():
        first, second = one(**batch), other(**batch)
        assert float(one.divergence(first, first)) == pytest.approx(0.0, abs=1e-6)
        apart, back = float(one.divergence(first, second)), float(one.divergence(second, first))
    assert apart == pytest.approx(back, rel=1e-4) and apart > 0.1


def test_questions_that_mention_nothing_train(tmp_path: Path) -> None:
    from ietool.tasks.nl2sql.data.example import Example, Query
    from tests.tasks.nl2sql.invented import FILMS

    plain = [Example(n, f"都有哪些{'影片'[: n % 2 + 1]}", FILMS, Query((0,), (0,), 0, ())) for n in range(2)]
    recipe = small_recipe()
    prepared = prepare_examples(recipe, tmp_path, plain, plain)
    data = SketchTrainingSet(recipe, prepared.folder)
    found = loud_model(recipe, prepared.folder).float()(**data.collate([data[0], data[1]]))
    assert torch.isfinite(found["loss"])
