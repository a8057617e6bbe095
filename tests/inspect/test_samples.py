"""Samples: each record has the same chance, the same seed draws the same, each label has some."""

from __future__ import annotations

from collections import Counter

from ietool.core.looked import Gold, Looked, Name, placed
from ietool.inspect.drawing import bracketed, lines, said, stretches
from ietool.inspect.samples import EACH, Sample, Samples


def drawn(seed: int, count: int = 6, size: int = 2) -> list[int]:
    samples = Samples(size, seed)
    for number in range(1, count + 1):
        samples.offer(Sample(Looked("t"), "", number), ["rare"] if number == 3 else ["often"])
    return [sample.number for sample in samples.drawn()]


def test_every_record_has_the_same_chance() -> None:
    counts = Counter(number for seed in range(3000) for number in drawn(seed))
    assert set(counts) == set(range(1, 7))
    assert all(900 < count < 1100 for count in counts.values())  # 1000, give or take four standard deviations


def test_the_same_seed_draws_the_same_and_fewer_are_all() -> None:
    assert drawn(5) == drawn(5)
    assert len({tuple(drawn(seed)) for seed in range(20)}) > 1
    assert drawn(0, count=2, size=9) == [1, 2]


def test_rare_labels_are_drawn_too_and_fewer_can_be_asked_for() -> None:
    samples = Samples(1)
    for number in range(1, 101):
        samples.offer(Sample(Looked("t"), "", number), ["rare"] if number == 57 else ["often"])
    numbers = [sample.number for sample in samples]
    assert 57 in numbers and numbers == sorted(numbers) and len(numbers) <= 1 + 2 * EACH
    assert len(samples.drawn(1)) == 1 and not samples.drawn(0)


TEXT = "甲乙丙丁戊"
GOLD = [
    Gold("r", (Name("subject", "乙丙", 1, 3), placed(TEXT, "object", "丁", "r.slot"))),
    Gold("s", (Name("subject", "丙丁", 2, 4), placed(TEXT, "object", "己"))),
]


def test_a_text_is_drawn_with_its_names_in_brackets() -> None:
    looked = Looked(TEXT, GOLD, "kind")
    assert bracketed(looked) == "甲[乙丙][丁]戊"  # what lies in another name, or overlaps it, is left out
    assert [(s.start, s.end, s.label) for s in stretches(looked)] == [
        (1, 3, "subject"), (2, 4, "subject"), (3, 4, "r.slot"),
    ]  # fmt: skip
    assert GOLD[1].names[1].lost and not GOLD[0].names[1].lost
    assert [said(item) for item in GOLD] == ["r: 乙丙 → slot=丁", "s: 丙丁 → 己"]
    assert list(lines(Sample(looked, "f:1", 1))) == [
        "f:1  kind", "  甲[乙丙][丁]戊", "    r: 乙丙 → slot=丁", "    s: 丙丁 → 己",
    ]  # fmt: skip


def test_of_a_question_the_passage_that_answers_is_drawn() -> None:
    gold = [Gold("answer", (Name("answer", "答"),))]
    looked = Looked("问", gold, further=["无", "x" * 100 + "答" + "y" * 500])
    shown = list(lines(Sample(looked, "f:1", 1)))[2]
    assert "答" in shown and len(shown) < 300
