"""What the recorded recipes are asked for with ``--set``: where a key is renamed, here is the only place to do it."""

from __future__ import annotations

from dataclasses import dataclass

Settings = tuple[str, ...]


@dataclass(frozen=True)
class Asked:
    """What a flow asks of its recipe.

    Attributes:
        small: what makes the model small.
        short: of the short training besides, some of what a training can be asked for.
        well: of the training of the run under ``runs/`` besides, so that it finds something.
        records: of train that this run learns from.
        decode: by name what the decoder of this run is asked for.
    """

    small: Settings
    short: Settings
    well: Settings
    records: int
    decode: dict[str, Settings]


_SMALL: Settings = ("training.precision=fp32", "training.batch_size=8")
_DGCNN: Settings = ("model.encoder=dgcnn", "model.hidden_size=16", "model.dilations=[1,2]")
_OWN: Settings = ("model.encoder=characters", "model.encoder.hidden_size=16", "model.encoder.dilations=[1,2]")
_ENCODER: Settings = ("model.encoder=encoder", "training.learning_rate=3e-3", "training.head_learning_rate=1e-2")
_CUT: Settings = ("model.cut_vocabulary=true",)
_ATTENTION: Settings = ("model.attention_heads=2", "model.attention_head_size=4")
_TEXTS: Settings = ("data.window=100", "data.overlap=32")
_PARTS: Settings = ("data.window=64", "data.overlap=24")
_LINKS: Settings = ("model.hidden_size=16", "data.folds=4")
_CROSS: Settings = (*_LINKS, *_ENCODER, *_CUT, "model.query=24", "model.description=20")
_READER: Settings = ("model.hidden_size=16", "model.question_dilations=[1,2]", "model.passage_dilations=[1,2]")
_PAIRS: Settings = (*_PARTS, "data.question=32", "decode.vote=squares")

_SHORT: Settings = ("training.epochs=2", "training.ema_decay=0.9")
_LONG: Settings = ("training.ema_decay=0.98", "training.patience=0")

_LOW: Settings = ("decode.subject_start=0.1", "decode.subject_end=0.1", "decode.object_start=0.05",
                  "decode.object_end=0.05", "decode.triple=0.02")  # fmt: skip
_LOWER: Settings = ("decode.object_start=0.02", "decode.object_end=0.02", "decode.triple=0.002")
_LINKING: dict[str, Settings] = {
    "low": ("decode.mention=0.1", "decode.link=0.02", "decode.joint=0.02"),
    "unrestricted": ("decode.restrict=0", "decode.candidates=2"),
    "given": ("decode.given_mentions=true",),
}

SETTINGS: dict[str, Asked] = {
    "ske": Asked(
        (*_SMALL, *_TEXTS, *_DGCNN, *_ATTENTION, "model.positions=128"),
        (*_SHORT, "training.r_drop=1", "training.later_stages=[{epochs: 1, learning_rate: 1e-4}]"),
        (*_LONG, "training.epochs=20", "training.learning_rate=1e-2", "data.min_char_count=6"),
        300,
        {"low": _LOW, "rules": ("decode.apply_rules=true", *_LOW[:4]), "batches_of_3": ("decode.batch_size=3",)},
    ),
    "ske-cascade": Asked(
        (*_SMALL, *_TEXTS, *_ENCODER),
        (*_SHORT, "training.frozen_layers=1"),
        (*_LONG, "training.epochs=40", "training.head_learning_rate=3e-3", *_LOW),
        200,
        {"lower": _LOWER, "rules": ("decode.apply_rules=true",), "batches_of_3": ("decode.batch_size=3",)},
    ),
    "ske-gplinker": Asked(
        (*_SMALL, *_TEXTS, *_ENCODER, *_CUT, "model.pointer_size=8"),
        (*_SHORT, "training.adversarial=0.5"),
        (*_LONG, "training.epochs=40", "decode.entity=0.2", "decode.link=0.2"),
        250,
        {
            "low": ("decode.entity=0.1", "decode.link=0.1"),
            "as_recipe": ("decode.entity=0.5", "decode.link=0.5"),
            "rules": ("decode.apply_rules=true",),
        },
    ),
    "el": Asked(
        (*_SMALL, *_LINKS, *_ATTENTION, "model.description=32"),
        _SHORT,
        (*_LONG, "training.epochs=8", "training.learning_rate=1e-2", "data.min_char_count=3"),
        150,
        _LINKING,
    ),
    "el-cross": Asked(
        (*_SMALL, *_CROSS),
        (*_SHORT, "training.r_drop=1", "training.gradient_accumulation=2"),
        (*_LONG, "training.epochs=8"),
        150,
        _LINKING,
    ),
    "el-cross-2020": Asked(
        (*_SMALL, *_CROSS, "data.nil=keep"),
        _SHORT,
        (*_LONG, "training.epochs=20", "decode.mention=0.2", "decode.joint=0.1"),
        60,
        _LINKING,
    ),
    "qa": Asked(
        (*_SMALL, *_READER, *_PAIRS),
        _SHORT,
        (*_LONG, "training.epochs=8", "training.learning_rate=1e-2", "data.min_char_count=6"),
        200,
        {
            "nbest": ("decode.nbest=3",),
            "surest": ("decode.voting=false", "decode.longest=8"),
            "sure": ("decode.no_answer=0.2", "decode.none=无"),
            "borders": ("decode.start=0.1", "decode.end=0.1"),
        },
    ),
    "qa-dureader": Asked(
        (*_SMALL, *_READER, *_PAIRS, "data.paragraphs=4"),
        _SHORT,
        (*_LONG, "training.epochs=20", "training.learning_rate=1e-2"),
        20,
        {"nbest": ("decode.nbest=3",), "voting": ("decode.voting=true", "decode.longest=20")},
    ),
    "qa-span": Asked(
        (*_SMALL, *_PAIRS, *_ENCODER, *_CUT),
        (*_SHORT, "training.r_drop=1", "training.checkpoint_steps=2"),
        (*_LONG, "training.epochs=40", "training.batch_size=4"),
        8,
        {
            "nbest": ("decode.nbest=3",),
            "always": ("decode.no_answer=0",),
            "surest": ("decode.voting=false", "decode.longest=4", "decode.no_answer=0"),
        },
    ),
    "qa-mlm": Asked(
        (*_SMALL, *_PAIRS, *_ENCODER, "model.masks=8"),
        (*_SHORT, "training.adversarial=0.5", "training.layer_decay=0.9"),
        (*_LONG, "training.epochs=15", "training.learning_rate=5e-3", "sampling.negatives=0.05"),
        250,
        {
            "nbest": ("decode.nbest=3",),
            "surest": ("decode.voting=false", "decode.longest=3"),
            "sure": ("decode.no_answer=0.1", "decode.none=无"),
        },
    ),
    "ner-crf": Asked(
        (*_SMALL, *_PARTS, *_DGCNN, "model.transition_scale=10"),
        (*_SHORT, "training.r_drop=1"),
        (*_LONG, "training.epochs=12", "training.head_learning_rate=1e-2", "data.min_char_count=4"),
        300,
        {"sure": ("decode.threshold=0.5",)},
    ),
    "ner-globalpointer": Asked(
        (*_SMALL, *_PARTS, *_ENCODER, "model.head_size=8"),
        (*_SHORT, "training.layer_decay=0.9", "training.gradient_checkpointing=true"),
        (*_LONG, "training.epochs=20", "decode.threshold=0.2"),
        150,
        {"low": ("decode.threshold=0.1",), "as_recipe": ("decode.threshold=0.5",)},
    ),
    "event-subject": Asked(
        (
            *_SMALL,
            *_PARTS,
            "model.encoder.hidden_size=16",
            "model.encoder.dilations=[1,2]",
            "model.head.size=8",
            "model.head.type_size=8",
        ),
        (*_SHORT, "training.r_drop=1"),
        (*_LONG, "training.epochs=20", "training.head_learning_rate=1e-2", "model.encoder.min_char_count=4"),
        250,
        {"low": ("decode.threshold=0.1",), "sure": ("decode.threshold=0.6",)},
    ),
    "events": Asked(
        (*_SMALL, *_PARTS, *_OWN, "model.head.size=8"),
        (*_SHORT, "training.r_drop=1"),
        (*_LONG, "training.epochs=25", "training.head_learning_rate=1e-2", "model.encoder.min_char_count=4"),
        250,
        {
            "low": ("decode.threshold=0.2", "decode.link=0.2"),
            "without_triggers": ("decode.threshold=0.3", "decode.needs_trigger=false"),
        },
    ),
    "events-staged": Asked(
        (*_SMALL, *_PARTS, *_ENCODER, "model.encoder.cut_vocabulary=true", "model.head.size=8"),
        (*_SHORT, "training.adversarial=0.5"),
        (*_LONG, "training.epochs=25"),
        200,
        {"low": ("decode.threshold=0.2", "decode.argument=0.2")},
    ),
    "nl2sql": Asked(
        (*_SMALL, "model.encoder.hidden_size=16", "model.encoder.dilations=[1,2]", "model.head.size=16"),
        (*_SHORT, "training.r_drop=1"),
        (*_LONG, "training.epochs=20", "training.head_learning_rate=1e-2", "model.encoder.min_char_count=3"),
        150,
        {"blind": ("decode.execute=false",), "few": ("decode.threshold=0.8", "decode.select_threshold=0.7")},
    ),
}
"""Flow → its settings."""

OTHER_MODELS: dict[str, tuple[str, Settings]] = {
    "ske on an encoder": ("ske", _ENCODER),
    "ske without priors, tags and replacement": (
        "ske",
        ("model.priors=false", "model.part_of_speech=false", "sampling.replacement=0"),
    ),
    "ske-cascade on dgcnn": ("ske-cascade", (*_DGCNN, *_ATTENTION)),
    "ske-gplinker on dgcnn": ("ske-gplinker", (*_DGCNN, *_ATTENTION, "model.cut_vocabulary=false")),
    "ner-crf on an encoder": ("ner-crf", (*_ENCODER, *_CUT)),
    "ner-crf with BIO": ("ner-crf", ("model.tags=bio", "model.positions=64")),
    "ner-globalpointer on dgcnn": ("ner-globalpointer", _DGCNN),
    "event-subject on an encoder": ("event-subject", (*_ENCODER, "model.encoder.cut_vocabulary=true")),
    "nl2sql on an encoder": ("nl2sql", (*_ENCODER, "model.encoder.cut_vocabulary=true")),
    "nl2sql as in the article": ("nl2sql", ("data.mark_cells=false", "model.head.shuffle=false")),
    "el as in the article": (
        "el",
        ("model.mentions=pointers", "sampling.loss=pair", "model.habits=false", "model.borders=false",
         "model.description_choice=front"),
    ),
    "el-cross ranking every mention": ("el-cross", ("model.ranked=every", "model.cut_vocabulary=false")),
    "qa as in the article": (
        "qa", ("model.loss=focal", "model.aligned=false", "model.part_of_speech=false", "model.cooccurrence=false")
    ),
}  # fmt: skip
"""Models that a flow's recipe can be asked for besides: what they are, the flow, the settings."""
