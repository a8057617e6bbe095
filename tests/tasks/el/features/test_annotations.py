"""Habits: counted, left out again, kept on disk."""

from __future__ import annotations

from pathlib import Path

import pytest

from ietool.errors import UserError
from ietool.tasks.el.features.annotations import Annotations, text_habits

FOUND = [(0, 2, "云朵"), (0, 4, "云朵之歌"), (5, 7, "下载")]
GOLD = {(0, 4): "7", (8, 9): "9"}


def test_what_a_text_contributes() -> None:
    habits = text_habits(FOUND, GOLD)
    assert (habits["云朵之歌"].yes, habits["云朵之歌"].no, dict(habits["云朵之歌"].links)) == (1, 0, {"7": 1})
    assert (habits["云朵"].yes, habits["云朵"].no, habits["云朵"].misses) == (0, 0, 1)  # inside the longer one
    assert (habits["下载"].yes, habits["下载"].no, habits["下载"].misses) == (0, 1, 1)


def test_the_own_text_is_left_out() -> None:
    annotations = Annotations()
    own = text_habits(FOUND, GOLD)
    annotations.add(own)
    annotations.add(text_habits(FOUND, {}))
    left = annotations.get("云朵之歌").minus(own["云朵之歌"])
    assert (left.yes, left.no, left.hits, left.misses, left.links.total()) == (0, 1, 0, 1, 0)
    assert left.reluctance == 2.0
    assert annotations.get("没见过").reluctance == 1.0


def test_saved_and_loaded(tmp_path: Path) -> None:
    annotations = Annotations()
    annotations.add(text_habits(FOUND, GOLD))
    annotations.save(tmp_path / "a.jsonl")
    again = Annotations.load(tmp_path / "a.jsonl")
    assert dict(again) == dict(annotations)
    assert again.entities == annotations.entities


@pytest.mark.parametrize("damaged", ['["a", 1]\n', "{}\n", "[", '["a", 1, 1, 1, 1, [1]]\n'])
def test_a_damaged_file_is_told(tmp_path: Path, damaged: str) -> None:
    path = tmp_path / "annotations.jsonl"
    path.write_text("[1]\n" + damaged, encoding="utf-8")
    with pytest.raises(UserError) as caught:
        Annotations.load(path)
    assert caught.value.line == 2


@pytest.mark.parametrize("left", [0, 1, 2])
def test_a_file_that_lost_its_end_is_told(tmp_path: Path, left: int) -> None:
    annotations = Annotations()
    annotations.add(text_habits(FOUND, GOLD))
    path = tmp_path / "annotations.jsonl"
    annotations.save(path)
    path.write_text("".join(path.read_text(encoding="utf-8").splitlines(keepends=True)[:left]), encoding="utf-8")
    with pytest.raises(UserError, match="holds no annotators' statistics"):
        Annotations.load(path)
