"""What a preparation writes, from Python: features, what opens them again, memory."""

from __future__ import annotations

import json
import tracemalloc
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from datasets import load_from_disk

from ietool.core.groups import GROUPS
from ietool.core.sources import Sources
from ietool.errors import UserError
from ietool.recipe_io import load_recipe
from ietool.tasks.ske import SkeTask
from ietool.tasks.ske.features.featurizer import SCHEMA, Featurizer, copy_assets, read_assets_schema
from ietool.tasks.ske.features.labelling import facts, label_rows
from ietool.tasks.ske.recipe import SkeRecipe
from ietool.tasks.ske.writing import format_line
from ietool.text.encoding import CHARACTERS
from ietool.text.matching import NameTable
from ietool.text.windows import RECORD, windows


def recipe(*overrides: str) -> SkeRecipe:
    found = load_recipe("ske", overrides)
    assert isinstance(found, SkeRecipe)
    return found


def write(path: Path, count: int, first: int = 0) -> Path:
    with path.open("w", encoding="utf-8") as out:
        for i in range(first, first + count):
            title, actor = f"远山{i % (count // 2 + 1)}", f"林{i}"
            spo = [
                {"subject": title, "predicate": "主演", "object": {"@value": actor}},
                {"subject": actor, "predicate": "饰演", "object": {"@value": f"阿平{i}", "inWork": title}},
            ]
            text = f"{i}年，{actor}在《{title}》中饰演阿平{i}，" + "山高水长。" * (i % 7)
            out.write(json.dumps({"text": text, "spo_list": spo}, ensure_ascii=False) + "\n")
    return path


def run(folder: Path, count: int = 40, *overrides: str, progress: Any = lambda *_: None) -> tuple[SkeRecipe, Path, Any]:
    folder.mkdir(exist_ok=True)
    sources = Sources({"train": write(folder / "t.json", count), "dev": write(folder / "d.json", 6, 1000)})
    out = folder / "out"
    out.mkdir()
    chosen = recipe(*overrides)
    return chosen, out, SkeTask().prepare(chosen, sources, out, rejects=None, progress=progress)


@pytest.mark.parametrize("overrides", [(), ("data.window=24", "data.overlap=10"), ("data.occurrences=first",)])
def test_rows_are_what_encoding_one_by_one_gives(tmp_path: Path, overrides: tuple[str, ...]) -> None:
    chosen, out, _ = run(tmp_path, 40, *overrides)
    table = load_from_disk(str(out / "train")).with_format("numpy")
    featurizer = Featurizer.open(out, priors=True)
    at = 0
    for example in SkeTask().gold(out, "train"):
        stated = facts(example.triples, featurizer.labels)
        for start, end in windows(example.text, chosen.data.window, chosen.data.overlap):
            row, text = table[at], example.text[start:end]
            expected = featurizer.encode(text, own=set(stated))
            first_only = chosen.data.occurrences == "first"
            assert (row["text"], row["start"], row["length"]) == (text, start, len(text))
            for name in ("ids", "words", "tags", "starts", "ends"):
                assert np.array_equal(row[name], getattr(expected.units, name))
                assert len(row[name]) == len(text)
            assert row["spans"].reshape(-1, 5).tolist() == [
                list(r) for r in label_rows(stated, text, first_only=first_only)
            ]
            assert sorted(row["prior"].reshape(-1, 5).tolist()) == sorted(expected.prior.tolist())
            at += 1
    assert at == len(table)


def test_a_run_folder_opens_without_the_preparation(tmp_path: Path) -> None:
    chosen, out, _ = run(tmp_path)
    assets = tmp_path / "run"
    assets.mkdir()
    copy_assets(chosen, out, assets)
    text = "1年，林1在《远山1》中饰演阿平1，"
    ours, theirs = (Featurizer.open(folder, priors=True).encode(text) for folder in (assets, out))
    assert np.array_equal(ours.units.ids, theirs.units.ids) and np.array_equal(ours.prior, theirs.prior)
    assert len(ours.prior) > 0
    assert read_assets_schema(assets).labels == [("主演", "@value"), ("饰演", "@value"), ("饰演", "inWork")]


def test_splits_are_kept_as_they_are(tmp_path: Path) -> None:
    _, out, _ = run(tmp_path)
    schema = read_assets_schema(out)
    dev = SkeTask().gold(out, "dev")
    assert len(dev) == 6 and len(SkeTask().gold(out, "dev", 2)) == 2 and len(SkeTask().gold(out, "train")) == 40
    lines = (out / "dev.jsonl").read_text(encoding="utf-8").splitlines()
    assert [format_line(e.text, e.triples, schema) for e in dev] == lines
    assert not list(out.glob(".*"))  # no scratch
    assert {p.name for p in out.iterdir()} >= {CHARACTERS, SCHEMA, "prior.npy", "prior_names.txt"}


def test_progress_reaches_its_total(tmp_path: Path) -> None:
    seen: dict[str, list[tuple[int, int | None]]] = {}
    run(tmp_path, 600, progress=lambda step, done, total: seen.setdefault(step, []).append((done, total)))
    assert set(seen) == {"read train", "features"}
    for calls in seen.values():
        assert calls[-1] == (600, 600) and [done for done, _ in calls] == sorted(done for done, _ in calls)


def test_memory_does_not_grow_with_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(NameTable, "_BLOCK", 256)
    peaks = []
    for number, count in enumerate((100, 600, 1800)):  # the first run pays for imports and caches
        tracemalloc.start()
        run(tmp_path / str(number), count)
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    # 1,200 records more would take some 4 MB if they were held. Buffers that the first did not fill take less.
    assert peaks[2] < peaks[1] + 2_500_000, peaks


def test_tables_of_other_content_have_other_fingerprints(tmp_path: Path) -> None:
    tables = [load_from_disk(str(run(tmp_path / str(i), 40 + i)[1] / "train")) for i in range(2)]
    assert tables[0]._fingerprint != tables[1]._fingerprint


def test_skip_bad_leaves_out_what_is_not_utf8(tmp_path: Path) -> None:
    from ietool import paths
    from ietool.recipe_io import load_recipe
    from ietool.workflow.prepare import prepare

    shipped = paths.shipped_data("ske")
    lines = (shipped / "train.jsonl").read_bytes().splitlines(keepends=True)[:20]
    (tmp_path / "train.jsonl").write_bytes(
        b"".join(lines[:10]) + "文本".encode("gb18030") + b"\n" + b"".join(lines[10:])
    )
    files = {"train": tmp_path / "train.jsonl", "dev": shipped / "dev.jsonl", "schema": shipped / "schema.jsonl"}
    prepared = prepare(load_recipe("ske"), files=files, output=tmp_path / "out", skip_bad=True)
    assert prepared.report.rejected == 1
    rejects = (tmp_path / "out" / "rejects.jsonl").read_text(encoding="utf-8")
    assert '"line": 11' in rejects and "not UTF-8" in rejects


def test_all_of_train_is_kept_with_its_row_numbers(tmp_path: Path) -> None:
    """Repeats left out; a window knows its record; what differs in punctuation alone is of one group."""
    lines = write(tmp_path / "t.json", 40).read_text(encoding="utf-8").splitlines(keepends=True)
    more = lines[3].replace('"text": "', '"text": "  ', 1).replace("，", "、")
    (tmp_path / "t.json").write_text("".join([*lines, lines[5], more]), encoding="utf-8")
    sources = Sources({"train": tmp_path / "t.json", "dev": write(tmp_path / "d.json", 6, 1000)})
    out = tmp_path / "out"
    out.mkdir()
    chosen = recipe("data.window=24", "data.overlap=10")
    SkeTask().prepare(chosen, sources, out, rejects=None, progress=lambda *_: None)
    train = SkeTask().gold(out, "train")
    assert len(train) == 41 and len(SkeTask().gold(out, "train", 7)) == 7
    groups = np.load(out / GROUPS)
    assert groups.tolist() == [*range(40), 3]
    table = load_from_disk(str(out / "train"))
    cuts = [len(windows(example.text, 24, 10)) for example in train]
    assert table[RECORD] == [n for n, count in enumerate(cuts) for _ in range(count)]
    assert all(row["text"] in train[row[RECORD]].text for row in table)
    data = SkeTask().training_set(chosen, out, rows=[2, 40])
    assert len(data) == cuts[2] + cuts[40] == len(data.lengths)


def test_a_share_is_held_out_where_there_is_no_dev(tmp_path: Path) -> None:
    task = SkeTask()
    train = write(tmp_path / "t.json", 40)

    def prepared(name: str, *overrides: str) -> tuple[Path, Any]:
        out = tmp_path / name
        out.mkdir()
        return out, task.prepare(
            recipe(*overrides), Sources({"train": train}), out, rejects=None, progress=lambda *_: None
        )

    folder, report = prepared("one", "data.held_out=0.3")
    dev, kept = ({e.text for e in task.gold(folder, split)} for split in ("dev", "train"))
    assert len(dev) + len(kept) == 40 and not dev & kept and 4 < len(dev) < 25
    assert any(f"{len(dev)} texts of train are held out (data.held_out=0.3, seed 42)" in note for note in report.notes)
    assert report.statistics["dev"]["records"] == len(dev)
    assert set(load_from_disk(str(folder / "train"))["text"]) == kept
    again, _ = prepared("two", "data.held_out=0.3", "data.held_out_seed=7")
    assert {e.text for e in task.gold(again)} != dev
    with pytest.raises(UserError, match="gives no text to hold out as dev → name a dev file with --dev FILE"):
        prepared("none", "data.held_out=0")
    assert not any("held out" in note for note in run(tmp_path / "given")[2].notes)
