"""Tokens and tags: a token and its tag a line, a tab or blanks between them, blank lines between sentences."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import chain, islice, pairwise

from ietool.errors import UserError
from ietool.files.lines import SKIP, OnBad
from ietool.files.records import none_usable
from ietool.tasks.ner.data.example import Entity, Example, token_spans
from ietool.tasks.ner.data.forms.recognise import PROSE
from ietool.tasks.ner.data.schemes import PLAIN, Scheme, is_tag, respelt, split_tag

Line = tuple[str, int, str]
_ONE_A_LINE = "write a token and its tag a line, and a blank line between sentences"
_FIRST_AND_LAST = "for example: awk '{print $1, $NF}' OLD > NEW"
_SEVERAL = re.compile(r"[\s\x00-\x1f]+")
"""What stands between the tokens, and the tags, of a sentence that was written on one line."""
DOCUMENT = "-DOCSTART-"
"""The token that begins a document in files of CoNLL 2003; it is no text."""
_BLANK = re.compile(r"  +(\S+)")
"""A blank as the token, divided from its tag by another."""
_LONG = re.compile(r"[\u3400-\u9fff]{5}")
_LONGEST = 1_000_000
"""Tokens of a sentence, which is held in memory."""
_UNREAD = 1000
"""Lines at the beginning of a file after which it is no UTF-8, if none of them is."""
_NUMBERED = re.compile(r"(\D+|.)(\d+)")
"""A character and its place in its word behind it, as Weibo has them: ``科0``, ``技1``; ``310`` is a 3 at place 10."""
_SURE = 5
"""So many tokens tell that a file has such numbers."""
_LATIN = re.compile(r"[0-9A-Za-z\u00c0-\u024f]")


@dataclass(frozen=True)
class Sentence:
    """The lines of one sentence: ``tags`` is empty where the lines hold tokens alone."""

    tokens: list[str]
    tags: list[str]
    file: str
    line: int


class SentenceReader:
    """The sentences in some lines, which come without blank lines: a gap in their numbers is one.

    Args:
        tags: whether every line must have a tag; None: it may, and is not looked at.
        on_bad: told of bad sentences, which are then left out; without it the first one raises.
    """

    def __init__(self, *, tags: bool | None = True, on_bad: OnBad | None = None) -> None:
        self._tags, self._on_bad = tags, on_bad
        self._unread: dict[tuple[str, int], tuple[UserError, str]] = {}
        self._begun = self._passes_on = False

    def unread(self, error: UserError, line: str) -> None:
        """Told by the reader of lines of one that is not UTF-8: its whole sentence is bad."""
        if self._passes_on and self._on_bad is not None:
            self._on_bad(error, line)
            return
        self._unread[error.file or "", error.line or 0] = (error, line)
        if len(self._unread) > _UNREAD and not self._begun:
            raise none_usable(error if self.first_unread is None else self.first_unread, len(self._unread))

    @property
    def first_unread(self) -> UserError | None:
        return next((error for error, _ in self._unread.values()), None)

    def pass_on(self) -> None:
        """Of a file whose lines are records and no tokens: what is not UTF-8 is told line by line."""
        self._passes_on = True
        for error, line in self._unread.values():
            if self._on_bad is not None:
                self._on_bad(error, line)
        self._unread.clear()

    def read(self, lines: Iterable[Line]) -> Iterator[Sentence]:
        """Stream the sentences.

        Raises:
            UserError: naming file and line.
        """
        block: list[Line] = []
        for line in self._plain(lines):
            self._begun = True
            if block and not self._goes_on(block[-1], line):
                yield from self._sentence(block)
                block = []
            elif len(block) >= _LONGEST:
                file, number, _ = block[0]
                what = f"begins a sentence of more than {_LONGEST:,} tokens"
                raise UserError(what, file=file, line=number, mend="write a blank line between sentences")
            block.append(line)
        if block:
            yield from self._sentence(block)
        for error, text in self._unread.values():  # sentences without any other line
            self._tell(error, text)

    def _plain(self, lines: Iterable[Line]) -> Iterator[Line]:
        """The lines without the places in words that some files have behind their characters: told from its
        beginning, where each is 0 or follows the one before."""
        stream = iter(lines)
        begin = list(islice(stream, _SURE))
        numbers = [_number_of(text) for _, _, text in begin]
        counted = len(numbers) == _SURE and all(
            now == 0 or (now > 0 and now == before + 1) for before, now in pairwise([-1, *numbers])
        )
        for file, number, text in chain(begin, stream):
            if counted and (found := _NUMBERED.match(text)) and text[found.end() : found.end() + 1] in ("", " ", "\t"):
                text = found[1] + text[found.end() :]
            yield file, number, text

    def _goes_on(self, before: Line, line: Line) -> bool:
        if before[1] + 1 == line[1] and before[0] == line[0]:  # nearly always
            return True
        between = range(before[1] + 1, line[1])
        return before[0] == line[0] and before[1] < line[1] and all((line[0], n) in self._unread for n in between)

    def _sentence(self, block: list[Line]) -> Iterator[Sentence]:
        if block[0][2].startswith(DOCUMENT):
            block = block[1:]
        if not block:
            return
        file, number, _ = block[0]
        errors = [self._unread.pop((file, n)) for n in range(number - 1, block[-1][1] + 2) if (file, n) in self._unread]
        while self._unread and (first := next(iter(self._unread))) < (file, number) and first[0] == file:
            self._tell(*self._unread.pop(first))  # of sentences before this one, without any other line
        try:
            if errors:
                raise errors[0][0]
            pairs = [_split(line, self._tags) for line in block]
            # Titles and queries have no punctuation, and are longer than most words.
            if self._tags is None and sum(not tag and bool(_LONG.search(t)) for t, tag in pairs) * 2 > len(pairs):
                raise _texts_not_tokens(file, number)
        except UserError as error:
            self._tell(error, "\n".join([text for _, _, text in block] + [text for _, text in errors]))
            return
        yield Sentence([token for token, _ in pairs], [tag for _, tag in pairs] if self._tags else [], file, number)

    def _tell(self, error: UserError, text: str) -> None:
        if self._on_bad is None:
            raise error
        self._on_bad(error, text)


def _texts_not_tokens(file: str, line: int) -> UserError:
    mend = 'write {"text": "…"} a line, or a token a line with a blank line between sentences'
    return UserError("holds a text, not a token", file=file, line=line, mend=mend)


def _number_of(text: str) -> int:
    """The place in its word that stands behind a line's token; −2 where there is none."""
    token = re.split(r"[ \t]", text, maxsplit=1)[0]
    found = _NUMBERED.fullmatch(token)
    return int(found[2]) if found and len(found[2]) < 6 else -2


def _split(line: Line, tags: bool | None) -> tuple[str, str]:
    """(token, tag) of a line; the tag is empty where there is none or none is wanted."""
    file, number, text = line
    if tags is None and PROSE.search(text):  # where no tag is asked for, it would pass for a token
        raise _texts_not_tokens(file, number)
    token, _, tag = text.partition(" ")
    if token and tag and tags and " " not in tag and "\t" not in text:
        return token, tag
    if (blank := _BLANK.fullmatch(text)) and is_tag(blank[1]):
        return " ", blank[1]
    # A tab divides where there is one: the token may be a blank then.
    columns = text.split("\t") if "\t" in text else re.split(r"(?<=[^ ]) +", text.rstrip(" "))
    while len(columns) > 2 and not columns[-1].strip():  # tabs at the end of the line
        columns.pop()
    if tags is None and len(columns) == 2 and columns[0].strip() and not columns[1].strip():
        columns.pop()
    if len(columns) == 2 and _are_tags(columns[1].strip()):
        raise UserError("holds a whole sentence and all its tags", file=file, line=number, mend=_ONE_A_LINE)
    if len(columns) == 2 and columns[0] and columns[1].strip():
        return columns[0], columns[1].strip()
    if tags is None and len(columns) == 1:
        return columns[0], ""
    count = len(columns)
    what = "has a token and no tag" if count < 2 else f"has {count} columns" if count > 2 else "lacks its token or tag"
    mend = f"{_ONE_A_LINE} ({_FIRST_AND_LAST})" if count > 2 and is_tag(columns[-1].strip()) else _ONE_A_LINE
    raise UserError(what, file=file, line=number, mend=mend)


def _are_tags(text: str) -> bool:
    """Whether a text is several tags."""
    if text.isprintable() and " " not in text:  # nearly always
        return False
    parts = _SEVERAL.split(text)
    return len(parts) > 1 and all(map(is_tag, parts))


def split_tags(sentence: Sentence) -> list[tuple[str, str]]:
    """The tags as (letter as written, type).

    Raises:
        UserError: naming file and line of one that is no tag.
    """
    found = []
    for at, tag in enumerate(sentence.tags):
        try:
            found.append(split_tag(tag))
        except ValueError as error:
            raise UserError(
                str(error), file=sentence.file, line=sentence.line + at, mend=_mend_of_tag(sentence.tokens[at], tag)
            ) from None
    return found


def _mend_of_tag(token: str, tag: str) -> str:
    """What to do about something that is no tag."""
    if len(_SEVERAL.split(tag)) > 1:
        return _ONE_A_LINE
    if (meant := respelt(tag)) is not None:
        return f"write {meant} in its place"
    if tag in PLAIN:
        return f"write its type behind it: {tag}-PER"
    return SKIP


def make_example(sentence: Sentence, scheme: Scheme | None) -> Example:
    """The example of a sentence; without a scheme its tags are not looked at.

    Tokens are joined without anything between them, as the characters of Chinese are, but words in Latin letters or
    digits with a blank.

    Raises:
        UserError: naming file and line of a tag that is none, or not of the scheme.
    """
    text, bounds = join_tokens(sentence.tokens)
    tokens = () if all(b - a == 1 for a, b in bounds) else tuple(bounds)
    example = Example(text, (), scheme.name if scheme else "bio", None, tokens, file=sentence.file, line=sentence.line)
    if scheme is None:
        return example
    plain = []
    for at, (letter, kind) in enumerate(split_tags(sentence)):
        if letter != "O" and letter not in scheme.letters:
            raise UserError(
                f"the tag {sentence.tags[at]!r} is not of the scheme {scheme.name.upper()}",
                file=sentence.file, line=sentence.line + at, mend="write all tags in one scheme, or set data.form",
            )  # fmt: skip
        plain.append((scheme.plain(letter), kind))
    spans, broken = scheme.spans(plain)
    entities = tuple(sorted(Entity(bounds[i][0], bounds[j - 1][1], kind) for i, j, kind in spans))
    return Example(text, entities, scheme.name, None, tokens, broken, sentence.file, sentence.line)


def join_tokens(tokens: list[str]) -> tuple[str, list[tuple[int, int]]]:
    """The text of some tokens, and where they stand in it."""
    parts: list[str] = []
    bounds = []
    at = 0
    before = ""
    for token in tokens:
        words = max(len(before), len(token)) > 1 and before and _LATIN.match(before[-1]) and _LATIN.match(token[0])
        if words:
            parts.append(" ")
            at += 1
        bounds.append((at, at + len(token)))
        parts.append(token)
        at += len(token)
        before = token
    return "".join(parts), bounds


def format_sentence(example: Example, entities: Iterable[Entity], scheme: Scheme, separator: str) -> str:
    """The lines of a sentence in a submission, with the blank line behind them. The entities must not overlap."""
    tags = scheme.tags(token_spans(example, entities), len(example.bounds))
    lines = []
    for (a, b), tag in zip(example.bounds, tags, strict=True):
        token = example.text[a:b]
        lines.append(f"{token}{chr(9) if ' ' in token else separator}{tag}\n")  # a tab keeps blanks apart
    return "".join(lines) + "\n"
