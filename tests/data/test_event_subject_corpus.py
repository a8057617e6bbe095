"""The corpus of event subjects: made by its generator, sound, and not to be had without looking at the type."""

from __future__ import annotations

import csv
import subprocess
import sys
from collections import defaultdict
from functools import cache
from pathlib import Path

import pytest

DATA = Path(__file__).resolve().parents[2] / "data" / "event_subject"
SPLITS = ["train", "dev", "test"]
OTHER, NONE = "其他", "NaN"


@cache
def split(name: str) -> list[list[str]]:
    with (DATA / f"{name}.csv").open(encoding="utf-8", newline="") as stream:
        return list(csv.reader(stream, strict=True))


def test_the_generator_writes_the_same_bytes(tmp_path: Path) -> None:
    subprocess.run([sys.executable, DATA / "generate.py", tmp_path], check=True)
    assert sorted(path.name for path in (tmp_path / "event_subject").iterdir()) == sorted(f"{n}.csv" for n in SPLITS)
    for name in SPLITS:
        assert (tmp_path / "event_subject" / f"{name}.csv").read_bytes() == (DATA / f"{name}.csv").read_bytes(), name


@pytest.mark.parametrize("name", SPLITS)
def test_records_are_sound(name: str) -> None:
    rows = split(name)
    assert all(len(row) == 4 and all(cell.strip() for cell in row) for row in rows)
    assert len({row[0] for row in rows}) == len(rows)
    assert all(subject == NONE or subject in text for _, text, _, subject in rows)
    assert all(subject == NONE for _, _, kind, subject in rows if kind == OTHER)
    share = sum(row[3] == NONE for row in rows) / len(rows)
    assert 0.1 < share < 0.3
    assert any(row[3] == NONE and row[2] != OTHER for row in rows)  # the type alone does not tell


def test_texts_of_other_splits_are_others() -> None:
    texts = [{row[1] for row in split(name)} for name in SPLITS]
    assert not texts[0] & texts[1] and not texts[0] & texts[2] and not texts[1] & texts[2]
    known = {row[3] for row in split("train")}
    new = [row[3] not in known for row in split("test") if row[3] != NONE]
    assert 0.3 < sum(new) / len(new) < 0.9


def test_neither_names_nor_places_alone_tell_the_subject() -> None:
    """The longest name of train in the text, and the first of all names that any record has."""
    known = {row[3] for row in split("train")} - {NONE}
    every = known | {row[3] for name in SPLITS for row in split(name)} - {NONE}
    longest = first = 0
    for _, text, _, subject in split("dev"):
        found = [name for name in known if name in text]
        longest += (max(found, key=len) if found else NONE) == subject
        places = [(text.find(name), -len(name), name) for name in every if name in text]
        first += (min(places)[2] if places else NONE) == subject
    assert longest < 0.5 * len(split("dev"))
    assert first < 0.6 * len(split("dev"))


def test_types_have_many_companies() -> None:
    of_type = defaultdict(set)
    for _, _, kind, subject in split("train"):
        of_type[kind].add(subject)
    assert len(of_type) == 8
    assert all(len(names) > 80 for kind, names in of_type.items() if kind != OTHER)
