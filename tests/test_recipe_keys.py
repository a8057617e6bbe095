"""The keys that a recipe may have, by the kinds of its head and encoder."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from ietool.errors import UserError
from ietool.recipe import Recipe
from ietool.recipe_io import change_recipe, load_recipe, save_recipe
from ietool.recipe_keys import is_kind, keys_of, kind_of, section_of, sections_in, set_kind, with_sections
from ietool.tasks.ner import NerTask
from ietool.tasks.ner.heads.crf.recipe import CRFRecipe
from ietool.tasks.ner.heads.globalpointer.recipe import PointerRecipe

TASK = NerTask()
HEADS = {"crf": "ner-crf", "globalpointer": "ner-globalpointer"}


def keys(recipe: Recipe) -> set[str]:
    return set(keys_of(type(recipe), recipe.model_dump(mode="json")))


def told(*overrides: str, name: str = "ner-crf") -> str:
    with pytest.raises(UserError) as caught:
        load_recipe(name, overrides)
    assert "\n" not in str(caught.value) and "ner-crf.yaml" not in str(caught.value)
    return str(caught.value)


def held(data: Any, prefix: str = "") -> set[str]:
    """Dotted keys of data as nested dictionaries."""
    if not isinstance(data, dict):
        return set()
    return {prefix + key for key in data}.union(*(held(inner, f"{prefix}{key}.") for key, inner in data.items()))


# -- which keys there are


@pytest.mark.parametrize("name", HEADS.values())
def test_keys_are_those_that_a_recipe_holds(name: str) -> None:
    for overrides in ((), ("model.encoder=folder",)):
        recipe = load_recipe(name, overrides)
        assert keys(recipe) == held(recipe.model_dump(mode="json")) | {"best.score", "best.metric", "best.split"}


def test_keys_go_by_kind() -> None:
    characters, pretrained = load_recipe("ner-crf"), load_recipe("ner-crf", ["model.encoder=folder"])
    assert keys(characters) - keys(pretrained) == {
        f"model.encoder.{name}"
        for name in (
            "word_vectors", "min_char_count", "hidden_size", "dilations", "positions", "embedding_dropout",
            "gate_dropout", "part_of_speech",
        )
    }  # fmt: skip
    assert keys(pretrained) - keys(characters) == {
        "model.encoder.name", "model.encoder.cut_vocabulary", "model.encoder.dropout",
    }  # fmt: skip
    crf, pointer = (keys(load_recipe(name)) for name in HEADS.values())
    assert crf - pointer == {"model.head.tags", "model.head.transition_scale"}
    assert pointer - crf == {"model.head.size"}
    # Without data, and where the name of an encoder stands alone.
    assert set(keys_of(CRFRecipe)) == keys(characters)
    assert set(keys_of(CRFRecipe, {"model": {"encoder": "folder"}})) == keys(pretrained)
    for model in ({"encoder": "dgcnn"}, {"encoder": {}}, {"encoder": {"kind": "lstm"}}, {"encoder": 3}, None, 3):
        assert set(keys_of(CRFRecipe, {"model": model})) == keys(characters)


def test_sections() -> None:
    model = section_of(CRFRecipe, "model", {})
    assert (
        model is not None and section_of(CRFRecipe, "name", {}) is None and section_of(CRFRecipe, "nothing", {}) is None
    )
    kinds = sections_in(model.model_fields["encoder"].annotation)
    assert [kind_of(kind) for kind in kinds] == ["characters", "pretrained"]
    assert kind_of(model) is None
    assert sections_in(list[str]) == [] and sections_in(int | None) == []
    assert is_kind("model.head") and is_kind("model.encoder.kind") and not is_kind("model.encoder.name")


# -- changing the kind


def test_another_head_takes_along_what_it_has_too() -> None:
    recipe = load_recipe("ner-crf", ["model.head.dropout=0.3", "decode.batch_size=7", "training.epochs=3",
                                     "model.head.transition_scale=9"])  # fmt: skip
    for key in ("model.head", "model.head.kind"):
        changed = change_recipe(recipe, [f"{key}=globalpointer"])
        assert isinstance(changed, PointerRecipe)
        assert (changed.model.head.kind, changed.model.head.dropout, changed.model.head.size) == (
            "globalpointer",
            0.3,
            64,
        )
        assert (changed.decode.batch_size, changed.training.epochs) == (7, 3)
        back = change_recipe(changed, [f"{key}=crf"])
        assert isinstance(back, CRFRecipe) and back.model.head.transition_scale == 1.0
        assert back.model.head.dropout == 0.3
    assert change_recipe(recipe, ["model.head=crf"]) == recipe


def test_a_default_of_the_old_head_gives_way_to_that_of_the_new_one() -> None:
    """A threshold of 0 is all for the best path of a CRF, and none at all for a GlobalPointer."""
    assert load_recipe("ner-crf", ["model.head=globalpointer"]).decode == load_recipe("ner-globalpointer").decode
    assert load_recipe("ner-globalpointer", ["model.head=crf"]).decode == load_recipe("ner-crf").decode
    for threshold in ("0", "0.3"):  # whatever is asked for in so many words
        recipe = load_recipe("ner-crf", [f"decode.threshold={threshold}", "model.head=globalpointer"])
        assert recipe.decode.threshold == float(threshold)  # type: ignore[attr-defined]
    tuned = load_recipe("ner-crf", ["decode.threshold=0.3"])
    assert change_recipe(tuned, ["model.head=globalpointer"]).decode.threshold == 0.3  # type: ignore[attr-defined]


@pytest.mark.parametrize("override", ["model.encoder=some/folder", "model.encoder={name: some/folder}",
                                      "model.encoder={kind: pretrained, name: some/folder}"])  # fmt: skip
def test_an_encoder_by_its_name(override: str) -> None:
    recipe: Any = change_recipe(load_recipe("ner-crf", ["model.encoder.hidden_size=64"]), [override])
    assert (recipe.model.encoder.kind, recipe.model.encoder.name) == ("pretrained", "some/folder")
    assert not hasattr(recipe.model.encoder, "hidden_size")


@pytest.mark.parametrize("word", ["characters", "dgcnn"])
@pytest.mark.parametrize("key", ["model.encoder", "model.encoder.kind"])
def test_an_encoder_from_scratch(word: str, key: str) -> None:
    if (word, key) == ("dgcnn", "model.encoder.kind"):
        assert "'dgcnn' is none of 'characters', 'pretrained'" in told("model.encoder.kind=dgcnn")
        return
    recipe: Any = load_recipe("ner-crf", ["model.encoder=folder"])
    back: Any = change_recipe(recipe, [f"{key}={word}", "model.encoder.hidden_size=64"])
    assert (back.model.encoder.kind, back.model.encoder.hidden_size) == ("characters", 64)
    assert not hasattr(back.model.encoder, "name")


def test_kinds_count_before_keys_wherever_they_stand() -> None:
    recipe: Any = load_recipe("ner-crf", ["model.head.size=8", "model.encoder.cut_vocabulary=true",
                                          "model.encoder=folder", "model.head=globalpointer"])  # fmt: skip
    assert recipe.model.head.size == 8 and recipe.model.encoder.cut_vocabulary


def test_a_section_that_is_given_whole_has_no_other_keys() -> None:
    recipe: Any = load_recipe("ner-crf", ["model.head={kind: crf, tags: bio}"])
    assert (recipe.model.head.tags, recipe.model.head.dropout) == ("bio", 0.1)
    message = told("model.head={kind: globalpointer, tags: bio}")
    assert "--set model.head.tags: there is no such key → it acts with model.head=crf" in message


def test_data_of_the_wrong_form_is_left_to_the_checks() -> None:
    for data in ({"model": 3}, {"model": None}, {}, {"model": {"head": 3}}):
        some: dict[str, Any] = dict(data)
        set_kind(TASK, some, "model.head", "globalpointer")
        assert some["model"]["head"] == {"kind": "globalpointer"}
    with pytest.raises(UserError, match="the task ner has no head 'crff' → did you mean crf"):
        set_kind(TASK, {}, "model.head.kind", "crff")


# -- wrong keys


def test_a_key_of_another_head_tells_with_which_it_acts() -> None:
    assert told("model.head.size=8") == (
        "--set model.head.size: there is no such key → it acts with model.head=globalpointer; "
        "model.head has: kind, dropout, tags, transition_scale"
    )
    assert "it acts with model.head=crf; model.head has: kind, dropout, size" in told(
        "model.head.tags=bio", name="ner-globalpointer"
    )


def test_a_key_of_another_encoder_tells_with_which_it_acts() -> None:
    assert told("model.encoder=folder", "model.encoder.hidden_size=8") == (
        "--set model.encoder.hidden_size: there is no such key → it acts with model.encoder.kind=characters; "
        "model.encoder has: kind, name, cut_vocabulary, dropout"
    )
    assert "it acts with model.encoder.kind=pretrained" in told("model.encoder.cut_vocabulary=true")
    assert told("model.encoder.kind=pretrained") == "--set model.encoder.name: is missing → add the key"


@pytest.mark.parametrize(
    ("override", "words"),
    [
        ("decode.treshold=0.3", ("did you mean decode.threshold?",)),
        ("data.subject_start=0.3", ("data has: window, overlap",)),
        ("model.head.tag=bio", ("did you mean model.head.tags?",)),
        ("modell.head=crf", ("did you mean model?",)),
        ("model.head=gp", ("no head 'gp'", "use one of: crf, globalpointer")),
        ("model.encoder=3", ("should be a section of keys, not 3", "model.encoder has: kind, word_vectors")),
        ("model.head=null", ("should be a section of keys", "model.head has: kind, dropout")),
        ("model=3", ("should be a section of keys", "model has: encoder, head")),
        ("model.head.transition_scale=-1", ("greater than 0", "the recipe has 1.0 (the transitions learn")),
        ("model.transition_scale=x", ("model.head.transition_scale", "valid number")),
        ("model.encoder.hidden_size=7", ("multiple of 2", "the recipe has 128")),
        ("model.head.tags=bmes", ("'bio' or 'bioes'", "the recipe has bioes")),
    ],
)
def test_what_is_wrong_is_told_in_one_line(override: str, words: tuple[str, ...]) -> None:
    message = told(override)
    assert all(word in message for word in words), message
    assert "Section" not in message and "=[" not in message


def test_files_tell_the_line_too(tmp_path: Path) -> None:
    path = tmp_path / "own.yaml"
    for model, line, words in (
        (
            "  head: {kind: crf, size: 8}\n",
            4,
            "model.head.size: there is no such key → it acts with model.head=globalp",
        ),
        (
            "  encoder:\n    kind: characters\n    name: x\n",
            6,
            "model.encoder.name: there is no such key → it acts with",
        ),
        ("  head: {kind: crf}\n  head_size: 8\n", 5, "model.head_size: there is no such key → did you mean model.head"),
        ("  encoder: {kind: lstm}\n", 4, "'lstm' is none of 'characters', 'pretrained'"),
        ("  head: gp\n", 4, "the task ner has no head 'gp'"),
    ):
        path.write_text(f"name: own\ntask: ner\nmodel:\n{model}", encoding="utf-8")
        with pytest.raises(UserError) as caught:
            load_recipe(path)
        assert str(caught.value).startswith(f"{path}:{line}: ") and words in str(caught.value), str(caught.value)


# -- recipes that knew no sections


FLAT = """name: own
task: ner
model:
  encoder: {encoder}
  cut_vocabulary: true
  hidden_size: 64
  dilations: [1, 2]
  positions: 16
  head: {head}
  head_dropout: 0.3
  head_size: 8
  tags: bio
  transition_scale: 4.0
decode:
  threshold: null
"""


def test_flat_recipes_are_read(tmp_path: Path) -> None:
    """They held the keys of all heads and encoders: those that act are taken over."""
    path = tmp_path / "own.yaml"
    for encoder in ("dgcnn", "some/folder"):
        for head, name in HEADS.items():
            path.write_text(FLAT.format(encoder=encoder, head=head), encoding="utf-8")
            recipe: Any = load_recipe(path)
            today = ["model.head.dropout=0.3"]
            today += (
                ["model.head.tags=bio", "model.head.transition_scale=4"] if head == "crf" else ["model.head.size=8"]
            )
            if encoder == "dgcnn":
                today += ["model.encoder.hidden_size=64", "model.encoder.dilations=[1,2]", "model.encoder.positions=16"]
            else:
                today += [f"model.encoder={encoder}", "model.encoder.cut_vocabulary=true"]
            wanted: Any = load_recipe(name, today)
            assert (recipe.model, recipe.decode) == (wanted.model, wanted.decode)
            assert type(recipe) is type(wanted)
            save_recipe(recipe, tmp_path / "saved.yaml")
            assert load_recipe(tmp_path / "saved.yaml") == recipe
    # Wrong keys are told in these too, and only what a head of the task knows is left out.
    path.write_text(FLAT.format(encoder="dgcnn", head="crf") + "  subject_start: 0.5\n", encoding="utf-8")
    with pytest.raises(UserError, match=r"decode\.subject_start: there is no such key"):
        load_recipe(path)


def test_recipes_of_today_are_left_as_they_are() -> None:
    for data in (
        {"task": "ner", "model": {"head": {"kind": "crf"}, "head_size": 3}},
        {"task": "ner", "model": {"encoder": {"kind": "characters"}, "hidden_size": 3}},
        {"task": "ner", "model": {"head": "crf"}, "decode": {"nothing": 1}},
        {"task": "ner", "model": 3},
    ):
        assert with_sections(TASK, data) is data


@pytest.mark.parametrize(("former", "key"), sorted(TASK.former_keys.items()))
def test_former_keys_can_be_set(former: str, key: str) -> None:
    assert any(key in keys(load_recipe(name, more)) for name in HEADS.values() for more in ((), ("model.encoder=f",)))
    values = {"dilations": "[3]", "tags": "bio", "part_of_speech": "false", "cut_vocabulary": "true"}
    value = (values | {"word_vectors": "v.txt"}).get(former.rpartition(".")[2], "0.5" if "dropout" in former else "4")
    name = "ner-globalpointer" if former == "model.head_size" else "ner-crf"
    more = ["model.encoder=f"] if former == "model.cut_vocabulary" else []
    assert load_recipe(name, [*more, f"{former}={value}"]) == load_recipe(name, [*more, f"{key}={value}"])
    assert load_recipe(name, [*more, f"{former}={value}"]) != load_recipe(name, more)
