"""What is counted of files: against a slow twin that holds everything in memory, and on damaged files."""

from __future__ import annotations

import gzip
import json
import tempfile
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ietool import paths
from ietool.core.intake import bare
from ietool.inspect import survey as module
from ietool.inspect.finding import Split, find
from ietool.inspect.inspecting import Inspected
from ietool.inspect.survey import SplitSurvey, survey
from ietool.inspect.tables import overlap_table

Text = tuple[str, frozenset[tuple[int, int, str]]]
"""A text and its entities, (start, the one behind the last, type)."""


@st.composite
def texts(draw: Any) -> Text:
    text = draw(st.text("甲乙,，A", min_size=1, max_size=4))
    spans = st.tuples(st.integers(0, len(text) - 1), st.integers(1, 3), st.sampled_from(["x", "y"]))
    gold = draw(st.lists(spans, max_size=3))
    return text, frozenset((start, min(start + size, len(text)), kind) for start, size, kind in gold)


def line(text: str, gold: Any) -> str:
    label: dict[str, dict[str, list[list[int]]]] = {}
    for start, end, kind in sorted(gold):
        label.setdefault(kind, {}).setdefault(text[start:end], []).append([start, end - 1])
    return json.dumps({"text": text, "label": label}, ensure_ascii=False) + "\n"


def write(folder: Path, **files: Sequence[Text]) -> list[SplitSurvey]:
    for role, records in files.items():
        (folder / f"{role}.json").write_text("".join(line(*record) for record in records), encoding="utf-8")
    (corpus,) = find(folder).corpora
    return survey(corpus)


@settings(max_examples=40, deadline=None)
@given(st.lists(texts(), min_size=1, max_size=8), st.lists(texts(), min_size=1, max_size=6))
def test_counts_are_those_of_a_slow_twin(train: list[Text], dev: list[Text]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        first, second = write(Path(folder), train=train, dev=dev)
    for found, records in ((first, train), (second, dev)):
        earlier = [records[:n] for n in range(len(records))]
        again = [any(t == text for t, _ in before) for (text, _), before in zip(records, earlier, strict=True)]
        other = [
            a and next(g for t, g in before if t == text) != gold
            for a, (text, gold), before in zip(again, records, earlier, strict=True)
        ]
        kin = [
            not a and any(bare(t) == bare(text) for t, _ in before)
            for a, (text, _), before in zip(again, records, earlier, strict=True)
        ]
        assert found.labelled and found.records == len(records) and not found.bad
        assert (found.repeated, found.otherwise, found.kin) == (sum(again), sum(other), sum(kin))
        assert found.items == sum(len(gold) for _, gold in records)
        assert found.empty == sum(not gold for _, gold in records)
        assert found.labels == Counter(kind for _, gold in records for *_, kind in gold)
        assert found.per_record == Counter(len(gold) for _, gold in records)
        assert found.characters_read == sum(len(text) for text, _ in records)
        assert found.overlapping == sum(
            any(o != e and o[0] < e[1] and e[0] < o[1] for o in gold) for _, gold in records for e in gold
        )
    golds = dict(reversed(train))
    shared = second.shared["train"]
    assert shared.same == sum(text in golds for text, _ in dev)
    assert shared.otherwise == sum(text in golds and golds[text] != gold for text, gold in dev)
    assert shared.kin == sum(bare(text) in {bare(t) for t in golds} for text, _ in dev)
    known, names = ([t[s:e] for t, gold in records for s, e, _ in gold] for records in (train, dev))
    if names:
        seen = second.names["entity"]
        assert (seen.total, seen.distinct) == (len(names), len(set(names)))
        assert seen.total_in_train == sum(name in known for name in names)
        assert seen.distinct_in_train == len(set(names) & set(known))


@pytest.mark.parametrize("name", ["el", "event_subject", "events", "ner", "nl2sql", "qa", "ske"])
def test_every_task_tells_of_its_corpus(name: str) -> None:
    (corpus,) = (c for c in find(paths.shipped_root() / "data" / name).corpora if c.folder.name == name)
    paths_of = {split.name: split.path for split in corpus.splits}
    smaller = [Split("test", paths_of["test"], "train"), Split("dev", paths_of["dev"], "dev")]  # which is quicker
    train, dev = survey(replace(corpus, splits=smaller))
    assert train.records >= 150 <= dev.records and not train.bad and train.fault is None
    assert train.labelled and train.items and train.labels.total() == train.items
    assert sum(n * count for n, count in train.per_record.items()) == train.items
    assert all(seen.distinct <= seen.total and not seen.lost for seen in train.names.values())
    assert dev.names.keys() == train.names.keys()
    assert all(seen.total_in_train <= seen.total for seen in dev.names.values())
    assert name in ("qa", "nl2sql") or any(seen.total_in_train for seen in dev.names.values())
    assert len(train.samples.drawn()) == 24 and train.lengths.at(0.5) > 5


def test_bad_lines_are_counted_and_the_first_are_told(tmp_path: Path) -> None:
    good = line("甲乙", {(0, 1, "x")})
    bad = ['{"text": "甲", "label": {"x": {"乙": [[0, 0]]}}}\n', "{broken\n", '{"text": 3, "label": {}}\n', "[]\n"]
    content = "\ufeff" + good + bad[0] + "\r\n" + "".join(bad[1:]) + good.replace("\n", "\r\n") + bad[1] * 9
    (tmp_path / "train.json").write_text(content, encoding="utf-8", newline="")
    (corpus,) = find(tmp_path).corpora
    (found,) = survey(corpus)
    assert (found.records, found.bad, found.repeated) == (2, 13, 1)
    assert [error.line for error in found.told] == [2, 4, 5, 6, 8]
    assert all(error.file == str(tmp_path / "train.json") and error.message for error in found.told)


def test_a_test_file_without_gold_is_read_without_it(tmp_path: Path) -> None:
    (tmp_path / "train.json").write_text(line("甲乙", {(0, 1, "x")}), encoding="utf-8")
    (tmp_path / "test.json").write_text('{"text": "甲乙"}\n{"text": 3}\n{"text": "丙"}\n', encoding="utf-8")
    (corpus,) = find(tmp_path).corpora
    train, test = survey(corpus)
    assert train.labelled and not test.labelled
    assert (test.records, test.bad, test.items, test.empty) == (2, 1, 0, 0)
    assert (test.shared["train"].same, test.shared["train"].otherwise) == (1, 0)


def test_a_file_that_breaks_off_is_counted_so_far(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ietool.core.forms._HEAD", 1000)
    packed = gzip.compress("".join(line(f"甲{n}", {(0, 1, "x")}) for n in range(3_000)).encode(), 1)
    (tmp_path / "train.json.gz").write_bytes(packed[: len(packed) * 2 // 3])
    (corpus,) = find(tmp_path).corpora
    (found,) = survey(corpus)
    assert 0 < found.records < 3_000
    assert found.fault is not None and "train.json.gz" in str(found.fault)
    (tmp_path / "train.json.gz").write_bytes(packed[:100])
    contents = find(tmp_path)
    assert not contents.corpora and "damaged" in contents.others[0][1]


def test_a_train_file_without_any_good_record_is_told(tmp_path: Path) -> None:
    (tmp_path / "train.json").write_text('{"text": "甲", "label": {"x": {"乙": [[0, 0]]}}}\n' * 30, encoding="utf-8")
    (corpus,) = find(tmp_path).corpora
    (found,) = survey(corpus)
    assert (found.records, found.bad) == (0, 30)
    assert found.fault is not None and "none of the 30 records" in found.fault.message


def test_labels_without_end_are_counted_together(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST_LABELS", 3)
    (found,) = write(tmp_path, train=[("甲", frozenset({(0, 1, f"type {n}")})) for n in range(9)])
    assert found.labels == {"type 0": 1, "type 1": 1, "type 2": 1, module.OTHERS: 6}


def test_memory_holds_no_texts(tmp_path: Path) -> None:
    """Ten times as many records, and what is held is no larger than before but for lengths and characters."""
    import tracemalloc

    def peak(count: int) -> int:
        folder = tmp_path / str(count)
        folder.mkdir()
        lines = (line(f"甲{n:07}乙{n % 977}", {(0, 1 + n % 7, "x")}) for n in range(count))
        with (folder / "train.json").open("w", encoding="utf-8") as out:
            out.writelines(lines)
        (corpus,) = find(folder).corpora
        tracemalloc.start()
        try:
            survey(corpus, drawn=2)
            return tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()

    peak(200)  # what is imported and cached on the way
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("ietool.inspect.marks.HELD", 100)
        assert peak(1500) < 1.2 * peak(300) + 100_000


def test_more_files_than_a_number_has_bits(tmp_path: Path) -> None:
    """Each pair is told apart, and the table holds those that share most."""
    for number in range(70):
        text = "甲乙" if number in (3, 65, 69) else f"丙{number}"
        (tmp_path / f"train_{number:02}.json").write_text(line(text, {(0, 1, "x")}), encoding="utf-8")
    (corpus,) = find(tmp_path).corpora
    found = survey(corpus)
    assert len(found) == 70
    places = {one.split.path.name: one for one in found}
    same = {a: sum(shared.same for shared in one.shared.values()) for a, one in places.items()}
    kin = {a: sum(shared.kin for shared in one.shared.values()) for a, one in places.items()}
    assert sum(same.values()) == sum(kin.values()) == 3
    assert {a for a, n in same.items() if n} <= {"train_03.json", "train_65.json", "train_69.json"}
    table = overlap_table(Inspected(corpus, None, "", found, [], []))
    assert table is not None and len(table.rows) == 3
    assert table.note == "2,412 more pairs share less, or nothing"
