"""The model against a slow, literal reading; what the reader proposes; how texts are prepared and held out."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from ietool.core.candidates import Floor
from ietool.errors import UserError
from ietool.tasks.event_subject.data.example import Example, occurrences
from ietool.tasks.event_subject.heads.pointer.reader import PointerReader
from ietool.tasks.event_subject.prepare.preparation import KEPT
from tests.tasks.event_subject.made import OTHER, TASK, Made, encoder_folder, examples, prepare, small_recipe


@pytest.fixture(scope="module", params=["characters", "tokens"])
def made(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Made:
    folder = tmp_path_factory.mktemp(request.param)
    more = () if request.param == "characters" else (f"model.encoder={encoder_folder(folder / 'encoder')}",)
    return Made(folder / "made", *more)


def literal(made: Made, n: int) -> dict[tuple[int, int] | None, float]:
    """The probability of every span of units and of none in training item n, one by one."""
    model, item = made.model, made.data[n]
    batch = made.data.collate([item])
    with torch.no_grad():
        mask = torch.ones_like(batch["ids"], dtype=torch.bool)
        h = model.encoder(batch["ids"], mask, batch["words"], batch["tags"])[0]  # (T, H)
        c = model.kinds.weight[item["type"]]
        norm = model.norm
        mean, var = h.mean(-1, keepdim=True), h.var(-1, unbiased=False, keepdim=True)
        x = (h - mean) / (var + 1e-6).sqrt()
        x = x * (norm.norm.weight + norm.gain.weight @ c) + norm.norm.bias + norm.shift.weight @ c
        for block in model.blocks:
            conv = block.conv
            y = F.conv1d(x.T[None], conv.weight, conv.bias, padding=conv.dilation, dilation=conv.dilation)[0].T
            gate, other = y.chunk(2, -1)
            gate = torch.sigmoid(gate)
            x = gate * x + (1 - gate) * other
        none = float(model.none(x.max(0).values))
        head = model.out
        z = head.projection(x)
        bias = head.bias(z)
        size = head.head_size
        scores: dict[tuple[int, int] | None, float] = {None: none}
        inside = np.flatnonzero(item["inside"]).tolist()
        for i in inside:
            for j in inside:
                if i > j:
                    continue
                dot = 0.0
                for k in range(0, size, 2):
                    angle = (i - j) * 10000 ** (-k / size)
                    q, w = z[i, k : k + 2].tolist(), z[j, size + k : size + k + 2].tolist()
                    turned = (q[0] * math.cos(angle) - q[1] * math.sin(angle),
                              q[0] * math.sin(angle) + q[1] * math.cos(angle))  # fmt: skip
                    dot += turned[0] * w[0] + turned[1] * w[1]
                scores[i, j] = dot / math.sqrt(size) + float(bias[i, 0]) + float(bias[j, 1])
    top = max(scores.values())
    total = sum(math.exp(s - top) for s in scores.values())
    return {place: math.exp(s - top) / total for place, s in scores.items()}


def test_probabilities_and_loss_are_those_of_a_literal_reading(made: Made) -> None:
    batch = made.data.collate([made.data[n] for n in range(3)])
    length = batch["ids"].shape[1]
    with torch.no_grad():
        named = {k: v for k, v in batch.items() if k != "positives"}
        choices = made.model.choices(**named).exp()
        losses = []
        for n in range(3):
            wanted = literal(made, n)
            places = {length * length if p is None else p[0] * length + p[1]: value for p, value in wanted.items()}
            found = choices[n]
            for place, value in places.items():
                # Places are turned in single precision.
                assert float(found[place]) == pytest.approx(value, rel=1e-4, abs=1e-9)
            assert float(found.sum()) == pytest.approx(1.0)
            right = made.data[n]["rows"].tolist()
            sure = sum(wanted[a, b - 1] for a, b in right) if right else wanted[None]
            losses.append(-math.log(sure))
        assert float(made.model(**batch)["loss"]) == pytest.approx(sum(losses) / 3, rel=1e-4)


def test_the_type_decides(made: Made) -> None:
    """The same text with another type has other probabilities."""
    batch = made.data.collate([made.data[0]])
    other = {k: v for k, v in batch.items() if k != "positives"}
    with torch.no_grad():
        one = made.model.choices(**other)
        other["type"] = (other["type"] + 1) % made.model.config.types
        assert not torch.allclose(one, made.model.choices(**other))


def test_r_drop_compares_two_passes(made: Made) -> None:
    batch = made.data.collate([made.data[n] for n in range(2)])
    with torch.no_grad():
        one = made.model(**batch)
        assert float(made.model.divergence(one, one)) == 0
        other = {**one, "choices": one["choices"].flip(0)}
        p, q = one["choices"].exp(), other["choices"].exp()
        wanted = 0.5 * ((p - q) * (one["choices"] - other["choices"]))[p > 0].sum() / 2
        assert float(made.model.divergence(one, other)) == pytest.approx(float(wanted), rel=1e-3)


LONG = "，".join(f"{name}大股东减持" for name in ("林满科技", "云州食品", "青石置业", "高岳物流", "Ada电子", "高岳"))


def test_lower_floors_decode_to_the_same_and_rows_are_scored_alike(made: Made) -> None:
    """Several windows among the texts, and a batch says what a single text does."""
    some = [*examples(6, seed=3), Example(LONG, "减持", id="long"), Example("晴", "亏损", id="short")]
    predictor = made.predictor
    reader = predictor.reader
    assert isinstance(reader, PointerReader)
    wanted = list(predictor.predict(some))
    low = list(predictor.decided(some, Floor(0.001)))
    assert [p for _, p in low] == wanted
    assert any(len(found) for found, _ in low)
    for (item, again), (found, _) in zip(
        reader.score((e, found) for e, (found, _) in zip(some, low, strict=True)), low, strict=True
    ):
        assert (again.rows == found.rows).all()
        np.testing.assert_allclose(again.parts, found.parts, rtol=1e-5)
        other = replace(found, rows=found.rows + np.array([0, 0, 1], np.int32))  # of a type that is not asked for
        ((_, none),) = reader.score([(item, other)])
        assert not none.parts.any()
    for item, prediction in zip(some, wanted, strict=True):
        assert next(iter(predictor.predict([item]))).name == prediction.name


def test_types_that_train_lacks_get_no_subject_and_are_told(made: Made) -> None:
    predictor = made.predictor
    (found,) = predictor.predict([Example("林满科技大股东减持", "召回", id="1")])
    assert found.subject is None
    (note,) = predictor.notes
    assert note.startswith("1 texts have an event type that the model was not taught (召回)")


# -- preparing


def test_a_text_is_never_on_both_sides(tmp_path: Path) -> None:
    """Whatever types are asked for, and with other blanks and punctuation."""
    some = [e for seed in range(12) for e in examples(6, seed=seed)]
    some += [replace(e, text=e.text.replace("，", " , "), id=f"x{e.id}") for e in some[::5]]
    made = prepare(small_recipe("data.held_out=0.3"), tmp_path, some)
    train, dev = (list(KEPT.read(made.folder / f"{split}.jsonl")) for split in ("train", "dev"))
    assert len(train) + len(dev) == len(some)
    known = {TASK.kin(e)[0] for e in train}
    assert dev
    assert not known & {TASK.kin(e)[0] for e in dev}
    assert len(train) > len(known)  # several types of one text


def test_what_is_counted_and_what_must_be_beaten(tmp_path: Path) -> None:
    train = [
        Example("甲公司亏损，甲公司减持", "亏损", "甲公司", "1"), Example("甲公司亏损，甲公司减持", "亏损", "丙", "2"),
        Example("乙亏损", "亏损", "乙", "3"), Example("晴", OTHER, "", "4"),
    ]  # fmt: skip
    dev = [
        Example("乙和甲公司减持", "减持", "甲公司", "5"),
        Example("乙减持", "减持", "", "6"),
        Example("晴天", OTHER, "", "7"),
    ]
    made = prepare(small_recipe(), tmp_path, train, dev)
    # One whose subject does not stand in its text is not taught to have none.
    items = TASK.training_set(small_recipe(), made.folder)
    assert set(items.table.column("record").to_pylist()) == {0, 2, 3}
    told = made.report
    counts = told.statistics["train"]
    assert (counts["records"], counts["duplicates"], counts["conflicting_duplicates"]) == (4, 1, 1)
    assert counts["oracle"]["lost"]["does not stand in the text"] == 1
    assert counts["subjects_that_stand_several_times"] == 1
    assert told.statistics["dev"]["oracle"]["lost"]["train has no such type"] == 1
    # The longest subject of train that stands in each text: 甲公司, 乙, none.
    assert told.statistics["floor"] == pytest.approx({"accuracy": 2 / 3, "f1": 2 / 3})


def test_every_place_of_a_name_is_taught(made: Made) -> None:
    kept = list(KEPT.read(made.folder / "train.jsonl"))
    record = made.data.table.column("record").to_numpy()
    taught = dict.fromkeys(range(len(kept)), 0)
    for n in range(len(made.data)):
        taught[int(record[n])] += len(made.data[n]["rows"])
    for n, example in enumerate(kept):
        places = len(list(occurrences(example.text, example.subject)))
        assert taught[n] >= places  # windows overlap
        assert (taught[n] == 0) == (places == 0)


def test_what_cannot_be_learnt_is_told(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="has no subject to learn from"):
        prepare(small_recipe(), tmp_path / "a", [Example("雨", OTHER, "", "1")], examples(2))
    with pytest.raises(UserError, match="gives no record to hold out as dev"):
        prepare(small_recipe("data.held_out=0"), tmp_path / "b", examples(5))


def test_without_dropout_training_and_reading_say_the_same(tmp_path: Path) -> None:
    off = ("model.encoder.embedding_dropout", "model.encoder.gate_dropout", "model.head.dropout",
           "model.head.gate_dropout")  # fmt: skip
    made = Made(tmp_path, *(f"{key}=0" for key in off))
    batch = made.data.collate([made.data[n] for n in range(3)])
    with torch.no_grad():
        one, other = (made.model.train(training)(**batch)["loss"] for training in (True, False))
    torch.testing.assert_close(one, other)
