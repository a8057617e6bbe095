"""What readers propose: everything above a floor, of which decoders make what thresholds make; and a bounded number."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from ietool.core.candidate_files import read_candidates, write_candidates
from ietool.core.candidates import Candidates, Floor, merged, union
from ietool.core.predicting import Predictor
from ietool.errors import UserError
from ietool.tasks.el import ElTask
from ietool.tasks.el.data.example import Example
from ietool.tasks.el.heads import reader as readers
from ietool.tasks.el.prepare.preparation import KEPT
from ietool.workflow.scores import floor_below
from tests.apart import check_apart
from tests.tasks.el.made import Made, MadeJoint, loud, loud_joint, prepare_joint

TASK = ElTask()
LOW = Floor(0.01)
Opened = tuple[Any, Any]
"""A recipe, and a model."""


@pytest.fixture(scope="session")
def joint(tmp_path_factory: pytest.TempPathFactory) -> MadeJoint:
    return prepare_joint(tmp_path_factory.mktemp("joint"))


@pytest.fixture(scope="session")
def joint_keeping(tmp_path_factory: pytest.TempPathFactory) -> MadeJoint:
    return prepare_joint(tmp_path_factory.mktemp("joint-keeping"), "data.nil=keep", form="ccks2020")


KINDS = ["spans", "pointers", "pair", "keep", "cross", "cross-keep"]


@pytest.fixture
def opened(
    request: pytest.FixtureRequest, joint: MadeJoint, joint_keeping: MadeJoint, prepared: Made, keeping: Made
) -> tuple[Any, Any, Path]:
    """Recipe, model and folder of a kind of model."""
    kind = request.param
    given: Any = {"cross": prepared, "cross-keep": keeping, "keep": joint_keeping}.get(kind, joint)
    recipe = given.recipe.model_copy(deep=True)
    if kind == "pointers":
        recipe.model.head.mentions = "pointers"
    if kind == "pair":
        recipe.sampling.loss = "pair"
    recipe.decode.mention, recipe.decode.link, recipe.decode.joint = 0.3, 0.2, 0.1
    recipe.decode.batch_size = 5
    given = given._replace(recipe=recipe)
    return recipe, (loud if kind.startswith("cross") else loud_joint)(given), given.folder


def texts_of(folder: Path) -> list[Example]:
    """Those of dev, and a few that are longer than a window."""
    dev = KEPT.split(folder, "dev")
    texts = [e.text for e in dev]
    return [*dev, *(Example(f"long{n}", "，".join(texts[n:] * 3)) for n in range(2)), Example("none", "")]


def same(found: Iterable[Any], expected: Iterable[Any]) -> int:
    """How many mentions both have, all alike; probabilities but for what batches of another make round."""
    count = 0
    for one, other in zip(found, expected, strict=True):
        assert (one.text_id, one.text) == (other.text_id, other.text)
        assert [(m.start, m.end, m.mention, m.kb_id) for m in one.mentions] == [
            (m.start, m.end, m.mention, m.kb_id) for m in other.mentions
        ]
        for mine, theirs in zip(one.mentions, other.mentions, strict=True):
            assert mine.probability == pytest.approx(theirs.probability, abs=1e-5)
            assert {c.kb_id: c.probability for c in mine.candidates} == pytest.approx(
                {c.kb_id: c.probability for c in theirs.candidates}, abs=1e-5
            )
            count += 1
    return count


@pytest.mark.parametrize("opened", KINDS, indirect=True)
def test_a_device_of_its_own_says_the_same(opened: tuple[Any, Any, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    recipe, model, folder = opened
    texts = texts_of(folder)[-6:]
    assert check_apart(lambda: TASK.reader(recipe, model, folder), texts, LOW, monkeypatch, 4096) > 20
    recipe.decode.given_mentions = True
    assert check_apart(lambda: TASK.reader(recipe, model, folder), texts, LOW, monkeypatch, 4096) > 5


@pytest.mark.parametrize("opened", KINDS, indirect=True)
def test_a_lower_floor_gives_what_the_thresholds_give(opened: tuple[Any, Any, Path], tmp_path: Path) -> None:
    recipe, model, folder = opened
    recipe.data.window, recipe.data.overlap = 64, 24
    texts = texts_of(folder)
    predicted = list(TASK.predictor(recipe, model, folder).predict(texts))
    reader, decoder = TASK.reader(recipe, model, folder), TASK.decoder(recipe, folder)
    proposed = list(reader.propose(texts, floor=LOW))
    assert [item for item, _ in proposed] == texts
    assert same((decoder.decode(item, found, recipe.decode) for item, found in proposed), predicted) > 20
    # Also at other thresholds than those that were asked for, from a folder.
    write_candidates(tmp_path / "kept", reader.layout, LOW, [found for _, found in proposed])
    kept = read_candidates(tmp_path / "kept")
    assert kept.layout == reader.layout == decoder.layout
    for mention, link, product in ((0.05, 0.0, 0.0), (0.45, 0.25, 0.15)):
        recipe.decode.mention, recipe.decode.link, recipe.decode.joint = mention, link, product
        expected = list(TASK.predictor(recipe, model, folder).predict(texts))
        decoded = [decoder.decode(item, found, recipe.decode) for item, found in zip(texts, kept, strict=True)]
        assert same(decoded, expected) > 5


@pytest.mark.parametrize("opened", KINDS, indirect=True)
def test_rows_are_mentions_with_all_their_candidates(opened: tuple[Any, Any, Path]) -> None:
    recipe, model, folder = opened
    reader = TASK.reader(recipe, model, folder)
    kb = reader.featurizer.kb  # type: ignore[attr-defined]
    seen = 0
    for item, found in reader.propose(texts_of(folder), floor=LOW):
        mentions: dict[tuple[int, ...], list[tuple[int, float]]] = {}
        for (start, end, name, entity, window), parts in zip(found.rows.tolist(), found.parts.tolist(), strict=True):
            assert kb.number(item.text[start:end]) == name
            mentions.setdefault((start, end, name, window), []).append((entity, parts[-1]))
        for (_, _, name, window), rows in mentions.items():
            assert 0 <= window <= len(item.text)
            entities, shares = zip(*rows, strict=True)
            assert set(entities[:-1]) == set(kb.candidates(name)[: recipe.decode.candidates])
            assert entities[-1] < 0
            if recipe.data.nil == "drop":
                assert entities[-1] == -1
            if getattr(model.config, "loss", "") != "pair":
                assert sum(shares) == pytest.approx(1.0, abs=1e-5)
            seen += 1
        probability = reader.layout.probability(found.parts)
        assert ((probability >= 0) & (probability <= 1)).all() and found.capped == 0
    assert seen > 60


@pytest.mark.parametrize("opened", KINDS, indirect=True)
def test_rows_that_a_model_proposed_are_scored_as_it_proposed_them(opened: tuple[Any, Any, Path]) -> None:
    recipe, model, folder = opened
    recipe.data.window, recipe.data.overlap = 64, 24
    reader = TASK.reader(recipe, model, folder)
    proposed = list(reader.propose(texts_of(folder), floor=LOW))
    for (item, found), (again, said) in zip(proposed, reader.score(proposed), strict=True):
        assert again is item and np.array_equal(said.rows, found.rows)
        np.testing.assert_allclose(said.parts, found.parts, atol=1e-5)
    # Sorted, as they come from several models, and with rows that are none of its own.
    item, found = max(proposed, key=lambda pair: len(pair[1]))
    odd = np.array([(0, 1, 0, 0, 0), (0, 2, -1, 3, 0), (0, 2, 10**6, 10**6, 0), (0, 2, 0, -90, 0)], np.int32)
    every = replace(found, rows=union([found, Candidates(odd, np.zeros((4, found.parts.shape[1])), found.whole)]))
    ((_, said),) = reader.score([(item, every)])
    parts = {tuple(row): p for row, p in zip(said.rows.tolist(), said.parts.tolist(), strict=True)}
    for row, expected in zip(found.rows.tolist(), found.parts.tolist(), strict=True):
        np.testing.assert_allclose(parts[tuple(row)], expected, atol=1e-5)
    assert not any(parts[tuple(row)][0] for row in odd.tolist())  # no matches
    assert merged([said, said]).models == 2


@pytest.mark.parametrize("opened", ["spans", "cross"], indirect=True)
def test_a_model_with_other_windows_scores_what_it_can(opened: tuple[Any, Any, Path]) -> None:
    recipe, model, folder = opened
    texts = texts_of(folder)
    recipe.data.window, recipe.data.overlap = 64, 24
    proposed = list(TASK.reader(recipe, model, folder).propose(texts, floor=LOW))
    other = recipe.model_copy(deep=True)
    other.data.window, other.data.overlap = 100, 40
    for _, said in TASK.reader(other, model, folder).score(proposed):
        assert (said.parts[:, 0] > 0).all()


@pytest.mark.parametrize("opened", ["spans", "cross"], indirect=True)
def test_what_members_with_other_windows_name_twice_is_scored_as_once(opened: tuple[Any, Any, Path]) -> None:
    recipe, model, folder = opened
    text, found = next((t, f) for t, f in TASK.reader(recipe, model, folder).propose(texts_of(folder), floor=LOW)
                       if len(f))  # fmt: skip
    again = found.rows.copy()
    again[:, 4] += 7  # of a window that this model has not
    twice = Candidates(np.concatenate([found.rows, again]), np.tile(found.parts, (2, 1)), found.whole)
    ((_, said),) = TASK.reader(recipe, model, folder).score([(text, twice)])
    np.testing.assert_allclose(said.parts, twice.parts, atol=1e-5)


@pytest.mark.parametrize("opened", KINDS, indirect=True)
def test_given_mentions_are_proposed_whatever_they_are(opened: tuple[Any, Any, Path]) -> None:
    recipe, model, folder = opened
    recipe.decode.given_mentions = True
    texts = texts_of(folder)
    reader, decoder = TASK.reader(recipe, model, folder), TASK.decoder(recipe, folder)
    proposed = list(reader.propose(texts, floor=LOW))
    for item, found in proposed:
        linking = decoder.decode(item, found, recipe.decode)
        assert {(m.start, m.end) for m in linking.mentions} == {(m.start, m.end) for m in item.mentions}
    for (_, found), (_, said) in zip(proposed, reader.score(proposed), strict=True):
        np.testing.assert_allclose(said.parts, found.parts, atol=1e-5)


# -- bounds


def yes(model: Any) -> Any:
    """The model, which holds every match for a mention and every candidate for the right one."""
    with torch.no_grad():
        for name in ("span_outer", "link_outer", "pointers"):
            layer = getattr(model, name, None)
            if layer is not None:
                layer.weight.zero_()
                layer.bias.fill_(10.0)
    return model


def timed(what: Callable[[], Any]) -> tuple[Any, float]:
    began = time.perf_counter()
    return what(), time.perf_counter() - began


@pytest.mark.parametrize("opened", KINDS, indirect=True)
@pytest.mark.parametrize("floor", [Floor(0.0), None], ids=["lowest", "thresholds"])
def test_a_model_that_says_yes_to_everything_ends(opened: tuple[Any, Any, Path], floor: Floor | None) -> None:
    recipe, model, folder = opened
    recipe.decode.mention = recipe.decode.link = recipe.decode.joint = 0.0
    gold = [Example("1", "云朵林满石桥望山镇青砖巷" * 40)]
    reader, decoder = TASK.reader(recipe, yes(model), folder), TASK.decoder(recipe, folder)
    found: list[tuple[Any, Candidates]]
    found, seconds = timed(lambda: list(reader.propose(gold, floor=floor or decoder.floor(recipe.decode))))
    assert seconds < 60 and 400 < len(found[0][1]) <= reader.most
    (linking,), seconds = timed(lambda: [decoder.decode(item, rows, recipe.decode) for item, rows in found])
    assert seconds < 5 and len(linking.mentions) > 100
    report, seconds = timed(lambda: TASK.evaluate(recipe, gold, [linking], resamples=10, outcomes=True))
    assert seconds < 5 and report.values["predicted"] == len(linking.mentions)


@pytest.mark.parametrize("opened", KINDS, indirect=True)
def test_the_most_probable_rows_stay(opened: tuple[Any, Any, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    recipe, model, folder = opened
    text = [Example("1", "云朵林满石桥望山镇青砖巷" * 4)]
    ((_, every),) = TASK.reader(recipe, model, folder).propose(text, floor=LOW)
    reader: Any = TASK.reader(recipe, model, folder)
    reader.most = 7
    ((_, few),) = reader.propose(text, floor=LOW)
    assert len(few) == 7 and few.capped == len(every) - 7
    probability = reader.layout.probability
    assert sorted(probability(few.parts).tolist()) == sorted(probability(every.parts).tolist())[-7:]
    predictor: Predictor[Any, Any] = TASK.predictor(recipe, model, folder)
    predictor.reader.most = 1
    assert len(list(predictor.predict(text))) == 1
    assert any(note.startswith("1 texts have more than 1 candidates above the thresholds") for note in predictor.notes)
    # Mentions are left out before their candidates are looked at.
    monkeypatch.setattr(readers.LinkReader, "mentions", 3)
    ((_, three),) = TASK.reader(recipe, model, folder).propose(text, floor=LOW)
    assert len({tuple(row) for row in three.rows[:, :2].tolist()}) == 3 and three.capped > 0


def test_files_of_another_model_are_refused(joint: MadeJoint, joint_keeping: MadeJoint, prepared: Made) -> None:
    model = loud_joint(joint)
    pointers = joint.recipe.model_copy(deep=True)
    pointers.model.head.mentions = "pointers"
    for recipe, folder, name in (
        (joint_keeping.recipe, joint_keeping.folder, "recipe.yaml"),
        (pointers, joint.folder, "recipe.yaml"),
        (joint.recipe, prepared.folder, "tokenizer_config.json"),
    ):
        with pytest.raises(UserError, match=f"{name}: does not fit the model beside it"):
            TASK.reader(recipe, model, folder)


@pytest.mark.parametrize("opened", KINDS, indirect=True)
def test_a_threshold_below_the_floor_hides_nothing(opened: tuple[Any, Any, Path]) -> None:
    """What is kept for other thresholds holds what they choose, though at the recipe's another match goes before."""
    recipe, model, folder = opened
    texts = texts_of(folder)[-6:]
    reader, decoder = TASK.reader(recipe, model, folder), TASK.decoder(recipe, folder)
    recipe.decode.mention, recipe.decode.link, recipe.decode.joint = 0.0, 0.0, 0.0
    kept = list(reader.propose(texts, floor=floor_below(reader, decoder, recipe.decode)))
    found = 0
    for mention in (0.05, 0.45):
        recipe.decode.mention = mention
        expected = list(TASK.predictor(recipe, model, folder).predict(texts))
        found += same((decoder.decode(item, own, recipe.decode) for item, own in kept), expected)
    assert found > 10
