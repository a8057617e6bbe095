"""What ``predict`` writes, plain or packed, ``submit`` takes: with trained models of all tasks."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from ietool import paths
from tests.cli.conftest import complaint, output_of
from tests.recorded.flows import copy_run

DATA = {
    "ske": ("ske/test.jsonl", "duie2", ("schema.jsonl",)),
    "el": ("el/test.jsonl", "ccks2019", ("kb_data",)),
    "ner-crf": ("ner/test.jsonl", "cluener", ()),
    "qa": ("qa/test.json", "sogouqa", ()),
    "events": ("events/test.jsonl", "duee1", ("schema.jsonl",)),
    "nl2sql": ("nl2sql/test.json", "tableqa", ("test.tables.json",)),
}


@pytest.mark.parametrize("name", DATA)
def test_predictions_are_submitted(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    source, competition, others = DATA[name]
    given = paths.shipped_root() / "data" / source
    for other in others:
        shutil.copyfile(given.parent / other, other)
    if name == "qa":
        questions = json.loads(given.read_text(encoding="utf-8"))[:12]
        Path("test.json").write_text(json.dumps(questions, ensure_ascii=False), encoding="utf-8")
    else:
        lines = given.read_text(encoding="utf-8").splitlines(keepends=True)[:12]
        Path("test.json").write_text("".join(lines), encoding="utf-8")
    copy_run(name, tmp_path / "run")
    tsv = ".tsv" if name == "qa" else ""
    plain, packed = f"r{tsv or '.json'}", f"p{tsv}.zip"
    archives = []
    for output in (plain, packed, f"q{tsv or '.json'}.gz"):
        output_of(capsys, "predict", "--run", "run", "--device", "cpu", "test.json", "--output", output)
        shown = output_of(capsys, "submit", output, "--input", "test.json", "-o", f"handed-{output[0]}.zip", "--json")
        assert json.loads(shown)["competition"] == competition
        archives.append(Path(f"handed-{output[0]}.zip").read_bytes())
    assert archives[0] == archives[1] == archives[2]
    if name == "qa":  # the other form of answers is another competition's
        output_of(capsys, "predict", "--run", "run", "--device", "cpu", "test.json", "--output", "o.json")
        assert "is JSON, but SogouQA takes" in complaint(capsys, "submit", "o.json", "--input", "test.json")
        output_of(capsys, "submit", "o.json", "--input", "test.json", "--competition", "cmrc2018")
