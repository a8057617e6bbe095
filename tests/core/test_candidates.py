"""Candidates: which stay of too many, those of several models together, and folders of them."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ietool.core.candidate_files import ABOUT, TABLE, read_candidates, write_candidates
from ietool.core.candidates import PRODUCT, Candidates, Floor, Layout, capped, merged, strongest, union
from ietool.errors import UserError

LAYOUT = Layout(("start", "end", "type"), ("first", "last", "mark"), ("first", "last"), ("any",))

probability = st.sampled_from([0.0, 0.25, 0.5, 1.0]) | st.floats(0, 1, width=32)
row = st.tuples(st.integers(0, 9), st.integers(0, 9), st.integers(0, 3))


@st.composite
def candidates(draw: st.DrawFn, rows: st.SearchStrategy[list[tuple[int, int, int]]] | None = None) -> Candidates:
    own = draw(st.lists(row, max_size=8, unique=True) if rows is None else rows)
    parts = [draw(st.tuples(probability, probability, probability)) for _ in own]
    return Candidates(
        np.array(own, np.int32).reshape(-1, 3),
        np.array(parts, np.float32).reshape(-1, 3),
        np.array([draw(probability)], np.float32),
        draw(st.integers(0, 5)),
        draw(st.integers(1, 3)),
    )


def same(one: Candidates, other: Candidates) -> bool:
    return (
        all(
            a.dtype == b.dtype and a.shape == b.shape and bool((a == b).all())
            for a, b in ((one.rows, other.rows), (one.parts, other.parts), (one.whole, other.whole))
        )
        and (one.capped, one.models) == (other.capped, other.models)
    )  # fmt: skip


# -- floors and layouts


def test_the_probability_of_a_row_is_the_product_of_its_parts() -> None:
    parts = np.array([(0.5, 0.5, 0.1), (1.0, 0.25, 0.9)], np.float32)
    assert LAYOUT.probability(parts).tolist() == [0.25, 0.25]
    assert LAYOUT.probability(parts[:0]).tolist() == []
    none = Candidates.none(LAYOUT)
    assert (none.rows.shape, none.parts.shape, none.whole.tolist(), len(none)) == ((0, 3), (0, 3), [0.0], 0)


def test_a_floor_of_each_part() -> None:
    floor = Floor(0.1, {"first": 0.3, PRODUCT: 0.2})
    assert [floor.of(name) for name in ("first", "last", PRODUCT)] == [0.3, 0.1, 0.2]
    assert Floor(0.1).of(PRODUCT) == 0.0 and Floor().of("first") == 0.0
    assert Floor(ceilings={"none": 0.4}).ceiling("none") == 0.4 and Floor().ceiling("none") == float("inf")


# -- caps


@given(st.lists(probability, max_size=12), st.integers(1, 13))
def test_the_strongest_are_those_of_a_stable_sort(values: list[float], most: int) -> None:
    ranked = sorted(range(len(values)), key=lambda n: (-values[n], n))[:most]
    assert strongest(np.array(values, np.float32), most).tolist() == sorted(ranked)


@given(candidates(), st.integers(1, 9))
def test_capping_counts_what_is_left_out(found: Candidates, most: int) -> None:
    kept = capped(LAYOUT, found, most)
    if len(found) <= most:
        assert kept is found
        return
    at = strongest(LAYOUT.probability(found.parts), most)
    wanted = Candidates(found.rows[at], found.parts[at], found.whole, found.capped + len(found) - most, found.models)
    assert same(kept, wanted)
    by_mark = capped(LAYOUT, found, most, found.parts[:, 2])
    assert by_mark.rows.tolist() == found.rows[strongest(found.parts[:, 2], most)].tolist()


# -- several models


@given(st.lists(candidates(), min_size=1, max_size=4))
def test_the_union_has_each_row_once(found: list[Candidates]) -> None:
    rows = union(found)
    assert rows.dtype == np.int32 and rows.shape[1] == 3
    assert [tuple(r) for r in rows.tolist()] == sorted({tuple(r) for one in found for r in one.rows.tolist()})


@given(st.data(), st.lists(row, max_size=6, unique=True), st.integers(1, 4))
def test_a_mean_of_models(data: st.DataObject, rows: list[tuple[int, int, int]], count: int) -> None:
    found = [data.draw(candidates(st.just(rows))) for _ in range(count)]
    weights = data.draw(st.none() | st.lists(st.floats(0.1, 10), min_size=count, max_size=count))
    whole = merged(found, weights)
    share = [1 / count] * count if weights is None else [w / sum(weights) for w in weights]
    assert whole.rows.tolist() == found[0].rows.tolist() and whole.parts.dtype == whole.whole.dtype == np.float32
    for n in range(len(rows)):
        for part in range(3):
            mean = sum(s * float(one.parts[n, part]) for s, one in zip(share, found, strict=True))
            assert whole.parts[n, part] == pytest.approx(mean, abs=1e-6)
    assert whole.whole[0] == pytest.approx(
        sum(s * float(f.whole[0]) for s, f in zip(share, found, strict=True)), abs=1e-6
    )
    assert whole.models == sum(one.models for one in found) and whole.capped == max(one.capped for one in found)


def test_rows_that_differ_are_not_averaged() -> None:
    one = Candidates(np.array([(0, 1, 0)], np.int32), np.ones((1, 3), np.float32), np.zeros(1, np.float32))
    for rows in ([(0, 1, 1)], [], [(0, 1, 0), (0, 2, 0)]):
        other = Candidates(np.array(rows, np.int32).reshape(-1, 3), np.ones((len(rows), 3), np.float32), one.whole)
        with pytest.raises(ValueError, match="only where their rows are the same"):
            merged([one, other])


# -- folders


@given(st.lists(candidates(), max_size=5), st.sampled_from([1, 2, 256]))
def test_there_and_back(tmp_path_factory: pytest.TempPathFactory, found: list[Candidates], batch: int) -> None:
    folder = tmp_path_factory.mktemp("c") / "inner" / "candidates"
    floor, about = Floor(0.01, {"first": 0.3}, {"last": 0.9}), {"run": "甲", "numbers": [1, 2]}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("ietool.core.candidate_files._BATCH", batch)
        assert write_candidates(folder, LAYOUT, floor, iter(found), about) == len(found)
    stored = read_candidates(folder)
    assert (stored.layout, stored.floor, stored.about) == (LAYOUT, floor, about)
    assert len(stored) == len(found)
    for own in (list(stored), [stored[n] for n in range(len(found))], stored[:], [*stored[:2], *stored[2:]]):
        assert len(own) == len(found) and all(same(a, b) for a, b in zip(own, found, strict=True))
    for n in range(1, len(found) + 1):
        assert same(stored[-n], found[-n])
    for wrong in (len(found), -len(found) - 1):
        with pytest.raises(IndexError):
            stored[wrong]


def many(count: int) -> list[Candidates]:
    dice = np.random.default_rng(1)
    return [
        Candidates(dice.integers(0, 99, (n % 7, 3), np.int32), dice.random((n % 7, 3), np.float32),
                   np.zeros(1, np.float32), n % 3, 1)
        for n in range(count)
    ]  # fmt: skip


def test_texts_are_read_from_a_memory_map(tmp_path: Path) -> None:
    """Beyond one record batch, nothing copied."""
    found = many(1000)
    write_candidates(tmp_path, LAYOUT, Floor(0.5), found)
    stored = read_candidates(tmp_path)
    assert all(same(a, b) for a, b in zip(stored, found, strict=True)) and stored.about == {}
    one = stored[501]
    for array in (one.rows, one.parts, one.whole):
        assert array.base is not None and not array.flags.writeable
    # What is handed out stays, whatever becomes of the folder.
    shutil.rmtree(tmp_path)
    assert same(one, found[501]) and same(stored[999], found[999])


def test_a_stream_is_written_batch_by_batch(tmp_path: Path) -> None:
    held = 0
    alive: list[int] = []

    class Counted:
        def __init__(self, one: Candidates) -> None:
            nonlocal held
            held += 1
            self.one = one

        def __del__(self) -> None:
            nonlocal held
            held -= 1

        def __getattr__(self, name: str) -> object:
            return getattr(self.one, name)

    def stream() -> object:
        for one in many(2000):
            alive.append(held)
            yield Counted(one)

    assert write_candidates(tmp_path, LAYOUT, Floor(), stream()) == 2000  # type: ignore[arg-type]
    assert max(alive) <= 260


DAMAGE: dict[str, tuple[Callable[[Path], object], str]] = {
    "no table": (lambda f: (f / TABLE).unlink(), f"holds no candidates → {TABLE} is missing"),
    "nothing about": (lambda f: (f / ABOUT).unlink(), f"holds no candidates → {ABOUT} is missing"),
    "no folder": (shutil.rmtree, f"holds no candidates → {ABOUT} is missing"),
    "about is cut": (lambda f: (f / ABOUT).write_text((f / ABOUT).read_text()[:30]), "holds damaged candidates"),
    "about is a list": (lambda f: (f / ABOUT).write_text("[]"), "holds damaged candidates"),
    "about is of bytes": (lambda f: (f / ABOUT).write_bytes(b"\xff\xfe"), "holds damaged candidates"),
    "table is cut": (lambda f: (f / TABLE).write_bytes((f / TABLE).read_bytes()[:200]), "holds damaged candidates"),
    "table is empty": (lambda f: (f / TABLE).write_bytes(b""), "holds damaged candidates"),
    "table is text": (lambda f: (f / TABLE).write_text("candidates\n" * 50), "holds damaged candidates"),
}


@pytest.mark.parametrize("name", DAMAGE)
def test_damage_is_told_in_one_line(tmp_path: Path, name: str) -> None:
    folder = tmp_path / "dev"
    write_candidates(folder, LAYOUT, Floor(), many(20))
    damage, message = DAMAGE[name]
    damage(folder)
    with pytest.raises(UserError, match=message) as told:
        read_candidates(folder)
    assert str(told.value).startswith(str(folder)) and "\n" not in str(told.value)


@pytest.mark.parametrize(
    "change",
    [
        {"layout": {"rows": ["start"], "parts": ["first"], "product": [], "nothing": 1}},
        {"layout": 3},
        {"layout": {"rows": 3, "parts": [], "product": [], "whole": []}},
        {"floor": {"default": 0.1, "more": 1}},
        {"floor": None},
        {"about": 3},
        {
            "layout": {
                "rows": ["start", "end"],
                "parts": ["first", "last", "mark"],
                "product": ["first"],
                "whole": ["any"],
            }
        },
        {"layout": {"rows": ["a", "b", "c"], "parts": ["first"], "product": ["first"], "whole": ["any"]}},
    ],
)
def test_what_is_said_of_another_table_is_damage(tmp_path: Path, change: dict[str, object]) -> None:
    write_candidates(tmp_path, LAYOUT, Floor(), many(20))
    data = json.loads((tmp_path / ABOUT).read_text(encoding="utf-8"))
    (tmp_path / ABOUT).write_text(json.dumps(data | change), encoding="utf-8")
    with pytest.raises(UserError, match="holds damaged candidates"):
        read_candidates(tmp_path)


def test_another_table_is_damage(tmp_path: Path) -> None:
    import pyarrow as pa  # type: ignore[import-untyped]

    write_candidates(tmp_path, LAYOUT, Floor(), many(3))
    schema = pa.schema([("rows", pa.int32())])
    with pa.OSFile(str(tmp_path / TABLE), "wb") as sink, pa.ipc.new_file(sink, schema) as writer:
        writer.write_batch(pa.RecordBatch.from_arrays([pa.array([1, 2], pa.int32())], schema=schema))
    with pytest.raises(UserError, match="holds damaged candidates"):
        read_candidates(tmp_path)


def test_who_says_nothing_of_the_whole_does_not_count_in_it() -> None:
    """A run without labels stands beside one that has them."""
    rows, parts = np.array([[0, 1]], np.int32), np.array([[0.5]], np.float32)
    said = [Candidates(rows, parts, np.array(whole, np.float32)) for whole in ([0.6, 0.1], [-1, -1], [0.2, 0.3])]
    assert merged(said).whole.tolist() == pytest.approx([0.4, 0.2])
    assert merged(said, [3.0, 5.0, 1.0]).whole.tolist() == pytest.approx([0.5, 0.15])
    assert merged(said, [0.0, 5.0, 0.0]).whole.tolist() == [-1, -1]
    assert merged(said[1:2] * 2).whole.tolist() == [-1, -1]
