"""Texts as windows of units, and what a run carries for that."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from random import Random

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ietool.errors import UserError
from ietool.tasks.ner.data.example import Example
from ietool.tasks.ner.features.featurizer import LABELS, Featurizer, Labels, copy_assets
from tests.tasks.ner.made import encoder_folder, examples, prepare_examples, small_recipe

any_character = st.sampled_from("林满AdaＡ, \n云州的İ🙂是\u3000。\u200b２０") | st.characters(exclude_categories=["Cs"])
any_text = st.text(any_character, max_size=90)


@pytest.fixture(scope="module", params=["characters", "bert"])
def prepared(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[Featurizer, Path]:
    """Windows of 32 characters with 12 shared, or of 24 tokens at most."""
    folder = tmp_path_factory.mktemp("f")
    chosen = encoder_folder(folder / "e", positions=24) if request.param == "bert" else "characters"
    recipe = small_recipe("ner-crf", f"model.encoder={chosen}")
    made = prepare_examples(recipe, folder, examples(30), examples(3)).folder
    return Featurizer.open(recipe, made), made


@settings(max_examples=50, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(any_text, max_size=5))
def test_windows_cover_what_can_be_read(prepared: tuple[Featurizer, Path], texts: list[str]) -> None:
    featurizer, _ = prepared
    pieces = featurizer.pieces(texts)
    assert [(p.text, p.start) for p in pieces] == sorted({(p.text, p.start) for p in pieces})
    cut = list(featurizer.cut([Example(text) for text in texts]))
    assert [(n, p.start, p.end) for n, p in cut] == [(p.text, p.start, p.end) for p in pieces]
    for number, text in enumerate(texts):
        mine = [piece for piece in pieces if piece.text == number]
        # Order, no window within another, and none longer than the longest.
        assert all(a.start < b.start <= a.end < b.end or a.end <= b.start for a, b in pairwise(mine))
        assert all(p.end - p.start <= 32 and len(p.units) <= 34 for p in mine)
        read = {at for p in mine for at in range(p.start, p.end)}
        covered = {
            p.start + at for p in mine for a, b in zip(p.units.starts, p.units.ends, strict=True) for at in range(a, b)
        }
        assert covered <= read <= set(range(len(text)))
        # What stands in no window are characters that no unit stands for.
        for at in set(range(len(text))) - read:
            alone = featurizer.reader.units(text[at])
            assert not alone.inside.any() or not text[max(0, at - 16) : at + 16].strip()


def test_no_window_lies_within_another(tmp_path: Path) -> None:
    """It would have the say over what its neighbours see better."""
    few = encoder_folder(tmp_path / "tiny", positions=24)
    recipe = small_recipe("ner-crf", f"model.encoder={few}")
    reader = Featurizer.open(recipe, prepare_examples(recipe, tmp_path / "p", examples(30), examples(3)).folder)
    for seed in range(20):
        dice = Random(seed)
        mixed = "".join(dice.choice(["林满在云州，", "Ada Lin", "2024年", "高岳。", "      "]) for _ in range(30))
        cuts = [(piece.start, piece.end) for piece in reader.pieces([mixed])]
        assert all(a < c <= b < d for (a, b), (c, d) in pairwise(cuts)) and cuts[-1][1] == len(mixed)
    # What the tokenizer drops at the end of a text does not make windows smaller.
    ending = reader.pieces(["林满在云州下雨真远工作出门\u200b\u200b"])
    assert [(piece.start, piece.end) for piece in ending] == [(0, 15)]


def test_a_run_carries_what_reads_the_same(prepared: tuple[Featurizer, Path], tmp_path: Path) -> None:
    featurizer, folder = prepared
    copy_assets(folder, tmp_path)
    assert Labels.load(tmp_path) == Labels.load(folder)
    again = type(featurizer.reader).open(tmp_path)  # type: ignore[attr-defined]
    for example in examples(10, seed=3):
        one, other = featurizer.reader.units(example.text), again.units(example.text)
        assert one.ids.tolist() == other.ids.tolist() and one.starts.tolist() == other.starts.tolist()


DAMAGE: dict[str, Callable[[Path], object]] = {
    "cut": lambda path: path.write_text(path.read_text(encoding="utf-8")[:12], encoding="utf-8"),
    "a list": lambda path: path.write_text("[]", encoding="utf-8"),
    "bytes": lambda path: path.write_bytes(b"\xff\xfe"),
    "numbers": lambda path: path.write_text('{"types": [1], "form": "bio", "separator": " "}', encoding="utf-8"),
    "no form": lambda path: path.write_text('{"types": ["a"]}', encoding="utf-8"),
}


@pytest.mark.parametrize("name", DAMAGE)
def test_damaged_labels_are_told(tmp_path: Path, name: str) -> None:
    labels = Labels(("人物", "地点"), "bmes", "\t")
    labels.save(tmp_path)
    assert Labels.load(tmp_path) == labels
    DAMAGE[name](tmp_path / LABELS)
    with pytest.raises(UserError, match=rf"{LABELS}: is no list of types \(") as told:
        Labels.load(tmp_path)
    assert "\n" not in str(told.value)
