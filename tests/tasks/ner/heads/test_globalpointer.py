"""What a GlobalPointer says of spans against all spans, one by one; its decoder."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from ietool.core.candidates import PRODUCT, Candidates, Floor
from ietool.tasks.ner.data.example import Example
from ietool.tasks.ner.heads.globalpointer.decode import PointerDecoder
from ietool.tasks.ner.heads.globalpointer.reader import PointerReader
from ietool.tasks.ner.heads.globalpointer.recipe import PointerDecodeSection
from tests.tasks.ner.made import Made, by_window, encoder_folder, examples, parts_by_window, span_scores, spans_of


@pytest.fixture(scope="module", params=["characters", "bert"])
def made(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Made:
    folder = tmp_path_factory.mktemp("gp")
    chosen = encoder_folder(folder / "e", positions=30) if request.param == "bert" else "characters"
    return Made(folder, "ner-globalpointer", f"model.encoder={chosen}")


def one_by_one(made: Made, n: int) -> dict[tuple[int, int, int], float]:
    """(first unit, the one behind the last, type) → probability, of all spans."""
    with torch.no_grad():
        return {
            (i, j + 1, kind): float(torch.sigmoid(torch.tensor(score)))
            for kind in range(made.model.config.types)
            for (i, j), score in span_scores(made, n, kind).items()
        }


@pytest.mark.parametrize("floor", [0.0, 0.01, 0.4, 0.9])
def test_spans_above_the_floor(made: Made, floor: float) -> None:
    reader = made.predictor.reader
    assert isinstance(reader, PointerReader)
    texts = [e.text for e in examples(20, nested=True)]
    pieces = reader.featurizer.pieces(texts[:4])
    count, highest = 0, 0.0
    with torch.inference_mode():
        h, inside, _ = reader.encode(pieces)
        found = by_window(spans_of(reader, h, inside, Floor(floor)))
        for n, own in enumerate(found):
            every = one_by_one(made, n)
            rows = {tuple(row): p for row, p in zip(own.rows.tolist(), own.parts[:, 0].tolist(), strict=True)}
            wanted = {span: p for span, p in every.items() if p > floor}
            assert len(rows) == len(own) and own.capped == 0
            assert rows == pytest.approx(wanted, abs=1e-4)
            count, highest = count + len(wanted), max(highest, *every.values())
        assert count > 3
        assert reader.highest_probability == pytest.approx(highest, abs=1e-4)
        # Any span is scored, whether it would be proposed or not.
        asked = [np.array(sorted(one_by_one(made, n)), np.int32) for n in range(4)]
        for n, said in enumerate(parts_by_window(reader, h, inside, asked)):
            assert said[:, 0] == pytest.approx([p for _, p in sorted(one_by_one(made, n).items())], abs=1e-4)
        # Under the product a floor is to be reached.
        value = float(found[0].parts[:, 0].max(initial=0.5))
        reached = by_window(spans_of(reader, h, inside, Floor(parts={PRODUCT: value})))
        assert [p for own in reached for p in own.parts[:, 0].tolist() if p < value] == []
        assert value in reached[0].parts[:, 0].tolist() or not len(found[0])


probabilities = st.floats(0, 1, width=32)


@given(
    st.lists(st.tuples(st.integers(0, 8), st.integers(1, 4), st.integers(0, 1), probabilities), max_size=12),
    st.floats(0, 1) | probabilities,
)
def test_every_span_decides_for_itself(spans: list[tuple[int, int, int, float]], threshold: float) -> None:
    decoder, decode = PointerDecoder(["人物", "地点"]), PointerDecodeSection(threshold=threshold)
    known = dict(sorted(((a, a + n, kind), p) for a, n, kind, p in spans))
    rows = np.array(list(known), np.int32).reshape(-1, 3)
    found = Candidates(rows, np.array(list(known.values()), np.float32).reshape(-1, 1), np.zeros(0, np.float32))
    example = Example("云州大学在江城，林满走了")
    entities = decoder.decode(example, found, decode).entities
    assert [(e.start, e.end, e.type, e.probability) for e in entities] == [
        (a, b, decoder.types[kind], p) for (a, b, kind), p in known.items() if np.float32(p) > np.float32(threshold)
    ]
    assert all(e.text == example.text[e.start : e.end] for e in entities)
    assert decoder.floor(decode) == Floor(parts={"probability": threshold})


def test_the_threshold_may_be_a_probability_that_was_found(tmp_path: Path) -> None:
    made = Made(tmp_path, "ner-globalpointer")
    predictor, inputs = made.predictor, [Example(e.text) for e in examples(6, nested=True)]
    every = [found for _, found in predictor.reader.propose(inputs, floor=Floor(0.0))]
    values = sorted({p for found in every for p in found.parts[:, 0].tolist() if 0.1 < p < 0.9})
    assert len(values) > 20
    for value in values[:: len(values) // 10]:
        decode = PointerDecodeSection(threshold=value)
        narrower = predictor.reader.propose(inputs, floor=predictor.decoder.floor(decode))
        for found, (item, narrow) in zip(every, narrower, strict=True):
            wanted = predictor.decoder.decode(item, narrow, decode)
            assert predictor.decoder.decode(item, found, decode).plain == wanted.plain
