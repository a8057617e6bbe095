"""Checking a submission of linked mentions: every text answered, each mention where it says, each id in the knowledge
base or a NIL of the competition's kind."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ietool.core.answers import Answers
from ietool.core.checking import Check, Place, control_in
from ietool.errors import UserError
from ietool.files.lines import parse_json, read_lines
from ietool.progress import Progress
from ietool.tasks.el.data.example import NIL, Mention, form_of
from ietool.tasks.el.data.reading import read_inputs
from ietool.tasks.el.score.files import mention_of, text_and_mentions
from ietool.text.spans import whereabouts

if TYPE_CHECKING:
    from ietool.tasks.el.kb.knowledge_base import KnowledgeBase

NIL_TYPES = frozenset(
    ("Event", "Person", "Work", "Location", "Time&Calendar", "Brand", "Natural&Geography", "Game", "Biological",
     "Medicine", "Food", "Software", "Vehicle", "Website", "Disease&Symptom", "Organization", "Awards", "Education",
     "Culture", "Constellation", "Law&Regulation", "VirtualThings", "Diagnosis&Treatment", "Other")
)  # fmt: skip
"""The types of CCKS 2020, which stand behind ``NIL_``."""

_AGAIN = "answer each mention once"


def competition_of(source: Path, result: Path) -> str:
    """``ccks2020`` where a NIL has a type or the input gives the mentions without their ids, else ``ccks2019``."""
    typed = (
        form_of(Mention("", 0, kb_id) for kb_id in ids if isinstance(kb_id, str)) == "ccks2020"
        for path in (source, result)
        for ids in _ids_of(path)
    )
    return "ccks2020" if gives_mentions(source) or any(typed) else "ccks2019"


def gives_mentions(source: Path) -> bool:
    """Whether an input gives mentions that are to be linked: they stand there without ids."""
    return any(ids and all(kb_id is None for kb_id in ids) for ids in _ids_of(source))


def _ids_of(path: Path) -> Iterator[list[Any]]:
    """The ids of the mentions of each record, as they are or None; what cannot be read is passed over."""
    for _, _, line in read_lines(path, _ignore):
        with suppress(ValueError, AttributeError, TypeError, RecursionError):
            yield [entry.get("kb_id") for entry in json.loads(line).get("mention_data") or []]


def _ignore(error: UserError, line: str) -> None:
    """For those who want to know only what can be read."""


def check(check: Check, progress: Progress) -> None:
    """Check a submission of CCKS 2019 or 2020.

    Raises:
        UserError: the input or the knowledge base cannot be read, or the submission is no text file.
    """
    path = check.options.get("kb")
    kb = None
    if path is not None:
        from ietool.tasks.el.kb.knowledge_base import open_any

        kb = open_any(path, progress=progress)
    answers = Answers(check)
    given = False
    try:
        for file, number, line in read_lines(check.source):
            example = next(read_inputs([(file, number, line)]))
            marked = _given(line) if example.mentions else []
            given = given or bool(marked)
            key = {"text_id": example.text_id, "text": example.text}
            answers.ask(key, Place(file, number), json.dumps(marked) if marked else "")
        check.counts["texts"] = answers.asked
        _Lines(check, answers, kb).check()
        answers.finish()
    finally:
        answers.close()
    check.rules += [f"each of {answers.asked:,} texts answered once", "mentions stand at their offsets"]
    if given:
        check.rules.append("the mentions that the input gives")
    if kb is None:
        check.notes.append("no knowledge base is named or lies beside the input: ids are not looked up in it")
    else:
        check.rules.append(f"ids are those of {path}")


def _given(line: str) -> list[list[Any]]:
    """(mention, offset) of those that an input gives to be linked; none where it tells their ids too, as gold does."""
    data = json.loads(line)["mention_data"]
    return [] if any("kb_id" in entry for entry in data) else [[e["mention"], int(e["offset"])] for e in data]


class _Lines:
    """The lines of a submission, one after another."""

    def __init__(self, check: Check, answers: Answers, kb: KnowledgeBase | None) -> None:
        self._check, self._answers, self._kb = check, answers, kb
        types: Collection[str] = () if kb is None else kb.info.types
        self._types = NIL_TYPES.union(*(name.split("|") for name in types))
        self._bare = 0

    def check(self) -> None:
        check = self._check
        for file, number, line in read_lines(check.result, self._answers.reject):
            place = Place(file, number)
            try:
                text_id, text, data = text_and_mentions(parse_json(line, file, number, once=True), file, number)
            except UserError as error:
                self._answers.reject(error, line)
                continue
            given = self._answers.answer({"text_id": text_id, "text": text}, place)
            check.counts["mentions"] += len(data)
            check.counts["texts without a mention"] += not data
            marked = {(name, start) for name, start in json.loads(given)} if given else set[tuple[str, int]]()
            found: dict[tuple[str, int], int] = {}
            for index, entry in enumerate(data):
                at = f"mention_data[{index}]"
                try:
                    mention = mention_of(entry, at, file, number)
                except UserError as error:
                    check.tell(error)
                    continue
                earlier = found.setdefault((mention.mention, mention.start), index)
                fault = (
                    place.error(at, f"repeats mention_data[{earlier}]: {mention.mention!r} at {mention.start}", _AGAIN)
                    if earlier != index
                    else self._fault(mention, text, at, place, marked)
                )
                if fault is not None:
                    check.tell(fault)
            if given:
                self._hold_against(marked, found, place)
        if self._bare:
            what = f"{self._bare:,} mentions have NIL as kb_id and count as wrong in ccks2019: leave such mentions out"
            check.notes.append(what)

    def _fault(
        self, mention: Mention, text: str, at: str, place: Place, given: Collection[tuple[str, int]]
    ) -> UserError | None:
        """The first thing that is wrong with a mention. One that the input gives may be in another case."""
        if not mention.mention:
            return place.error(f"{at}.mention", "is empty", "leave the mention out")
        there = text[mention.start : mention.end]
        if there != mention.mention and (mention.mention, mention.start) not in given:
            counted, elsewhere = whereabouts(mention.mention, text, mention.start)
            mend = counted + (f"; {mention.mention!r} stands at {elsewhere}" if elsewhere >= 0 else "")
            what = f"at {mention.start} stands {there!r}, but the mention is {mention.mention!r}"
            return place.error(f"{at}.offset", what, mend)
        if code := control_in(mention.kb_id):
            return place.error(f"{at}.kb_id", f"has a control character ({code})", "take it out")
        return self._id_fault(mention, at, place)

    def _id_fault(self, mention: Mention, at: str, place: Place) -> UserError | None:
        field, kb_id = f"{at}.kb_id", mention.kb_id
        if not kb_id.strip():
            return place.error(field, "is empty", "write the id of an entity, or leave the mention out")
        if not mention.is_nil:
            if self._kb is not None and self._kb.row(kb_id) is None:
                what = f"{kb_id!r} is no id of {self._check.options['kb']}"
                return place.error(field, what, "name the knowledge base that the model knows: --kb KB")
            return None
        if self._check.competition == "ccks2019":
            if kb_id != NIL:
                return place.error(
                    field, f"{kb_id!r} is a NIL of CCKS 2020", "say --competition ccks2020 if it is that"
                )
            self._bare += 1
            return None
        kind = kb_id[len(NIL) + 1 :]
        if kind not in self._types:
            what = (
                "has no type" if not kind else "has several types" if "|" in kind else f"has an unknown type: {kind!r}"
            )
            return place.error(field, what, "write NIL_ and one type of the competition, such as NIL_Person")
        return None

    def _hold_against(self, given: set[tuple[str, int]], found: dict[tuple[str, int], int], place: Place) -> None:
        """Tell of mentions beside those that the input gives, and of those of it that are not there."""
        mend = "link the mentions of the input: predict with --set decode.given_mentions=true"
        for (name, start), index in found.items():
            if (name, start) not in given:
                what = f"{name!r} at {start} is no mention of {self._check.source}"
                self._check.tell(place.error(f"mention_data[{index}].mention", what, mend))
        for name, start in sorted(given - found.keys(), key=lambda one: one[1]):
            self._check.tell(place.error("mention_data", f"lacks the mention {name!r} at {start}", mend))
