"""What a CRF says of spans against all paths, one by one."""

from __future__ import annotations

import itertools
import math
from functools import partial
from types import SimpleNamespace
from typing import Any, NamedTuple

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from ietool.core.candidates import PRODUCT, Candidates, Floor
from ietool.core.pools import finished
from ietool.nn.crf import CRF
from ietool.tasks.ner.heads.crf.decode import CRFDecoder
from ietool.tasks.ner.heads.crf.model import CRFModel
from ietool.tasks.ner.heads.crf.reader import CRFReader
from ietool.tasks.ner.heads.crf.recipe import CRFDecodeSection
from ietool.tasks.ner.heads.crf.tagset import TagSet
from ietool.tasks.ner.heads.reader import Encoded
from tests.tasks.ner.made import by_window, parts_by_window, spans_of

Span = tuple[int, int, int]
"""First unit, the one behind the last, number of the type."""


def entities(tags: list[str]) -> set[Span]:
    """What tags such as ``B0 I0 E0`` state, letter by letter; both schemes are read alike, a lone B as an entity."""
    found, at = set(), 0
    while at < len(tags):
        end = at + 1
        if tags[at][0] in "BS":
            while tags[at][0] == "B" and end < len(tags) and tags[end][0] in "IE" and tags[end][1:] == tags[at][1:]:
                end += 1
                if tags[end - 1][0] == "E":
                    break
            found.add((at, end, int(tags[at][1:])))
        at = end
    return found


class Enumerated(NamedTuple):
    """All paths over some units: how probable each span is, and what the best path has."""

    spans: dict[Span, float]
    best: set[Span]
    margin: float
    """By how much the best path's score is above the next one's."""


def enumerate_paths(tagset: TagSet, crf: CRF, emissions: list[list[float]]) -> Enumerated:
    names = ["O"] + [letter + str(kind) for kind in range(tagset.types) for letter in ("BIES", "BI")[tagset.width == 2]]
    start, steps, end = (x.tolist() for x in (crf.start.detach(), crf.transitions.detach(), crf.end.detach()))
    begin, follow, finish = crf.begin.tolist(), crf.follow.tolist(), crf.finish.tolist()
    weights: dict[Span, float] = {}
    total, ranked = 0.0, []
    for path in itertools.product(range(len(tagset)), repeat=len(emissions)):
        if not (begin[path[0]] and finish[path[-1]] and all(follow[a][b] for a, b in itertools.pairwise(path))):
            continue
        score = start[path[0]] + end[path[-1]] + sum(row[tag] for row, tag in zip(emissions, path, strict=True))
        score = crf.scale * (score + sum(steps[a][b] for a, b in itertools.pairwise(path)))
        own = entities([names[tag] for tag in path])
        total += math.exp(score)
        for span in own:
            weights[span] = weights.get(span, 0.0) + math.exp(score)
        ranked.append((score, own))
    ranked.sort(key=lambda pair: -pair[0])
    margin = ranked[0][0] - ranked[1][0]
    return Enumerated({span: weight / total for span, weight in weights.items()}, ranked[0][1], margin)


class Case(NamedTuple):
    """A CRF, and scores of tags for some texts, special units among theirs."""

    tagset: TagSet
    crf: CRF
    scores: torch.Tensor
    inside: torch.Tensor

    def emissions(self, n: int) -> list[list[float]]:
        found: list[list[float]] = self.scores[n][self.inside[n]].tolist()
        return found

    @property
    def reader(self) -> CRFReader:
        """A reader whose model gives the scores that it is given."""
        reader = CRFReader.__new__(CRFReader)
        own: Any = SimpleNamespace(crf=self.crf, out=torch.nn.Identity())
        own.emissions = partial(CRFModel.emissions, own)
        reader.model, reader.tagset, reader.highest_probability = own, self.tagset, 0.0
        return reader


SIZES = {("bio", 1): 6, ("bio", 2): 4, ("bioes", 1): 4, ("bioes", 2): 3}
"""Units of a text, so that there are not too many paths."""


@st.composite
def cases(draw: st.DrawFn, texts: int = 2) -> Case:
    scheme, types = draw(st.sampled_from(sorted(SIZES)))
    tagset = TagSet(types, scheme)
    crf = CRF(*tagset.allowed()).requires_grad_(False)
    generator = torch.Generator().manual_seed(draw(st.integers(0, 1 << 30)))
    sharpness = draw(st.sampled_from([0.3, 2.0, 6.0]))
    with torch.no_grad():
        for parameter in crf.parameters():
            parameter.copy_(torch.randn(parameter.shape, generator=generator) * sharpness)
    inside = []
    for _ in range(texts):
        own = draw(st.lists(st.booleans(), min_size=1, max_size=SIZES[scheme, types] + 2).filter(any))
        while sum(own) > SIZES[scheme, types]:
            own[own.index(True)] = False
        inside.append(own)
    longest = max(map(len, inside))
    mask = torch.tensor([own + [False] * (longest - len(own)) for own in inside])
    return Case(tagset, crf, torch.randn(texts, longest, len(tagset), generator=generator) * sharpness, mask)


def in_units(case: Case, n: int, found: Candidates) -> dict[Span, tuple[float, float]]:
    """Row → its parts, places counted in units that stand for characters; each row once."""
    place = {at: k for k, at in enumerate(case.inside[n].nonzero().flatten().tolist())}
    rows = [(place[a], place[b - 1] + 1, kind) for a, b, kind in found.rows.tolist()]
    assert len(set(rows)) == len(rows)
    return dict(zip(rows, map(tuple, found.parts.tolist()), strict=True))


@settings(max_examples=60)
@given(cases(texts=1), st.sampled_from([0.0, 1e-6, 0.01, 0.2, 0.6]))
def test_spans_are_as_probable_as_all_paths_that_have_them(case: Case, floor: float) -> None:
    wanted = enumerate_paths(case.tagset, case.crf, case.emissions(0)).spans
    length = int(case.inside.sum())
    every = [(a, b, k) for k in range(case.tagset.types) for a in range(length) for b in range(a + 1, length + 1)]
    chains = finished(case.reader._read(Encoded(case.scores, case.inside, case.inside.numpy()))).chains
    said = chains.of(np.zeros(len(every), np.int64), np.array(every))
    assert said == pytest.approx([wanted.get(span, 0.0) for span in every], abs=1e-6)
    rows, probability, left_out = chains.above(0, floor, 1000)
    assert left_out == 0
    found = {tuple(row): p for row, p in zip(rows.tolist(), probability.tolist(), strict=True)}
    assert len(found) == len(rows) and min(found.values(), default=1.0) > floor
    assert found == pytest.approx({s: wanted[s] for s in found}, abs=1e-6)
    assert {s for s, p in wanted.items() if p > floor + 1e-6} <= found.keys()
    # Of too many the most probable ones.
    some, _, without = chains.above(0, floor, 3)
    assert [tuple(row) for row in some.tolist()] == [
        tuple(row) for row in rows.tolist() if tuple(row) in sorted(found, key=lambda s: -found[s])[:3]
    ]
    assert without == len(rows) - len(some)


@settings(max_examples=60)
@given(cases())
def test_the_best_path_is_marked(case: Case) -> None:
    reader = case.reader
    every = by_window(spans_of(reader, case.scores, case.inside, Floor(0.0)))
    path_alone = by_window(spans_of(reader, case.scores, case.inside, Floor(parts={"path": 0.0})))
    high = by_window(spans_of(reader, case.scores, case.inside, Floor(0.999)))
    for n, (all_, path, few) in enumerate(zip(every, path_alone, high, strict=True)):
        wanted = enumerate_paths(case.tagset, case.crf, case.emissions(n))
        found = in_units(case, n, all_)
        assert {span: p for span, (p, _) in found.items()} == pytest.approx(
            {span: wanted.spans[span] for span in found}, abs=1e-6
        )
        assert {span for span, p in wanted.spans.items() if p > 1e-6} <= found.keys()
        if wanted.margin > 1e-4:
            assert {span for span, (_, mark) in found.items() if mark} == wanted.best
        assert {mark for _, mark in found.values()} <= {0.0, 1.0}
        # What the best path has is proposed under any floor, and alone where nothing else is wanted.
        on = {span: parts for span, parts in found.items() if parts[1]}
        assert in_units(case, n, path) == on
        assert in_units(case, n, few) == {s: p for s, p in found.items() if p[1] or p[0] > np.float32(0.999)}
    probable = max(p for n in range(2) for p, _ in in_units(case, n, every[n]).values())
    assert reader.highest_probability >= probable - 1e-6


@settings(max_examples=40)
@given(cases())
def test_rows_of_others_are_scored(case: Case) -> None:
    """Any span, whether it would be proposed or not."""
    reader = case.reader
    asked, wanted = [], []
    for n in range(2):
        places = case.inside[n].nonzero().flatten().tolist()
        some = enumerate_paths(case.tagset, case.crf, case.emissions(n))
        every = [(a, b, k) for k in range(case.tagset.types) for a in range(len(places)) for b in range(a + 1, len(places) + 1)]  # fmt: skip  # noqa: E501
        asked.append(np.array([(places[a], places[b - 1] + 1, k) for a, b, k in every], np.int32))
        wanted.append([(some.spans.get(s, 0.0), float(s in some.best) if some.margin > 1e-4 else None) for s in every])
    for said, expected in zip(parts_by_window(reader, case.scores, case.inside, asked), wanted, strict=True):
        assert said[:, 0] == pytest.approx([p for p, _ in expected], abs=1e-6)
        assert all(mark in (m, None) or m is None for mark, (_, m) in zip(said[:, 1], expected, strict=True))


@settings(max_examples=60)
@given(cases(texts=1), st.sampled_from([0.0, 0.2, 0.5, 0.9]), st.sampled_from([0.0, 0.01, 0.2]))
def test_decoding_is_the_best_path_above_the_threshold(case: Case, threshold: float, floor: float) -> None:
    decoder, decode = CRFDecoder(["甲", "乙"]), CRFDecodeSection(threshold=threshold)
    (found,) = by_window(spans_of(case.reader, case.scores, case.inside, Floor(min(floor, threshold))))
    (narrow,) = by_window(spans_of(case.reader, case.scores, case.inside, decoder.floor(decode)))
    wanted = enumerate_paths(case.tagset, case.crf, case.emissions(0))
    chosen = decoder.chosen(found, decode)
    assert sorted(chosen) == sorted(decoder.chosen(narrow, decode))
    if wanted.margin > 1e-4 and all(abs(p - threshold) > 1e-6 for p in wanted.spans.values()):
        assert len(chosen) == sum(wanted.spans[span] >= threshold for span in wanted.best)


@given(cases(texts=3))
def test_paths_state_what_their_letters_do(case: Case) -> None:
    """All at once, with O behind each text's end, and one by one."""
    lengths = case.inside.sum(1)
    paths = case.crf.best(CRFModel.emissions(case.reader.model, case.scores, case.inside)[0], lengths).numpy()
    text, rows = case.tagset.spans(paths)
    names = ["O"] + [x + str(k) for k in range(case.tagset.types) for x in ("BIES", "BI")[case.tagset.width == 2]]
    for n, (path, length) in enumerate(zip(paths.tolist(), lengths.tolist(), strict=True)):
        wanted = sorted(entities([names[tag] for tag in path[:length]]))
        assert [tuple(row) for row in rows[text == n].tolist()] == wanted
        assert case.tagset.decode(path[:length]) == case.tagset.decode(path) == wanted
        assert case.tagset.encode(wanted, length).tolist() == path[:length]
    assert (np.diff(text) >= 0).all()


@pytest.mark.parametrize("scheme", ["bio", "bioes"])
def test_the_threshold_may_be_a_probability_that_was_found(scheme: str) -> None:
    """Rows hold single precision: what is compared before and behind the decoder is the same number."""
    generator = torch.Generator().manual_seed(4)
    tagset = TagSet(2, scheme)
    crf = CRF(*tagset.allowed()).requires_grad_(False)
    scores = torch.randn(8, 12, len(tagset), generator=generator) * 2
    case, decoder, count = Case(tagset, crf, scores, torch.ones(8, 12, dtype=torch.bool)), CRFDecoder("甲乙"), 0
    for n, found in enumerate(by_window(spans_of(case.reader, case.scores, case.inside, Floor(0.0)))):
        for value in found.parts[found.parts[:, 1] > 0, 0].tolist():
            decode = CRFDecodeSection(threshold=value)
            narrow = by_window(
                spans_of(case.reader, case.scores[n : n + 1], case.inside[n : n + 1], decoder.floor(decode))
            )[0]
            assert decoder.chosen(narrow, decode) == decoder.chosen(found, decode)
            assert value in [p for _, _, _, p in decoder.chosen(found, decode)]
            count += 1
    assert count > 10


def test_a_floor_under_the_product_is_one_under_the_probability() -> None:
    generator = torch.Generator().manual_seed(4)
    tagset = TagSet(2, "bio")
    case = Case(
        tagset,
        CRF(*tagset.allowed()).requires_grad_(False),
        torch.randn(1, 12, 5, generator=generator),
        torch.ones(1, 12) > 0,
    )
    (found,) = by_window(spans_of(case.reader, case.scores, case.inside, Floor(parts={PRODUCT: 0.3})))
    (wanted,) = by_window(spans_of(case.reader, case.scores, case.inside, Floor(0.3)))
    assert found.rows.tolist() == wanted.rows.tolist() and len(found)
