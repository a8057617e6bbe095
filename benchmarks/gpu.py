"""A day with a GPU in one command: what is worth most first, within the minutes there are.

    python benchmarks/gpu.py --minutes 12 [--data DIR] [--word-vectors DIR] [--encoder DIR] [--output FILE.json]
    python benchmarks/gpu.py --minutes 12 … --resume          goes on with what is missing
    python benchmarks/gpu.py --dry [--only STEP …]            on the CPU, tiny, to see that all of it runs

Steps, in order: the tests marked ``cuda``; predictions of every recipe on the CPU and on the GPU; ``ske`` to its full
schedule; training against the bare step; batched prediction against one text at a time; the cascade and GPLinker on a
small encoder, three epochs each; switches of training; memory. Each is a script of this folder in a process of its own.
``--data`` is a folder of DuIE 2.0 files (train, dev, schema), ``--encoder`` one of a pretrained encoder: what needs
them is skipped where they are missing, and says so; the others take the corpora that ship.

A step that is thought to take longer than what is left is left out and named; one that takes longer than its limit is
killed; one that fails is recorded with its error, and the next goes on. The JSON is written after every step, so that a
kill loses nothing; ``--resume`` does what is not done yet, or named by ``--only``; a training that was cut goes on, one
that is finished is not repeated. The JSON holds machine, card, driver, versions, and per step command, seconds,
figures, targets, and the most memory and the mean load of the card. Logs, runs and prepared data lie under ``--work``.
Prints a line a step, the rows for BENCHMARKS.md (which also lie beside the JSON), and one JSON line. Exit code 1 where
a step failed or was killed.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

sys.path[:0] = [str(Path(__file__).resolve().parent), str(Path(__file__).resolve().parents[1])]

from gpu_card import Card, first_card, machine, own_code  # noqa: E402
from gpu_rows import rows_of, shown  # noqa: E402
from gpu_steps import STEPS, Day, Step  # noqa: E402

from ietool.errors import UserError, told  # noqa: E402
from ietool.files.outputs import atomic_text  # noqa: E402

GOOD = ("done", "skipped", "left out")
LAST_LINES = 20
"""Of what a failed step said, kept in the JSON."""


class Plan:
    """Steps one after another, with what came of each on the disk as soon as it is known.

    Args:
        day: what there is to work with.
        steps: in order of worth.
        output: the JSON.
        about: what stands at its top.
        seconds: all that there are.
        wanted: names of steps; None: all.
        resume: leave alone what is done in the JSON, but for steps that ``wanted`` names.
    """

    def __init__(
        self, day: Day, steps: Sequence[Step], output: Path, about: dict[str, Any], seconds: float,
        wanted: Sequence[str] | None = None, resume: bool = False,
    ) -> None:  # fmt: skip
        self.day, self.steps, self.output, self.wanted = day, steps, output, wanted
        self.end = time.monotonic() + seconds
        self.found: dict[str, dict[str, Any]] = {}
        self.about = about
        if output.exists():
            if not resume:
                mend = "add --resume to go on with it, or name another --work or --output"
                raise UserError("is there already", file=output, mend=mend)
            self.found = rows_before(output, about)

    def go(self, say: Callable[[str], None]) -> None:
        """Do what is left, and tell of each step in a line."""
        for step in self.steps:
            asked = self.wanted is not None and step.name in self.wanted
            if self.wanted is not None and not asked:
                continue
            done = self.found.get(step.name, {}).get("status") == "done"
            if done and not asked:
                continue
            row = self._step(step)
            if row["status"] == "done" or not done:  # what was measured is kept where it cannot be measured again
                self.found[step.name] = row
            self.write()
            say(shown(row))

    def _step(self, step: Step) -> dict[str, Any]:
        row: dict[str, Any] = {"name": step.name, "what": step.what, "date": datetime.now(UTC).date().isoformat()}
        left = self.end - time.monotonic()
        if why := step.lacks(self.day):
            return row | {"status": "skipped", "why": why}
        if step.seconds > left and not self.day.dry:
            return row | {
                "status": "left out",
                "why": f"takes some {step.seconds:.0f} s, {max(left, 0):.0f} s are left",
            }
        begin, line, said = time.monotonic(), {}, ""
        try:
            command = [sys.executable, *step.command(self.day)]
            row |= {"command": command}
            status, why, line, said = called(command, self.day, step.name, min(step.limit, left), row)
            row["figures"] = step.figures(self.day, line)
        except Exception as error:  # a step of its own kind of fault must not end the day
            status, why = "failed", f"{type(error).__name__}: {told(str(error))}"
        row |= {"status": status, "seconds": round(time.monotonic() - begin, 1)}
        if why:
            row |= {"why": why, "said": said}
        if not self.day.dry or any(target.dry for target in step.targets):
            figures = row.get("figures", {})
            row["targets"] = {
                str(target): target.reached(figures) for target in step.targets if target.dry or not self.day.dry
            }
        return row

    def rows(self) -> list[dict[str, Any]]:
        """What is known of the steps, in their order."""
        return [self.found[step.name] for step in self.steps if step.name in self.found]

    def write(self) -> None:
        """The JSON, and beside it the rows."""
        steps = self.rows()
        self.output.parent.mkdir(parents=True, exist_ok=True)
        with atomic_text(self.output) as out:
            json.dump(self.about | {"steps": steps}, out, ensure_ascii=False, indent=1)
        with atomic_text(self.output.with_suffix(".md")) as out:
            out.write(rows_of(self.about, steps))


def rows_before(output: Path, about: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """The steps of an earlier call by name. Raises UserError where they are damaged, or not of this machine."""
    try:
        before = json.loads(output.read_text(encoding="utf-8"))
        rows: dict[str, dict[str, Any]] = {row["name"]: row for row in before["steps"] if row["status"]}
    except (OSError, ValueError, LookupError, TypeError):
        raise UserError("is no JSON of this script", file=output, mend="delete it, or name another --output") from None
    if any(before.get(key) != about.get(key) for key in ("dry", "card")):
        raise UserError("was measured on another machine", file=output, mend="name another --output")
    return rows


def called(
    command: list[str], day: Day, name: str, limit: float, row: dict[str, Any]
) -> tuple[str, str, dict[str, Any], str]:
    """One script in a session of its own, killed with all that it started after ``limit`` seconds.

    Returns:
        What became of it (done, failed or killed), why, its last JSON line, and the last lines of what it said if it
        is not done. How the card was used goes into ``row``.
    """
    logs = day.work / "logs"
    logs.mkdir(parents=True, exist_ok=True)
    out, err = logs / f"{name}.out", logs / f"{name}.err"
    with out.open("wb") as to, err.open("wb") as errors, Card(logs / f"{name}.card", used=not day.dry) as card:
        process = subprocess.Popen(
            command, cwd=day.work, env=environment(day), stdin=subprocess.DEVNULL, stdout=to, stderr=errors,
            start_new_session=True,
        )  # fmt: skip
        try:
            code: int | None = process.wait(limit)
        except subprocess.TimeoutExpired:
            code = None
        finally:  # also where this script is stopped itself, and of workers that a script has left
            end(process)
    if told_of := card.told():
        row["card"] = told_of
    said = [line for path in (out, err) for line in path.read_text("utf-8", "replace").splitlines() if line.strip()]
    line = last_json(out)
    if code == 0:
        return "done", "", line, ""
    last = "\n".join(said[-LAST_LINES:])
    if code is None:
        return "killed", f"took longer than {limit:.3g} s", line, last
    reason = next((line for line in reversed(said) if line.startswith("error: ")), said[-1] if said else "")
    return "failed", told(f"exit code {code}: {reason}"), line, last


def end(process: subprocess.Popen[bytes], patience: float = 5.0) -> None:
    """Stop all processes of a session: asked first, then killed."""
    for sent in (signal.SIGTERM, signal.SIGKILL):
        try:
            os.killpg(process.pid, sent)
        except ProcessLookupError:
            break
        if process.poll() is None:
            try:
                process.wait(patience)
            except subprocess.TimeoutExpired:
                continue
    process.wait()


def environment(day: Day) -> dict[str, str]:
    """In which the scripts run: this checkout's code, nothing fetched, what they write under the working folder; on one
    card alone, since the Trainer would spread a batch over several."""
    found = own_code() | {"IETOOL_HOME": str(day.work), "HF_HUB_OFFLINE": "1"}
    if day.dry:
        return found | {"CUDA_VISIBLE_DEVICES": "", "OMP_NUM_THREADS": "1"}
    return found | {"CUDA_VISIBLE_DEVICES": first_card()}


def last_json(path: Path) -> Any:
    """The last line of a file that is a JSON object or array; {} if there is none."""
    for line in reversed(path.read_text("utf-8", "replace").splitlines()):
        if line.startswith(("{", "[")):
            try:
                return json.loads(line)
            except ValueError:
                continue
    return {}


def day_of(options: argparse.Namespace) -> Day:
    """What the options give to work with. Raises UserError where a folder is not there."""
    work = options.work.resolve()
    if options.dry:
        from gpu_dry import dry_day  # imports torch, which takes seconds

        return dry_day(work)
    folders: dict[str, Path | None] = {}
    for name in ("data", "word_vectors", "encoder"):
        folder = getattr(options, name)
        if folder is not None and not folder.exists():
            raise UserError("is not there", file=folder, mend=f"leave --{name.replace('_', '-')} out, or mend the path")
        folders[name] = None if folder is None else folder.resolve()
    return Day(work, settings=options.set, **folders)


def main(arguments: Sequence[str] | None = None, steps: Sequence[Step] = STEPS) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=12.0, help="that all steps together may take")
    parser.add_argument("--data", type=Path, help="folder of DuIE 2.0 files")
    parser.add_argument("--word-vectors", type=Path, help="for ske on these data")
    parser.add_argument("--encoder", type=Path, help="folder of a small pretrained encoder")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="in trainings on these data")
    parser.add_argument("--only", nargs="+", choices=[step.name for step in steps], metavar="STEP",
                        help=" ".join(step.name for step in steps))  # fmt: skip
    parser.add_argument("--work", type=Path, default=Path("bench-out/gpu"))
    parser.add_argument("--output", type=Path, help="the JSON; default: gpu.json in --work")
    parser.add_argument("--resume", action="store_true", help="go on with what is missing in the JSON")
    parser.add_argument("--dry", action="store_true", help="run through on the CPU")
    options = parser.parse_args(arguments)
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(128 + number))
    begin = time.monotonic()
    try:
        day = day_of(options)
        about = machine(day.work, dry=day.dry) | {"dry": day.dry, "minutes": options.minutes}
        if not day.dry and about["card"] is None:
            raise UserError("no CUDA device is there", mend="see: ietool env; --dry tries this script on the CPU")
        output = (options.output or day.work / "gpu.json").resolve()
        plan = Plan(day, steps, output, about, 60 * options.minutes, options.only, options.resume)
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    try:
        plan.go(lambda line: print(line, flush=True))
    except KeyboardInterrupt:
        print(f"stopped; what was measured is in {output}; go on with --resume", file=sys.stderr)
        return 130
    plan.write()
    rows = plan.rows()
    print(f"\n{rows_of(about, rows)}")
    counts = {status: sum(row["status"] == status for row in rows) for status in (*GOOD, "failed", "killed")}
    print(json.dumps({"output": str(output), "seconds": round(time.monotonic() - begin, 1)} | counts))
    return 0 if all(row["status"] in GOOD for row in rows) else 1


if __name__ == "__main__":
    sys.exit(main())
