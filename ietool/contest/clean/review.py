"""The review: a table of suggestions that opens in a spreadsheet, with a column to tick.

Tab-separated, quoted as spreadsheets do it, UTF-8 with a byte order mark so that they know. Items are JSON.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TextIO

from ietool.contest.clean.suggest import Suggestion
from ietool.errors import UserError, cause
from ietool.files.plain_json import dump_json, load_json
from ietool.files.records import digest

COLUMNS = ("accept", "record", "kind", "gold", "proposed", "gold score", "proposed score", "votes", "text", "mark")
_TICKS = {"x": True, "✓": True, "1": True, "yes": True, "true": True, "是": True,
          "": False, "0": False, "no": False, "false": False, "否": False}  # fmt: skip
_FORMULA = ("=", "+", "-", "@")
_OPEN, _CLOSE = "⟦", "⟧"
NOT_ASKED = "not asked"
"""In place of the score of an item of gold of which models can say nothing."""
_ANEW = "make the review anew: leave out --apply"


def mark_of(identity: str) -> str:
    """What tells a record's text from all others. It begins with a letter, so that no spreadsheet takes it for a
    number."""
    return f"t{digest(identity)[:6].hex()}"


@dataclass(frozen=True)
class ReviewRow:
    """A row as it was read back.

    Attributes:
        line: where it begins in the file.
        record: number of the record, from 0.
        gold, proposed: plain items, which may have been changed by hand; None where the cell is empty.
        scores: of both, as they were written.
    """

    line: int
    accepted: bool
    record: int
    kind: str
    gold: dict[str, Any] | None
    proposed: dict[str, Any] | None
    scores: tuple[str, str]
    votes: str
    text_mark: str


class ReviewWriter:
    """Writes rows one by one."""

    def __init__(self, out: TextIO) -> None:
        out.write("\ufeff")
        self._rows = csv.writer(out, csv.excel_tab, lineterminator="\n")
        self._rows.writerow(COLUMNS)

    def add(
        self,
        one: Suggestion,
        *,
        is_ticked: bool,
        gold: dict[str, Any] | None,
        proposed: dict[str, Any] | None,
        text: str,
        places: Sequence[tuple[int, int]],
        mark: str,
    ) -> None:
        """A suggestion with its items as plain data, and its text with their places marked."""
        votes = one.proposed_votes if one.gold is None else one.gold_votes
        cells = [
            "x" if is_ticked else "",
            str(one.record + 1),
            one.kind,
            "" if gold is None else dump_json(gold),
            "" if proposed is None else dump_json(proposed),
            "" if gold is None else f"{one.gold_score:.3g}" if one.is_asked else NOT_ASKED,
            # Of an extra item: the score of what it stands beside.
            f"{one.proposed_score:.4f}" if proposed is not None else f"{one.beside:.4f}" if one.is_extra else "",
            f"{votes} of {one.models}",
            marked(text, places),
            mark,
        ]
        self._rows.writerow([_guarded(cell) for cell in cells])


def marked(text: str, places: Iterable[tuple[int, int]]) -> str:
    """A text on one line with some places in ⟦ ⟧."""
    opened = {start for start, _ in places}
    closed = {end for _, end in places}
    out = []
    for at in range(len(text) + 1):
        out.append(_CLOSE if at in closed else "")
        out.append(_OPEN if at in opened else "")
        out.append(text[at : at + 1])
    return "".join(out).replace("\\", "\\\\").replace("\t", "\\t").replace("\n", "\\n").replace("\r", "\\r")


def _guarded(cell: str) -> str:
    """A cell that no spreadsheet takes for a formula."""
    return f"'{cell}" if cell.startswith(_FORMULA) else cell


def read_review(path: Path) -> Iterator[ReviewRow]:
    """The rows of a review, as someone may have saved it from a spreadsheet.

    Raises:
        UserError: naming line and column of what is damaged.
    """
    csv.field_size_limit(1 << 26)
    text = _decoded(path)
    rows = csv.reader(io.StringIO(text, newline=""), csv.excel_tab, strict=True)
    columns: list[str] = []
    before = 0
    try:
        for cells in rows:
            line, before = before + 1, rows.line_num
            if not any(cell.strip() for cell in cells):
                continue
            if not columns:
                columns = _columns(cells, path, line)
                continue
            yield _row(cells, columns, path, line)
    except csv.Error as error:
        raise UserError(f"is no row of a table ({error})", file=path, line=before + 1, mend=_ANEW) from None
    if not columns:
        raise UserError("is empty", file=path, mend=_ANEW)


def _decoded(path: Path) -> str:
    try:
        raw = path.read_bytes()
        # "Unicode text" of a spreadsheet is UTF-16.
        return raw.decode("utf-16" if raw[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig")
    except UnicodeDecodeError:
        mend = "save it as tab-separated text in UTF-8"
        raise UserError("is not UTF-8", file=path, mend=mend) from None
    except OSError as error:
        raise UserError(f"cannot be read ({cause(error)})", file=path, mend="check the path") from None


def _columns(cells: Sequence[str], path: Path, line: int) -> list[str]:
    columns = [cell.strip() for cell in cells]
    for name in COLUMNS:
        if columns.count(name) != 1:
            what = "the column is missing" if name not in columns else "the column stands twice"
            mend = "save it as tab-separated text with its first line, or make the review anew"
            raise UserError(what, file=path, line=line, field=name, mend=mend)
    return columns


def _row(cells: Sequence[str], columns: Sequence[str], path: Path, line: int) -> ReviewRow:
    def fail(field: str, message: str, mend: str = _ANEW) -> UserError:
        return UserError(message, file=path, line=line, field=field, mend=mend)

    if len(cells) < len(columns):  # spreadsheets leave out empty cells at the end, but the last is never empty
        raise fail(columns[len(cells)], f"is missing: the row has {len(cells)} of {len(columns)} cells")
    cell = dict(zip(columns, cells, strict=False))
    tick = _TICKS.get(cell["accept"].strip().lower())
    if tick is None:
        raise fail("accept", f"is {cell['accept']!r}", "write x to accept a row, nothing to leave it")
    record = cell["record"].strip()
    if not record.isdecimal() or int(record) < 1:
        raise fail("record", f"{record!r} is no number of a record")

    def item(name: str) -> dict[str, Any] | None:
        text = cell[name].strip()
        if not text:
            return None
        try:
            value = load_json(text)
        except (ValueError, RecursionError):
            value = None
        if not isinstance(value, dict):
            raise fail(name, "is not JSON any more", "write it as the other rows have it, or make the review anew")
        return value

    gold, proposed = item("gold"), item("proposed")
    if gold is None and proposed is None:
        raise fail("gold", "is empty, and so is proposed", "take the row out")
    return ReviewRow(
        line, tick, int(record) - 1, cell["kind"], gold, proposed, (cell["gold score"], cell["proposed score"]),
        cell["votes"], cell["mark"].strip(),
    )  # fmt: skip


def scores_of(row: ReviewRow) -> dict[str, float]:
    """The scores of a row as numbers, where they still are some."""
    found = {}
    for name, text in zip(("gold_score", "proposed_score"), row.scores, strict=True):
        try:
            found[name] = float(json.loads(text))
        except (ValueError, TypeError):
            continue
    return found
