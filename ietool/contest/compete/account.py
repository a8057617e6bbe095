"""The README.md of a competition's folder: what was tried, what each step gained, how to repeat it."""

from __future__ import annotations

import hashlib
import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ietool.contest.compete.ground import Ground
from ietool.contest.compete.state import State
from ietool.contest.group import is_group, open_group
from ietool.files.outputs import atomic_text
from ietool.runs.entry import RunEntry
from ietool.runs.info import read_info
from ietool.tables import between

if TYPE_CHECKING:
    from ietool.contest.compete.competing import Competed

ACCOUNT = "README.md"


def write_account(state: State, ground: Ground, competed: Competed, members: Sequence[Path]) -> Path:
    """Write the account of a competition into its folder."""
    plan = state.plan
    assert plan is not None
    lines = [
        f"# {ground.task}: {ground.form}",
        "",
        f"Made by `ietool compete --hours {plan.hours:g}` in {state.seconds / 3600:.2f} hours.",
        "",
        "| what | where |",
        "|---|---|",
        f"| predictions | `{competed.result.name}`, of {_asked(ground)} |",
    ]
    if competed.submission is not None:
        mark = hashlib.sha256(competed.submission.read_bytes()).hexdigest()
        lines.append(f"| submission | `{competed.submission.name}`, SHA-256 `{mark}` |")
    lines += [f"| model | `{_inside(competed.run, state)}` |", "", "## What was trained", ""]
    lines += ["| member | planned minutes | dev score | interval | state |", "|---|---|---|---|---|"]
    for member in plan.members:
        place = state.folder / "members" / member.name
        lines.append(f"| `{member.name}` | {member.seconds / 60:.1f} | {_scored(place)} |")
    lines += ["", *(f"- {note}" for note in plan.notes)]
    lines += ["", "## What each step gained", "", *_gains(state, competed.run)]
    files = ", ".join(f"{role}: {path.name}" for role, path in sorted(ground.sources.files.items()))
    lines += ["", "## How to repeat it", "", f"Files: {files}.", "", "```"]
    lines += _commands(state.folder)
    lines += ["```", ""]
    path = state.folder / ACCOUNT
    with atomic_text(path) as out:
        out.write("\n".join(lines))
    return path


def _asked(ground: Ground) -> str:
    """What was predicted."""
    names = " and ".join(f"`{path.name}`" for path in ground.asked)
    return names if ground.test else f"{names}, since no test file was found: nothing to be handed in"


def _inside(path: Path, state: State) -> str:
    return str(path.relative_to(state.folder)) if path.is_relative_to(state.folder) else path.name


def _scored(place: Path) -> str:
    """Three cells: score, interval, state."""
    info = read_info(place)
    if info is None:
        if not is_group(place):
            return "– | – | not trained"
        group = open_group(place).info
        scores = group.scores
        if "oof" not in scores:
            return f"– | – | folds, {group.state}"
        drawn = between((scores["low"], scores["high"]))
        return f"{scores['oof']:.4f} ({group.metric}, all of train out of fold) | {drawn} | folds"
    best = info.best or {}
    score = f"{best['score']:.4f} ({best['metric']})" if "score" in best else "–"
    interval = best.get("interval")
    return f"{score} | {between(interval) or '–'} | {RunEntry(place, info).state}"


def _gains(state: State, run: Path) -> list[str]:
    """What the logs of ensemble and tune say in the end, each chosen on parts of dev and scored on the others."""
    lines = []
    for verb in ("ensemble", "tune"):
        log = state.folder / "logs" / f"{verb}.log"
        if log.is_file():
            said = log.read_text(encoding="utf-8", errors="replace").rsplit("$ ietool ", 1)[-1].splitlines()[1:]
            lines += [f"`{verb}`:", "", "```", *[line.rstrip() for line in said if line.strip()][-40:], "```", ""]
    if not lines:
        lines = ["One member: nothing was put together."]
    return lines


def _commands(folder: Path) -> list[str]:
    """All commands that were run, from the logs."""
    found: list[str] = []
    for log in sorted((folder / "logs").glob("*.log"), key=lambda path: path.stat().st_mtime):
        with log.open(encoding="utf-8", errors="replace") as lines:
            found += [line[2:].rstrip() for line in lines if line.startswith("$ ietool ")]
    return list(dict.fromkeys(found))


def shown(plan: Any) -> list[tuple[Any, ...]]:
    """The rows of a plan for the screen."""
    return [
        (member.name, member.epochs, member.folds or None, f"{member.seconds / 60:.1f}", shlex.join(member.settings))
        for member in plan.members
    ]
