"""Runs of every task and head, and ensembles: the API says what ``predict`` says, with any thresholds."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any
from unittest import mock

import pytest

pytest.importorskip("fastapi", reason="serve is an extra: pip install 'ietool[serve]'")

from starlette.testclient import TestClient

from ietool.cli.app import run as ietool
from ietool.core.view import View
from ietool.errors import UserError
from ietool.files.plain_json import dump_json
from ietool.serve.app import create_app
from ietool.serve.limits import Limits
from ietool.serve.served import Served, names_of, open_all
from ietool.workflow.predict import load
from tests.recorded.flows import FLOWS, copy_run, kept_run

ASKED = 4
BASE = "http://127.0.0.1:8000"


@pytest.fixture(scope="module")
def old(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """A recorded run by its name, in a folder of that name."""
    folder = tmp_path_factory.mktemp("runs")

    def run(name: str) -> Path:
        if not (folder / name).exists():
            copy_run(name, folder / name)
        return folder / name

    return run


def client_of(*runs: Served) -> TestClient:
    return TestClient(create_app(runs, Limits(characters=1 << 20)), BASE)


def plain(run: Served, predictions: list[Any]) -> list[Any]:
    """Predictions as they are after a journey as JSON, probabilities to a millionth: in other batches they are summed
    in another order."""
    return _rounded(json.loads(dump_json([run.record(one) for one in predictions])))


def _rounded(value: Any) -> Any:
    if isinstance(value, dict):
        # Records that came another way have another place.
        return {key: _rounded(entry) for key, entry in value.items() if key not in ("file", "line")}
    if isinstance(value, list):
        return [_rounded(entry) for entry in value]
    return pytest.approx(value, abs=1e-5) if isinstance(value, float) else value


FLOWS_WITH_RUNS = [name for name in FLOWS if kept_run(name).is_dir()]


@pytest.mark.parametrize("name", FLOWS_WITH_RUNS)
def test_it_says_what_predict_says(name: str, old: Callable[[str], Path]) -> None:
    (run,) = open_all([old(name)], "cpu", None)
    asked = run.about["examples"][:ASKED]
    assert len(asked) >= 2, "the page has examples of every task"
    inputs = [item for n, one in enumerate(asked) for item in _items(run, one, n)]
    made = list(load(old(name), device="cpu").stream(inputs))
    direct = plain(run, made)
    with client_of(run) as client:
        told = client.post("/predict", json={"inputs": asked}).json()
        assert _rounded(told["predictions"]) == direct
        kept = client.post("/predict", json={"inputs": asked, "keep": True, "view": True}).json()
        assert _rounded(kept["predictions"]) == direct  # candidates below the thresholds change nothing
        again = client.post("/decode", json={"kept": kept["kept"], "view": True}).json()
        assert again["predictions"] == kept["predictions"] and again["views"] == kept["views"]
        for view, item, one in zip(kept["views"], inputs, made, strict=True):
            _check_view(view, run.task.view(item, one))
        share = next(one for one in run.choices if one.kind == "share")
        for value in (max(share.least, 0.02), 0.9):
            body = {"kept": kept["kept"], "decode": {share.key: value}}
            moved = client.post("/decode", json=body).json()["predictions"]
            other = load(old(name), device="cpu", overrides=[f"decode.{share.key}={value}"])
            assert _rounded(moved) == plain(run, list(other.stream(inputs))), (share.key, value)


def _items(run: Served, one: Any, number: int) -> list[Any]:
    return [run.task.input_of(one)] if isinstance(one, str) else list(run.task.inputs_of(one, f"inputs[{number}]"))


def _check_view(view: dict[str, Any], drawn: View) -> None:
    texts = ["".join(piece[0] for piece in text["pieces"]) for text in view["texts"]]
    assert [len(text) for text in texts] == [len(text) for _, text in drawn.texts]
    for text, whole in zip(view["texts"], texts, strict=True):
        for n, (_, start, _) in enumerate(text["marks"]):
            assert 0 <= start < len(whole) and any(n in piece[1:] for piece in text["pieces"])
    columns = len(view["table"]["columns"])
    assert all(len(row) == columns for row in view["table"]["rows"])


def test_examples_can_be_told_and_asked_again(old: Callable[[str], Path]) -> None:
    for name in ("qa-span", "nl2sql", "event-subject"):
        (run,) = open_all([old(name)], "cpu", None)
        for one in run.about["examples"]:
            (item,) = _items(run, one, 0)
            assert run.task.told(item) == one


def test_texts_that_would_name_files_are_refused(old: Callable[[str], Path], tmp_path: Path) -> None:
    secret = tmp_path / "tables.json"
    secret.write_text('{"id": "t", "header": ["秘密"], "rows": [["值"]]}\n', encoding="utf-8")
    (run,) = open_all([old("nl2sql")], "cpu", None)
    with client_of(run) as client:
        for body in ({"texts": [f"秘密是什么\t{secret}"]}, {"inputs": [f"秘密是什么\t{secret}"]}):
            answer = client.post("/predict", json=body)
            assert answer.status_code == 422 and "would name files" in answer.json()["error"]
        table = {"header": ["名字"], "rows": [["值"], [3]]}
        assert client.post("/predict", json={"inputs": [{"question": "名字是什么", "table": table}]}).status_code == 200


@pytest.mark.parametrize(
    ("name", "record", "where"),
    [
        ("nl2sql", {"question": "q"}, "inputs[0].table"),
        ("nl2sql", {"question": "q", "table": {"header": ["a"], "rows": [[1, 2]]}}, "inputs[0].table.rows[0]"),
        ("nl2sql", {"question": 1, "table": {"header": ["a"], "rows": [["x"]]}}, "inputs[0].question"),
        ("qa-span", {"question": "q"}, "inputs[0]"),
        ("qa-span", {"question": "q", "passages": []}, "inputs[0].passages"),
        ("qa-span", {"question": "q", "passages": [1]}, "inputs[0].passages[0]"),
        ("ske", {"txt": "x"}, "inputs[0].text"),
        ("ner-crf", {"text": 1}, "inputs[0].text"),
        ("event-subject", {"text": "x"}, "inputs[0].type"),
    ],
)  # fmt: skip
def test_records_are_checked(name: str, record: Any, where: str, old: Callable[[str], Path]) -> None:
    (run,) = open_all([old(name)], "cpu", None)
    with client_of(run) as client:
        answer = client.post("/predict", json={"inputs": [record]})
    assert answer.status_code == 422 and answer.json().get("field") == where, answer.json()
    assert "/" not in answer.json()["error"].replace("</", "")


@pytest.mark.parametrize(("join", "keeps"), [("mean", True), ("vote", False)])
def test_an_ensemble(join: str, keeps: bool, old: Callable[[str], Path], tmp_path: Path) -> None:
    members = [str(old("ner-crf")), str(old("ner-globalpointer"))]
    with mock.patch.dict("os.environ", {"IETOOL_HOME": str(tmp_path)}):
        code = ietool(["ensemble", *members, "--output", str(tmp_path / "both"), "--join", join, "--device", "cpu"])
    assert code == 0
    (run,) = open_all([tmp_path / "both"], "cpu", None)
    assert run.keeps is keeps and bool(run.choices) is keeps and run.about["members"] == 2
    asked = run.about["examples"][:2]
    direct = plain(run, load(tmp_path / "both", device="cpu").predict(asked))
    with client_of(run) as client:
        told = client.post("/predict", json={"texts": asked, "keep": True}).json()
        assert _rounded(told["predictions"]) == direct
        assert (told["kept"] is not None) is keeps
        if keeps:
            assert client.post("/decode", json={"kept": told["kept"]}).json()["predictions"] == told["predictions"]


def test_several_runs_answer_by_name(old: Callable[[str], Path]) -> None:
    runs = open_all([old("ske"), old("ner-crf")], "cpu", None)
    with client_of(*runs) as client:
        assert [one["name"] for one in client.get("/runs").json()["runs"]] == ["ske", "ner-crf"]
        told = [client.post("/predict", json={"texts": ["甲"], **more}).json()["task"]
                for more in ({}, {"run": "ner-crf"}, {"run": "ske"})]  # fmt: skip
    assert told == ["ske", "ner", "ske"]


def test_runs_are_named_by_their_folders(old: Callable[[str], Path]) -> None:
    assert names_of([Path("/x/runs/a"), Path("/x/runs/b")]) == ["a", "b"]
    assert names_of([Path("/x/runs/a"), Path("/x/other/a"), Path("/x/b")]) == ["runs/a", "other/a", "b"]
    assert names_of([Path("/a"), Path("/x/a")]) == ["/a", "x/a"]
    with pytest.raises(UserError, match="named twice"):
        open_all([old("ske"), old("ske") / ".." / "ske"], "cpu", None)


def test_thresholds_by_label(old: Callable[[str], Path]) -> None:
    (plain_run,) = open_all([old("ner-globalpointer")], "cpu", None)
    labels = next(one for one in plain_run.choices if one.kind == "shares").labels
    own = {labels[0]: 0.6, labels[1]: 0.001}
    (run,) = open_all([old("ner-globalpointer")], "cpu", None, [f"decode.by_label={json.dumps(own)}"])
    by_label, threshold = (next(one for one in run.choices if one.kind == kind) for kind in ("shares", "share"))
    assert by_label.value == own and by_label.least == threshold.least == 0.001
    asked = run.about["examples"]
    inputs = [run.task.input_of(one) for one in asked]
    with client_of(run) as client:
        kept = client.post("/predict", json={"texts": asked, "keep": True}).json()["kept"]
        for other in ({}, {labels[0]: 0.001}, {labels[2]: 1.0, labels[1]: 0.3}):
            body = {"kept": kept, "decode": {"by_label": other, "threshold": 0.05}}
            moved = client.post("/decode", json=body).json()["predictions"]
            overrides = [f"decode.by_label={json.dumps(other)}", "decode.threshold=0.05"]
            direct = load(old("ner-globalpointer"), device="cpu", overrides=overrides).stream(inputs)
            assert _rounded(moved) == plain(run, list(direct)), other
        for wrong, words in (({"nobody": 0.5}, "knows no label"), ({labels[0]: 2}, "out of bounds"), ([], "an object")):
            answer = client.post("/decode", json={"kept": kept, "decode": {"by_label": wrong}})
            assert answer.status_code == 422 and words.replace("an object", "no object") in answer.json()["error"]
