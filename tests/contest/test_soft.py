"""Soft labels: what a model is more or less sure of is drawn anew every epoch, as often as it is probable."""

from __future__ import annotations

import json
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ietool.core.soft import drawn, soft_file
from ietool.registry import get_task
from ietool.tasks.ner.heads.sampling import apart
from ietool.workflow.prepare import prepare
from tests.cli.conftest import complaint
from tests.contest.test_distil import settings_of
from tests.tasks.ske import made as ske


class Half:
    """A chance that always shows the same number."""

    def __init__(self, value: float) -> None:
        self.value = value

    def random(self) -> float:
        return self.value


NORMAL = st.floats(2**-60, 1, width=32) | st.just(0.0)
"""Numbers whose products single precision can tell from zero."""


@given(st.lists(NORMAL, min_size=1), NORMAL, st.floats(0, 0.999))
def test_what_is_drawn_is_what_the_target_says(chance: list[float], weight: float, chosen: float) -> None:
    array = np.array(chance, np.float32)
    rows = list(range(len(chance)))
    target = [weight * p + (1 - weight) * (p >= 0.5) for p in array.tolist()]
    held = drawn(rows, array, weight, Half(chosen))  # type: ignore[arg-type]
    assert held == [n for n, p in enumerate(target) if chosen < p or p >= 1]
    assert drawn(np.arange(len(chance)), array, weight, Half(chosen)).tolist() == held  # type: ignore[arg-type]


@given(st.lists(st.tuples(NORMAL, st.sampled_from("ab")), min_size=1))
def test_rows_of_one_name_share_a_die(some: list[tuple[float, str]]) -> None:
    """What they have in common is then as probable as the likeliest of them, and not as if each were drawn apart."""
    chance, of = np.array([p for p, _ in some], np.float32), [name for _, name in some]
    held = set(drawn(list(range(len(some))), chance, 1.0, Random(7), of))
    random = Random(7)
    dice = {name: random.random() for name in dict.fromkeys(of)}
    assert held == {n for n, p in enumerate(chance.tolist()) if p >= 1 or dice[of[n]] < p}
    for name in set(of):
        mine = {n for n, own in enumerate(of) if own == name}
        assert bool(held & mine) == (dice[name] < chance[list(mine)].max() or chance[list(mine)].max() >= 1)


@given(st.lists(st.tuples(st.integers(0, 9), st.integers(1, 4), st.integers(0, 2)), max_size=8, unique=True))
def test_no_two_share_a_place(some: list[tuple[int, int, int]]) -> None:
    rows = np.array([(a, a + n, kind) for a, n, kind in some], np.int32).reshape(-1, 3)
    kept = apart(rows)
    places = [n for a, b, _ in kept.tolist() for n in range(a, b)]
    assert len(places) == len(set(places)) and kept.tolist() == [row for row in rows.tolist() if row in kept.tolist()]
    for a, b, _ in rows.tolist():
        assert not set(range(a, b)).isdisjoint(places)


def items(recipe: Any, prepared: Path) -> Any:
    return get_task(recipe.task).training_set(recipe, prepared)


def test_triples_are_drawn_with_all_their_places(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("IETOOL_HOME", str(tmp_path / "home"))
    data = tmp_path / "data"
    data.mkdir()
    ske.head_of_corpus(data)
    extra = tmp_path / "extra.jsonl"
    texts = [json.loads(line) for line in (data / "test.jsonl").read_text("utf-8").splitlines()]
    extra.write_text("".join(json.dumps(one, ensure_ascii=False) + "\n" for one in texts), "utf-8")
    lines = [{"text": one["text"], "p": [(n % 4) / 4 for n in range(len(one["spo_list"]))]} for one in texts]

    def write() -> None:
        text = "".join(json.dumps(one, ensure_ascii=False) + "\n" for one in lines)
        soft_file(extra).write_text(text, "utf-8")

    write()
    recipe = ske.small_recipe("sampling.replacement=0")
    files = {"train": data / "train.jsonl", "dev": data / "dev.jsonl", "schema": data / "schema.jsonl", "extra": extra}
    made = prepare(recipe, files=files, output=tmp_path / "prepared")
    sure = sum(p >= 0.5 for one in lines for p in one["p"])
    assert made.report.statistics["extra"]["triples"] == sure
    some = items(recipe, made.folder)
    at = [n for n in range(len(some)) if len(some.chances[n])]
    total = 0
    for epoch in range(60):
        some.set_epoch(epoch)
        total += sum(len(some[n]["rows"]) for n in at)
    assert abs(total / 60 - sum(float(some.chances[n].sum()) for n in at)) < 0.1 * total / 60
    recipe.data.soft_weight = 0.0
    always = items(recipe, made.folder)
    rows = [len(always[n]["rows"]) for n in at]
    assert rows == [int((some.chances[n] >= 0.5).sum()) for n in at]
    lines[2]["p"] = lines[2]["p"][1:]
    write()
    settings = settings_of(ske.acting(ske.SMALL))
    error = complaint(capsys, "prepare", "--recipe", "ske", "--data", data, "--extra", extra, *settings)
    assert "extra.soft.jsonl:3: p: is no list of" in error
    del lines[2:]
    write()
    error = complaint(capsys, "prepare", "--recipe", "ske", "--data", data, "--extra", extra, *settings)
    assert "extra.soft.jsonl: has no line for the text" in error
