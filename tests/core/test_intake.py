"""Reading train once: what is kept, held out, told apart and counted."""

from __future__ import annotations

import errno
import json
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ietool.core.groups import GROUPS, Groups
from ietool.core.intake import (
    EVERY,
    HoldOut,
    Intake,
    Kept,
    bare,
    held_out_note,
    nothing_held_out,
    rejecting,
    scratch_folder,
    watched,
)
from ietool.errors import UserError
from ietool.files.lines import OnBad
from ietool.progress import no_progress


@dataclass(frozen=True)
class Item:
    text: str
    gold: str = ""
    line: int = 0


@dataclass
class Counts:
    records: int = 0
    rejected: int = 0
    duplicates: int = 0
    conflicting: int = 0


KEPT: Kept[Item] = Kept(
    dump=lambda item: json.dumps([item.text, item.gold], ensure_ascii=False),
    load=lambda line: Item(*json.loads(line)),
    identity=lambda item: item.text,
    gold=lambda item: item.gold,
    group=lambda item: [bare(part) for part in item.text.split("|")],
)


def intake(tmp_path: Path, rejects: Path | None = None) -> Intake[Item]:
    for name in ("prepared", "scratch"):
        (tmp_path / name).mkdir(exist_ok=True)
    return Intake(tmp_path / "prepared", tmp_path / "scratch", rejects, no_progress, KEPT)


def items(*texts: str) -> list[Item]:
    """``text=gold`` each."""
    return [Item(*text.split("="), line=n) for n, text in enumerate(texts, 1)]


def plain(some: Sequence[Item]) -> list[tuple[str, str]]:
    return [(item.text, item.gold) for item in some]


def kept_in(tmp_path: Path, split: str) -> list[tuple[str, str]]:
    return plain(KEPT.split(tmp_path / "prepared", split))


# -- train


def test_train_is_kept_whole_each_text_once(tmp_path: Path) -> None:
    counts, some = Counts(), items("山=1", "水=1", "山=1", "人=2", "山=3", "水=1")
    with closing(intake(tmp_path)) as own:
        given_ = list(own.train(some, counts))
        assert plain(given_) == [("山", "1"), ("水", "1"), ("人", "2")] == kept_in(tmp_path, "train")
        assert plain(list(own.again())) == plain(given_) and own.rows == 3 and own.held == 0
    assert (counts.duplicates, counts.conflicting) == (3, 1)
    assert np.load(tmp_path / "prepared" / GROUPS).tolist() == [0, 1, 2]


def test_repeats_may_stay(tmp_path: Path) -> None:
    """They are counted all the same, keep row numbers of their own, and are of one group."""
    counts, some = Counts(), items("山=1", "水=1", "山=1", "山=3")
    with closing(intake(tmp_path)) as own:
        assert plain(list(own.train(some, counts, once=False))) == plain(some) == kept_in(tmp_path, "train")
        assert own.rows == 4
    assert (counts.duplicates, counts.conflicting) == (2, 1)
    assert np.load(tmp_path / "prepared" / GROUPS).tolist() == [0, 1, 0, 0]


@pytest.mark.parametrize("once", [True, False])
def test_a_share_is_held_out(tmp_path: Path, once: bool) -> None:
    hold, counts = HoldOut(0.3, 5), Counts()
    some = items(*(f"文{n % 80}={n % 3}" for n in range(100)))
    with closing(intake(tmp_path)) as own:
        given_ = list(own.train(some, counts, hold, once=once))
        held = [item for item in some if hold.holds(item.text)]
        wanted = [item for item in some if not hold.holds(item.text)]
        if once:
            held, wanted = (list({item.text: item for item in reversed(s)}.values())[::-1] for s in (held, wanted))
        assert sorted(plain(given_)) == sorted(plain(wanted)) and own.rows == len(wanted)
        assert own.held == len(held) and 10 < len({item.text for item in held}) < 40
        assert counts.duplicates == 20
        # They are dev, where no file is given, and stand in train no more.
        dev_counts = Counts()
        dev = list(own.dev(None, dev_counts))
        assert sorted(plain([item for item, _ in dev])) == sorted(plain(held)) == sorted(kept_in(tmp_path, "dev"))
        assert not any(in_train for _, in_train in dev)
        assert dev_counts.duplicates == len(held) - len({item.text for item in held})
    assert len(np.load(tmp_path / "prepared" / GROUPS)) == own.rows


def test_a_texts_fate_follows_from_itself_and_the_seed() -> None:
    texts = [f"文{n}" for n in range(2000)]
    one, again, other = ([HoldOut(0.2, seed).holds(t) for t in texts] for seed in (1, 1, 2))
    assert one == again != other and 300 < sum(one) < 500
    assert not any(HoldOut(0.0, 1).holds(t) for t in texts) and all(HoldOut(1.0, 1).holds(t) for t in texts)
    # A larger share holds all that a smaller one does.
    assert all(HoldOut(0.5, 1).holds(t) for t, held in zip(texts, one, strict=True) if held)


def test_what_is_told_of_held_out_texts() -> None:
    assert "gives no text to hold out as dev → name a dev file with --dev FILE" in str(nothing_held_out(Path("t")))
    assert "gives no question to hold out" in str(nothing_held_out(Path("t"), "question"))
    assert held_out_note(1234, "texts", 0.1, 42) == (
        "no dev file was given: 1,234 texts of train are held out (data.held_out=0.1, seed 42)"
    )


# -- dev


def test_dev_is_kept_as_it_is(tmp_path: Path) -> None:
    with closing(intake(tmp_path)) as own:
        list(own.train(items("山=1", "水=1"), Counts()))
        counts = Counts()
        dev = list(own.dev(items("人=1", "山=2", "人=3", "山=2"), counts))
    assert [(item.text, in_train) for item, in_train in dev] == [
        ("人", False), ("山", True), ("人", False), ("山", True)
    ]  # fmt: skip
    assert kept_in(tmp_path, "dev") == [("人", "1"), ("山", "2"), ("人", "3"), ("山", "2")]
    assert counts.duplicates == 2


def test_held_out_texts_do_not_stand_in_train_by_the_file_of_dev(tmp_path: Path) -> None:
    """A text that was held out has been seen, and is in no training row: that is no question where dev is given."""
    with closing(intake(tmp_path)) as own:
        list(own.train(items("山", "水"), Counts()))
        assert [in_train for _, in_train in own.dev(items("山", "人"), Counts())] == [True, False]


# -- kept files


@given(st.lists(st.tuples(st.text(), st.text()), max_size=8), st.data())
def test_kept_files_hold_what_was_dumped(
    tmp_path_factory: pytest.TempPathFactory, pairs: list[tuple[str, str]], data: st.DataObject
) -> None:
    """Whatever line ends are in the texts."""
    folder = tmp_path_factory.mktemp("k")
    try:
        pairs = [(a.encode().decode(), b.encode().decode()) for a, b in pairs]
    except UnicodeEncodeError:
        return
    with (folder / "train.jsonl").open("w", encoding="utf-8", newline="\n") as out:
        out.writelines(KEPT.dump(Item(*pair)) + "\n" for pair in pairs)
    assert plain(list(KEPT.read(folder / "train.jsonl"))) == pairs
    rows = data.draw(st.lists(st.integers(0, 9)))
    assert plain(list(KEPT.read(folder / "train.jsonl", rows))) == [p for n, p in enumerate(pairs) if n in rows]
    assert plain(list(KEPT.read(folder / "train.jsonl", iter(rows)))) == [p for n, p in enumerate(pairs) if n in rows]
    for limit in (0, 2, None):
        assert plain(KEPT.split(folder, "train", limit)) == pairs[:limit]


def test_a_kept_file_is_read_as_a_stream(tmp_path: Path) -> None:
    loaded = []
    own = replace(KEPT, load=lambda line: loaded.append(line) or Item(line))  # type: ignore[func-returns-value]
    (tmp_path / "train.jsonl").write_text("a\nb\nc\nd\n", encoding="utf-8")
    assert [item.text for item in own.read(tmp_path / "train.jsonl", [2])] == ["c\n"] and loaded == ["c\n"]
    assert len(own.split(tmp_path, "train", 1)) == 1 and loaded == ["c\n", "a\n"]


# -- groups


def components(records: Sequence[Sequence[str]]) -> list[int]:
    """The first record of each one's group, by going through all pairs until nothing changes."""
    group, changed = list(range(len(records))), True
    while changed:
        changed = False
        for a in range(len(records)):
            for b in range(len(records)):
                if set(records[a]) & set(records[b]) and group[a] != group[b]:
                    group[a] = group[b] = min(group[a], group[b])
                    changed = True
    return group


@given(st.lists(st.lists(st.sampled_from("甲乙丙丁戊己庚"), max_size=3), max_size=12))
def test_groups_are_connected_components(tmp_path_factory: pytest.TempPathFactory, records: list[list[str]]) -> None:
    with closing(Groups(tmp_path_factory.mktemp("g"))) as groups:
        for texts in records:
            groups.add(texts)
        found = groups.numbers()
    assert found.dtype == np.int32 and found.tolist() == components(records)


def test_near_duplicates_are_of_one_group_through_others_too(tmp_path: Path) -> None:
    some = items("山水A，人", "风雨", "云|山水ａ人", "云！|雾", "雾", "雪")
    with closing(intake(tmp_path)) as own:
        list(own.train(some, Counts()))
    assert np.load(tmp_path / "prepared" / GROUPS).tolist() == [0, 1, 0, 0, 0, 5]


def test_what_near_duplicates_differ_in() -> None:
    assert bare("Ａbc， 山 水！") == bare("aBC山水") != bare("abc山 火")
    assert bare("……") == "……" and bare("，") != bare("。") and bare("") == ""


# -- bad records


def records(bad: int) -> Any:
    """Opens three good records and some bad ones between them."""

    def load(on_bad: OnBad | None) -> Iterator[Item]:
        yield from items("山", "水")
        for n in range(bad):
            error = UserError("is bad", file="f", line=n + 3)
            if on_bad is None:
                raise error
            on_bad(error, f"line {n}")
        yield Item("人", line=9)

    return load


def test_bad_records_are_set_aside_and_counted(tmp_path: Path) -> None:
    (tmp_path / "f").write_text("x\n" * 9, encoding="utf-8")
    counts = Counts()
    with closing(intake(tmp_path, tmp_path / "rejects.jsonl")) as own:
        assert len(list(own.read(tmp_path / "f", records(2), counts, "read train"))) == 3
    assert (counts.records, counts.rejected) == (3, 2)
    rejects = [json.loads(line) for line in (tmp_path / "rejects.jsonl").read_text(encoding="utf-8").splitlines()]
    assert [(r["line"], r["reason"], r["raw"]) for r in rejects] == [(3, "is bad", "line 0"), (4, "is bad", "line 1")]
    # Without a file for them the first one raises; without bad ones there is no such file.
    with closing(intake(tmp_path / "strict")) as own, pytest.raises(UserError, match="f:3: is bad"):
        list(own.read(tmp_path / "f", records(1), Counts(), "read train"))
    with closing(intake(tmp_path / "good", tmp_path / "none.jsonl")) as own:
        list(own.read(tmp_path / "f", records(0), Counts(), "read train"))
    assert not (tmp_path / "none.jsonl").exists() and rejecting(None, Counts()) is None


@pytest.fixture(autouse=True)
def folders(tmp_path: Path) -> None:
    for name in ("strict", "good"):
        (tmp_path / name).mkdir()


# -- progress, scratch


@pytest.mark.parametrize(("count", "lines"), [(3, 10), (EVERY * 2 + 1, 5000), (EVERY * 2 + 1, None), (0, 0)])
def test_progress_counts_lines_where_they_are_known(count: int, lines: int | None) -> None:
    told: list[tuple[str, int, int | None]] = []
    some = [Item("山", line=2 * n) for n in range(1, count + 1)]
    assert list(watched(some, lambda *word: told.append(word), "read train", lines)) == some
    if count < EVERY:
        assert told == []
        return
    at = [2 * EVERY, 4 * EVERY] if lines else [EVERY, 2 * EVERY]
    assert told == [("read train", n, lines) for n in at] + [("read train", lines or count, lines or count)]


def test_a_scratch_folder_is_gone_afterwards(tmp_path: Path) -> None:
    with scratch_folder(tmp_path) as folder:
        (folder / "x").write_text("x", encoding="utf-8")
        assert folder.parent == tmp_path
    assert not folder.exists()
    with pytest.raises(OSError, match="scratch file") as told, scratch_folder(tmp_path) as folder:
        raise sqlite3.OperationalError("database or disk is full")
    assert told.value.errno == errno.ENOSPC and not folder.exists()
    with pytest.raises(OSError, match="disk I/O error") as told, scratch_folder(tmp_path):
        raise sqlite3.OperationalError("disk I/O error")  # nothing that room would mend
    assert told.value.errno == errno.EIO


def test_groups_are_written_when_train_is_read_to_its_end(tmp_path: Path) -> None:
    with closing(intake(tmp_path)) as own:
        stream = own.train(items("山", "水"), Counts())
        next(stream)
        assert not (tmp_path / "prepared" / GROUPS).exists()
        list(stream)
        assert (tmp_path / "prepared" / GROUPS).exists()
