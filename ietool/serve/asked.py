"""What a client sends: JSON of bounded size, taken apart and checked before anything is computed."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from ietool.core.contract import Task
from ietool.errors import UserError, cut
from ietool.files.plain_json import dump_json, json_kind, load_json, what_is_wrong
from ietool.serve.limits import Limits, Refused, unusable


class PredictRequest(BaseModel):
    """What ``POST /predict`` takes: either ``texts`` or ``inputs``."""

    model_config = ConfigDict(extra="forbid")

    run: str | None = Field(None, description="name of a run of GET /runs; default: the first")
    texts: list[str] | None = Field(
        None,
        description="texts to predict on; for qa question<TAB>passage<TAB>…, for event subjects type<TAB>text",
    )
    inputs: list[str | dict[str, Any]] | None = Field(
        None, description="texts, or records of the competition's test format, one of them each"
    )
    decode: dict[str, Any] | None = Field(None, description="settings other than the run's, of those in GET /runs")
    keep: bool = Field(False, description="keep the scores for a while, so that POST /decode can try other settings")
    view: bool = Field(False, description="also give what a page draws: pieces of texts, marks, arrows, a table")


class DecodeRequest(BaseModel):
    """What ``POST /decode`` takes."""

    model_config = ConfigDict(extra="forbid")

    kept: str = Field(description="the name that POST /predict gave")
    decode: dict[str, Any] = Field(default_factory=dict, description="settings other than the run's")
    view: bool = Field(False, description="as in POST /predict")


class Prediction(BaseModel):
    """What both answer."""

    run: str
    task: str
    predictions: list[dict[str, Any]] = Field(description="one an input, of records of several questions one each")
    inputs: list[int] = Field(description="beside predictions: the number of the input that each is of")
    kept: str | None = Field(description="the name of the scores, if they are kept")
    views: list[dict[str, Any]] | None = Field(description="beside predictions, if they were asked for")


class Problem(BaseModel):
    """What a refusal says."""

    error: str
    field: str | None = None
    mend: str | None = None


_KINDS: Mapping[str, tuple[type, str]] = {
    "run": (str, "a string"),
    "texts": (list, "a list"),
    "inputs": (list, "a list"),
    "decode": (dict, "an object"),
    "keep": (bool, "true or false"),
    "view": (bool, "true or false"),
    "kept": (str, "a string"),
}


def body_of(raw: bytes, request: type[BaseModel]) -> dict[str, Any]:
    """The fields of a body that are there and not null, each of its kind.

    Raises:
        Refused: 400 where it is no JSON, 422 where it is another.
    """
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError as error:
        raise Refused(400, f"the body is not UTF-8 at byte {error.start + 1}", mend="send JSON as UTF-8") from None
    try:
        value = load_json(text.removeprefix("\ufeff"))
    except (ValueError, RecursionError) as error:
        what, _ = what_is_wrong(text, error)
        raise Refused(400, f"the body {what}", mend="send one JSON object") from None
    if not isinstance(value, dict):
        raise Refused(422, f"the body is {json_kind(value)}, an object is needed", mend='send {"texts": ["…"]}')
    for key, entry in value.items():
        if key not in request.model_fields:
            mend = f"leave it out; known are: {', '.join(request.model_fields)}"
            raise Refused(422, "is no field of this request", _readable(cut(key, 60)), mend)
        kind, words = _KINDS[key]
        if entry is not None and not isinstance(entry, kind):
            raise Refused(422, f"is {json_kind(entry)}, {words} is needed", key)
    return {key: entry for key, entry in value.items() if entry is not None}


def _readable(text: str) -> str:
    """A text that can be written as UTF-8: halves of surrogate pairs are escapes."""
    return text.encode("utf-8", "backslashreplace").decode()


@dataclass(frozen=True)
class Inputs:
    """The inputs of a request.

    Attributes:
        items: as the task reads them.
        of: beside them the number of the input that each came from.
        characters: of all.
    """

    items: Sequence[Any]
    of: Sequence[int]
    characters: int


def inputs_of(task: Task[Any], body: Mapping[str, Any], limits: Limits) -> Inputs:
    """The task's inputs in a request.

    Raises:
        Refused: 413 for too many or too long ones, 422 for what is no input of the task.
    """
    named = [key for key in ("texts", "inputs") if key in body]
    if len(named) != 1:
        what = "there is neither texts nor inputs" if not named else "there are both texts and inputs"
        raise Refused(422, what, mend='send {"texts": ["…"]} or {"inputs": [{…}]}')
    (key,) = named
    given = body[key]
    if not given:
        raise Refused(422, "is empty", key, "send one text at least")
    if len(given) > limits.texts:
        raise Refused(413, f"has {len(given):,} entries, {limits.texts:,} are the most", key, "send several requests")
    items: list[Any] = []
    of: list[int] = []
    characters = 0
    for number, one in enumerate(given):
        where = f"{key}[{number}]"
        if not isinstance(one, str) and (key == "texts" or not isinstance(one, dict)):
            needed = "a string" if key == "texts" else "a string or an object"
            raise Refused(422, f"is {json_kind(one)}, {needed} is needed", where)
        size = _measured(one, where, limits)
        characters += size
        found = _read(task, one, where, limits.texts - len(items))
        items += found
        of += [number] * len(found)
    return Inputs(items, of, characters)


def _measured(one: str | dict[str, Any], where: str, limits: Limits) -> int:
    """Characters of an input that can be read at all."""
    text = one if isinstance(one, str) else json.dumps(one, ensure_ascii=False)  # halves of pairs stand as they are
    if len(text) > limits.characters:
        mend = "cut it into several"
        raise Refused(413, f"has {len(text):,} characters, {limits.characters:,} are the most", where, mend)
    if not text.isascii():
        try:
            text.encode("utf-8")
        except UnicodeEncodeError:
            raise Refused(422, "has half of a surrogate pair, which is no character", where) from None
    if "\0" in text or "\\u0000" in text:
        raise Refused(422, "has a zero byte, as no text has", where)
    if not text.strip():
        raise Refused(422, "is empty", where)
    return len(text)


def _read(task: Task[Any], one: str | dict[str, Any], where: str, most: int) -> list[Any]:
    """The inputs of a text or a record, up to ``most``."""
    try:
        if isinstance(one, str):
            if task.text_names_files:
                mend = "send records under inputs, as GET /runs shows in its examples"
                raise UserError("a text would name files of the server", mend=mend)
            return [task.input_of(one)]
        found: list[Any] = []
        for item in task.inputs_of(one, where):
            if len(found) == most:
                raise Refused(413, "holds too many inputs", where, "send several requests")
            found.append(item)
    except UserError as error:
        error.field = error.field if error.field != "--text" else None
        raise unusable(error, where) from None
    except RecursionError:
        raise Refused(422, "is nested too deeply", where) from None
    if not found:
        raise Refused(422, "holds nothing to predict on", where)
    return found


def characters_of(one: str | dict[str, Any]) -> int:
    """Characters of an input."""
    return len(one if isinstance(one, str) else dump_json(one))
