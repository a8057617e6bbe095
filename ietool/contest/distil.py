"""Labels for texts that have none, by a run or an ensemble: a file that ``train --extra`` takes."""

from __future__ import annotations

import math
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ietool.core.candidates import Candidates, Floor
from ietool.core.forms import reading
from ietool.core.soft import LEAST as SOFT_LEAST
from ietool.core.soft import mark_soft, soft_file
from ietool.errors import UserError
from ietool.files.lines import OnBad
from ietool.files.outputs import atomic_text, check_folder
from ietool.files.plain_json import dump_json
from ietool.progress import Progress, no_progress
from ietool.workflow.predict import load
from ietool.workflow.scores import LEAST

CONFIDENCE, DOUBT = 0.5, 0.5
EXTRA, SIDE = "extra", "extra.p.jsonl"
_EVERY = 64


@dataclass(frozen=True)
class Distilled:
    """What came of some texts.

    Attributes:
        extra: the file of records, in the competition's training form.
        side: a line a record: its text, its items each with its probability, and the doubt about the text.
        texts: read.
        kept: of them that are in the file; ``doubtful``: left out, since too much of them is in doubt.
        items: in the file.
        unsure: texts that are left out, since an item that is found in them is less probable than was asked: without it
            they would teach that it does not hold.
        blank: texts that are left out, since nothing stands in them and training takes none such.
        unfit: texts that are left out, since the training form cannot hold them: line breaks, where it has a text or
            token a line.
        rejected: bad records.
    """

    extra: Path
    side: Path
    texts: int = 0
    kept: int = 0
    doubtful: int = 0
    items: int = 0
    unsure: int = 0
    blank: int = 0
    unfit: int = 0
    rejected: int = 0


class _Listener:
    """Takes what is said of each text before thresholds."""

    def __init__(self) -> None:
        self.floor = Floor(LEAST)
        self.found: Candidates | None = None

    def add(self, one: Candidates) -> None:
        """What is said of the next text."""
        self.found = one


def distil(
    run: Path,
    texts: Path,
    output: Path,
    *,
    confidence: float = CONFIDENCE,
    doubt: float | None = None,
    soft: bool = False,
    files: Mapping[str, Path] | None = None,
    device: str = "auto",
    on_bad: OnBad | None = None,
    on_start: Callable[[], None] = lambda: None,
    progress: Progress = no_progress,
) -> Distilled:
    """Label a file of texts; gold that it has is not looked at.

    Args:
        output: a folder, made if it is not there.
        confidence: the least probability of an item; texts in which a less probable one is found are left out.
        soft: write all items that are not quite improbable, with their probabilities as targets, which training takes;
            ``confidence`` does not act then.
        files: further files that the texts need, by role; those beside them if none is named.
        doubt: a text is left out of which more is in doubt, see :meth:`ietool.core.labelled.LabelWriter.doubt`; by
            default than :data:`DOUBT`, of soft labels and of an ensemble that joins results none.

    Raises:
        UserError: the run cannot be opened, a record is bad, or the output will not do.
    """
    limit = (math.inf if soft else DOUBT) if doubt is None else doubt
    if output.is_file():
        raise UserError("is a file, a folder is needed", file=output, mend="choose another --output")
    if output.exists():
        check_folder(output, [texts, run / "run.json"])
    loaded = load(run, device)
    if loaded.joins_results and (soft or doubt is not None):
        option = "--soft" if soft else "--doubt"
        what = "means nothing to an ensemble that joins results: it has no probability of what it left out"
        raise UserError(what, field=option, mend="leave it out, or label by an ensemble of --join mean")
    # An ensemble carries neither labels nor files, and its candidates have columns of their own.
    labels = loaded.task.labels(loaded.recipe, loaded.assets)
    labels.layout = loaded.predictor.decoder.layout
    if soft and not loaded.task.takes_soft:
        message = f"labels of the task {loaded.task.name} are hard"
        raise UserError(message, field="--soft", mend="leave it out: recipes of ske and ner take it")
    extra, side = output / f"{EXTRA}{labels.suffix}", output / SIDE
    other = output / SIDE
    if soft:
        extra = output / f"{EXTRA}.jsonl"
        side = soft_file(extra)
    else:
        other = soft_file(extra)
    asked: list[Any] = []
    counts: dict[str, int] = dict.fromkeys(
        ("texts", "kept", "doubtful", "items", "unsure", "blank", "unfit", "rejected"), 0
    )

    def reject(error: UserError, line: str) -> None:
        assert on_bad is not None
        counts["rejected"] += 1
        on_bad(error, line)

    def inputs() -> Any:
        for record in reading(loaded.task, str(texts), None if on_bad is None else reject, files):
            asked.append(record)
            yield record

    heard = _Listener()
    with _made(output), atomic_text(extra) as out, atomic_text(side) as beside:
        stream = loaded.stream(inputs(), heard)  # type: ignore[arg-type]
        for prediction in stream:
            if not counts["texts"]:
                on_start()
            record = asked.pop(0)
            counts["texts"] += 1
            if counts["texts"] % _EVERY == 0:
                progress("texts", counts["texts"], None)
            if not labels.identity(record).strip():
                counts["blank"] += 1
                continue
            if not soft and not labels.fits(record):
                counts["unfit"] += 1
                continue
            unsure = 0.0 if heard.found is None or loaded.joins_results else labels.doubt(heard.found)
            if unsure > limit:
                counts["doubtful"] += 1
                continue
            found = labels.found(prediction)
            if not soft and any(p < confidence for _, p in found):
                counts["unsure"] += 1
                continue
            counts["kept"] += 1
            if soft:
                assert heard.found is not None
                items = labels.soft(record, heard.found, prediction, SOFT_LEAST)
                out.write(mark_soft(labels.written_soft(record, [item for item, _ in items])))
                line = {"text": labels.identity(record), "p": [round(p, 6) for _, p in items]}
                beside.write(dump_json({**line, "doubt": round(unsure, 6)}) + "\n")
                counts["items"] += len(items)
                continue
            counts["items"] += len(found)
            out.write(labels.written_found(record, prediction))
            told = [{**labels.plain(record, item), "p": round(p, 6)} for item, p in found]
            entry = {"text": labels.identity(record), "doubt": round(unsure, 6), "items": told}
            beside.write(dump_json(entry) + "\n")
        if not counts["kept"]:
            raise _nothing_kept(texts, counts, limit, confidence)
        for ending, source in labels.companions():
            with (
                atomic_text(output / f"{EXTRA}{ending}") as companion,
                source.open(encoding="utf-8", newline="\n") as lines,
            ):
                shutil.copyfileobj(lines, companion)
    # Of a call before: hard labels are not to be taken for soft ones. Not sooner, or a call that fails would leave the
    # old records without what says that they are soft.
    other.unlink(missing_ok=True)
    progress("texts", counts["texts"], counts["texts"])
    return Distilled(extra, side, **counts)


def _nothing_kept(texts: Path, counts: Mapping[str, int], limit: float, confidence: float) -> UserError:
    """What is told where every text was left out."""
    if counts["texts"] == counts["blank"]:
        what = "holds blank texts alone" if counts["texts"] else "holds no text"
        return UserError(what, file=texts, mend="name a file of texts")
    if not counts["doubtful"]:
        what = f"has no text whose items are all at least {confidence:g} probable"
        return UserError(what, file=texts, mend="lower --confidence, or name another file")
    what = f"has no text with a doubt of at most {limit:g}"
    return UserError(what, file=texts, mend="raise --doubt, or name another file")


@contextmanager
def _made(folder: Path) -> Iterator[None]:
    """A folder that is there, and is gone again if it was made for this and nothing came to stand in it."""
    stood = folder.is_dir()
    folder.mkdir(parents=True, exist_ok=True)
    try:
        yield
    finally:
        if not stood and not any(folder.iterdir()):
            folder.rmdir()
