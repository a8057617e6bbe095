"""The competitions whose submissions are checked: what their files are called, and how they are packed.

Their upload pages are closed, and most said little in public. Where a name or a packing is no organiser's, ``known``
says so; ``--inside`` and the ending of ``--output`` take others. No size limit was published: ``--limit`` takes one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ietool.errors import UserError
from ietool.nearest import did_you_mean


@dataclass(frozen=True)
class Competition:
    """A competition.

    Attributes:
        name: as ``--competition`` has it.
        title: for people.
        task: the task that checks its submissions.
        form: what the submission is.
        inside: name of the file that is handed in, within the archive where there is one.
        packed: the ending of the archive, ``.zip``; empty where the file is handed in as it is.
        order: whether answers must keep the order of the input: ``counts`` (it is all they are known by), ``kept``
            (unless told otherwise; scorers find them by text or id) or ``free`` (JSON objects have none).
        known: where name and packing are from.
        copied: whether texts stand in it as they do in the input, without escapes.
        blank_lines: whether blank lines divide what stands in it.
    """

    name: str
    title: str
    task: str
    form: str
    inside: str
    packed: str
    order: str
    known: str
    copied: bool = False
    blank_lines: bool = False


_OURS = "name and packing are this project's"

COMPETITIONS: Sequence[Competition] = (
    Competition(
        "ske2019", "SKE 2019", "ske", '{"text", "spo_list"} a line, objects are strings', "result.json", ".zip",
        "kept", "the organisers' script reads all members of a zip; the name is this project's",
    ),
    Competition(
        "duie2", "DuIE 2.0", "ske", '{"text", "spo_list"} a line, objects have slots', "duie.json", ".zip",
        "kept", "the organisers' script reads all members of a zip; the name is that of LIC 2021, as remembered",
    ),
    Competition(
        "ccks2019", "CCKS 2019 entity linking", "el", '{"text_id", "text", "mention_data"} a line', "result.json", "",
        "kept", _OURS,
    ),
    Competition(
        "ccks2020", "CCKS 2020 entity linking", "el", '{"text_id", "text", "mention_data"} a line', "result.json", "",
        "kept", _OURS,
    ),
    Competition("sogouqa", "SogouQA", "qa", "id<TAB>answer a line", "result.tsv", "", "kept", _OURS),
    Competition(
        "cmrc2018", "CMRC 2018", "qa", "{id: answer}, one JSON object", "predictions.json", "", "free",
        "the organisers' script reads one JSON file; the name is this project's",
    ),
    Competition(
        "dureader_robust", "DuReader-robust", "qa", "{id: answer}, one JSON object", "predictions.json", "", "free",
        "the organisers' script reads one JSON file; the name is this project's",
    ),
    Competition(
        "dureader2", "DuReader 2.0", "qa", '{"question_id", "question_type", "answers", …} a line', "result.json", "",
        "kept", _OURS,
    ),
    Competition(
        "cluener", "CLUENER", "ner", '{"id" or "text", "label"} a line', "cluener_predict.json", ".zip",
        "kept", "CLUE's, as remembered: compare with its page",
    ),
    Competition(
        "cmeee", "CMeEE (CHIP 2020)", "ner", "text|||begin end type|||… a line", "result.txt", "", "kept", _OURS,
        copied=True,
    ),
    Competition(
        "ccks2019-subject", "CCKS 2019 event subjects", "event_subject", '"id","subject" a row', "result.csv", "",
        "kept", _OURS,
    ),
    Competition(
        "duee1", "DuEE 1.0", "events", '{"id" or "text", "event_list"} a line', "duee.json", ".zip",
        "kept", "the form is that of the organisers' baseline; name and packing are that of LIC 2021, as remembered",
    ),
    Competition(
        "fewfc", "FewFC (CCKS 2020)", "events", '{"id", "content", "events"} a line', "result.json", "", "kept", _OURS,
    ),
    Competition(
        "tableqa", "TableQA", "nl2sql", '{"sel", "agg", "cond_conn_op", "conds"} a line', "result.json", "",
        "counts", "the form is the organisers'; name and packing are this project's",
    ),
    Competition(
        "tags", "tokens and tags (BIO, BIOES, BMES …)", "ner", "a token and its tag a line", "result.txt", "",
        "counts", _OURS, copied=True, blank_lines=True,
    ),
)  # fmt: skip


def competition_named(name: str) -> Competition:
    """The competition of that name. Raises UserError naming those there are."""
    for one in COMPETITIONS:
        if one.name == name:
            return one
    names = [one.name for one in COMPETITIONS]
    mend = did_you_mean(name, names, f"use one of: {', '.join(names)}")
    raise UserError(f"no competition is called {name!r}", field="--competition", mend=mend)
