"""``ietool submit``: is a submission what the organisers accept? Then what they take is written."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ietool.cli.common import examples, print_json, say
from ietool.cli.options import FileOption, JsonOption, finite, named_files
from ietool.errors import UserError

if TYPE_CHECKING:
    from ietool.contest.submit.submitting import Submitted


def submit_cli(
    result: Annotated[
        Path | None, typer.Argument(metavar="RESULT", help="Submission that predict wrote; may be gzip or zip.")
    ] = None,
    source: Annotated[
        Path | None, typer.Option("--input", metavar="FILE", help="The file that was predicted on.")
    ] = None,
    competition: Annotated[
        str | None,
        typer.Option("--competition", metavar="NAME", help="Whose rules hold. Default: told from the files."),
    ] = None,
    schema: Annotated[
        Path | None,
        typer.Option(
            "--schema",
            metavar="FILE",
            help="Triples: the published schema. Entities: their types, one a line. Default: the schema beside the "
            "input; the types of CLUENER or CMeEE.",
        ),
    ] = None,
    kb: Annotated[
        Path | None,
        typer.Option(
            "--kb", metavar="KB", help="Linking: knowledge base that ids must be in. Default: the one beside the input."
        ),
    ] = None,
    others: FileOption = None,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output",
            "-o",
            metavar="FILE",
            help="What is handed in; packed if its name ends in .zip or .gz. Default: beside RESULT.",
        ),
    ] = None,
    inside: Annotated[
        str | None, typer.Option("--inside", metavar="NAME", help="Name of the file within the archive.")
    ] = None,
    limit: Annotated[
        float | None,
        typer.Option("--limit", min=0.0, callback=finite, metavar="MB", help="What the organisers take at most."),
    ] = None,
    any_order: Annotated[
        bool, typer.Option("--any-order", help="Accept answers in another order than the input's.")
    ] = False,
    check: Annotated[bool, typer.Option("--check", help="Check only, write nothing.")] = False,
    list_: Annotated[bool, typer.Option("--list", help="List the competitions, and leave.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Check a submission by its competition's rules, and pack it.

    Every text answered once and in order, spans where they say, relations, types and ids that exist, clean UTF-8. What
    is wrong is told with file, line and field; where nothing is, the file or archive that the organisers take is
    written, the same bytes for the same content.
    """
    if list_:
        _list(as_json)
        return
    if result is None or source is None:
        missing = "RESULT" if result is None else "--input FILE"
        raise UserError(f"{missing} is missing", mend="ietool submit RESULT --input FILE, or ietool submit --list")
    from ietool.cli.progress import progress_bars
    from ietool.contest.submit.submitting import submit

    with progress_bars() as progress:
        done = submit(
            result,
            source,
            competition=competition,
            options={
                **{name: path for name, path in (("schema", schema), ("kb", kb)) if path is not None},
                **named_files(others),
            },
            output=output,
            inside=inside,
            limit=None if limit is None else int(limit * 1e6),
            any_order=any_order,
            check_only=check,
            progress=progress,
        )
    if as_json:
        print_json(_as_value(done))
    if done.faults:
        _complain(done, result)
    for note in done.notes:
        say(f"note: {note}")
    if not as_json:
        _show(done, result)


def _complain(done: Submitted, result: Path) -> None:
    """Raise the only fault, or tell the first of several and raise what they amount to."""
    if done.count == 1:
        raise done.faults[0]
    for fault in done.faults:
        say(str(fault))
    untold = done.count - len(done.faults)
    rest = f", {untold:,} more than are told above" if untold else ""
    what = f"is no submission of {done.competition.title}: {done.count:,} faults{rest}"
    raise UserError(what, file=result, mend="mend them; nothing was written")


def _show(done: Submitted, result: Path) -> None:
    found = ", ".join(f"{count:,} {what}" for what, count in done.counts.items() if count)
    print(f"{result} is a submission of {done.competition.title}: {found}; checked: {'; '.join(done.rules)}")
    if done.archive is not None:
        print(f"{done.archive}: {done.size:,} bytes, SHA-256 {done.sha256}")


def _as_value(done: Submitted) -> dict[str, object]:
    return {
        "accepted": not done.faults,
        "competition": done.competition.name,
        "counts": done.counts,
        "checked": done.rules,
        "notes": done.notes,
        "faults": [
            {"file": f.file, "line": f.line, "field": f.field, "message": f.message, "mend": f.mend}
            for f in done.faults
        ],
        "fault_count": done.count,
        "archive": done.archive,
        "bytes": done.size if done.archive else None,
        "sha256": done.sha256 or None,
    }


def _list(as_json: bool) -> None:
    from ietool.contest.submit.competitions import COMPETITIONS
    from ietool.report.render import console, render
    from ietool.tables import Table

    if as_json:
        print_json([vars(one) for one in COMPETITIONS])
        return
    rows = [(c.name, c.title, c.form, f"{c.inside}{' in a zip' if c.packed else ''}", c.order, c.known)
            for c in COMPETITIONS]  # fmt: skip
    columns = ("competition", "of", "submission", "handed in as", "order", "known from")
    note = "kept: as the input, unless --any-order; size limits were not published: see --limit"
    render(Table("", columns, rows, note=note, whole=("competition", "handed in as")), console())


def register(app: typer.Typer) -> None:
    """Add the verb to the command line."""
    app.command(
        "submit",
        epilog=examples(
            "ietool submit result.json --input DIR/test1.json",
            "ietool submit result.tsv --input test.json --competition sogouqa --output answers.tsv",
        ),
    )(submit_cli)
