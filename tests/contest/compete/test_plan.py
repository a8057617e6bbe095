"""What fits into the hours, and what lies in a folder."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ietool import paths
from ietool.contest.compete.ground import look
from ietool.contest.compete.plan import AFTER, FOLDS, TRAINING, Plan, Speed, keys_of, make_plan
from ietool.contest.compete.state import STATE, State, check_place, read_state
from ietool.errors import UserError
from ietool.recipe_io import load_recipe

RECIPES = [load_recipe(name) for name in ("ner-crf", "ner-globalpointer")]

SPEEDS = st.builds(
    Speed, records=st.integers(100, 50_000), items=st.integers(100, 60_000), epoch=st.floats(0.5, 5000),
    dev=st.floats(0.1, 500), start=st.floats(1, 30), text=st.floats(0, 0.1),
)  # fmt: skip


@given(st.floats(0.05, 100), st.lists(SPEEDS, min_size=2, max_size=2), st.sampled_from([None, 0, 3]))
def test_a_plan_fits_into_its_hours(hours: float, speeds: list[Speed], folds: int | None) -> None:
    plan = make_plan(hours, RECIPES, speeds, folds=folds)
    assert plan.members and len({member.name for member in plan.members}) == len(plan.members)
    budget = hours * 3600 * TRAINING - AFTER
    first = plan.members[0]
    alone = first.epochs == 1 and len(plan.members) == 1  # less than one epoch there is not
    assert plan.seconds <= budget + 1e-6 or alone
    for member in plan.members:
        speed = speeds[[recipe.name for recipe in RECIPES].index(member.recipe)]
        assert (member.folds in (0, FOLDS if folds is None else folds)) and member.epochs >= 1
        each = speed.start + member.epochs * (speed.epoch * (1 - 1 / (member.folds or 1e9)) + speed.dev)
        assert member.seconds == pytest.approx(each * max(member.folds, 1), rel=1e-3)
    assert Plan.of(plan.record()) == plan


@given(
    st.floats(0.1, 50), st.lists(SPEEDS, min_size=2, max_size=2), st.integers(1, 4), st.floats(0, 2),
    st.floats(0, 1000), st.sampled_from([None, 0, 3]),
)  # fmt: skip
def test_devices_predictions_and_what_is_over_count(
    hours: float, speeds: list[Speed], devices: int, share: float, spent: float, folds: int | None
) -> None:
    plan = make_plan(hours, RECIPES, speeds, folds=folds, devices=devices, share=share, spent=spent)
    busy = [0.0] * devices
    for member in plan.members:
        busy.sort()
        busy[0] += member.seconds
    assert plan.seconds == pytest.approx(max(busy))
    names = [recipe.name for recipe in RECIPES]
    used = [(speeds[names.index(member.recipe)], max(member.folds, 1)) for member in plan.members]
    assert plan.after == pytest.approx(sum(s.text * s.records * share * parts for s, parts in used))
    if len(plan.members) > 1:  # of what does not fit one is trained nevertheless
        assert plan.seconds <= hours * 3600 * TRAINING - AFTER - spent + 1e-6
        assert plan.seconds + plan.after <= hours * 3600 - AFTER - spent
    alone = make_plan(hours, RECIPES, speeds, folds=0, share=share, spent=spent)
    many = make_plan(hours, RECIPES, speeds, folds=0, devices=devices, share=share, spent=spent)
    assert len(many.members) >= len(alone.members)


def test_folds_that_do_not_fit_are_told() -> None:
    speeds = [Speed(20_000, 20_000, 60.0, 5.0, 8.0)] * 2
    assert make_plan(1, RECIPES, speeds, folds=20).notes[0].startswith("20 folds of ner-crf do not fit into the time: ")
    assert not make_plan(1, RECIPES, speeds, folds=0).notes


def test_what_the_user_has_set_stays() -> None:
    speeds = [Speed(200, 200, 1.0, 0.1, 1.0)] * 2
    (own, *_), (kept, *_) = (
        make_plan(1, RECIPES, speeds, folds=0, kept=some).members
        for some in ((), ("training.epochs", "training.batch_size"))
    )
    assert own.epochs > RECIPES[0].training.epochs == kept.epochs
    assert "training.batch_size=16" in own.settings and kept.settings == ("training.ema_decay=0.99",)
    assert keys_of(["training.epochs=3", "model.head.size = 8"]) == {"training.epochs", "model.head.size"}
    few = make_plan(0.05, RECIPES, [Speed(20_000, 20_000, 600.0, 5.0, 8.0)] * 2, folds=3)
    assert any("3 folds do not fit" in note for note in few.notes)


def test_more_time_never_trains_less() -> None:
    speeds = [Speed(20_000, 20_000, 60.0, 5.0, 8.0), Speed(20_000, 20_000, 80.0, 5.0, 8.0)]
    planned = [make_plan(hours, RECIPES, speeds).seconds for hours in (0.1, 0.5, 1, 2, 4, 8, 16)]
    assert planned == sorted(planned) and planned[0] < planned[-1]
    few = make_plan(0.1, RECIPES, speeds)
    assert len(few.members) == 1 and "epochs" in few.notes[0]
    many = make_plan(8, RECIPES, speeds)
    assert many.members[0].folds == FOLDS and {member.recipe for member in many.members} == {
        "ner-crf",
        "ner-globalpointer",
    }


@pytest.mark.parametrize(
    ("task", "recipes"),
    [
        ("ner", ["ner-crf", "ner-globalpointer"]),
        ("events", ["events", "events-staged"]),
        ("ske", ["ske"]),
        ("el", ["el"]),
        ("qa", ["qa"]),
    ],
)
def test_the_corpora_that_ship_are_told(task: str, recipes: list[str]) -> None:
    ground = look(paths.shipped_data(task))
    assert ground.task == task and [recipe.name for recipe in ground.recipes] == recipes
    assert ground.test is not None and ground.form


def test_what_is_no_competition_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="holds no competition that is known"):
        look(tmp_path)
    with pytest.raises(UserError, match="no such folder"):
        look(tmp_path / "none")
    with pytest.raises(UserError, match="of several tasks"):
        look(paths.shipped_data("ner"), ["ner-crf", "ske"])
    with pytest.raises(UserError, match="train"):
        look(tmp_path, ["ner-crf"])
    with pytest.raises(UserError, match="hidden_siz"):
        look(paths.shipped_data("ner"), ["ner-crf"], ["model.encoder.hidden_siz=3"])


def test_a_state_is_read_as_it_was_written(tmp_path: Path) -> None:
    state = State(tmp_path, "data", {"recipes": ["ner-crf"]}, make_plan(1, RECIPES, [Speed(9, 9, 1, 1, 1)] * 2), 5.0)
    state.save()
    again = read_state(tmp_path)
    assert again.plan == Plan.of(state.plan.record()) if state.plan else False
    assert again.seconds >= 5.0 and again.asked == {"recipes": ["ner-crf"]}
    (tmp_path / STATE).write_text("{", encoding="utf-8")
    with pytest.raises(UserError, match="is damaged"):
        read_state(tmp_path)
    with pytest.raises(UserError, match="is not empty"):
        check_place(tmp_path, inputs=[])
    with pytest.raises(UserError, match="could go on"):
        read_state(tmp_path / "none")


def test_the_time_of_a_process_that_is_killed_counts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    now = [100.0]
    monkeypatch.setattr("ietool.contest.compete.state.time.monotonic", lambda: now[0])
    state = State(tmp_path, "data", {}, None, begun=now[0])
    state.save()
    written = (tmp_path / STATE).read_bytes()
    now[0] += 5
    state.tick()  # too soon: a state is not written every second
    assert (tmp_path / STATE).read_bytes() == written
    now[0] += 25
    state.tick()
    assert json.loads((tmp_path / STATE).read_text(encoding="utf-8"))["spent"] == 30.0
