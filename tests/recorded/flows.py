"""A small flow for each recipe: prepare, learn a little, predict, write submissions, score them."""

from __future__ import annotations

import hashlib
import json
import zipfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.recorded import corpora, doors
from tests.recorded.plain import PLAIN, rounded

Settings = tuple[str, ...]


@dataclass(frozen=True)
class Asked:
    """What a recipe is asked for with ``--set``.

    Attributes:
        small: what makes its model small, and its training short.
        well: what besides makes the model of ``runs/`` learn enough to find something, from ``records`` of train.
        decode: by name what the decoder of that run is asked for.
    """

    small: Settings
    well: Settings
    records: int
    decode: dict[str, Settings]


_TRAINING: Settings = ("training.precision=fp32", "training.ema_decay=0.9", "training.epochs=2",
                       "training.batch_size=8")  # fmt: skip
_DGCNN: Settings = ("model.hidden_size=16", "model.dilations=[1,2]")
_ENCODER: Settings = ("model.encoder=encoder", "training.learning_rate=3e-3", "training.head_learning_rate=1e-2")
_CUT: Settings = ("model.cut_vocabulary=true",)
_TEXTS: Settings = ("data.window=100", "data.overlap=32")
_LINKS: Settings = ("model.hidden_size=16", "data.folds=4")
_READER: Settings = ("model.hidden_size=16", "model.question_dilations=[1,2]", "model.passage_dilations=[1,2]")
_PAIRS: Settings = ("data.window=64", "data.overlap=24", "data.question=32")
_SLOW: Settings = ("training.ema_decay=0.98", "training.patience=0")

_STAGES: dict[str, Settings] = {
    "low": ("decode.subject_start=0.1", "decode.subject_end=0.1", "decode.object_start=0.05",
            "decode.object_end=0.05", "decode.triple=0.02"),
    "rules": ("decode.apply_rules=true",),
    "batches_of_3": ("decode.batch_size=3",),
}  # fmt: skip
_LINKING: dict[str, Settings] = {
    "low": ("decode.mention=0.1", "decode.link=0.02", "decode.joint=0.02"),
    "unrestricted": ("decode.restrict=0", "decode.candidates=2"),
    "given": ("decode.given_mentions=true",),
}

SETTINGS: dict[str, Asked] = {
    "ske": Asked(
        (*_TRAINING, *_TEXTS, *_DGCNN, "model.attention_heads=2", "model.attention_head_size=4", "model.positions=128"),
        (*_SLOW, "training.epochs=20", "training.learning_rate=1e-2", "data.min_char_count=6"),
        300,
        _STAGES,
    ),
    "ske-cascade": Asked(
        (*_TRAINING, *_TEXTS, *_ENCODER),
        (*_SLOW, "training.epochs=30"),
        60,
        _STAGES,
    ),
    "ske-gplinker": Asked(
        (*_TRAINING, *_TEXTS, *_ENCODER, *_CUT, "model.pointer_size=8"),
        (*_SLOW, "training.epochs=40"),
        300,
        {
            "low": ("decode.entity=0.2", "decode.link=0.2"),
            "lowest": ("decode.entity=0.05", "decode.link=0.05"),
            "rules": ("decode.apply_rules=true", "decode.entity=0.2", "decode.link=0.2"),
        },
    ),
    "el": Asked(
        (*_TRAINING, *_LINKS, "model.attention_heads=2", "model.attention_head_size=4", "model.description=32"),
        (*_SLOW, "training.epochs=8", "training.learning_rate=1e-2", "data.min_char_count=3"),
        200,
        _LINKING,
    ),
    "el-cross": Asked(
        (*_TRAINING, *_LINKS, *_ENCODER, *_CUT, "model.query=24", "model.description=20"),
        (*_SLOW, "training.epochs=8"),
        200,
        _LINKING,
    ),
    "qa": Asked(
        (*_TRAINING, *_READER, *_PAIRS),
        (*_SLOW, "training.epochs=8", "training.learning_rate=1e-2", "data.min_char_count=6"),
        200,
        {
            "nbest": ("decode.nbest=3",),
            "surest": ("decode.voting=false", "decode.longest=8"),
            "sure": ("decode.no_answer=0.2", "decode.none=无"),
            "borders": ("decode.start=0.1", "decode.end=0.1"),
        },
    ),
    "qa-dureader": Asked(
        (*_TRAINING, *_READER, *_PAIRS, "data.paragraphs=4"),
        (*_SLOW, "training.epochs=20", "training.learning_rate=1e-2"),
        20,
        {
            "nbest": ("decode.nbest=3",),
            "voting": ("decode.voting=true", "decode.longest=20"),
        },
    ),
    "qa-span": Asked(
        (*_TRAINING, *_PAIRS, *_ENCODER, *_CUT),
        (*_SLOW, "training.epochs=40", "training.batch_size=4"),
        8,
        {
            "nbest": ("decode.nbest=3",),
            "always": ("decode.no_answer=0",),
            "surest": ("decode.voting=false", "decode.longest=4", "decode.no_answer=0"),
        },
    ),
    "qa-mlm": Asked(
        (*_TRAINING, *_PAIRS, *_ENCODER, "model.masks=8"),
        (*_SLOW, "training.epochs=15", "training.learning_rate=5e-3", "sampling.negatives=0.05"),
        300,
        {
            "nbest": ("decode.nbest=3",),
            "surest": ("decode.voting=false", "decode.longest=3"),
            "sure": ("decode.no_answer=0.1", "decode.none=无"),
        },
    ),
    "ner-crf": Asked(
        (*_TRAINING, *_PAIRS[:2], *_DGCNN, "model.transition_scale=10"),
        (*_SLOW, "training.epochs=12", "training.head_learning_rate=1e-2", "data.min_char_count=4"),
        300,
        {
            "sure": ("decode.threshold=0.5",),
        },
    ),
    "ner-globalpointer": Asked(
        (*_TRAINING, *_PAIRS[:2], *_ENCODER, "model.head_size=8"),
        (*_SLOW, "training.epochs=20"),
        200,
        {
            "low": ("decode.threshold=0.2",),
            "lowest": ("decode.threshold=0.05",),
        },
    ),
}
"""Settings by recipe: where a key is renamed, here is the only place to rename it in."""


@dataclass(frozen=True)
class Flow:
    """What a recipe learns from and reads.

    Attributes:
        records: of train, in the part of the corpus that is learnt from at every test.
        inputs: files that are predicted on, with gold; the main one first.
        endings: of the submissions to each of these.
        metrics: scoring variants for each of these, besides the one told by the data.
        encoder: None, or whether the tiny encoder comes with a language model's head.
    """

    task: str
    corpus: corpora.Corpus
    records: int
    inputs: tuple[str, ...]
    endings: tuple[tuple[str, ...], ...]
    metrics: tuple[tuple[str, ...], ...]
    encoder: bool | None = None


_LISTS, _SQUAD = ("sogouqa", "webqa"), ("cmrc2018", "dureader_robust")
_DOCUMENTS = ("dureader2", "dureader2-yesno", "dureader2-all", "dureader2-entity", "dureader2-description",
              "lic2019_mrc")  # fmt: skip
_LINKED, _ENTITIES = ("ccks2019", "ccks2020"), ("seqeval", "span", "cluener")
_JSON, _JSON_OR_TSV = (".json",), (".json", ".tsv")

FLOWS: dict[str, Flow] = {
    "ske": Flow("ske", corpora.duie2, 80, ("test.json",), (_JSON,), (("duie2",),)),
    "ske-cascade": Flow("ske", corpora.ske2019, 60, ("test.json",), (_JSON,), (("ske2019",),), False),
    "ske-gplinker": Flow("ske", corpora.duie2, 80, ("test.json",), (_JSON,), (("duie2",),), False),
    "el": Flow("el", corpora.ccks2019, 80, ("test.json",), (_JSON,), (_LINKED,)),
    "el-cross": Flow("el", corpora.ccks2019, 80, ("test.json",), (_JSON,), (_LINKED,), False),
    "qa": Flow("qa", corpora.webqa, 40, ("test.json", "squad.json"), (_JSON_OR_TSV, _JSON), (_LISTS, _SQUAD)),
    "qa-dureader": Flow("qa", corpora.dureader2, 20, ("test.json",), (_JSON_OR_TSV,), (_DOCUMENTS,)),
    "qa-span": Flow(
        "qa", corpora.squad, 7, ("test.json", "inputs.json"), (_JSON_OR_TSV, _JSON), (_LISTS, _SQUAD), False
    ),
    "qa-mlm": Flow("qa", corpora.webqa, 40, ("test.json", "squad.json"), (_JSON_OR_TSV, _JSON), (_LISTS, _SQUAD), True),
    "ner-crf": Flow(
        "ner", corpora.bmes, 100, ("test.bmes", "inputs.json"), ((".bmes",), _JSON), (_ENTITIES, _ENTITIES)
    ),
    "ner-globalpointer": Flow(
        "ner", corpora.cluener, 100, ("test.json", "test.bio"), (_JSON, (".bio",)), (_ENTITIES, _ENTITIES), False
    ),
}

STEPS, BATCH = 20, 8
"""Of the losses that are recorded."""

RUNS = Path(__file__).parent / "runs"


def run_of(name: str) -> Path:
    """The run folder of a recipe, made when the tests were recorded."""
    return RUNS / FLOWS[name].task / name


def make_data(name: str, work: Path, records: int | None = None) -> None:
    """The files of a flow and its encoder, in a working folder."""
    flow = FLOWS[name]
    (work / "data").mkdir(parents=True)
    texts = flow.corpus(work / "data", records or flow.records)
    if flow.encoder is not None:
        corpora.encoder(work / "encoder", texts, flow.encoder)


# -- from files to a trained model


def first_steps(name: str, work: Path) -> dict[str, Any]:
    """What prepare counts, and the first steps of a fresh model."""
    small = SETTINGS[name].small
    with doors.working_in(work):
        told = json.loads(doors.printed("prepare", "--recipe", name, "--data", "data", "--json", settings=small))
        found = doors.losses(name, small, Path(told["folder"]), STEPS, BATCH)
    return {"prepared": {key: told[key] for key in ("rejected", "statistics", "notes")}, **found}


def train(name: str, work: Path, settings: Settings) -> None:
    """Train into ``run/`` of the working folder."""
    arguments = ("train", "--recipe", name, "--data", "data", "--output", "run", "--device", "cpu")
    with doors.working_in(work):
        doors.printed(*arguments, settings=settings)


def short_training(name: str, work: Path) -> dict[str, Any]:
    """The epochs of a training without what the clock decides, what the run holds, and how sure its model is at most.

    Little more: what so small a model finds after two epochs is a matter of chance.
    """
    train(name, work, SETTINGS[name].small)
    run = work / "run"
    rows = [json.loads(line) for line in (run / "metrics.jsonl").read_text(encoding="utf-8").splitlines()]
    for row in rows:
        for key in ("seconds", "sentences_per_second"):
            row.pop(key)
    with doors.working_in(work):
        _, told = doors.predict(run, f"data/{FLOWS[name].inputs[0]}")
    about = json.loads((run / "run.json").read_text(encoding="utf-8"))
    return {
        "rows": rows,
        "files": sorted(about["extra"]["files"]),
        "best": about["best"],
        "highest": told["highest"],
    }


# -- from a trained model to a score


def predictions(name: str, work: Path) -> dict[str, Any]:
    """What the recorded run finds, with all probabilities: by file and what its decoder is asked for."""
    flow = FLOWS[name]
    found: dict[str, Any] = {}
    with doors.working_in(work):
        for source, variant, settings in _asked(name):
            made, told = doors.predict(run_of(name), f"data/{source}", settings)
            found[_key(source, variant)] = {**told, "found": [PLAIN[flow.task](p) for p in made]}
    return found


def submissions(name: str, work: Path) -> dict[str, str]:
    """What ``predict`` writes, by the name of the file; the files are left in ``out/`` of the working folder."""
    endings = dict(zip(FLOWS[name].inputs, FLOWS[name].endings, strict=True))
    with doors.working_in(work):
        for source, variant, settings in _asked(name):
            for ending in endings[source][: 1 if variant else None]:
                out = f"out/{_key(source, variant)}{ending}"
                arguments = ("predict", "--run", run_of(name), f"data/{source}", "--output", out, "--device", "cpu")
                doors.printed(*arguments, settings=settings)
    return {path.name: path.read_bytes().decode() for path in sorted((work / "out").iterdir())}


def scores(name: str, work: Path) -> dict[str, Any]:
    """What ``score --json`` says of the submissions in ``out/`` by every variant that fits their form, and a digest of
    all verdicts."""
    flow = FLOWS[name]
    found: dict[str, Any] = {}
    kb = ("--kb", run_of(name)) if flow.task == "el" else ()
    with doors.working_in(work):
        for source, endings, metrics in zip(flow.inputs, flow.endings, flow.metrics, strict=True):
            files = [f"out/{source}{ending}" for ending in endings]
            asked = [(files[0], metric) for metric in metrics] + [(file, None) for file in files]
            for file, metric in asked:
                arguments = ["score", "--recipe", name, f"data/{source}", file, "--json", *kb]
                arguments += [] if metric is None else ["--metric", metric]
                found[f"{Path(file).name} {metric or 'auto'}"] = json.loads(doors.printed(*arguments))
            doors.printed("score", "--recipe", name, f"data/{source}", files[0], "--explain", "verdicts.jsonl")
            found[f"{source} verdicts"] = hashlib.sha256(Path("verdicts.jsonl").read_bytes()).hexdigest()
        # The same file packed scores the same.
        with zipfile.ZipFile("packed.zip", "w") as archive:
            archive.write(f"out/{flow.inputs[0]}{flow.endings[0][0]}", "result")
        packed = json.loads(
            doors.printed("score", "--recipe", name, f"data/{flow.inputs[0]}", "packed.zip", "--json", *kb)
        )
    assert packed == found[f"{flow.inputs[0]}{flow.endings[0][0]} auto"]
    return found


def _asked(name: str) -> Iterator[tuple[str, str, Settings]]:
    """(file, name of the settings, settings): every file as the recipe has it, the first one with others too."""
    inputs = FLOWS[name].inputs
    for source in inputs:
        yield source, "", ()
    for variant, settings in SETTINGS[name].decode.items():
        yield inputs[0], variant, settings


def _key(source: str, variant: str) -> str:
    return f"{source}+{variant}" if variant else source


# -- what is written down


def digests(texts: Mapping[str, str]) -> dict[str, Any]:
    """Files by their digests, those of a few thousand characters whole."""
    found: dict[str, Any] = {}
    for name, text in texts.items():
        told = {"sha256": hashlib.sha256(text.encode()).hexdigest(), "lines": text.count("\n")}
        found[name] = told | ({"text": text} if len(text) <= WHOLE else {"begins": text[: WHOLE // 4]})
    return found


WHOLE = 2000


def recorded(found: Any) -> Any:
    """A value as it comes back from a file."""
    return json.loads(json.dumps(rounded(found), ensure_ascii=False))
