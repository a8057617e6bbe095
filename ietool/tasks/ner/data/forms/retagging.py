"""Files of tokens and tags written again with other tags in some sentences, and everything else as it stands: bad
sentences, lines that begin a document, blank lines, tabs, places in words behind characters."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from ietool.core.labelled import leave
from ietool.errors import UserError
from ietool.files.lines import OnBad, read_lines
from ietool.tasks.ner.data.forms.tokens import Sentence, SentenceReader

Retag = Callable[[Sentence], Sequence[str] | None]
"""A sentence → a tag for each of its tokens, None where it stays as it is."""


def retagged(source: Path, retag: Retag, on_bad: OnBad) -> Iterator[str]:
    """A file in pieces. A sentence with a line that cannot be read is left out whole, since what is left of it would
    be another, and ``on_bad`` is told of the line.

    Raises:
        UserError: the file cannot be read.
    """
    tags = _tags(source, retag)
    unread = set[str | None]()
    """Files whose sentence that is at hand has such a line."""

    def told(error: UserError, line: str) -> None:
        unread.add(error.file)
        on_bad(error, line)

    before, sentence = "", list[str]()
    for file, number, line in read_lines(source, told, blank=True):
        is_blank = not line.strip()
        if is_blank or file != before:
            yield from () if before in unread else sentence
            unread.discard(file if is_blank else before)
            if sentence and not is_blank:  # the members of an archive become one file
                yield "\n"
            before, sentence = file, []
        if is_blank:
            yield line + "\n"
        else:
            sentence.append(_with_tag(line, *tags.get((file, number), ("", ""))) + "\n")
    yield from () if before in unread else sentence


def _tags(source: Path, retag: Retag) -> dict[tuple[str, int], tuple[str, str]]:
    """(file, line) → its tag and the new one, of all that get another."""
    found = {}
    reader = SentenceReader(on_bad=leave)
    for sentence in reader.read(read_lines(source, reader.unread)):
        for at, (old, new) in enumerate(zip(sentence.tags, retag(sentence) or sentence.tags, strict=True)):
            if old != new:
                found[sentence.file, sentence.line + at] = old, new
    return found


def _with_tag(line: str, old: str, new: str) -> str:
    """A line whose last column is another tag."""
    at = line.rindex(old)
    return line[:at] + new + line[at + len(old) :]
