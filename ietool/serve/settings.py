"""Which settings of ``decode`` a client may choose: those that act on scores alone. Never a path."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError

from ietool.contest.search import tuned_keys
from ietool.core.predicting import Labelling
from ietool.errors import UserError, cut
from ietool.recipe import Section
from ietool.workflow.scores import LEAST


@dataclass(frozen=True)
class Choice:
    """A setting that may be chosen.

    Attributes:
        key: of ``decode``.
        kind: ``share`` (a number from ``least`` to 1), ``shares`` (such numbers by label), ``switch`` or ``one of``.
        value: as the run has it.
        least: below it scores are not kept.
        options: of ``one of``.
        labels: names that ``shares`` may have.
    """

    key: str
    kind: str
    value: Any
    description: str = ""
    least: float = 0.0
    options: Sequence[Any] = ()
    labels: Sequence[str] = ()

    def plain(self) -> dict[str, Any]:
        """As JSON has it."""
        told: dict[str, Any] = {"key": self.key, "kind": self.kind, "value": self.value, "least": self.least}
        told |= {"options": list(self.options)} if self.options else {}
        told |= {"labels": list(self.labels)} if self.labels else {}
        return told | {"description": self.description}


def choices(decode: Section, decoder: Any) -> list[Choice]:
    """What may be chosen of these settings of a run."""
    keys = tuned_keys(decode)
    labels = list(decoder.label_names) if isinstance(decoder, Labelling) else []
    groups = {mark.by_label: name for name, mark in keys.items() if mark.by_label}
    found = []
    for name, mark in keys.items():
        value = getattr(decode, name)
        described = type(decode).model_fields[name].description or ""
        if mark.by_label:
            if labels:
                least = _least(decode, (mark.by_label, name))
                found.append(Choice(name, "shares", dict(value), described, least, labels=labels))
        elif isinstance(value, bool):
            found.append(Choice(name, "switch", value, described))
        elif mark.values:
            # What is longer than what was proposed is not among the candidates.
            options = sorted({value, *(v for v in mark.values if v <= value)})
            found.append(Choice(name, "one of", value, described, options=options))
        else:
            least = 0.0 if mark.of_best else _least(decode, (name, groups.get(name)))
            found.append(Choice(name, "share", value, described, least))
    return found


def _least(decode: Section, names: Sequence[str | None]) -> float:
    own: list[float] = []
    for name in names:
        value = getattr(decode, name) if name else None
        own += value.values() if isinstance(value, Mapping) else [] if value is None else [value]
    return float(min((LEAST, *own)))


def chosen(decode: Section, may: Sequence[Choice], wanted: Mapping[str, Any]) -> Section:
    """The settings of a run with those that a client wants otherwise.

    Raises:
        UserError: naming the key, in the words of the API.
    """
    by_key = {choice.key: choice for choice in may}
    settings = decode.model_copy(deep=True)
    for key, value in wanted.items():
        choice = by_key.get(key)
        if choice is None:
            mend = f"choose of: {', '.join(by_key)}" if by_key else "leave it out: there is nothing to choose"
            raise UserError("is no setting that a request may change", field=cut(key), mend=mend)
        _check(choice, value)
        try:
            setattr(settings, key, value)
        except ValidationError:
            raise UserError("is not a value of this setting", field=key, mend="see GET /runs") from None
    return settings


def _check(choice: Choice, value: Any) -> None:
    if choice.kind == "switch":
        if not isinstance(value, bool):
            raise UserError("is not true or false", field=choice.key, mend="send true or false")
    elif choice.kind == "one of":
        if isinstance(value, bool) or value not in choice.options:
            options = ", ".join(map(str, choice.options))
            raise UserError("is none of the values there are", field=choice.key, mend=f"choose of: {options}")
    elif choice.kind == "share":
        _check_share(choice, value, choice.key)
    else:
        if not isinstance(value, dict):
            raise UserError("is no object of numbers by label", field=choice.key, mend='write {"label": 0.5}')
        for label, least in value.items():
            if label not in choice.labels:
                raise UserError(f"knows no label {cut(label, 60)!r}", field=choice.key, mend="see GET /runs")
            _check_share(choice, least, f"{choice.key}.{label}")


def _check_share(choice: Choice, value: Any, field: str) -> None:
    number = isinstance(value, int | float) and not isinstance(value, bool)
    if not number or not choice.least <= value <= 1:
        mend = f"send a number from {choice.least:g} to 1"
        raise UserError("is no number" if not number else "is out of bounds", field=field, mend=mend)
