"""Decoding-time rules: repairs of predicted triples that know the schema's habits, read from a YAML file.

A rule file is ``rules:`` and a list; every rule has a ``kind`` (a class of ``rule_kinds.py``), ``predicates``, the
kind's own keys, and optionally ``name``, ``enabled`` and ``why``. They run in the order of the file, each on what the
one before left.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from ietool.errors import UserError
from ietool.files import yaml_io
from ietool.nearest import did_you_mean
from ietool.tasks.ske.data.example import Triple
from ietool.tasks.ske.rules.kinds import KINDS, Rule, Ruled


class Rules(BaseModel):
    """The rules of a file, in its order. Applying them is pure and deterministic."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    rules: list[Annotated[Rule, Field(discriminator="kind")]] = Field(default_factory=list)

    def apply(self, text: str, triples: Sequence[Triple]) -> list[Ruled]:
        """The triples of one text after all enabled rules, each with the index of the triple it came from.

        Order is kept; a mirrored triple and the parts of a split one stand at their source's place; repeats go, the
        first stays. Where a name of the result differs from that of its source (mirrored, lengthened, split), the
        caller finds its place near the source's; every new name is a piece of the text or of the old name.
        """
        items: list[Ruled] = [(triple, index) for index, triple in enumerate(triples)]
        for rule in self.rules:
            if rule.enabled:
                items = rule.apply(text, items)
        first: dict[Triple, int] = {}
        for triple, source in items:
            first.setdefault(triple, source)
        # A triple that was predicted as such keeps its own spans, whatever rule also made it.
        own = {triple: index for index, triple in reversed(list(enumerate(triples)))}
        return [(triple, own.get(triple, source)) for triple, source in first.items()]

    def limited_to(self, predicates: Collection[str]) -> Rules:
        """The rules that mean something in a schema of these predicates."""
        kept: list[Rule] = []
        for rule in self.rules:
            covered = rule.predicates if rule.predicates == ["*"] else [p for p in rule.predicates if p in predicates]
            if covered and rule.needs() <= set(predicates):
                kept.append(rule.model_copy(update={"predicates": covered}))
        return Rules(rules=kept)


def load_rules(path: str | Path, predicates: Collection[str] | None = None) -> Rules:
    """Read and validate a rule file.

    Args:
        path: a YAML file.
        predicates: those of the schema at hand: rules that need others are left out.

    Raises:
        UserError: the file cannot be read or is no rule file; names the line, the key and the nearest right one.
    """
    path = Path(path)
    data, lines, _ = yaml_io.read(path)
    if not isinstance(data, dict) or "rules" not in data:
        raise UserError("is no rule file: it has no rules:", file=path, mend="write rules: and a list under it")
    if data["rules"] is None:  # every rule commented out
        return Rules()
    try:
        rules = Rules.model_validate(data)
    except ValidationError as error:
        raise _explain(error, lines, path) from None
    return rules if predicates is None else rules.limited_to(predicates)


def _explain(error: ValidationError, lines: dict[yaml_io.Path_, int], path: Path) -> UserError:
    """The first problem as one line; the union's branch (the rule's kind) is taken out of its place."""
    problem = error.errors(include_url=False)[0]
    place = tuple(problem["loc"])
    kind = str(place[2]) if len(place) > 2 and place[0] == "rules" else ""
    place = (*place[:2], *place[3:]) if kind in KINDS else place
    line = next((lines[place[:n]] for n in range(len(place), 0, -1) if place[:n] in lines), None)
    message, mend = problem["msg"].removeprefix("Value error, "), "change the value"
    if problem["type"] == "extra_forbidden":
        keys = [*KINDS[kind].model_fields] if kind in KINDS else ["rules"]
        message, mend = "there is no such key", did_you_mean(str(place[-1]), keys)
    elif problem["type"] == "missing":
        message, mend = f"is missing in a rule of kind {kind}", "add the key"
    elif problem["type"] == "union_tag_invalid":
        place = (*place, "kind")
        given = str(problem["input"].get("kind"))
        message, mend = f"there is no kind {given!r}", did_you_mean(given, KINDS)
    elif problem["type"] == "union_tag_not_found":
        place, message, mend = (*place, "kind"), "is missing", "use one of: " + ", ".join(KINDS)
    return UserError(message, file=path, line=line, field=".".join(map(str, place)), mend=mend)
