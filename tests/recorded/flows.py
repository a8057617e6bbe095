"""A small flow for each recipe: prepare, learn a little, predict, write submissions, score them."""

from __future__ import annotations

import gzip
import hashlib
import json
import re
import shutil
import zipfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.acting import acting
from tests.recorded import corpora, doors
from tests.recorded.plain import PLAIN, rounded
from tests.recorded.settings import OTHER_MODELS, SETTINGS, Settings


@dataclass(frozen=True)
class Flow:
    """What a recipe learns from and reads.

    Attributes:
        recipe: where the flow has another name.
        records: of train, in the part of the corpus that is learnt from at every test.
        inputs: files that are predicted on, with gold; the main one first.
        endings: of the submissions to each of these.
        metrics: scoring variants for each of these, besides the one told by the data.
        mlm: whether the tiny encoder comes with a language model's head.
    """

    task: str
    corpus: corpora.Corpus
    records: int
    inputs: tuple[str, ...]
    endings: tuple[tuple[str, ...], ...]
    metrics: tuple[tuple[str, ...], ...]
    mlm: bool = False
    recipe: str = ""


_LISTS, _SQUAD = ("sogouqa", "webqa"), ("cmrc2018", "dureader_robust")
_DOCUMENTS = ("dureader2", "dureader2-yesno", "dureader2-all", "dureader2-entity", "dureader2-description",
              "lic2019_mrc")  # fmt: skip
_LINKED, _ENTITIES = ("ccks2019", "ccks2020"), ("seqeval", "span", "cluener")
_JSON, _JSON_OR_TSV = (".json",), (".json", ".tsv")
_CSV, _SUBJECTS = (".csv",), ("ccks2019", "accuracy")

FLOWS: dict[str, Flow] = {
    "ske": Flow("ske", corpora.duie2, 80, ("test.json",), (_JSON,), (("duie2",),)),
    "ske-cascade": Flow("ske", corpora.ske2019, 80, ("test.json",), (_JSON,), (("ske2019",),)),
    "ske-gplinker": Flow("ske", corpora.duie2, 80, ("test.json",), (_JSON,), (("duie2",),)),
    "el": Flow("el", corpora.ccks2019, 80, ("test.json",), (_JSON,), (_LINKED,)),
    "el-cross": Flow("el", corpora.ccks2019, 80, ("test.json",), (_JSON,), (_LINKED,)),
    "el-cross-2020": Flow("el", corpora.ccks2020, 60, ("test.json",), (_JSON,), (_LINKED,), recipe="el-cross"),
    "qa": Flow("qa", corpora.webqa, 40, ("test.json", "squad.json"), (_JSON_OR_TSV, _JSON), (_LISTS, _SQUAD)),
    "qa-dureader": Flow("qa", corpora.dureader2, 20, ("test.json",), (_JSON_OR_TSV,), (_DOCUMENTS,)),
    "qa-span": Flow("qa", corpora.squad, 7, ("test.json", "inputs.json"), (_JSON_OR_TSV, _JSON), (_LISTS, _SQUAD)),
    "qa-mlm": Flow("qa", corpora.webqa, 40, ("test.json", "squad.json"), (_JSON_OR_TSV, _JSON), (_LISTS, _SQUAD), True),
    "ner-crf": Flow(
        "ner", corpora.bmes, 100, ("test.bmes", "inputs.json"), ((".bmes",), _JSON), (_ENTITIES, _ENTITIES)
    ),
    "ner-globalpointer": Flow(
        "ner", corpora.cluener, 100, ("test.json", "test.bio"), (_JSON, (".bio",)), (_ENTITIES, _ENTITIES)
    ),
    "event-subject": Flow(
        "event_subject", corpora.subjects, 100, ("test.csv", "inputs.json"), (_CSV, _CSV), (_SUBJECTS, _SUBJECTS)
    ),
    "events": Flow("events", corpora.duee, 60, ("test.json",), (_JSON,), (("duee1", "exact"),)),
    "events-staged": Flow("events", corpora.fewfc, 60, ("test.json",), (_JSON,), (("duee1", "exact"),)),
    "nl2sql": Flow("nl2sql", corpora.tableqa, 60, ("test.json",), (_JSON,), (("tableqa", "logical"),)),
}
"""Flows by name: one for each recipe that ships, and el-cross for the data of 2020."""

STEPS, BATCH = 20, 8
"""Of the losses that are recorded."""

FEW = 20
"""Texts that are read where the decoder is asked for something else than the run's recipe."""

RUNS = Path(__file__).parent / "runs"

PACKED = ".gz"
"""Ending of files in a recorded run that are mostly zeros."""


def kept_run(name: str) -> Path:
    """The run folder of a flow, made when the tests were recorded."""
    return RUNS / FLOWS[name].task / name


def copy_run(name: str, folder: Path) -> None:
    """Copy a recorded run to a folder that is not there yet, with what is packed in it unpacked."""
    shutil.copytree(kept_run(name), folder)
    for path in list(folder.rglob(f"*{PACKED}")):
        path.with_suffix("").write_bytes(gzip.decompress(path.read_bytes()))
        path.unlink()


def old_run(name: str, work: Path) -> Path:
    """A copy of it in a working folder, by its whole path: of some files what was read is kept by path as long as the
    process lives, and working folders change."""
    run = work / "old"
    if not run.exists():
        copy_run(name, run)
    return run


def recipe_of(name: str) -> str:
    """The recipe of a flow."""
    return FLOWS[name].recipe or name


def make_data(name: str, work: Path, records: int | None = None) -> None:
    """The files of a flow and an encoder, in a working folder."""
    flow = FLOWS[name]
    (work / "data").mkdir(parents=True)
    texts = flow.corpus(work / "data", records or flow.records)
    corpora.write_few(work / "data" / flow.inputs[0], work / "data" / f"few-{flow.inputs[0]}", FEW)
    corpora.encoder(work / "encoder", texts, flow.mlm)


# -- from files to a trained model


def first_steps(name: str, work: Path, settings: Settings = ()) -> dict[str, Any]:
    """What prepare counts, and the first steps of a fresh model."""
    recipe, asked = recipe_of(name), (*SETTINGS[name].small, *settings)
    small = acting(recipe, asked, asked)  # what is set for one model has no use in another
    with doors.working_in(work):
        told = json.loads(doors.printed("prepare", "--recipe", recipe, "--data", "data", "--json", settings=small))
        found = doors.losses(recipe, small, Path(told["folder"]), STEPS, BATCH)
    return {"prepared": {key: told[key] for key in ("rejected", "statistics", "notes")}, **found}


def other_models(name: str, work: Path) -> dict[str, Any]:
    """The first steps of the other models that this flow's recipe can be asked for."""
    found = {}
    for what, (flow, settings) in OTHER_MODELS.items():
        if flow == name:
            made = first_steps(name, work, settings)
            found[what] = {key: made[key] for key in ("model", "losses")}
    return found


def train(name: str, work: Path, settings: Settings) -> None:
    """Train into ``run/`` of the working folder."""
    arguments = ("train", "--recipe", recipe_of(name), "--data", "data", "--output", "run", "--device", "cpu")
    with doors.working_in(work):
        doors.printed(*arguments, settings=(*SETTINGS[name].small, *settings))


def short_training(name: str, work: Path) -> dict[str, Any]:
    """The epochs of a training without what the clock decides, what the run holds, and what its weights are like.

    Of these a loss and how sure they are at most; what so small a model finds after two epochs is a matter of chance.
    """
    train(name, work, SETTINGS[name].short)
    run = work / "run"
    rows = [json.loads(line) for line in (run / "metrics.jsonl").read_text(encoding="utf-8").splitlines()]
    for row in rows:
        for key in ("seconds", "sentences_per_second"):
            row.pop(key)
    about = json.loads((run / "run.json").read_text(encoding="utf-8"))
    with doors.working_in(work):
        _, told = doors.predict(run, f"data/few-{FLOWS[name].inputs[0]}")
        loss = doors.loss_of(run, Path(about["prepared"]), BATCH)
    tuned = (setting.partition("=") for setting in about["tuned"])
    return {
        "rows": rows,
        "files": sorted(about["files"]),
        "best": about["best"],
        "tuned": {key: json.loads(value) for key, _, value in tuned},
        "highest": told["highest"],
        "loss": loss,
    }


# -- from a trained model to a score


def predictions(name: str, work: Path) -> dict[str, Any]:
    """What the recorded run finds, with all probabilities: by file and what its decoder is asked for."""
    flow = FLOWS[name]
    found: dict[str, Any] = {}
    run = old_run(name, work)
    with doors.working_in(work):
        for source, variant, settings in _asked(name):
            made, told = doors.predict(run, f"data/{source}", settings)
            found[_key(source, variant)] = {**told, "found": [PLAIN[flow.task](p) for p in made]}
    return found


def submissions(name: str, work: Path) -> dict[str, str]:
    """What ``predict`` writes, by the name of the file; the files are left in ``out/`` of the working folder."""
    flow = FLOWS[name]
    endings = dict(zip(flow.inputs, flow.endings, strict=True))
    run = old_run(name, work)
    (work / "out").mkdir(exist_ok=True)
    with doors.working_in(work):
        for source, variant, settings in _asked(name):
            for ending in flow.endings[0][:1] if variant else endings[source]:
                out = f"out/{_key(source, variant)}{ending}"
                arguments = ("predict", "--run", run, f"data/{source}", "--output", out, "--device", "cpu")
                doors.printed(*arguments, settings=settings)
    return {path.name: path.read_bytes().decode() for path in sorted((work / "out").iterdir())}


def scores(name: str, work: Path) -> dict[str, Any]:
    """What ``score --json`` says of the submissions in ``out/`` by every variant that fits their form, and a digest of
    all verdicts."""
    flow = FLOWS[name]
    found: dict[str, Any] = {}
    kb = ("--kb", old_run(name, work)) if flow.task == "el" else ()
    with doors.working_in(work):
        for source, endings, metrics in zip(flow.inputs, flow.endings, flow.metrics, strict=True):
            files = [f"out/{source}{ending}" for ending in endings]
            asked = [(files[0], metric) for metric in metrics] + [(file, None) for file in files]
            for file, metric in asked:
                arguments = ["score", "--recipe", recipe_of(name), f"data/{source}", file, "--json", *kb]
                arguments += [] if metric is None else ["--metric", metric]
                found[f"{Path(file).name} {metric or 'auto'}"] = json.loads(doors.printed(*arguments))
            doors.printed(
                "score", "--recipe", recipe_of(name), f"data/{source}", files[0], "--explain", "verdicts.jsonl"
            )
            found[f"{source} verdicts"] = hashlib.sha256(_verdicts(Path("verdicts.jsonl")).encode()).hexdigest()
        # The same file packed scores the same.
        with zipfile.ZipFile("packed.zip", "w") as archive:
            archive.write(f"out/{flow.inputs[0]}{flow.endings[0][0]}", "result")
        packed = json.loads(
            doors.printed("score", "--recipe", recipe_of(name), f"data/{flow.inputs[0]}", "packed.zip", "--json", *kb)
        )
    assert packed == found[f"{flow.inputs[0]}{flow.endings[0][0]} auto"]
    return found


def _verdicts(path: Path) -> str:
    """The lines of ``--explain`` without what has been added to them since."""
    lines = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    kept = [{key: value for key, value in line.items() if key not in ("spans", "other")} for line in lines]
    return "".join(json.dumps(line, ensure_ascii=False) + "\n" for line in kept)


def _asked(name: str) -> Iterator[tuple[str, str, Settings]]:
    """(file, name of the settings, settings): every file as the recipe has it, some of the first with others."""
    inputs = FLOWS[name].inputs
    for source in inputs:
        yield source, "", ()
    for variant, settings in SETTINGS[name].decode.items():
        yield f"few-{inputs[0]}", variant, settings


def _key(source: str, variant: str) -> str:
    return f"{source}+{variant}" if variant else source


# -- what is written down


_NUMBER = re.compile(r"(?<=: )\d+(?:\.\d+)?(?:e-\d+)?(?=[,}])")


def digests(texts: Mapping[str, str]) -> dict[str, Any]:
    """Files by their digests, short ones whole besides.

    Of candidates with their scores, which other processors round otherwise, the digest is of all but the numbers.
    """
    found: dict[str, Any] = {}
    for name, text in texts.items():
        told: dict[str, Any] = {"lines": text.count("\n")}
        if "+nbest" in name:
            told["numbers"] = sum(map(float, _NUMBER.findall(text)))
            text = _NUMBER.sub("_", text)
        told["sha256"] = hashlib.sha256(text.encode()).hexdigest()
        found[name] = told | ({"text": text} if len(text) <= WHOLE else {"begins": text[: WHOLE // 4]})
    return found


WHOLE = 2000
"""Characters of a file that is short."""


def recorded(found: Any) -> Any:
    """A value as it comes back from a file."""
    return json.loads(json.dumps(rounded(found), ensure_ascii=False))
