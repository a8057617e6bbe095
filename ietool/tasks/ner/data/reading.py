"""Files of entities, of every form: reading and validating them.

The doors of the room. What an example is stands in ``example.py``, how a line is taken apart in ``forms``, under which
names the files are published in ``sources.py``, and the reading of predictions in ``score/files.py``.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from itertools import chain
from pathlib import Path

from ietool.errors import UserError
from ietool.files.lines import OnBad, read_lines
from ietool.files.records import Told, read_records
from ietool.tasks.ner.data.example import Example
from ietool.tasks.ner.data.forms.cluener import parse_record
from ietool.tasks.ner.data.forms.cmeee import parse_line
from ietool.tasks.ner.data.forms.recognise import CLUENER, CMEEE, KNOWN, RECORDS, told
from ietool.tasks.ner.data.forms.tokens import Line, SentenceReader, make_example, split_tags
from ietool.tasks.ner.data.schemes import SCHEMES, Scheme, SchemeFinder


def detect_form(path: str | Path) -> str:
    """The form of a file with gold, one of ``FORMS`` less ``auto``; a file of tokens and tags is read whole for it.

    Raises:
        UserError: the file cannot be read or is empty, or its tags are of several schemes.
    """
    finder = SchemeFinder()
    # Bad sentences are told when the file is read for good.
    reader = SentenceReader(on_bad=_ignore)
    form, lines = told(read_lines(path, reader.unread))
    if form:
        return form
    first = next(lines, None)
    if first is None and (unread := reader.first_unread):
        raise unread
    if first is None:
        raise UserError("holds no record", file=path, mend=f"bring a file with {KNOWN}")
    for sentence in reader.read(chain([first], lines)):
        with contextlib.suppress(UserError):
            finder.add(split_tags(sentence))
    try:
        return finder.find().name
    except UserError as error:
        raise UserError(error.message, file=path, mend=error.mend) from None


def load_examples(path: str | Path, on_bad: OnBad | None = None, *, form: str = "auto") -> Iterator[Example]:
    """Stream the validated examples of a file with gold, plain, gzip or zip (every member).

    A tag sequence that breaks its scheme (``I-PER`` behind ``O``) is no error, since published files have some: it is
    read as seqeval's strict mode reads it, in which such tags belong to no entity, and ``Example.broken`` counts them.

    Args:
        path: the file.
        on_bad: told of bad records (a line of JSON, a sentence of tokens), which are then skipped; without it the first
            one raises.
        form: one of ``FORMS``.

    Raises:
        UserError: naming file, line and field; also when the file is empty or has no usable record.
    """
    bad = None if on_bad is None else Told(on_bad)
    chosen = detect_form(path) if form == "auto" else form
    examples = _records(path, _PARSERS[chosen], bad) if chosen in RECORDS else _sentences(path, SCHEMES[chosen], bad)
    count, example = 0, None
    for example in examples:
        count += 1
        yield example
    if example is None and bad is not None:
        bad.check()
    whole = count == 1 and (bad is None or not bad.count)
    if whole and example is not None and chosen not in RECORDS and len(example.bounds) > LONGEST:
        raise one_sentence(path, len(example.bounds))
    if example is None:
        raise UserError("holds no record", file=path, mend=f"bring a file with {KNOWN}")


LONGEST = 500
"""Tokens of a sentence; a file that is one of more lacks its blank lines."""


def one_sentence(path: str | Path, tokens: int) -> UserError:
    """What is told of a file whose lines are one sentence."""
    what = f"is one sentence of {tokens:,} tokens, from its first line to its last"
    return UserError(what, file=path, mend="put a blank line between sentences: blank lines divide them")


_PARSERS: dict[str, Callable[..., Example]] = {CLUENER: parse_record, CMEEE: parse_line}
"""Form with a text a line → what makes an example of one."""


def _records(path: str | Path, parse: Callable[..., Example], on_bad: OnBad | None) -> Iterator[Example]:
    for file, number, line in read_lines(path, on_bad):
        try:
            example = parse(line, file, number)
        except UserError as error:
            if on_bad is None:
                raise
            on_bad(error, line)
            continue
        yield example


def _sentences(path: str | Path, scheme: Scheme, on_bad: OnBad | None) -> Iterator[Example]:
    reader = SentenceReader(on_bad=on_bad)
    for sentence in reader.read(read_lines(path, None if on_bad is None else reader.unread)):
        try:
            example = make_example(sentence, scheme)
        except UserError as error:
            if on_bad is None:
                raise
            on_bad(error, "\n".join(map(" ".join, zip(sentence.tokens, sentence.tags, strict=True))))
            continue
        yield example


def load_inputs(path: str | Path, on_bad: OnBad | None = None) -> Iterator[Example]:
    """:func:`read_inputs` of a file; of one that holds tokens a line that is not UTF-8 makes its whole sentence bad."""
    reader = SentenceReader(tags=None, on_bad=on_bad)
    lines = read_lines(path, None if on_bad is None else reader.unread, blank=True)
    # A token may be a blank of another kind than those that tell an empty line.
    return _inputs((line for line in lines if line[2].strip(" \t")), reader, on_bad)


def read_inputs(lines: Iterable[Line], on_bad: OnBad | None = None) -> Iterator[Example]:
    """Stream the texts of a test file of any form; gold, where there is some, is not looked at.

    Args:
        lines: (file, number, text), without blank lines: a gap in the numbers is one.
        on_bad: told of bad records, which are then skipped; without it the first one raises.

    Raises:
        UserError: naming file, line and field; with ``on_bad`` only when there are bad records and no good one.
    """
    return _inputs(iter(lines), SentenceReader(tags=None, on_bad=on_bad), on_bad)


def _inputs(lines: Iterator[Line], reader: SentenceReader, on_bad: OnBad | None) -> Iterator[Example]:
    form, everything = told(lines, texts=True)
    if form:
        reader.pass_on()
        everything = (line for line in everything if line[2].strip())
        yield from read_records(everything, partial(_PARSERS[form], labels=False), on_bad)
        return
    first = next(everything, None)
    if first is None:
        if reader.first_unread:
            raise reader.first_unread
        return
    for sentence in reader.read(chain([first], everything)):
        yield make_example(sentence, None)


def _ignore(error: UserError, line: str) -> None:
    pass
