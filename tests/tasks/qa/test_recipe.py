"""Recipes hold what acts for their head; those of before are read as they were meant."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from ietool.errors import UserError
from ietool.recipe_io import load_recipe, save_recipe
from ietool.tasks.qa import QaTask
from ietool.tasks.qa.heads.mlm.recipe import MaskRecipe
from ietool.tasks.qa.heads.reader.recipe import ReaderRecipe
from ietool.tasks.qa.heads.span.recipe import SpanRecipe

FLAT = """
name: mine
task: qa
data: {{window: 96, overlap: 48, word_vectors: null, min_char_count: 3}}
model:
  head: {head}
  encoder: {encoder}
  cut_vocabulary: true
  masks: 9
  hidden_size: 64
  question_dilations: [1, 2]
  passage_dilations: [1, 4]
  embedding_dropout: 0.3
  gate_dropout: 0.15
  head_dropout: 0.4
  part_of_speech: false
  cooccurrence: false
  aligned: false
  loss: focal
sampling: {{answer_windows: 0.7, shortest: 0.6, negatives: 0.2}}
decode: {{start: 0.1, end: 0.2, longest: 12}}
"""
"""Of the time when a recipe held the keys of all heads."""


def flat(folder: Path, head: str, encoder: str = "somebody/a-model") -> Any:
    path = folder / "mine.yaml"
    path.write_text(FLAT.format(head=head, encoder=encoder), encoding="utf-8")
    return load_recipe(path)


def test_the_shipped_recipes_have_the_keys_of_their_head() -> None:
    kinds = {"qa": ReaderRecipe, "qa-dureader": ReaderRecipe, "qa-span": SpanRecipe, "qa-mlm": MaskRecipe}
    for name, kind in kinds.items():
        assert type(load_recipe(name)) is kind
    assert load_recipe("qa-dureader").model == load_recipe("qa").model


def test_a_flat_recipe_of_the_reader(tmp_path: Path) -> None:
    recipe = flat(tmp_path, "reader", "dgcnn")
    assert recipe.model.model_dump() == {
        "encoder": {
            "kind": "characters", "word_vectors": None, "min_char_count": 3, "hidden_size": 64,
            "question_dilations": [1, 2], "passage_dilations": [1, 4],
            "embedding_dropout": 0.3, "gate_dropout": 0.15, "part_of_speech": False,
        },
        "head": {"kind": "reader", "loss": "focal", "cooccurrence": False, "aligned": False, "dropout": 0.4},
    }  # fmt: skip
    assert recipe.sampling.model_dump() == {"answer_windows": 0.7, "shortest": 0.6, "mined": None}
    assert (recipe.decode.start, recipe.decode.end, recipe.model.encoder.min_char_count) == (0.1, 0.2, 3)


@pytest.mark.parametrize(
    ("head", "own"), [("span", {"kind": "span", "dropout": 0.4}), ("mlm", {"kind": "mlm", "masks": 9})]
)
def test_a_flat_recipe_on_a_pretrained_encoder(head: str, own: dict[str, Any], tmp_path: Path) -> None:
    recipe = flat(tmp_path, head)
    encoder = {"kind": "pretrained", "name": "somebody/a-model", "cut_vocabulary": True, "dropout": None}
    assert recipe.model.model_dump() == {"encoder": encoder, "head": own}
    assert recipe.sampling.model_dump() == {"negatives": 0.2, "shortest": 0.6, "mined": None}
    assert hasattr(recipe.decode, "start") == (head == "span") and recipe.decode.longest == 12
    assert not hasattr(recipe.data, "word_vectors")
    save_recipe(recipe, tmp_path / "again.yaml")
    assert load_recipe(tmp_path / "again.yaml") == recipe


def test_flat_keys_are_set_where_they_stand_now() -> None:
    recipe = load_recipe("qa", ["model.hidden_size=32", "model.loss=focal", "model.head_dropout=0"])
    assert isinstance(recipe, ReaderRecipe)
    assert recipe.model.encoder.hidden_size == 32
    assert (recipe.model.head.loss, recipe.model.head.dropout) == ("focal", 0)


def test_head_and_encoder_are_changed_by_one_word() -> None:
    recipe = load_recipe("qa", ["model.head=span", "model.encoder=./mine", "sampling.negatives=0.3"])
    assert isinstance(recipe, SpanRecipe)
    assert recipe.model.encoder.name == "./mine" and recipe.decode.longest == load_recipe("qa").decode.longest  # type: ignore[attr-defined]
    masks = load_recipe("qa-span", ["model.head=mlm", "model.masks=5"])
    assert isinstance(masks, MaskRecipe) and masks.model.head.masks == 5
    back = load_recipe("qa-mlm", ["model.head=reader", "model.encoder=dgcnn"])
    assert isinstance(back, ReaderRecipe) and back.model.encoder.hidden_size == 128


@pytest.mark.parametrize(
    ("name", "setting", "told"),
    [
        ("qa", "model.head.masks=3", "model.head=mlm"),
        ("qa", "sampling.negatives=0.1", "model.head=span and mlm"),
        ("qa", "model.encoder.hiden_size=3", "did you mean model.encoder.hidden_size?"),
        ("qa", "model.head=crf", "reader, span, mlm"),
        ("qa", "model.encoder=./mine", "model.head=span and mlm"),
        ("qa-span", "data.word_vectors=v.txt", "model.head=reader"),
        ("qa-span", "sampling.answer_windows=1", "model.head=reader"),
        ("qa-span", "model.hidden_size=3", "model.head=reader"),
        ("qa-mlm", "decode.end=0.1", "model.head=reader and span"),
        ("qa-mlm", "model.head_dropout=0.1", "model.head=reader and span"),
        ("qa-mlm", "model.encoder=dgcnn", "should be 'pretrained'"),
    ],
)
def test_a_key_that_does_not_act_is_refused(name: str, setting: str, told: str) -> None:
    with pytest.raises(UserError) as error:
        load_recipe(name, [setting])
    assert told in str(error.value)


def test_what_a_self_check_leaves_out() -> None:
    recipe = QaTask().overfitting(load_recipe("qa"), 16)  # type: ignore[arg-type]
    assert isinstance(recipe, ReaderRecipe)
    encoder, head = recipe.model.encoder, recipe.model.head
    assert encoder.embedding_dropout == encoder.gate_dropout == head.dropout == 0


def test_features_depend_on_what_they_are_made_of() -> None:
    keys = QaTask().feature_keys
    assert {"model.encoder.kind", "model.encoder.name", "model.head.kind", "model.head.masks"} < set(keys)
    assert "decode.longest" in keys
