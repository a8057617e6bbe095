"""Answers as the competitions want them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from ietool.files.plain_json import dump_json
from ietool.tasks.qa.heads.voting import Answered


def write(answers: Iterable[Answered], output: str) -> Iterator[str]:
    """The text of a submission in pieces: ``id<TAB>answer`` lines where the name ends in ``.tsv`` (SogouQA), JSON lines
    for DuReader 2.0 and for several candidates, else one JSON object of answers by id."""
    opened = False
    for answered in answers:
        if answered.nbest > 1:
            yield candidates_line(answered) + "\n"
        elif output.endswith(".tsv"):
            yield f"{answered.question_id}\t{' '.join(answered.answer.split())}\n"
        elif answered.form == "dureader2":
            yield dureader2_line(answered) + "\n"
        else:
            yield f"{',' if opened else '{'}\n{_json(answered.question_id)}: {_json(answered.answer)}"
            opened = True
    if opened:
        yield "\n}\n"


def dureader2_line(answered: Answered) -> str:
    """One line of DuReader 2.0."""
    given = answered.question_id
    record: dict[str, object] = {
        # The organisers' ids are integers; what is none, as 007, stays as it is.
        "question_id": int(given) if given.isdecimal() and str(int(given)) == given else given,
        "question_type": answered.kind,
        "answers": [answered.answer] if answered.answer else [],
        "yesno_answers": [answered.label] if answered.label else [],
        "entity_answers": [[answered.answer]] if answered.kind == "ENTITY" and answered.answer else [[]],
    }
    return _json(record)


def candidates_line(answered: Answered) -> str:
    """``--nbest``: the answer that would be submitted, and the best candidates with their scores and places."""
    rows = [
        {"answer": c.answer, "score": round(c.score, 6), "probability": round(c.probability, 6),
         "passage": c.passage, "start": c.start, "end": c.end}
        for c in answered.candidates[: answered.nbest]
    ]  # fmt: skip
    return _json({"id": answered.question_id, "answer": answered.answer, "candidates": rows})


def _json(value: object) -> str:
    return dump_json(value)
