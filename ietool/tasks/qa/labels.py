"""Answers as labels: looked at one by one, changed, and written again; and what a model finds, written as gold."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from ietool.core.candidates import Candidates, Parts
from ietool.core.labelled import ANSWER, BOUNDARY, Edits, Labels, leave
from ietool.core.sources import Sources
from ietool.files.lines import OnBad
from ietool.files.outputs import unpacked_name
from ietool.files.plain_json import dump_json
from ietool.tasks.qa.data.answers import (
    UNKNOWN,
    WHOLE,
    Answer,
    answers_of,
    mark_of,
    places_of,
    tells_places,
    unit_of,
)
from ietool.tasks.qa.data.forms.changing import AnswerChange
from ietool.tasks.qa.data.forms.rewriting import rewritten
from ietool.tasks.qa.data.forms.webqa import NO_ANSWER
from ietool.tasks.qa.data.question import Question
from ietool.tasks.qa.data.reading import load_questions
from ietool.tasks.qa.data.sources import files_of
from ietool.tasks.qa.heads.decoder import QaDecoder
from ietool.tasks.qa.heads.voting import Answered
from ietool.tasks.qa.recipe import QaRecipe
from ietool.text.characters import fold

SURE = 0.5
"""From this probability on a model answers by a passage of which gold says that it does not answer."""


class AnswerLabels(Labels[Question, Answer]):
    """Of every form. Where a file tells the place of an answer, the same string elsewhere is another answer.

    New texts are labelled in the form of WebQA, which says of each passage what it answers.

    Args:
        decoder: that of the recipe's head.
    """

    item = "answer"

    def __init__(self, folder: Path, recipe: QaRecipe, decoder: QaDecoder) -> None:
        super().__init__(folder, decoder.layout)
        self.recipe, self.decoder = recipe, decoder

    # -- what models find

    def identity(self, record: Question) -> str:
        return record.text

    def found(self, prediction: Answered) -> Sequence[tuple[Answer, float]]:
        best = prediction.candidates[:1]
        return [
            (Answer(one.answer, one.passage, one.start), one.probability)
            for one in best
            if one.answer.strip() == prediction.answer
        ]

    def plain(self, record: Question, item: Answer) -> dict[str, Any]:
        plain: dict[str, Any] = {"answer": item.text}
        if item.passage != WHOLE:
            plain["passage"] = item.passage
        return plain if item.start == UNKNOWN else plain | {"start": item.start}

    def written(self, record: Question, items: Sequence[Answer]) -> str:
        answers = {item.passage: item.text for item in items}
        passages = [
            {"passage": passage.text, "answer": answers.get(number) or _standing(items, passage.text) or NO_ANSWER[0]}
            for number, passage in enumerate(record.passages)
        ]
        golden = [item.text for item in items]
        line = {"id": record.question_id, "question": record.text, "passages": passages, "golden_answers": golden}
        return dump_json(line) + "\n"

    def doubt(self, found: Candidates) -> float:
        """What the best span lacks to certainty: all the others compete with it."""
        return 1.0 - float(self.layout.probability(found.parts).max(initial=0.0))

    # -- gold

    def gold(self, record: Question) -> Sequence[Answer]:
        return answers_of(record)

    def key(self, item: Answer) -> Hashable:
        return item.key

    def said(self, record: Question, found: Candidates, prediction: Any, decode: Any) -> Sequence[Answer]:
        """The best span of each passage (of each document of DuReader 2.0, which marks one), in passages without gold
        if it is at least :data:`SURE`; where gold speaks of the question as a whole, the answer that is predicted.

        Several answers that gold has for one passage are alternatives: who gives one of them contradicts none.
        """
        gold: dict[int, list[Answer]] = {}
        for answer in answers_of(record):
            gold.setdefault(unit_of(record, answer), []).append(answer)
        if WHOLE in gold:
            best = dict(zip([WHOLE], (Answer(item.text.strip()) for item, _ in self.found(prediction)), strict=False))
        else:
            best = self._best(record, found, decode, gold)
        said = []
        for unit, answer in best.items():
            known = gold.get(unit, [])
            said += known if answer.key in {one.key for one in known} else [answer]
        return said

    def _best(self, record: Question, found: Candidates, decode: Any, gold: Mapping[int, Any]) -> dict[int, Answer]:
        """Unit → what a model answers there."""
        placed, texts = tells_places(record), [passage.text for passage in record.passages]
        at = np.flatnonzero(self.decoder.kept(found, decode) & (self.layout.probability(found.parts) > 0))
        rows: dict[tuple[int, int, str], list[int]] = {}
        for index, (passage, start, end) in zip(at.tolist(), found.rows[at].tolist(), strict=True):
            text = fold(texts[passage][start:end])
            if text.strip():
                rows.setdefault((passage, start if placed else UNKNOWN, text), []).append(index)
        value = {key: self._together(found.parts[some]) for key, some in rows.items()}
        best: dict[int, Answer] = {}
        for key in sorted(rows, key=lambda key: -value[key]):
            passage, start, end = found.rows[rows[key][0]].tolist()
            unit = record.passages[passage].document
            least = decode.no_answer if unit in gold else max(decode.no_answer, SURE)
            if unit not in best and value[key] >= least:
                text = texts[passage][start:end]
                start += len(text) - len(text.lstrip())
                best[unit] = Answer(text.strip(), passage, start if placed else UNKNOWN)
        return best

    @cached_property
    def _is_divided(self) -> bool:
        """Whether the places of a passage share one choice, so that a string that stands twice has its probability in
        two parts."""
        head: Any = self.recipe.model.head
        return "start" in self.layout.parts and getattr(head, "loss", "softmax") == "softmax"

    def _together(self, parts: Parts) -> float:
        """How probable a string is that stands at several places of a passage: (n, m) the parts of these."""
        if self._is_divided:
            parts = np.minimum(parts.sum(0, keepdims=True), 1)
        return float(self.layout.probability(parts).max(initial=0.0))

    def scores(self, record: Question, found: Candidates, items: Sequence[Answer]) -> Sequence[float]:
        """As probable as in the passage in which it is most probable."""
        return [
            max((self._together(parts) for parts in by_passage), default=0.0)
            for by_passage in self._asked(record, found, items)
        ]

    def asked(self, record: Question, found: Candidates, items: Sequence[Answer]) -> Sequence[bool]:
        """Not those that stand nowhere, are longer than a window or begin within a token: all parts of them are 0."""
        return [any(parts.any() for parts in by_passage) for by_passage in self._asked(record, found, items)]

    def _asked(self, record: Question, found: Candidates, items: Sequence[Answer]) -> list[list[Parts]]:
        """Of each item and each passage in which it stands the parts of the places there, (n, m)."""
        probability = self.layout.probability(found.parts)
        rows: dict[Any, int] = {}
        for index in np.argsort(probability, kind="stable").tolist():
            rows[tuple(found.rows[index].tolist())] = index  # of what is proposed and asked the higher word
        every = []
        for item in items:
            by_passage: dict[int, list[int]] = {}
            for place in places_of(record, item):
                if place in rows:
                    by_passage.setdefault(place[0], []).append(rows[place])
            every.append([found.parts[some] for some in by_passage.values()])
        return every

    def rows(self, record: Question) -> Any:
        return list(dict.fromkeys(place for item in answers_of(record) for place in places_of(record, item)))

    def differs(self, gold: Answer, other: Answer) -> str:
        if gold.passage == other.passage:
            return BOUNDARY if gold.overlaps(other) else ANSWER
        return ""

    def item_of(self, record: Question, plain: Mapping[str, Any]) -> Answer:
        """That of the file, or one that stands in its passage."""
        for item in answers_of(record):
            if self.plain(record, item) == plain:
                return item
        text, passage, start = plain.get("answer"), plain.get("passage"), plain.get("start")
        if not isinstance(text, str) or not text.strip():
            raise ValueError("answer: is missing, empty or no string")
        text = text.strip()
        if passage is None:
            if not any(item.passage == WHOLE for item in answers_of(record)):
                raise ValueError("passage: is missing")
            return Answer(text)
        if type(passage) is not int or not 0 <= passage < len(record.passages):
            raise ValueError(f"passage: {passage!r} is none of {len(record.passages)}, which count from 0")
        places = [at for _, at, _ in places_of(record, Answer(text, passage))]
        if not places:
            raise ValueError(f"answer: {text!r} does not stand in passage {passage}")
        if not tells_places(record):
            return Answer(text, passage)
        if start is None and len(places) == 1:
            start = places[0]
        if start not in places or type(start) is not int:
            stands = ", ".join(map(str, places[:5]))
            raise ValueError(f"start: {start!r} is not where {text!r} stands, which is at {stands}")
        return Answer(text, passage, start)

    def shown(self, record: Question, items: Sequence[Answer]) -> tuple[str, Sequence[tuple[int, int]]]:
        """The question, then each passage in which one of the items stands."""
        marked: dict[int, dict[tuple[int, int], None]] = {}
        for item in items:
            places = list(places_of(record, item))
            if not places and item.passage != WHOLE:
                marked.setdefault(item.passage, {})
            for passage, start, end in places:
                marked.setdefault(passage, {})[start, end] = None
        text, spans = record.text, list[tuple[int, int]]()
        for passage in sorted(marked):
            text += "\n"
            spans += [(start + len(text), end + len(text)) for start, end in marked[passage]]
            text += record.passages[passage].text
        return text, spans

    # -- files

    def same(self, record: Question) -> str:
        return mark_of(record)

    def outputs(self, files: Mapping[str, Path]) -> Mapping[str, str]:
        """``train.json``; both halves of DuReader 2.0 keep their names."""
        halves = files_of(Sources(files), "train")
        if len(halves) < 2:
            return {"train": "train.json"}
        return {role: Path(unpacked_name(files[role])).name for role in ("train", "train+zhidao")}

    def owned(self, files: Sequence[Path]) -> Callable[[Question], bool]:
        """Those of ``data.more`` come from elsewhere."""
        if not self.recipe.data.more:
            return lambda record: True
        form = None if self.recipe.data.form == "auto" else self.recipe.data.form
        marks = {hash(mark_of(q)) for file in files for q in load_questions(file, leave, form=form)}
        return lambda record: hash(mark_of(record)) in marks

    def edited(self, source: Path, edits: Mapping[str, Edits[Answer]], on_bad: OnBad = leave) -> Iterator[str]:
        """Record by record; what a changed one has besides is kept."""
        form = "" if self.recipe.data.form == "auto" else self.recipe.data.form
        return rewritten(source, AnswerChange(edits, form), on_bad)


def _standing(items: Sequence[Answer], passage: str) -> str:
    """An answer as another passage has it, which may have voted for it; empty where it has none of them: that it does
    not answer would be too much said."""
    folded = fold(passage)
    places = ((folded.find(fold(item.text.strip())), len(item.text.strip())) for item in items)
    return next((passage[at : at + size] for at, size in places if at >= 0 and size), "")
