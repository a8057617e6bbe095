"""Cutting train into folds, and what a preparation counts that leaves a fold out."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ietool.contest.group import check_folds, cut, mark_of
from ietool.core.groups import GROUPS
from ietool.core.intake import Intake
from ietool.errors import UserError
from ietool.progress import no_progress
from ietool.tasks.ner.data.example import Example
from ietool.tasks.ner.prepare.preparation import KEPT as SENTENCES
from ietool.tasks.qa.data.question import Passage, Question
from ietool.tasks.qa.prepare.preparation import KEPT as QUESTIONS
from tests.core.test_intake import KEPT, Counts, Item

# -- cutting


@given(
    st.lists(st.integers(0, 40), min_size=1, max_size=200).map(lambda found: np.array(found, np.int32)),
    st.integers(2, 6),
    st.integers(0, 5),
)
def test_what_is_alike_stays_together_and_folds_are_of_one_size(groups: np.ndarray, folds: int, seed: int) -> None:
    sizes = np.bincount(groups)
    if np.count_nonzero(sizes) < folds:
        with pytest.raises(UserError, match="records that are not alike"):
            cut(groups, folds, seed)
        return
    found = cut(groups, folds, seed)
    for number in np.unique(groups):
        assert len(set(found[groups == number].tolist())) == 1
    held = np.bincount(found, minlength=folds)
    assert held.sum() == len(groups) and held.max() - held.min() <= sizes.max()
    check_folds(found, groups, folds)
    assert mark_of(found) == mark_of(cut(groups, folds, seed))


def test_another_seed_cuts_otherwise() -> None:
    groups = np.arange(60, dtype=np.int32)
    assert mark_of(cut(groups, 3, 1)) != mark_of(cut(groups, 3, 2))


@given(st.lists(st.integers(0, 8), min_size=12, max_size=40), st.data())
def test_a_record_moved_away_from_those_alike_is_found(numbers: list[int], data: st.DataObject) -> None:
    groups = np.array([*numbers, *range(9)], np.int32)
    found = cut(groups, 2, 0)
    row = data.draw(st.sampled_from([r for r, g in enumerate(groups) if (groups == g).sum() > 1]))
    found[row] = 1 - found[row]
    with pytest.raises(ValueError, match=r"is alike to record|not 2 folds"):
        check_folds(found, groups, 2)


@given(st.lists(st.integers(0, 3), min_size=1, max_size=9))
def test_folds_of_other_data_are_refused(wrong: list[int]) -> None:
    groups = np.arange(10, dtype=np.int32)
    with pytest.raises(ValueError, match="there are 10 records"):
        check_folds(np.array(wrong, np.int16), groups, 4)


# -- near-duplicates, as texts come

_WORD = st.text("甲乙丙丁戊己庚辛Ab1", min_size=3, max_size=12)
_NOISE = st.sampled_from(["", "。", " ", "！？", "\u3000", "——"])


@contextmanager
def intake(kept: object, left_out: np.ndarray | None = None) -> Iterator[Intake]:  # type: ignore[type-arg]
    with TemporaryDirectory() as name:
        for part in ("prepared", "scratch"):
            (Path(name) / part).mkdir()
        with closing(
            Intake(Path(name) / "prepared", Path(name) / "scratch", None, no_progress, kept, left_out)  # type: ignore[arg-type]
        ) as made:
            yield made


def groups_of(kept: object, records: list[object]) -> np.ndarray:
    with intake(kept) as made:
        list(made.train(iter(records), Counts(), once=False))
        return np.load(made.folder / GROUPS)


@settings(max_examples=25)
@given(st.lists(_WORD, min_size=4, max_size=12, unique_by=str.lower), st.lists(_NOISE, min_size=3, max_size=3))
def test_texts_that_differ_in_case_and_punctuation_never_straddle(texts: list[str], noise: list[str]) -> None:
    one, two, three = noise
    records = [*map(Example, texts), *(Example(one + t[:2].upper() + two + t[2:] + three) for t in texts)]
    groups = groups_of(SENTENCES, records)  # type: ignore[arg-type]
    folds = cut(groups, 2, 0)
    assert (folds[: len(texts)] == folds[len(texts) :]).all()


@settings(max_examples=25)
@given(
    st.lists(st.tuples(st.integers(0, 5), st.lists(st.integers(0, 9), min_size=1, max_size=3)), min_size=6, max_size=14)
)
def test_questions_that_share_themselves_or_a_passage_never_straddle(numbers: list[tuple[int, list[int]]]) -> None:
    questions = [
        Question(
            str(n),
            f"第{q}个问题是什么？",
            tuple(Passage(f"这是第{p}段很长很长的文字，里面写着一些事情。") for p in own),
        )
        for n, (q, own) in enumerate(numbers)
    ]
    groups = groups_of(QUESTIONS, questions)  # type: ignore[arg-type]
    if len(set(groups.tolist())) < 2:
        return
    folds = cut(groups, 2, 0)
    for n, (question, passages) in enumerate(numbers):
        for m, (other, others) in enumerate(numbers):
            if question == other or set(passages) & set(others):
                assert folds[n] == folds[m]


# -- what is left out is not counted


@settings(max_examples=40)
@given(st.lists(st.sampled_from("abcdefghij"), min_size=1, max_size=14), st.data())
def test_what_is_left_out_is_neither_kept_nor_given_nor_numbered(texts: list[str], data: st.DataObject) -> None:
    items = [Item(text * 2, line=n) for n, text in enumerate(texts)]
    distinct = list(dict.fromkeys(item.text for item in items))
    left_out = np.array(data.draw(st.lists(st.booleans(), min_size=len(distinct), max_size=len(distinct))))
    with intake(KEPT, left_out) as made:
        given_ = [item.text for item in made.train(iter(items), Counts())]
        assert given_ == [text for text, out in zip(distinct, left_out, strict=True) if not out]
        assert [item.text for item in made.again()] == given_ and made.rows == len(given_)
        assert len(np.load(made.folder / GROUPS)) == len(given_)
        for text, out in zip(distinct, left_out, strict=True):
            assert made.is_left_out(Item(f"{text.upper()}!")) == out


def test_other_records_than_the_folds_were_cut_of_are_refused() -> None:
    for count in (2, 4):
        with (
            intake(KEPT, np.zeros(count, bool)) as made,
            pytest.raises(UserError, match=f"train has 3 records, the folds were cut of {count}"),
        ):
            list(made.train(iter([Item(text) for text in "abc"]), Counts()))
