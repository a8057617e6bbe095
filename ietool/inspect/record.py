"""What is told of a folder, as plain data for ``--json``."""

from __future__ import annotations

from typing import Any

from ietool.inspect.characters import name_of
from ietool.inspect.inspecting import Folder, Inspected
from ietool.inspect.samples import Sample
from ietool.inspect.survey import SplitSurvey

MOST = 50
"""Kinds of characters that are told of each class, the most frequent first."""


def record(folder: Folder) -> dict[str, Any]:
    """The whole of it."""
    return {
        "folder": str(folder.place),
        "corpora": [_corpus(one) for one in folder.corpora],
        "others": [{"file": str(path), "reason": reason} for path, reason in folder.others],
    }


def _corpus(one: Inspected) -> dict[str, Any]:
    competition = one.competition
    return {
        "folder": str(one.corpus.folder),
        "task": one.corpus.task,
        "form": one.corpus.form.title,
        "competition": None if competition is None else competition.name,
        "why": one.why,
        "notes": list(one.notes),
        "files": [_file(found) for found in one.found],
        "beside": {role: str(path) for role, path in one.corpus.beside.items()},
        "recipes": [
            {
                "recipe": fit.recipe,
                "head": fit.head,
                "encoder": fit.encoder,
                "epochs": fit.epochs,
                "seconds_an_epoch": fit.seconds,
                "seconds_scoring_dev": fit.scoring,
                "not_measured": fit.why or None,
            }
            for fit in one.fits
        ],
    }


def _file(found: SplitSurvey) -> dict[str, Any]:
    characters = found.characters
    return {
        "name": found.split.name,
        "file": str(found.split.path),
        "gold": found.labelled,
        "records": found.records,
        "bad": found.bad,
        "first_bad": [
            {"file": e.file, "line": e.line, "field": e.field, "reason": e.message, "mend": e.mend} for e in found.told
        ],
        "fault": None if found.fault is None else str(found.fault),
        "characters": found.lengths.numbers(),
        "further": {"number": found.further, "characters": found.further_lengths.numbers()},
        "items": found.items,
        "without_items": found.empty,
        "items_a_record": {str(number): count for number, count in sorted(found.per_record.items())},
        "labels": dict(found.labels.most_common()),
        "roles": dict(found.roles.most_common()),
        "kinds": dict(found.kinds.most_common()),
        "repeated": found.repeated,
        "repeated_with_other_labels": found.otherwise,
        "first_with_other_labels": list(found.places),
        "kin_of_an_earlier_one": found.kin,
        "overlapping_items": found.overlapping,
        "shared": {
            other: {"same": s.same, "with_other_labels": s.otherwise, "kin": s.kin} for other, s in found.shared.items()
        },
        "names": {
            kind: {
                "all": seen.total,
                "different": seen.distinct,
                "in_train": seen.total_in_train,
                "different_in_train": seen.distinct_in_train,
                "not_in_their_text": seen.lost,
            }
            for kind, seen in found.names.items()
        },
        "trouble": {
            kind: {
                "texts": t.texts,
                "first": t.first,
                "characters": {name_of(char): count for char, count in t.characters.most_common(MOST)},
            }
            for kind, t in characters.trouble.items()
        },
        "nfkc": {
            "changed": characters.changed,
            "in_length": characters.moved,
            "characters": {name_of(char): count for char, count in characters.changing.most_common(MOST)},
        },
        "samples": [_sample(sample) for sample in found.samples.drawn()],
    }


def _sample(sample: Sample) -> dict[str, Any]:
    looked = sample.looked
    return {
        "at": sample.place,
        "text": looked.text,
        "kind": looked.kind,
        "further": list(looked.further),
        "gold": [
            {
                "label": item.label,
                "names": [
                    {
                        "kind": name.kind,
                        "text": name.text,
                        "role": name.role,
                        "place": [name.start, name.end] if name.placed else None,
                    }
                    for name in item.names
                ],
            }
            for item in looked.gold
        ],
    }
