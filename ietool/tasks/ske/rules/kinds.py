"""The kinds of decoding-time rules: what a rule file can say. ``rules.py`` reads the file and runs them.

Every kind is a pydantic model (its keys) with one method (what it does). Names are matched by plain strings, never by
patterns, and each step costs one pass over the text: no rule file can make a text take long.

Source: the post-processing of kexue.fm/archives/6671, generalised from its hard-wired relations to kinds with keys.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Annotated, Literal, TypeAlias, get_args

from pydantic import BaseModel, ConfigDict, Field, model_validator

from ietool.tasks.ske.data.example import VALUE, Triple

Ruled: TypeAlias = tuple[Triple, int]
"""A triple and the index of the input triple it came from: the same, turned round, lengthened or split."""

Words = Annotated[list[Annotated[str, Field(min_length=1)]], Field(min_length=1)]
Side = Literal["subject", "object"]


class RuleBase(BaseModel):
    """Keys that all kinds share."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str = Field("", description="for messages and for the reader")
    why: str = Field("", description="what it mends, or why it is off")
    enabled: bool = True
    predicates: Words = Field(description='the relations it looks at; ["*"] for all')

    def covers(self, triple: Triple) -> bool:
        """Whether the rule looks at this triple's predicate."""
        return triple.predicate in self.predicates or self.predicates == ["*"]

    def needs(self) -> set[str]:
        """Predicates without which the rule means nothing, besides at least one of those it looks at."""
        return set()

    def apply(self, text: str, items: list[Ruled]) -> list[Ruled]:
        """The triples of a text after this rule, in order."""
        raise NotImplementedError

    def _each(self, items: list[Ruled], change: Callable[[Triple], Sequence[Triple]]) -> list[Ruled]:
        """Put in each covered triple's place what ``change`` makes of it."""
        return [
            (new, source) for triple, source in items for new in (change(triple) if self.covers(triple) else (triple,))
        ]


class Mirror(RuleBase):
    """For a triple of one relation add the one of the other, turned round: 丈夫 and 妻子. One predicate: symmetric."""

    kind: Literal["mirror"]
    predicates: Annotated[list[str], Field(min_length=1, max_length=2)]

    def needs(self) -> set[str]:
        return set(self.predicates)

    def apply(self, text: str, items: list[Ruled]) -> list[Ruled]:
        other = {self.predicates[0]: self.predicates[-1], self.predicates[-1]: self.predicates[0]}
        have = {triple for triple, _ in items}
        out: list[Ruled] = []
        for triple, source in items:
            out.append((triple, source))
            # An object with further slots has no mirror image.
            if triple.predicate in other and len(triple.object) == 1:
                turned = Triple(triple.object[0][1], other[triple.predicate], ((VALUE, triple.subject),))
                if turned not in have:
                    have.add(turned)
                    out.append((turned, source))
        return out


class DropWhenSubjectAlso(RuleBase):
    """Drop a triple whose subject is also an object of ``object_of``, unless also a subject of ``unless_subject_of``.

    An album has no 歌手, 作词 or 作曲: its songs have. A song whose album bears its name keeps them.
    """

    kind: Literal["drop_when_subject_also"]
    object_of: Words
    unless_subject_of: list[str] = Field(default_factory=list)

    def needs(self) -> set[str]:
        return {*self.object_of, *self.unless_subject_of}

    def apply(self, text: str, items: list[Ruled]) -> list[Ruled]:
        objects = {_value(t) for t, _ in items if t.predicate in self.object_of}
        objects -= {t.subject for t, _ in items if t.predicate in self.unless_subject_of}
        return self._each(items, lambda t: () if t.subject in objects else (t,))


class ExtendSuffix(RuleBase):
    """Lengthen a name to the longer form in the text: X to X公司 where X公司 stands there.

    Of several ``suffixes`` the longest that fits is taken. Up to ``gap`` characters may stand between name and suffix,
    letters and digits only. The name must be followed so in all its occurrences, or with ``everywhere: false`` in one.
    """

    kind: Literal["extend_suffix"]
    suffixes: Words
    side: Side = "object"
    gap: Annotated[int, Field(ge=0, le=12)] = 0
    everywhere: bool = True

    def apply(self, text: str, items: list[Ruled]) -> list[Ruled]:
        return self._each(items, lambda t: (_with(t, self.side, self._longer(text, _of(t, self.side))),))

    def _longer(self, text: str, name: str) -> str:
        if any(name.endswith(suffix) for suffix in self.suffixes):
            return name
        longer: list[str] = []
        for start in _occurrences(name, text):
            tail = self._tail(text, start + len(name))
            if tail:
                longer.append(name + tail)
            elif self.everywhere:
                return name
        return longer[0] if longer else name

    def _tail(self, text: str, end: int) -> str:
        for gap in range(self.gap + 1):
            if gap and not text[end + gap - 1 : end + gap].isalnum():
                break
            fits = [s for s in self.suffixes if text.startswith(s, end + gap)]
            if fits:
                return text[end : end + gap] + max(fits, key=len)
        return ""


class SplitObject(RuleBase):
    """Split an object at separators into several: A、B to A and B. Parts under ``shortest`` characters forbid it.

    Separators inside 《》 do not count. Further slots go to every part.
    """

    kind: Literal["split_object"]
    separators: Annotated[list[Annotated[str, Field(min_length=1, max_length=4)]], Field(min_length=1)]
    shortest: Annotated[int, Field(ge=1)] = 2

    def apply(self, text: str, items: list[Ruled]) -> list[Ruled]:
        return self._each(items, lambda t: [_with(t, "object", part) for part in self._parts(_value(t))])

    def _parts(self, value: str) -> list[str]:
        parts, start, at, depth = [], 0, 0, 0
        while at < len(value):
            depth += (value[at] == "《") - (value[at] == "》")
            hit = next((s for s in self.separators if not depth and value.startswith(s, at)), "")
            if hit:
                parts.append(value[start:at])
                start = at + len(hit)
            at += len(hit) or 1
        parts = [part.strip() for part in (*parts, value[start:])]
        return parts if len(parts) > 1 and all(len(part) >= self.shortest for part in parts) else [value]


class Trim(RuleBase):
    """Take ``characters`` off both ends of a name, and ``suffixes`` off its end; never the whole of it.

    A name whose brackets would not pair up afterwards stays as it is: 《甲》与《乙》 is one name.
    """

    kind: Literal["trim"]
    characters: str = ""
    suffixes: list[str] = Field(default_factory=list)
    sides: Annotated[list[Side], Field(min_length=1)] = ["subject", "object"]

    def apply(self, text: str, items: list[Ruled]) -> list[Ruled]:
        def trimmed(triple: Triple) -> list[Triple]:
            for side in self.sides:
                name = _of(triple, side)
                short = name.strip(self.characters) if self.characters else name
                for suffix in self.suffixes:
                    short = short.removesuffix(suffix)
                triple = _with(triple, side, short if short and _paired(short) else name)
            return [triple]

        return self._each(items, trimmed)


class Require(RuleBase):
    """Keep a triple only if, of each list given, at least one word is in the text, the subject or the object."""

    kind: Literal["require"]
    text_has: Words | None = None
    subject_has: Words | None = None
    object_has: Words | None = None
    lacks: list[str] = Field(default_factory=list, description="words that neither subject nor object may have")

    @model_validator(mode="after")
    def _asks_something(self) -> Require:
        if not (self.text_has or self.subject_has or self.object_has or self.lacks):
            raise ValueError("needs text_has, subject_has, object_has or lacks")
        return self

    def apply(self, text: str, items: list[Ruled]) -> list[Ruled]:
        def kept(triple: Triple) -> Sequence[Triple]:
            value = _value(triple)
            for words, place in ((self.text_has, text), (self.subject_has, triple.subject), (self.object_has, value)):
                if words is not None and not any(word in place for word in words):
                    return ()
            return () if any(word in triple.subject or word in value for word in self.lacks) else (triple,)

        return self._each(items, kept)


class Forbid(RuleBase):
    """Drop a triple whose name stands in the text only where it means something else: no 国籍 中国 of 中国共产党.

    Every occurrence of the name must lie inside one of ``contexts``, or be followed or preceded by one of those words.
    With none of these keys, the ``names`` are dropped wherever they stand.
    """

    kind: Literal["forbid"]
    side: Side = "object"
    names: list[str] = Field(default_factory=list, description="the names it looks at; empty: all")
    contexts: list[str] = Field(default_factory=list)
    followed_by: list[str] = Field(default_factory=list)
    preceded_by: list[str] = Field(default_factory=list)

    @model_validator(mode="after")
    def _asks_something(self) -> Forbid:
        if not (self.names or self.contexts or self.followed_by or self.preceded_by):
            raise ValueError("needs names, contexts, followed_by or preceded_by")
        return self

    def apply(self, text: str, items: list[Ruled]) -> list[Ruled]:
        return self._each(items, lambda t: () if self._bad(text, _of(t, self.side)) else (t,))

    def _bad(self, text: str, name: str) -> bool:
        if self.names and name not in self.names:
            return False
        if not (self.contexts or self.followed_by or self.preceded_by):
            return True
        # Where the name begins in each context: to look there and nowhere else keeps this linear in the text.
        inside = [(word, offset) for word in self.contexts for offset in _occurrences(name, word)]
        found = False
        for at in _occurrences(name, text):
            found = True
            if not (
                any(at >= offset and text.startswith(word, at - offset) for word, offset in inside)
                or any(text.startswith(word, at + len(name)) for word in self.followed_by)
                or any(text.endswith(word, 0, at) for word in self.preceded_by)
            ):
                return False
        return found


class Distinct(RuleBase):
    """Drop a triple whose subject and object are the same name."""

    kind: Literal["distinct"]

    def apply(self, text: str, items: list[Ruled]) -> list[Ruled]:
        return self._each(items, lambda t: () if t.subject == _value(t) else (t,))


Rule: TypeAlias = Mirror | DropWhenSubjectAlso | ExtendSuffix | SplitObject | Trim | Require | Forbid | Distinct
KINDS: dict[str, type[RuleBase]] = {get_args(c.model_fields["kind"].annotation)[0]: c for c in get_args(Rule)}


def _occurrences(name: str, text: str) -> Iterator[int]:
    """Where a name starts in a text, overlapping places included."""
    at = text.find(name) if name else -1
    while at >= 0:
        yield at
        at = text.find(name, at + 1)


def _paired(name: str) -> bool:
    """Whether every bracket closes one that was opened before."""
    for opened, closed in ("《》", "“”", "（）", "()", "「」"):
        depth = 0
        for character in name:
            depth += (character == opened) - (character == closed)
            if depth < 0:
                return False
        if depth:
            return False
    return True


def _value(triple: Triple) -> str:
    return triple.object[0][1] if triple.object and triple.object[0][0] == VALUE else ""


def _of(triple: Triple, side: Side) -> str:
    return triple.subject if side == "subject" else _value(triple)


def _with(triple: Triple, side: Side, name: str) -> Triple:
    """The triple with one name changed; further slots stay."""
    if side == "subject":
        return Triple(name, triple.predicate, triple.object)
    if not _value(triple):
        return triple
    return Triple(triple.subject, triple.predicate, ((VALUE, name), *triple.object[1:]))
