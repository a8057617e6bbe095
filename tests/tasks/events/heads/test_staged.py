"""The two-stage head against slow, literal readings."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from ietool.core.candidates import Candidates
from ietool.nn.global_pointer import EfficientGlobalPointer
from ietool.tasks.events.data.example import Example
from ietool.tasks.events.data.schema import Schema
from ietool.tasks.events.features.featurizer import Labels
from ietool.tasks.events.heads.decoder import JoinedStars
from ietool.tasks.events.heads.rows import pair_rows
from ietool.tasks.events.heads.spans import Spans, spans_above
from ietool.tasks.events.heads.staged.decode import StagedDecoder
from ietool.tasks.events.heads.staged.model import StagedModel
from ietool.training.batches import inputs_of, item_of
from tests.tasks.events.heads.test_linked import Table
from tests.tasks.events.made import Made, examples, small_recipe

TEXTS = examples(9, "dev")


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Made:
    return Made(tmp_path_factory.mktemp("staged"), "events-staged")


def condition(model: StagedModel, h: torch.Tensor, kind: int, first: int, last: int) -> torch.Tensor:
    """(T, H): a layer norm whose gain and bias follow the trigger (kexue.fm 7124), unit by unit."""
    norm, told = model.norm, torch.cat([h[first], h[last], model.kinds.weight[kind]])
    gain = norm.norm.weight + norm.gain.weight @ told
    shift = norm.norm.bias + norm.shift.weight @ told
    rows = []
    for x in h:
        spread = ((x - x.mean()) ** 2).mean()
        rows.append((x - x.mean()) / torch.sqrt(spread + norm.norm.eps) * gain + shift)
    return torch.stack(rows)


def test_candidates_are_triggers_and_what_belongs_to_them(tmp_path: Path) -> None:
    made = Made(tmp_path / "m", "events-staged", "data.window=64", "data.overlap=16")
    model, labels, reader = made.model, made.data.labels, made.reader()
    assert isinstance(model, StagedModel)
    example = min(TEXTS, key=lambda e: len(e.text))
    floor = made.high([example], 5, 0.2)
    reader.most = reader.arguments = 10**5
    ((_, found),) = reader.propose([example], floor=floor)
    (piece,) = reader.featurizer.pieces([example.text])
    batch = inputs_of([item_of(piece.units)])
    wanted: dict[tuple[int, ...], list[float]] = {}
    with torch.no_grad():
        h = model.encode(batch["ids"], batch["lengths"], batch["words"], batch["tags"])[0]
        inside = batch["inside"][0].nonzero().flatten().tolist()
        spans = [(i, j) for i in inside for j in inside if i <= j]
        first = Table(model.triggers, h, spans=True)
        for kind, name in enumerate(labels.types):
            for i, j in spans:
                p = first.sure(i, j, kind)
                if p <= floor.of("trigger"):
                    continue
                trigger = labels.numbers[name, ""]
                wanted[i, j + 1, i, j + 1, trigger] = [p, 1.0]
                second = Table(model.arguments, condition(model, h, kind, i, j), spans=True)
                for role, of in ((role, labels.numbers.get((name, role))) for role in labels.roles):
                    if of is None:
                        continue
                    for a, b in spans:
                        q = second.sure(a, b, labels.roles.index(role))
                        if q > floor.of("argument"):
                            wanted[i, j + 1, a, b + 1, int(labels.ties.pair[trigger, of])] = [p, q]
    told = dict(zip(map(tuple, found.rows.tolist()), found.parts.tolist(), strict=True))
    near = {row for row, parts in (wanted | told).items() if abs(parts[1] - floor.of("argument")) < 1e-6}  # rounding
    assert len(wanted) > 20 + len(near) and told.keys() - near == wanted.keys() - near
    for row, parts in ((row, parts) for row, parts in wanted.items() if row not in near):
        assert told[row] == pytest.approx(parts, abs=1e-5)


def test_batches_windows_and_second_readings_agree(made: Made) -> None:
    together = made.proposed(TEXTS)
    again = [said for _, said in made.reader().score(zip(TEXTS, together, strict=True))]
    for text, one, other in zip(TEXTS, together, again, strict=True):
        (single,) = made.proposed([text])
        assert len(one) and (one.rows == single.rows).all() and np.allclose(one.parts, single.parts, atol=1e-6)
        assert np.allclose(one.parts, other.parts, atol=1e-5)


def test_of_ties_between_arguments_nothing_is_said(made: Made) -> None:
    ties = made.data.labels.ties
    label = made.data.labels.numbers["收购", "收购方"]
    (row,) = pair_rows(np.array([[0, 1, label]]), np.array([[2, 3, label]]), ties)
    rows = np.array([row, [0, 1, 0, 1, label], [0, 2, 0, 2, 0]], np.int32)
    given = Candidates(rows, np.ones((3, 2), np.float32), np.zeros(0, np.float32))
    ((_, said),) = made.reader().score([(TEXTS[0], given)])
    assert said.parts[:2].tolist() == [[0, 0], [0, 0]] and 0 < said.parts[2, 0] < 1 and said.parts[2, 1] == 1


def test_of_ties_between_triggers_nothing_is_said_and_they_stay_two_events(made: Made) -> None:
    labels = made.data.labels
    (pair,) = pair_rows(np.array([[0, 2, 0]]), np.array([[2, 4, 0]]), labels.ties)
    rows = np.array([[0, 2, 0, 2, 0], [2, 4, 2, 4, 0], pair], np.int32)
    given = Candidates(rows, np.ones((3, 2), np.float32), np.zeros(0, np.float32))
    ((_, said),) = made.reader().score([(TEXTS[0], given)])
    assert (said.parts[:2, 0] > 0).all() and said.parts[2].tolist() == [0, 0]
    sure = Candidates(rows, np.full((3, 1), 0.9, np.float32), np.zeros(0, np.float32))
    told = JoinedStars(labels).decode(TEXTS[0], sure, DECODE).plain
    assert [(e.start, e.end, e.arguments) for e in told] == [(0, 2, ()), (2, 4, ())]


def test_types_without_roles_have_no_arguments() -> None:
    torch.manual_seed(0)
    table = EfficientGlobalPointer(16, 2, 8)
    with torch.no_grad():
        scores = table(torch.randn(1, 6, 16) * 9, torch.ones(1, 6, dtype=torch.bool))

    def found(allowed: np.ndarray | None) -> Spans:
        reading = spans_above(scores, 0.01, 100, allowed)
        while True:
            try:
                next(reading)
            except StopIteration as end:
                return end.value  # type: ignore[no-any-return]

    assert len(found(None).text) and set(found(np.array([[True, False]])).kind) == {0}
    none = found(np.array([[False, False]]))
    assert not len(none.text) and none.left_out.tolist() == [0] and none.highest == 0


def test_what_a_step_is_taught(made: Made) -> None:
    """Every trigger of a text, and the arguments of some, all of those that share one trigger together."""
    data, labels = made.data, made.data.labels
    items = [data[n] for n in range(len(data))]
    batch = data.collate(items)
    triggers = {tuple(x) for x in batch["trigger_targets"].T.tolist()}
    for at, item in enumerate(items):
        rows = item["rows"].tolist()
        own = {(at, int(labels.type_of[r[3]]), r[1], r[2] - 1) for r in rows if labels.role_of[r[3]] < 0}
        assert {t for t in triggers if t[0] == at} == own
        assert len(item["chosen"]) == min(made.recipe.sampling.triggers, len(own))  # type: ignore[attr-defined]
    chosen = batch["chosen"].T.tolist()
    arguments = batch["argument_targets"].T.tolist()
    for number, (at, kind, first, last) in enumerate(chosen):
        rows = items[at]["rows"].tolist()
        events = {r[0] for r in rows if [int(labels.type_of[r[3]]), r[1], r[2] - 1] == [kind, first, last]
                  and labels.role_of[r[3]] < 0}  # fmt: skip
        wanted = {
            (int(labels.role_of[r[3]]), r[1], r[2] - 1) for r in rows if r[0] in events and labels.role_of[r[3]] >= 0
        }
        assert {(r, a, b) for n, r, a, b in arguments if n == number} == wanted
    data.set_epoch(1)
    assert len(data.collate([data[n] for n in range(len(data))])["chosen"][0]) == len(chosen)
    data.set_epoch(0)


LABELS = Labels.of(Schema({"收购": ("收购方", "被收购方"), "裁员": ("裁员方",)}))
DECODE: Any = small_recipe("events-staged").decode
chances = st.sampled_from([0.1, 0.4, 0.6, 0.9])


@given(st.data())
@settings(max_examples=60, deadline=None)
def test_events_are_triggers_with_their_arguments(data: st.DataObject) -> None:
    places = st.tuples(st.integers(0, 6), st.integers(1, 3)).map(lambda s: (s[0], s[0] + s[1]))
    triggers = data.draw(
        st.dictionaries(st.tuples(places, st.sampled_from([0, 3])), chances, max_size=4)
    )  # label 0 and 3: the triggers
    own = data.draw(st.dictionaries(st.sampled_from(LABELS.types), st.sampled_from([0.2, 0.5, 0.8])))
    rows, parts, wanted = [], [], set()
    for ((a, b), label), p in triggers.items():
        kind = LABELS.names[label][0]
        rows.append((a, b, a, b, label))
        parts.append((p, 1.0))
        mine = set()
        for other in (n for n, (k, role) in enumerate(LABELS.names) if k == kind and role):
            for (c, d), q in data.draw(st.dictionaries(places, chances, max_size=2)).items():
                rows.append((a, b, c, d, int(LABELS.ties.pair[label, other])))
                parts.append((p, q))
                mine |= {(c, d, LABELS.names[other][1])} if q > np.float32(0.5) else set()
        if np.float32(p) > np.float32(own.get(kind, 0.5)):
            wanted.add((kind, a, b, frozenset(mine)))
    found = Candidates(
        np.array(rows, np.int32).reshape(-1, 5), np.array(parts, np.float32).reshape(-1, 2), np.zeros(0, np.float32)
    )
    decode = DECODE.model_copy(update={"by_label": own})
    told = StagedDecoder(LABELS).decode(Example("甲乙丙丁戊己庚辛壬癸"), found, decode).plain
    assert {(e.type, e.start, e.end, frozenset((a.start, a.end, a.role) for a in e.arguments)) for e in told} == wanted
