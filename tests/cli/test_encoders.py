"""The recipes on pretrained encoders through the commands: what is prepared, trained, predicted and refused."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import AutoConfig, AutoModel, AutoTokenizer

import ietool.auto  # noqa: F401
from ietool import paths
from ietool.cli.app import run
from ietool.registry import get_task
from ietool.runs.entry import RECIPE_FILE
from ietool.text.tokens import TokenReader
from tests.tasks.ske.made import acting, texts_of
from tests.tiny_encoder import make_encoder_folder

SMALL = (
    "model.hidden_size=16", "model.dilations=[1,2]", "model.attention_heads=2", "model.attention_head_size=4",
    "model.pointer_size=8", "training.epochs=1", "training.batch_size=8", "training.precision=fp32",
    "training.learning_rate=1e-3", "training.schedule=constant_with_warmup", "training.warmup_epochs=0",
    "data.window=100", "decode.rules=null",
)  # fmt: skip

Ietool = Callable[..., tuple[int, str, str]]


@pytest.fixture
def ietool_(folder: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Ietool:
    """``ietool_("train", "--recipe", …)`` in the working folder: exit code, output, errors."""
    monkeypatch.chdir(folder)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)

    def call(*arguments: object, settings: tuple[str, ...] = ()) -> tuple[int, str, str]:
        capfd.readouterr()
        changes = [word for setting in settings for word in ("--set", setting)]
        code = run([*map(str, arguments), *changes])
        out, err = capfd.readouterr()
        assert "Traceback" not in err + out
        return code, out, err

    return call


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A working folder with a corpus and an encoder."""
    made = tmp_path_factory.mktemp("work")
    shipped = paths.shipped_data("ske")
    (made / "data").mkdir()
    for name, lines in (("train.jsonl", 24), ("dev.jsonl", 8), ("test.jsonl", 8), ("schema.jsonl", 99)):
        text = (shipped / name).read_text(encoding="utf-8").splitlines(keepends=True)[:lines]
        (made / "data" / name).write_text("".join(text), encoding="utf-8")
    make_encoder_folder(made / "tiny", texts_of(shipped / "train.jsonl")[:60], positions=128)
    return made


@pytest.mark.parametrize(
    ("recipe", "encoder"),
    [("ske-cascade", "tiny"), ("ske-gplinker", "tiny"), ("ske", "tiny"), ("ske-cascade", "dgcnn"),
     ("ske-gplinker", "dgcnn")],
)  # fmt: skip
def test_all_stations(ietool_: Ietool, folder: Path, recipe: str, encoder: str) -> None:
    name = f"run-{recipe}-{encoder}"
    settings = acting((*SMALL, f"model.encoder={encoder}"), recipe)
    code, out, err = ietool_("prepare", "--recipe", recipe, "--data", "data", "--json", settings=settings)
    assert code == 0, err
    counts = json.loads(out)
    assert "windows_cut" in json.dumps(counts)
    code, out, err = ietool_(
        "train", "--recipe", recipe, "--data", "data", "--output", name, "--device", "cpu", settings=settings
    )
    assert code == 0, err
    at = folder / name
    assert {"config.json", "model.safetensors", RECIPE_FILE, "schema.json"} <= {path.name for path in at.iterdir()}
    assert (at / "tokenizer.json").is_file() == (encoder == "tiny")
    assert (at / "characters.txt").is_file() == (encoder == "dgcnn")
    # The run needs neither the encoder's folder nor what was prepared.
    hidden = [folder / part for part in ("prepared", "tiny")]
    for path in hidden:
        path.rename(path.with_suffix(".away"))
    try:
        test = "data/test.jsonl"
        code, out, err = ietool_("predict", "--run", name, test, "--output", f"{name}.json", "--device", "cpu")
        assert code == 0, err
        assert len((folder / f"{name}.json").read_text(encoding="utf-8").splitlines()) == 8
        code, out, err = ietool_("score", "--recipe", recipe, test, f"{name}.json", "--json")
        assert code == 0, err
        assert 0 <= json.loads(out)["f1"] <= 1
        if encoder == "tiny":
            model = AutoModel.from_pretrained(at)
            assert model.config.model_type == AutoConfig.from_pretrained(at).model_type
            ours: Any = get_task("ske").load_model(at)
            assert type(model) is type(ours)
            assert all(torch.equal(a, b) for a, b in zip(model.parameters(), ours.parameters(), strict=True))
            tokenizer = AutoTokenizer.from_pretrained(at)
            text = texts_of(folder / test)[0]
            assert tokenizer(text)["input_ids"] == TokenReader.open(at).units(text).ids.tolist()
    finally:
        for path in hidden:
            path.with_suffix(".away").rename(path)


@pytest.mark.parametrize("recipe", ["ske-cascade", "ske-gplinker", "ske"])
def test_each_head_learns_a_handful_by_heart(ietool_: Ietool, folder: Path, recipe: str) -> None:
    name = f"heart-{recipe}"
    settings = (
        "model.encoder=tiny", "training.learning_rate=2e-3", "training.head_learning_rate=5e-3", "data.window=120",
        "model.pointer_size=16", "model.attention_heads=2", "training.precision=fp32", "training.ema_decay=0.9",
    )  # fmt: skip
    settings = acting(settings, recipe)
    records = (folder / "data" / "train.jsonl").read_text(encoding="utf-8").splitlines(keepends=True)
    (folder / "plain.jsonl").write_text("".join(records[6:]), encoding="utf-8")  # the first are hard ones
    code, out, err = ietool_(
        "train", "--recipe", recipe, "--data", "data", "--train", "plain.jsonl", "--output", name, "--overfit", "4",
        "--device", "cpu",
        settings=settings,
    )  # fmt: skip
    assert code == 0, err
    assert json.loads((folder / name / "run.json").read_text())["best"]["score"] >= 0.9, out


def test_everything_of_training_at_once(ietool_: Ietool, folder: Path) -> None:
    settings = (
        *SMALL, "model.encoder=tiny", "model.cut_vocabulary=true", "training.layer_decay=0.9",
        "training.gradient_checkpointing=true", "training.adversarial=0.5", "training.r_drop=2",
        "training.gradient_accumulation=2", "training.checkpoint_steps=1", "training.evaluate_raw=true",
        "training.later_stages=[{epochs: 1, learning_rate: 1e-4}]",
    )  # fmt: skip
    settings = acting(settings, "ske-gplinker")
    code, _, err = ietool_(
        "train", "--recipe", "ske-gplinker", "--data", "data", "--output", "all", "--device", "cpu", settings=settings
    )
    assert code == 0, err
    assert "Warning" not in err and len(err.splitlines()) < 10, err
    rows = [json.loads(line) for line in (folder / "all" / "metrics.jsonl").read_text().splitlines()]
    assert [row["stage"] for row in rows] == [1, 2] and all(row["loss"] > 0 for row in rows)
    model = AutoModel.from_pretrained(folder / "all")
    full = json.loads((folder / "tiny" / "config.json").read_text())["vocab_size"]
    assert model.encoder.table.num_embeddings == model.config.token_rows < full == len(model.encoder.row_of)
    # Characters that no training text holds are read as unknown.
    code, _, err = ietool_("predict", "--run", "all", "--text", "龘𠀀Ａbc林", "--device", "cpu")
    assert code == 0, err


def test_frozen_layers_stay(ietool_: Ietool, folder: Path) -> None:
    settings = acting((*SMALL, "model.encoder=tiny", "training.frozen_layers=1", "training.ema_decay=0"), "ske-cascade")
    code, _, err = ietool_(
        "train", "--recipe", "ske-cascade", "--data", "data", "--output", "frozen", "--device", "cpu", settings=settings
    )
    assert code == 0, err
    before, after = AutoModel.from_pretrained(folder / "tiny"), AutoModel.from_pretrained(folder / "frozen")
    old, new = dict(before.named_parameters()), dict(after.encoder.backbone.named_parameters())
    same = {name for name, p in new.items() if torch.equal(p, old[name])}
    assert {n for n in new if n.startswith(("embeddings", "encoder.layer.0."))} <= same
    assert not {n for n in new if n.startswith("encoder.layer.1.") and n.endswith("dense.weight")} & same


def test_the_encoder_decides_what_is_prepared(ietool_: Ietool, folder: Path, tmp_path: Path) -> None:
    def prepared(encoder: object) -> str:
        code, out, err = ietool_(
            "prepare", "--recipe", "ske-gplinker", "--data", "data", "--json",
            settings=acting((*SMALL, f"model.encoder={encoder}"), "ske-gplinker"),
        )  # fmt: skip
        assert code == 0, err
        found: str = json.loads(out)["folder"]
        return found

    other = tmp_path / "other"
    shutil.copytree(folder / "tiny", other)
    first = prepared("tiny")
    assert prepared("tiny") == first != prepared("dgcnn")
    second = prepared(other)
    assert second != first
    config = json.loads((other / "tokenizer_config.json").read_text())
    (other / "tokenizer_config.json").write_text(json.dumps(config | {"model_max_length": 99}))
    assert prepared(other) != second


@pytest.mark.parametrize(
    ("encoder", "told"),
    [("no-such-folder", "is no folder, and the hub did not give"), ("somebody/some-model", "the hub did not give"),
     ("data", "holds no"), ("../away", "is no folder"), ("", "model.encoder")],
)  # fmt: skip
@pytest.mark.parametrize("verb", ["prepare", "train"])
def test_encoders_that_are_not_there(ietool_: Ietool, folder: Path, verb: str, encoder: str, told: str) -> None:
    before = {path for path in folder.rglob("*") if path.is_file()}
    code, _, err = ietool_(verb, "--recipe", "ske-cascade", "--data", "data", settings=(f"model.encoder={encoder}",))
    assert code == 2
    assert told in err and "model.encoder" in err and "→" in err
    assert len(err.strip().splitlines()) == 1
    left = {path for path in folder.rglob("*") if path.is_file()} - before
    assert all(path.name == ".preparing.lock" for path in left), left


def test_settings_that_do_not_go_together(ietool_: Ietool, folder: Path) -> None:
    for settings, told in (
        (("training.adversarial=0.5", "training.frozen_layers=1"), "training.adversarial"),
        (("training.layer_decay=1.5",), "training.layer_decay"),
        (("model.pointer_size=7",), "model.head.pointer_size"),
        (("model.head=span",), "model.head"),
    ):
        code, _, err = ietool_(
            "train", "--recipe", "ske-gplinker", "--data", "data", "--output", "refused", "--overwrite", "--device",
            "cpu", settings=(*acting(("model.encoder=tiny", *SMALL[:5]), "ske-gplinker"), *settings),
        )  # fmt: skip
        lines = err.strip().splitlines()
        assert code == 2 and told in lines[-1] and sum(line.startswith("error: ") for line in lines) == 1, err


def test_a_run_whose_tokenizer_is_of_another_model(ietool_: Ietool, folder: Path, tmp_path: Path) -> None:
    settings = acting((*SMALL, "model.encoder=tiny"), "ske-gplinker")
    code, _, err = ietool_(
        "train", "--recipe", "ske-gplinker", "--data", "data", "--output", tmp_path / "run", "--device", "cpu",
        settings=settings,
    )  # fmt: skip
    assert code == 0, err
    (tmp_path / "run" / "tokenizer_config.json").rename(tmp_path / "away")
    code, _, err = ietool_("predict", "--run", tmp_path / "run", "--text", "山", "--device", "cpu")
    assert code == 2 and len(err.strip().splitlines()) == 1 and "→" in err
    (tmp_path / "away").rename(tmp_path / "run" / "tokenizer_config.json")
    larger = make_encoder_folder(
        tmp_path / "larger", [*texts_of(folder / "data" / "train.jsonl"), *map(chr, range(0x4E00, 0x5200))]
    )
    shutil.copyfile(larger / "tokenizer.json", tmp_path / "run" / "tokenizer.json")
    code, _, err = ietool_("predict", "--run", tmp_path / "run", "--text", "山", "--device", "cpu")
    assert code == 2 and "does not fit" in err and len(err.strip().splitlines()) == 1, err
