"""What no labels on tokens can say, and what each head's decoder loses of the rest."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from ietool.core.sources import Sources
from ietool.recipe_io import load_recipe
from ietool.tasks.ske import SkeTask
from ietool.tasks.ske.data.example import VALUE, Example, Triple
from ietool.tasks.ske.heads.gplinker.oracle import perfect_links
from ietool.tasks.ske.prepare.oracle import AMBIGUOUS, APART, BORDERS, Oracle, Window
from ietool.tasks.ske.recipe import SkeRecipe
from tests.tiny_encoder import make_encoder_folder

LABELS = [("主演", VALUE), ("饰演", VALUE), ("饰演", "inWork")]

Row = tuple[int, int, int, int, int]
row_lists = st.lists(
    st.tuples(st.integers(0, 5), st.integers(1, 3), st.integers(0, 2), st.integers(0, 5), st.integers(1, 3)).map(
        lambda r: (r[0], r[0] + r[1], r[2], r[3], r[3] + r[4])
    ),
    unique=True,
    max_size=7,
)


@given(st.lists(row_lists, max_size=3))
def test_perfect_links(windows: list[list[Row]]) -> None:
    for rows, found in zip(windows, perfect_links(windows, 3), strict=True):
        assert set(rows) <= set(found) and len(found) == len(set(found))
        every = {
            (a, b, r, c, d)
            for a, b in {row[:2] for row in rows}
            for c, d in {row[3:] for row in rows}
            for r in range(3)
            if any(row[0] == a and row[2:4] == (r, c) for row in rows)
            and any((row[1], row[2], row[4]) == (b, r, d) for row in rows)
        }
        assert set(found) == every


def counted(head: str, text: str, rows: list[Row], triples: list[Triple], split: tuple[Row, ...] = ()) -> Oracle:
    oracle = Oracle(LABELS, "duie2", SkeTask().head_named(head).load("decoder").perfect)
    oracle.add([(Example(text, tuple(triples)), [Window(0, rows, split)])])
    return oracle


def played(film: str, actor: str = "林一") -> Triple:
    return Triple(film, "主演", ((VALUE, actor),))


def test_spans_that_cross_are_lost_to_pointers_alone() -> None:
    text = "甲乙丙丁由林一主演"
    rows = [(0, 4, 0, 5, 7), (1, 3, 0, 5, 7)]  # the end of 乙丙 is nearer to 甲
    triples = [played("甲乙丙丁"), played("乙丙")]
    for head in ("graph", "cascade"):
        assert counted(head, text, rows, triples).counts.lost == {AMBIGUOUS: 1}
    linked = counted("gplinker", text, rows, triples).counts
    assert linked.recall == 1 and linked.spurious == 0


def test_links_that_gold_does_not_have() -> None:
    """Two labels that share first and last positions make a third triple: the linker's own kind of loss."""
    text = "甲乙和丙丁"
    rows: list[Row] = [(0, 1, 0, 3, 5), (0, 2, 0, 3, 4)]
    triples = [played("甲", "丙丁"), played("甲乙", "丙")]
    counts = counted("gplinker", text, rows, triples).counts
    assert counts.recall == 1 and counts.spurious == 0
    # 甲乙 – 丁 is linked at its first positions by 甲 – 丁, at its last by 甲乙 – 丙丁.
    rows += [(0, 2, 0, 3, 5), (0, 1, 0, 4, 5)]
    triples += [played("甲乙", "丙丁"), played("甲", "丁")]
    assert counted("gplinker", text, rows, triples).counts.spurious == 1


def test_borders_within_a_token() -> None:
    text = "Hello由林一主演"
    assert counted("gplinker", text, [], [played("Hell")], ((0, 4, 0, 6, 8),)).counts.lost == {BORDERS: 1}
    assert counted("cascade", text, [], [played("Hell")], ((0, 4, 0, 6, 8),)).counts.lost == {BORDERS: 1}
    assert counted("graph", text, [], [played("Hell")]).counts.lost == {APART: 1}
    # Where it stands a second time by itself, nothing is lost.
    twice = counted("gplinker", "Hello Hell由林一主演", [(6, 10, 0, 11, 13)], [played("Hell")], ((0, 4, 0, 11, 13),))
    assert twice.counts.recall == 1


def record(text: str, film: str, actor: str) -> dict[str, Any]:
    return {"text": text, "spo_list": [{"subject": film, "predicate": "主演", "object": {"@value": actor}}]}


def run(folder: Path, *overrides: str) -> tuple[dict[str, Any], list[str]]:
    """The counts that a preparation on tokens makes, by split, and its notes."""
    records = [
        record("Hello由林一主演", "Hello", "林一"),
        record("《Hello》由林一主演", "Hel", "林一"),  # hel ##lo
        record("电影Hello由林一主演", "Hell", "林一"),
        record("电影HELLO由林一主演", "hello", "林一"),
    ]
    for name in ("train", "dev"):
        text = "".join(json.dumps(r, ensure_ascii=False) + "\n" for r in records)
        (folder / f"{name}.json").write_text(text, encoding="utf-8")
    encoder = make_encoder_folder(folder / "encoder", [r["text"] for r in records], positions=16)
    recipe = load_recipe("ske-gplinker", [f"model.encoder={encoder}", *overrides])
    assert isinstance(recipe, SkeRecipe)
    out = folder / "out"
    out.mkdir()
    sources = Sources({name: folder / f"{name}.json" for name in ("train", "dev")})
    report = SkeTask().prepare(recipe, sources, out, rejects=None, progress=lambda *_: None)
    return report.statistics, report.notes


def test_a_preparation_on_tokens_tells_what_tokens_cannot_say(tmp_path: Path) -> None:
    counts, notes = run(tmp_path)
    for split in ("train", "dev"):
        oracle = counts[split]["oracle"]
        assert oracle["recall"] == 0.75 and oracle["lost"][BORDERS] == 1
        assert counts[split]["windows_cut"] == 0 and counts[split]["unknown_characters"] == 0
    assert not [note for note in notes if "positions" in note]


def test_windows_longer_than_the_encoder_are_told(tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.setattr("ietool.text.tokens.positions_of", lambda *_: 8)
    counts, notes = run(tmp_path)
    assert counts["train"]["windows_cut"] == counts["dev"]["windows_cut"] == 4
    assert len([note for note in notes if "4 windows lose their end" in note]) == 2
