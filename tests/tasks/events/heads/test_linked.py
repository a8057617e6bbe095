"""The head of linked spans against slow, literal readings: scores, loss, candidates, and what windows say together."""

from __future__ import annotations

import cmath
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from ietool.core.candidates import PRODUCT, Floor
from ietool.nn.global_pointer import multilabel_loss
from ietool.tasks.events.data.example import Example
from ietool.tasks.events.heads.linked.decode import LAYOUT, LinkedDecoder
from ietool.tasks.events.heads.linked.model import LinkedModel
from ietool.training.batches import inputs_of, item_of
from tests.tasks.events.made import Made, examples

TEXTS = examples(9, "dev")


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Made:
    return Made(tmp_path_factory.mktemp("linked"), "events")


class Table:
    """The scores of an efficient GlobalPointer (kexue.fm 8877) on one text, one by one; the rotation as complex
    numbers."""

    def __init__(self, head: Any, h: Tensor, *, spans: bool) -> None:
        with torch.no_grad():
            z = head.projection(h)
            self.bias, self.types, self.size = head.bias(z).tolist(), head.types, head.head_size
            vectors = z.tolist()
        self.q = [self._turned(v[: self.size], i, spans) for i, v in enumerate(vectors)]
        self.k = [self._turned(v[self.size :], i, spans) for i, v in enumerate(vectors)]

    def _turned(self, vector: list[float], at: int, spans: bool) -> list[complex]:
        angle = [1j * at * 10000 ** (-k / self.size) if spans else 0j for k in range(0, self.size, 2)]
        return [complex(vector[2 * k], vector[2 * k + 1]) * cmath.exp(a) for k, a in enumerate(angle)]

    def score(self, i: int, j: int, kind: int) -> float:
        dot = sum((a * b.conjugate()).real for a, b in zip(self.q[i], self.k[j], strict=True))
        return dot / math.sqrt(self.size) + self.bias[i][kind] + self.bias[j][self.types + kind]

    def sure(self, i: int, j: int, kind: int) -> float:
        return 1 / (1 + math.exp(-self.score(i, j, kind)))


def alone(made: Made, n: int) -> tuple[Tensor, list[int]]:
    batch = made.data.collate([made.data[n]])
    with torch.no_grad():
        h = made.model.encode(batch["ids"], batch["lengths"], batch["words"], batch["tags"])[0]
    return h, batch["inside"][0].nonzero().flatten().tolist()


def test_the_loss_is_that_of_the_articles(made: Made) -> None:
    """log(1 + Σ_negative e^s) + log(1 + Σ_positive e^−s) of every label, and of links at both ends (kexue.fm 7359)."""
    model = made.model
    assert isinstance(model, LinkedModel)
    numbers = [n for n in range(len(made.data)) if len(made.data[n]["rows"]) < 9][:2]
    batch = made.data.collate([made.data[n] for n in numbers])
    total = 0.0
    for n in numbers:
        h, inside = alone(made, n)
        rows = made.data[n]["rows"].tolist()
        spans = {(label, a, b - 1) for _, a, b, label in rows}
        pairs = [(x, y) for x in rows for y in rows if x[0] == y[0] and x is not y]
        heads = {(0, min(x[1], y[1]), max(x[1], y[1])) for x, y in pairs}
        tails = {(0, min(x[2], y[2]) - 1, max(x[2], y[2]) - 1) for x, y in pairs}
        for head, gold, kinds, turned in (
            (model.spans, spans, range(0, len(made.data.labels.names), 5), True),
            (model.heads, heads, range(1), False),
            (model.tails, tails, range(1), False),
        ):
            table = Table(head, h, spans=turned)
            for kind in kinds:
                every = {(i, j): table.score(i, j, kind) for i in inside for j in inside if i <= j}
                right = [s for place, s in every.items() if (kind, *place) in gold]
                wrong = [s for place, s in every.items() if (kind, *place) not in gold]
                total += math.log1p(sum(map(math.exp, wrong))) + math.log1p(sum(math.exp(-s) for s in right))
    # Of the labels every fifth: the others are taken from the same sums.
    with torch.no_grad():
        out = model(**batch)
        kept = [k for k in range(len(made.data.labels.names)) if k % 5 == 0]
        links = model.links(
            model.encode(batch["ids"], batch["lengths"], batch["words"], batch["tags"]), batch["inside"]
        )
        few = links.spans._replace(first=links.spans.first[:, kept], last=links.spans.last[:, kept])
        targets = batch["span_targets"]
        mine = targets[:, torch.isin(targets[1], torch.tensor(kept))].clone()
        mine[1] = torch.searchsorted(torch.tensor(kept), mine[1])
        found = multilabel_loss(few, mine).total + out["link_loss"]
    assert float(found) == pytest.approx(total / len(numbers), rel=1e-6)
    assert float(out["loss"]) == pytest.approx(float(out["span_loss"] + out["link_loss"]))


def literal(made: Made, text: int, floor: Floor) -> dict[tuple[int, ...], list[float]]:
    """Of a text that is one window: all rows above a floor, score by score."""
    model, labels = made.model, made.data.labels
    example = TEXTS[text]
    (piece,) = made.reader().featurizer.pieces([example.text])
    batch = inputs_of([item_of(piece.units)])
    with torch.no_grad():
        h = model.encode(batch["ids"], batch["lengths"], batch["words"], batch["tags"])[0]
    inside = batch["inside"][0].nonzero().flatten().tolist()

    assert isinstance(model, LinkedModel)
    spans, heads, tails = (
        Table(model.spans, h, spans=True),
        Table(model.heads, h, spans=False),
        Table(model.tails, h, spans=False),
    )
    nodes = {
        (i, j, kind): p
        for kind in range(len(labels.names))
        for i in inside
        for j in inside
        if i <= j and (p := spans.sure(i, j, kind)) > floor.of("first")
    }
    rows: dict[tuple[int, ...], list[float]] = {(i, j + 1, i, j + 1, k): [p, 1, 1, 1] for (i, j, k), p in nodes.items()}
    for one in nodes:
        for other in nodes:
            key = [(labels.names[n[2]][1], n[0], n[1]) for n in (one, other)]
            if labels.type_of[one[2]] != labels.type_of[other[2]] or one == other or key[0] > key[1]:
                continue
            ends = [
                table.sure(min(a, b), max(a, b), 0)
                for table, a, b in ((heads, one[0], other[0]), (tails, one[1], other[1]))
            ]
            if ends[0] > floor.of("head") and ends[1] > floor.of("tail"):
                tie = int(labels.ties.pair[one[2], other[2]])
                rows[one[0], one[1] + 1, other[0], other[1] + 1, tie] = [nodes[one], nodes[other], *ends]
    return rows


def test_candidates_are_all_spans_and_links_above_the_floor(tmp_path: Path) -> None:
    made = Made(tmp_path / "m", "events", "data.window=64", "data.overlap=16")
    short = min(range(len(TEXTS)), key=lambda n: len(TEXTS[n].text))
    floor = made.high([TEXTS[short]], 24)
    reader = made.reader()
    ((_, found),) = reader.propose([TEXTS[short]], floor=floor)
    wanted = literal(made, short, floor)
    told = dict(zip(map(tuple, found.rows.tolist()), found.parts.tolist(), strict=True))
    assert len(wanted) > 20 and any(row[:2] != row[2:4] for row in wanted)
    assert told.keys() == wanted.keys()
    for row, parts in wanted.items():
        assert told[row] == pytest.approx(parts, abs=1e-5)
    assert reader.highest_probability == pytest.approx(max(parts[0] for parts in wanted.values()), abs=1e-5)


def test_batches_and_windows_say_what_single_texts_say(made: Made) -> None:
    together = made.proposed(TEXTS)
    one_by_one = [made.proposed([text])[0] for text in TEXTS]
    assert any(len(text.text) > 32 for text in TEXTS)  # several windows
    for one, other in zip(together, one_by_one, strict=True):
        assert len(one) and (one.rows == other.rows).all() and np.allclose(one.parts, other.parts, atol=1e-6)
        assert one.capped == other.capped


def test_scoring_again_gives_the_same(made: Made) -> None:
    found = made.proposed(TEXTS)
    again = [said for _, said in made.reader().score(zip(TEXTS, found, strict=True))]
    for one, other in zip(found, again, strict=True):
        assert (one.rows == other.rows).all() and np.allclose(one.parts, other.parts, atol=1e-5)


def test_a_lower_floor_decodes_to_the_same(made: Made) -> None:
    """Also of texts of several windows; the caps are out of the way."""
    decoder = LinkedDecoder(made.data.labels)
    high, low = made.high(TEXTS, 14, 0.9), made.high(TEXTS, 20)
    link = min(high.of("head"), high.of("tail"))
    low = Floor(parts={"first": low.of("first"), "second": low.of("first"), "head": link - 0.02, "tail": link - 0.02})
    settings = {"threshold": high.of("first"), "link": link, "needs_trigger": False}
    decode = made.recipe.decode.model_copy(update=settings)
    reader = made.reader()
    reader.spans = reader.most = 10**5
    found = [[f for _, f in reader.propose(TEXTS, floor=floor)] for floor in (decoder.floor(decode), low)]
    assert sum(map(len, found[1])) > sum(map(len, found[0])) and not any(f.capped for some in found for f in some)
    events = [[decoder.decode(t, f, decode).plain for t, f in zip(TEXTS, some, strict=True)] for some in found]
    assert events[0] == events[1]
    assert any(len(list(e.nodes)) > 1 for some in events[0] for e in some)


def test_the_most_probable_rows_stay_where_there_are_too_many(made: Made) -> None:
    reader, floor = made.reader(), made.high(TEXTS[:1], 40)
    ((_, every),) = reader.propose(TEXTS[:1], floor=floor)
    reader.most = 30
    ((_, few),) = reader.propose(TEXTS[:1], floor=floor)
    assert len(few) == max(30, len(TEXTS[0].text)) < len(every) and few.capped == len(every) - len(few)
    least = LAYOUT.probability(few.parts).min()
    assert (LAYOUT.probability(every.parts) > least).sum() <= len(few)


def test_a_floor_under_the_product(made: Made) -> None:
    (found,) = [f for _, f in made.reader().propose(TEXTS[:1], floor=Floor(0.1, {PRODUCT: 0.3}))]
    assert len(found) and (LAYOUT.probability(found.parts) >= np.float32(0.3)).all()


def test_empty_texts_and_texts_of_blanks_hold_nothing(made: Made) -> None:
    some = [Example(""), TEXTS[0], Example("  "), Example("字")]
    found = made.proposed(some)
    assert len(found[0]) == 0 and len(found[1]) > 0
    assert [len(said) for _, said in made.reader().score(zip(some, found, strict=True))] == list(map(len, found))
