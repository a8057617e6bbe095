"""``ietool distil`` labels texts, and ``--extra`` trains on them beside train, counted apart and clear of dev."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ietool.cli.app import run as command
from ietool.core.soft import find_soft, soft_file
from ietool.recipe_io import load_recipe
from ietool.registry import get_task
from ietool.tasks.ner.data.reading import load_examples
from ietool.workflow.prepare import prepare
from tests.cli.conftest import complaint, output_of
from tests.tasks.el import made as el
from tests.tasks.ner import made as ner
from tests.tasks.qa import made as qa
from tests.tasks.ske import made as ske

LEARNING = ("training.epochs=2", "training.head_learning_rate=0.03", "training.warmup_epochs=0",
            "training.ema_decay=0.8", "training.schedule=constant_with_warmup", "training.patience=0")  # fmt: skip


def settings_of(settings: Any) -> list[str]:
    return [word for one in settings for word in ("--set", one)]


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("distil")
    ner.write_json(folder / "train.json", ner.examples(120))
    ner.write_json(folder / "dev.json", ner.examples(20, seed=2))
    ner.write_json(folder / "test.json", ner.examples(40, seed=3))
    patch = pytest.MonkeyPatch()
    patch.setenv("IETOOL_HOME", str(folder))
    settings = settings_of(ner.acting("ner-crf", ner.SMALL, *LEARNING))
    arguments = ["train", "--recipe", "ner-crf", "--data", folder, "--output", folder / "run", *settings]
    assert command([str(one) for one in arguments]) == 0
    patch.undo()
    return folder / "run"


def test_texts_are_labelled_and_trained_on(
    run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("IETOOL_HOME", str(tmp_path))
    data, output = run.parent, tmp_path / "extra"
    test = data / "test.json"
    done = json.loads(output_of(capsys, "distil", run, "--texts", test, "--output", output, "--json"))
    gold = {e.text: set(e.entities) for e in load_examples(test)}
    labelled = {e.text: set(e.entities) for e in load_examples(output / "extra.jsonl")}
    assert done["texts"] == 40 == done["kept"] + done["doubtful"] and len(labelled) == done["kept"] > 10
    right = sum(len(gold[text] & entities) for text, entities in labelled.items())
    assert right >= 0.9 * sum(map(len, labelled.values())) == 0.9 * done["items"] > 10
    beside = [json.loads(line) for line in (output / "extra.p.jsonl").read_text("utf-8").splitlines()]
    assert [one["text"] for one in beside] == list(labelled)
    assert all(item["p"] >= 0.5 for one in beside for item in one["items"])
    assert all(one["doubt"] <= 0.5 for one in beside) and sum(len(one["items"]) for one in beside) == done["items"]

    strict = ("distil", run, "--texts", test, "--output", tmp_path / "strict", "--doubt", "0.05", "--json")
    assert 0 < json.loads(output_of(capsys, *strict))["kept"] < done["kept"]
    none = ("distil", run, "--texts", test, "--output", tmp_path / "none", "--doubt", "0")
    capsys.readouterr()
    assert command([str(one) for one in none]) == 2
    assert "test.json: has no text with a doubt of at most 0 → raise --doubt" in capsys.readouterr().err
    assert not (tmp_path / "none" / "extra.jsonl").exists()

    # A text is left out, and not only its items: without them it would say that they do not hold.
    sure = ("distil", run, "--texts", test, "--output", tmp_path / "sure", "--doubt", "9", "--confidence")
    at = json.loads(output_of(capsys, *sure, "0.9", "--json"))
    whole = json.loads(output_of(capsys, *sure, "0", "--json"))
    assert whole["unsure"] == 0 < at["unsure"] == whole["kept"] - at["kept"]
    every = {e.text: e.entities for e in load_examples(tmp_path / "sure" / "extra.jsonl")}
    output_of(capsys, *sure, "0.9", "--json")
    kept = {e.text: e.entities for e in load_examples(tmp_path / "sure" / "extra.jsonl")}
    assert all(every[text] == entities for text, entities in kept.items()) and len(kept) < len(every)
    odd = next(text for text in every if text not in kept)
    (tmp_path / "odd.json").write_text(json.dumps({"text": odd}, ensure_ascii=False) + "\n", encoding="utf-8")
    never = ("--texts", tmp_path / "odd.json", "--output", tmp_path / "never", "--confidence", "0.9", "--doubt", "9")
    assert command([str(one) for one in ("distil", run, *never)]) == 2
    assert "whose items are all at least 0.9 probable → lower --confidence" in capsys.readouterr().err
    (tmp_path / "blank.json").write_text('{"text": ""}\n{"text": " "}\n', encoding="utf-8")
    blank = ("distil", run, "--texts", tmp_path / "blank.json", "--output", tmp_path / "new")
    assert command([str(one) for one in blank]) == 2
    assert "holds blank texts alone → name a file of texts" in capsys.readouterr().err
    assert not (tmp_path / "new").exists()

    settings = settings_of(ner.acting("ner-crf", ner.SMALL))
    arguments = ("train", "--recipe", "ner-crf", "--data", data, *settings, "--extra", output / "extra.jsonl")
    capsys.readouterr()
    assert command([str(one) for one in (*arguments, "--output", tmp_path / "run")]) == 0
    shown = capsys.readouterr().out
    assert [word for word in shown.splitlines() if "train" in word and "extra" in word and "dev" in word]
    said = complaint(capsys, "train", "--resume", "--output", tmp_path / "run", "--extra", output / "extra.jsonl")
    assert "leave out --extra" in said


def ske_files(folder: Path) -> tuple[list[str], list[str]]:
    ske.head_of_corpus(folder)
    fresh = (folder / "test.jsonl").read_text("utf-8").splitlines()[:7]
    return fresh, settings_of(ske.acting(ske.SMALL))


def ner_files(folder: Path) -> tuple[list[str], list[str]]:
    ner.write_json(folder / "train.jsonl", ner.examples(30))
    ner.write_json(folder / "dev.jsonl", ner.examples(8, seed=2))
    fresh = ner.write_json(folder / "fresh", ner.examples(7, seed=3)).read_text("utf-8").splitlines()
    (folder / "fresh").unlink()
    return fresh, settings_of(ner.acting("ner-crf", ner.SMALL))


def el_files(folder: Path) -> tuple[list[str], list[str]]:
    el.make_data(folder, train=30)
    for name in ("train", "dev"):
        (folder / f"{name}.json").rename(folder / f"{name}.jsonl")
    fresh = [el.record(n, "ccks2019") | {"text": f"{n}号{el.record(n, 'ccks2019')['text']}", "mention_data": []}
             for n in range(500, 507)]  # fmt: skip
    return [json.dumps(one, ensure_ascii=False) for one in fresh], []


def qa_files(folder: Path) -> tuple[list[str], list[str]]:
    lines: dict[str, list[str]] = {}
    for name, some in (("train", qa.webqa(24)), ("dev", qa.webqa(4, 50)), ("fresh", qa.webqa(7, 30))):
        lines[name] = [json.dumps(one, ensure_ascii=False) for one in some]
    for name in ("train", "dev"):
        (folder / f"{name}.jsonl").write_text("\n".join(lines[name]) + "\n", "utf-8")
    return lines["fresh"], []


FILES: dict[str, Callable[[Path], tuple[list[str], list[str]]]] = {
    "ske": ske_files, "ner-crf": ner_files, "el": el_files, "qa": qa_files,
}  # fmt: skip


def test_soft_labels_without_their_probabilities_are_refused(
    run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """They would be learnt as certain. Packed ones are found."""
    monkeypatch.setenv("IETOOL_HOME", str(tmp_path))
    words = ("distil", run, "--texts", run.parent / "test.json", "--output", tmp_path, "--soft", "--json")
    extra = Path(json.loads(output_of(capsys, *words))["extra"])
    assert json.loads(extra.read_text("utf-8").splitlines()[0])["soft"] is True
    side = soft_file(extra)
    for path in (extra, side):
        with gzip.open(f"{path}.gz", "wb") as out:
            out.write(path.read_bytes())
        path.unlink()
    packed = Path(f"{extra}.gz")
    assert soft_file(packed) == side and find_soft(packed) == Path(f"{side}.gz")
    prepare_ = ("prepare", "--recipe", run / "recipe.yaml", "--data", run.parent, "--extra", packed)
    output_of(capsys, *prepare_)
    Path(f"{side}.gz").rename(tmp_path / "elsewhere.gz")
    assert "has soft labels, whose probabilities are not beside it" in complaint(capsys, *prepare_)
    output_of(capsys, *prepare_, "--file", f"extra+soft={tmp_path / 'elsewhere.gz'}")


def test_a_call_that_fails_leaves_soft_labels_as_they_are(
    run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    texts, output = tmp_path / "texts.json", tmp_path / "extra"
    some = [
        json.dumps({"text": e.text}, ensure_ascii=False) for e in islice(load_examples(run.parent / "test.json"), 5)
    ]
    texts.write_text("\n".join([some[0], '{"text": " "}', *some[1:]]) + "\n", encoding="utf-8")
    call = ("distil", run, "--texts", texts, "--output", output)
    done = json.loads(output_of(capsys, *call, "--soft", "--json"))
    assert (done["texts"], done["kept"], done["blank"]) == (6, 5, 1)  # training takes no blank text
    assert [e.text for e in load_examples(output / "extra.jsonl")] == [json.loads(line)["text"] for line in some]
    before = {path.name: path.read_bytes() for path in output.iterdir()}
    assert soft_file(output / "extra.jsonl").name in before
    assert command([str(one) for one in (*call, "--doubt", "0")]) == 2
    assert {path.name: path.read_bytes() for path in output.iterdir()} == before
    output_of(capsys, *call)
    assert not soft_file(output / "extra.jsonl").exists()


@pytest.mark.parametrize("recipe", FILES)
def test_extra_is_counted_apart_and_clear_of_dev(
    recipe: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("IETOOL_HOME", str(tmp_path / "home"))
    data = tmp_path / "data"
    data.mkdir()
    fresh, settings = FILES[recipe](data)
    train, dev = ((data / f"{name}.jsonl").read_text("utf-8").splitlines() for name in ("train", "dev"))
    # One of train, one that stands twice, and one of dev. Questions have ids, which may not stand twice.
    extra = [train[3], *fresh, *([] if recipe == "qa" else fresh[:1]), dev[0]]
    (tmp_path / "extra.jsonl").write_text("\n".join(extra) + "\n", "utf-8")
    arguments = ("prepare", "--recipe", recipe, "--data", data, *settings, "--json")
    plain = json.loads(output_of(capsys, *arguments, "--output", tmp_path / "plain"))
    more = json.loads(
        output_of(capsys, *arguments, "--extra", tmp_path / "extra.jsonl", "--output", tmp_path / "prepared")
    )
    for split in ("train", "dev"):
        assert {k: v for k, v in more["statistics"][split].items() if "unknown" not in k} == {
            k: v for k, v in plain["statistics"][split].items() if "unknown" not in k
        }
    assert "extra" in more["statistics"] and "extra" not in plain["statistics"]
    assert any(note.startswith("extra: 1 ") and "stand in dev" in note for note in more["notes"])
    for name in ("train.jsonl", "dev.jsonl", "groups.npy"):
        assert (tmp_path / "plain" / name).read_bytes() == (tmp_path / "prepared" / name).read_bytes()
    kept = (tmp_path / "prepared" / "extra.jsonl").read_text("utf-8").splitlines()
    assert len(kept) == len(fresh)

    from datasets import load_from_disk

    records = set(load_from_disk(str(tmp_path / "prepared" / "train"))["record"])
    rows = len((tmp_path / "prepared" / "train.jsonl").read_text("utf-8").splitlines())
    assert {n for n in records if n >= rows} <= set(range(rows, rows + len(fresh))) and max(records) >= rows


@pytest.mark.parametrize("name", ["ner-crf", "ner-globalpointer"])
def test_a_run_teaches_what_it_believes(
    run: Path, name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("IETOOL_HOME", str(tmp_path))
    data, extra = run.parent, tmp_path / "soft" / "extra.jsonl"
    done = json.loads(
        output_of(capsys, "distil", run, "--texts", data / "test.json", "--output", extra.parent, "--soft", "--json")
    )
    assert done["kept"] == done["texts"] == 40 and Path(done["side"]) == soft_file(extra)
    lines = [json.loads(line) for line in soft_file(extra).read_text("utf-8").splitlines()]
    read = list(load_examples(extra))
    assert [(e.text, len(e.entities)) for e in read] == [(one["text"], len(one["p"])) for one in lines]
    assert any(p < 0.5 for one in lines for p in one["p"]) and all(p >= 0.05 for one in lines for p in one["p"])
    recipe = load_recipe(name, ner.acting(name, ner.SMALL))
    files = {"train": data / "train.json", "dev": data / "dev.json", "extra": extra}
    made = prepare(recipe, files=files, output=tmp_path / "prepared")
    kept = {json.loads(line)[0] for line in (made.folder / "extra.jsonl").read_text("utf-8").splitlines()}
    lines = [one for one in lines if one["text"] in kept]  # without what train or dev has
    assert len(lines) > 30
    sure = sum(p >= 0.5 for one in lines for p in one["p"])
    assert made.report.statistics["extra"]["entities"] == sure
    some: Any = get_task("ner").training_set(recipe, made.folder)
    at = [n for n in range(len(some)) if some.chances is not None and len(some.chances[n])]
    assert len(at) == sum(bool(one["p"]) for one in lines)
    hard = [n for n in range(len(some)) if n not in at]
    counts = []
    for epoch in range(40):
        some.set_epoch(epoch)
        counts.append([len(some[n]["rows"]) for n in at])
        assert some.collate([some[n] for n in (*at[:3], *hard[:2])])
    first = [some[n]["rows"].tolist() for n in hard]
    some.set_epoch(3)
    assert [some[n]["rows"].tolist() for n in hard] == first
    expected = np.array([float(np.sum(some.chances[n])) for n in at])
    if name == "ner-globalpointer":  # of a flat head those that overlap one that holds are missing
        assert abs(np.mean(counts) - expected.mean()) < 0.1
    assert np.std(counts, 0).max() > 0
    settings = settings_of(ner.acting(name, ner.SMALL, "training.epochs=1"))
    arguments = ["train", "--recipe", name, "--data", data, "--extra", extra, *settings, "--output", tmp_path / "run"]
    assert command([str(one) for one in arguments]) == 0
