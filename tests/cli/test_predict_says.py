"""What ``predict`` says of the run and of what it found, what it leaves out, and the demo that stays apart."""

from __future__ import annotations

import json
import re
import shlex
import shutil
from pathlib import Path

import pytest

from ietool import paths
from ietool.cli import app
from ietool.files.full_disk import why_unwritten
from ietool.registry import get_task
from ietool.runs.folder import update_run
from ietool.training.finite import not_finite
from tests.cli.conftest import complaint, output_of
from tests.tasks.ner.made import examples, write_json

SETTINGS = [word for setting in ("model.encoder.hidden_size=8", "model.encoder.dilations=[1]", "training.epochs=1",
                                 "training.batch_size=4") for word in ("--set", setting)]  # fmt: skip


@pytest.fixture(scope="module")
def work(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A working folder with files and a finished run in runs/ner-crf/one."""
    folder = tmp_path_factory.mktemp("says")
    write_json(folder / "train.json", examples(8))
    write_json(folder / "dev.json", examples(3, seed=2))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("IETOOL_HOME", str(folder))
        run = folder / "runs" / "ner-crf" / "one"
        arguments = ["--recipe", "ner-crf", "--data", str(folder), "--device", "cpu", "--output", str(run), *SETTINGS]
        assert app.run(["train", *arguments]) == 0
    return folder


@pytest.fixture(autouse=True)
def there(work: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("IETOOL_HOME", ".")
    monkeypatch.chdir(work)


RUN = Path("runs/ner-crf/one")


def _said(capsys: pytest.CaptureFixture[str], *arguments: object) -> list[str]:
    """What a command that must succeed says on standard error."""
    capsys.readouterr()
    assert app.run([str(argument) for argument in arguments]) == 0
    return capsys.readouterr().err.splitlines()


def test_the_run_comes_first_and_what_was_found_last(capsys: pytest.CaptureFixture[str]) -> None:
    said = _said(capsys, "predict", "--recipe", "ner-crf", "dev.json", "-o", "out.json", "--set", "decode.threshold=1")
    assert re.fullmatch(rf"run: {RUN} \(ner-crf, finished, dev span \d\.\d{{4}}\)", said[0])
    assert re.fullmatch(
        r"predicted: 0 entities in 3 texts; highest probability 0\.\d{3}: see the thresholds.*", said[-2]
    )
    assert re.fullmatch(r"took: .* → out\.json", said[-1])
    said = _said(capsys, "predict", "--run", RUN, "--text", "云州", "--text", "江城", "--set", "decode.threshold=1")
    assert said[0].startswith(f"run: {RUN}") and said[-1].startswith("predicted: 0 entities in 2 texts; highest")


@pytest.mark.parametrize(
    ("recipe", "field", "expected"),
    [("ske", "triples", "3 triples in 2 texts"), ("el", "mentions", "3 mentions in 2 texts"),
     ("ner-crf", "entities", "3 entities in 2 texts"), ("qa", "answer", "1 answers in 2 questions")],
)  # fmt: skip
def test_how_much_was_found(recipe: str, field: str, expected: str) -> None:
    task = get_task(recipe.partition("-")[0])
    few, many = (type("P", (), {field: value})() for value in (("", "x") if field == "answer" else ((1,), (1, 2))))
    found = sum(map(task.found, (few, many)))
    assert f"{found} {task.finds} in 2 {task.inputs}" == expected


def test_a_run_that_is_not_finished_is_never_taken_by_itself(capsys: pytest.CaptureFixture[str]) -> None:
    try:
        update_run(RUN, state="interrupted")
        error = complaint(capsys, "predict", "--recipe", "ner-crf", "--text", "好")
        named = re.search(r"take it as it is with (--run \S+), or finish it with `ietool (.*)`", error)
        assert named and "(interrupted)" in error
        said = _said(capsys, "predict", *named[1].split(), "--text", "好")
        assert "interrupted, not finished" in said[0]
        # The way to finish it works as it is typed, though its data has gone nowhere and its checkpoints have.
        _said(capsys, *shlex.split(named[2]))
        assert _said(capsys, "predict", "--recipe", "ner-crf", "--text", "好")
    finally:
        update_run(RUN, state="finished")


def test_a_recipe_and_a_run_that_disagree(capsys: pytest.CaptureFixture[str]) -> None:
    error = complaint(capsys, "predict", "--recipe", "ske", "--run", RUN, "--text", "好")
    assert f"{RUN}: is a run of ner-crf, not of ske →" in error
    assert _said(capsys, "predict", "--recipe", "ner-crf", "--run", RUN, "--text", "好")
    assert _said(capsys, "predict", "--recipe", RUN, "--run", RUN, "--text", "好")


def test_weights_that_are_no_numbers(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """As versions that did not see it saved them."""
    shutil.copytree(RUN, tmp_path / "run")
    model = get_task("ner").load_model(RUN)
    next(model.parameters()).data.fill_(float("nan"))
    assert not_finite(model)
    model.save_pretrained(tmp_path / "run")
    error = complaint(capsys, "predict", "--run", tmp_path / "run", "--text", "好")
    assert "has weights that are not finite" in error and "→ train again with a lower" in error


def test_bad_records_are_left_out_counted_and_said(capsys: pytest.CaptureFixture[str]) -> None:
    good = '{"text": "林满在云州。"}\n'
    Path("bad.json").write_bytes((good + '{"text": 5}\n{"te\n' + good).encode() + b'{"text": "\xff"}\n' + good.encode())
    assert app.run(["predict", "--run", str(RUN), "bad.json", "-o", "out.json"]) == 2
    assert "--skip-bad" in capsys.readouterr().err
    said = _said(capsys, "predict", "--run", RUN, "bad.json", "-o", "out.json", "--skip-bad")
    places = [line for line in said if line.startswith("left out: bad.json:")]
    assert len(places) == 3 and all(any(f":{n}: " in line for line in places) for n in (2, 3, 5))
    assert "left out: 3 bad records, which have no prediction" in said
    assert len(Path("out.json").read_text(encoding="utf-8").splitlines()) == 3
    Path("bad.json").write_text('{"text": 5}\n', encoding="utf-8")
    assert app.run(["predict", "--run", str(RUN), "bad.json", "-o", "out.json", "--skip-bad"]) == 2
    assert "and none of the 1 records can be used" in capsys.readouterr().err
    assert "--skip-bad: is for files" in complaint(capsys, "predict", "--run", RUN, "--text", "好", "--skip-bad")


QUESTION = {"id": "1", "question": "谁？", "passages": [{"passage": "林满。"}]}
INPUTS = {
    "ske": ('{"text": "好"}', '{"text": 5}'),
    "el": ('{"text_id": "1", "text": "好"}', '{"text_id": "2", "text": []}'),
    "ner": ('{"text": "好"}', "{"),
    "qa": (json.dumps(QUESTION, ensure_ascii=False), json.dumps({**QUESTION, "id": "2", "question": 5})),
}


@pytest.mark.parametrize("task", sorted(INPUTS))
def test_every_task_leaves_bad_inputs_out(task: str, tmp_path: Path) -> None:
    good, bad = INPUTS[task]
    path = tmp_path / "in.json"
    path.write_bytes(f"{good}\n{bad}\n".encode() + b'{"text": "\xff"}\n')
    told: list[int | None] = []
    found = list(get_task(task).open_inputs(str(path), lambda error, line: told.append(error.line)))
    assert len(found) == 1 and sorted(told, key=str) == [2, 3]


def test_sentences_of_tokens_are_left_out_whole(tmp_path: Path) -> None:
    path = tmp_path / "in.bio"
    path.write_bytes("林 B\n满 I\n\n云 B\n".encode() + b"\xff O\n" + "州 I\n\n江 B\n城 I\n\na b c\n".encode())
    told: list[str] = []
    found = list(get_task("ner").open_inputs(str(path), lambda error, line: told.append(str(error))))
    assert [example.text for example in found] == ["林满", "江城"] and len(told) == 2


@pytest.mark.parametrize("recipe", ["ner-crf", "qa"])
def test_the_demo_stays_apart_and_its_last_lines_can_be_typed(
    recipe: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    task = recipe.partition("-")[0]
    shipped = paths.shipped_data(task)
    few = tmp_path / "few corpus"
    few.mkdir()
    for path in (path for split in ("train", "dev", "test") for path in shipped.glob(f"{split}.json*")):
        text = path.read_text(encoding="utf-8")
        some = json.loads(text)[:8] if path.suffix == ".json" else [json.loads(n) for n in text.splitlines()[:8]]
        lines = "".join(json.dumps(record, ensure_ascii=False) + "\n" for record in some)
        (few / path.name).write_text(lines, encoding="utf-8")
    monkeypatch.setattr(paths, "shipped_data", lambda name: few)
    monkeypatch.setenv("IETOOL_HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    write_json(tmp_path / "train.json", examples(8))
    if task == "ner":
        output_of(capsys, "prepare", "--recipe", recipe, "--train", "train.json", *SETTINGS)
    settings = [word.replace("dilations", "dilations" if task == "ner" else "passage_dilations") for word in SETTINGS]
    said = _said(capsys, "demo", "--recipe", recipe, "--device", "cpu", *settings)
    (run,) = (tmp_path / "runs" / "demo" / recipe).iterdir()
    following = next(line for line in said if line.startswith("next: ietool predict --run "))
    assert str(run) in following
    assert f"run: {run}" in "\n".join(_said(capsys, *shlex.split(following)[2:]))
    assert "no trained run" in complaint(capsys, "predict", "--recipe", recipe, "--text", "好")
    assert f"{recipe} (demo)" in output_of(capsys, "runs")
    assert json.loads(output_of(capsys, "runs", "--json"))[0]["demo"] is True
    if task == "ner":  # what was prepared last by the user still is
        latest = json.loads((tmp_path / "prepared" / recipe / "latest.json").read_text(encoding="utf-8"))
        assert latest["files"]["train"] == str(tmp_path / "train.json")


def test_reasons_of_other_errors_are_no_full_disk() -> None:
    assert why_unwritten(RuntimeError("mat1 and mat2 shapes cannot be multiplied")) is None
    assert why_unwritten(FileNotFoundError(2, "No such file or directory")) is None
    assert why_unwritten(OSError("(os error 2)")) is None
