"""Tokens that include blanks: names begin where their letters begin, in labels, oracle and predictions of all tasks."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import example, given
from hypothesis import strategies as st

from ietool.core.candidates import Floor
from ietool.recipe_io import load_recipe
from ietool.registry import get_task
from ietool.text.offsets import without_blanks
from ietool.text.tokens import TokenReader, fetch_tokenizer
from ietool.workflow.prepare import prepare
from tests.tiny_encoder import make_blank_encoder

NAMES = ("Kelly Chen", "方蓝", "Taylor Swift", "江城大学", "Jay Chou")
BLANKS = (" ", "  ", "\u3000", "\u00a0", "\t", " \u3000 ")
FRAME = "歌手{b}{n}{b}演唱了歌曲{b}{m}{b}，{n}{b}很好"
TEXTS = [FRAME.format(b=b, n=n, m=m) for b in BLANKS for n in NAMES for m in NAMES if n != m]
KINDS = ("bytes", "pieces")
BLANK = re.compile(r"^\s|\s$")

texts = st.text(st.sampled_from("歌手方蓝KellyChn，。é🙂 \t\n\u3000\u00a0\u2028\x85\u1680"), max_size=40)


@pytest.fixture(scope="module")
def encoders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("encoders")
    return {kind: make_blank_encoder(folder / kind, TEXTS, kind, mlm=True) for kind in KINDS}


@pytest.fixture(scope="module")
def readers(encoders: dict[str, Path]) -> dict[str, TokenReader]:
    return {kind: fetch_tokenizer(str(folder)) for kind, folder in encoders.items()}


@given(texts, st.lists(st.tuples(st.integers(0, 40), st.integers(0, 40)), max_size=8))
@example("  a", [(0, 3), (0, 1), (0, 2)])
def test_what_is_left_of_offsets(text: str, spans: list[tuple[int, int]]) -> None:
    """As ``strip`` has it, slice by slice."""
    spans = [(min(a, len(text)), min(max(a, b), len(text))) for a, b in spans]
    starts, ends = np.array(spans, np.int32).reshape(-1, 2).T
    found = without_blanks(text, starts, ends)
    for (a, b), start, end in zip(spans, *found, strict=True):
        assert text[start:end] == text[a:b].strip() and start <= end
        if start < end:
            assert (start, end) == (b - len(text[a:b].lstrip()), a + len(text[a:b].rstrip()))
        else:  # it stands behind what comes before it
            assert start == len(text[:a].rstrip())


@pytest.mark.parametrize("kind", KINDS)
@given(text=texts, other=texts)
def test_no_token_begins_or_ends_with_a_blank(
    readers: dict[str, TokenReader], kind: str, text: str, other: str
) -> None:
    reader = readers[kind]
    alone = reader.units(text)
    (pair,) = reader.pairs([text], [other])
    for told, units in ((text, alone), (text, pair.of(0)), (other, pair.of(1))):
        spans = [(a, b) for a, b, ok in zip(units.starts, units.ends, units.inside, strict=True) if ok]
        assert not [span for span in spans if BLANK.search(told[slice(*span)])]
        if len(units) < reader.limit:  # nothing else is lost
            covered = {place for span in spans for place in range(*span)}
            assert {i for i, c in enumerate(told) if not c.isspace()} <= covered
    # The tokens themselves stay, those of blanks too.
    assert alone.ids.tolist() == reader.tokenizer(text, truncation=True, max_length=reader.limit)["input_ids"]


def records(task: str) -> list[dict[str, Any]]:
    """Every name behind blanks of every kind."""
    made = []
    for number, text in enumerate(TEXTS):
        subject, value = (m[0] for m in (re.search("|".join(NAMES), part) for part in text.split("演唱")) if m)
        at = text.index(subject)
        if task == "ner":
            places = [[m.start(), m.end() - 1] for m in re.finditer(re.escape(subject), text)]
            made.append({"id": number, "text": text, "label": {"name": {subject: places}}})
        elif task == "ske":
            triple = {"subject": subject, "predicate": "唱", "object": {"@value": value}}
            triple |= {"subject_type": "人", "object_type": {"@value": "歌"}}
            made.append({"text": text, "spo_list": [triple]})
        elif task == "el":
            mention = {"kb_id": str(NAMES.index(subject)), "mention": subject, "offset": str(at)}
            made.append({"text_id": str(number), "text": text, "mention_data": [mention]})
        else:
            qas = [{"id": str(number), "question": "谁 演唱", "answers": [{"text": subject, "answer_start": at}]}]
            made.append({"context": text, "qas": qas})
    return made


def write(folder: Path, task: str) -> dict[str, Path]:
    """Train and dev of a task."""
    made, files = records(task), {}
    for role, some in (("train", made), ("dev", made[::8])):
        files[role] = folder / f"{role}.json"
        lines = [json.dumps(record, ensure_ascii=False) for record in some]
        if task == "qa":
            lines = [json.dumps({"version": "1", "data": [{"title": "", "paragraphs": some}]}, ensure_ascii=False)]
        files[role].write_text("\n".join(lines) + "\n", encoding="utf-8")
    if task == "el":
        files["kb"] = folder / "kb"
        entities = [{"subject_id": str(n), "subject": name, "alias": [], "type": ["人"], "data": []} for n, name in
                    enumerate(NAMES)]  # fmt: skip
        files["kb"].write_text("".join(json.dumps(entity) + "\n" for entity in entities), encoding="utf-8")
    return files


HEADS = {
    "ner-crf": "ner", "ner-globalpointer": "ner", "ske-cascade": "ske", "ske-gplinker": "ske", "qa-span": "qa",
    "qa-mlm": "qa", "el-cross": "el",
}  # fmt: skip


@pytest.mark.parametrize(("name", "kind"), list(zip(HEADS, [*KINDS, *KINDS[::-1], *KINDS, "bytes"], strict=True)))
def test_names_behind_blanks_are_learnt_and_found_without_them(
    encoders: dict[str, Path], name: str, kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The oracle loses none that the tokens do not join with something else, and what a model without any training
    finds at a floor of nothing never begins or ends with a blank."""
    monkeypatch.setenv("IETOOL_HOME", str(tmp_path / "home"))
    more = {
        "qa-mlm": ["model.head.masks=16"],
        "el-cross": ["model.head.query=32", "model.head.description=16", "decode.restrict=0"],
    }
    recipe = load_recipe(name, [f"model.encoder={encoders[kind]}", *more.get(name, [])])
    task = get_task(HEADS[name])
    done = prepare(recipe, files=write(tmp_path, task.name), output=tmp_path / "prepared")
    assert done.report.statistics["train"]["oracle"]["recall"] == 1.0
    torch.manual_seed(1)
    model = task.build_model(recipe, done.folder).eval()
    found = 0
    for item, candidates in task.reader(recipe, model, done.folder).propose(
        task.gold(done.folder, limit=4), floor=Floor(default=1e-9)
    ):
        for row in candidates.rows.tolist():
            if task.name == "qa":
                slices = [item.passages[row[0]].text[row[1] : row[2]]]
            else:
                slices = [item.text[a:b] for a, b in ([row[:2], row[3:5]] if task.name == "ske" else [row[:2]])]
            assert not [text for text in slices if BLANK.search(text)], slices
            found += 1
    assert found or name == "qa-mlm"
