"""A competition from its files to a submission: look, measure, plan, train, tune, predict, check, pack."""

from __future__ import annotations

import shutil
import time
import zipfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ietool.contest.compete.account import write_account
from ietool.contest.compete.ground import Ground, check_unchanged, competition_of, look, marks_of, share_of
from ietool.contest.compete.plan import Plan, Speed, keys_of, make_plan
from ietool.contest.compete.recipes import keep_recipes, kept_recipe
from ietool.contest.compete.state import STATE, State, check_place, read_state
from ietool.contest.compete.steps import Steps
from ietool.files.archives import damage_told, open_members
from ietool.files.outputs import unpacked_name
from ietool.progress import Progress, no_progress
from ietool.runs.folder import training_in

ASKED = "asked.zip"
"""Where several files are predicted, all of them."""


@dataclass(frozen=True)
class Competed:
    """What came of a competition.

    Attributes:
        folder: with all that was made.
        run: the model, or the ensemble.
        result: its predictions on the test file.
        submission: the archive; None where the organisers would refuse it, or their rules are not known.
    """

    folder: Path
    run: Path
    result: Path
    submission: Path | None


def plan_for(
    data: Path,
    hours: float,
    *,
    recipes: Sequence[str] = (),
    settings: Sequence[str] = (),
    folds: int | None = None,
    device: str = "auto",
    progress: Progress = no_progress,
) -> Plan:
    """Look at a folder, prepare it, measure the speed of its recipes and plan.

    Raises:
        UserError: the folder holds no competition, or a recipe does not fit.
    """
    begin = time.monotonic()
    ground = look(data, recipes, settings)
    return _planned(ground, data, hours, folds, device, lambda: time.monotonic() - begin, progress, settings)


def _planned(
    ground: Ground,
    data: Path,
    hours: float,
    folds: int | None,
    device: str,
    spent: Callable[[], float],
    progress: Progress,
    settings: Sequence[str] = (),
) -> Plan:
    from ietool.contest.compete.measuring import measure_apart
    from ietool.workflow.prepare import prepare

    devices = _devices(device)
    speeds: list[Speed] = []
    for number, recipe in enumerate(ground.recipes):
        prepared = prepare(recipe, data=data, remembered=False, progress=progress)
        progress("measure the speed", number, len(ground.recipes))
        speeds.append(measure_apart(recipe, prepared.folder, devices[0]))
    progress("measure the speed", len(speeds), len(speeds))
    share = share_of(ground)
    plan = make_plan(
        hours, ground.recipes, speeds, folds=folds, devices=len(devices), share=share, spent=spent(),
        kept=keys_of(settings),
    )  # fmt: skip
    return replace(plan, notes=[*ground.notes, *plan.notes])


def compete(
    data: Path | None,
    output: Path,
    *,
    hours: float,
    recipes: Sequence[str] = (),
    settings: Sequence[str] = (),
    folds: int | None = None,
    device: str | None = None,
    resume: bool = False,
    on_plan: Callable[[Plan], None] = lambda plan: None,
    on_note: Callable[[str], None] = lambda note: None,
    progress: Progress = no_progress,
) -> Competed:
    """All of a competition within some hours; ``resume`` goes on with what was begun in ``output``.

    Args:
        data: the folder of the competition's files; with ``resume`` that which it was begun with.
        output: the folder of the competition.
        device: None: ``auto``, with ``resume`` that which it was begun with.
        on_plan: told what will be done, before the first training.

    Raises:
        UserError: bad input, the data has changed, another process is at it, or nothing could be trained.
    """
    if resume:
        read_state(output)  # what is no competition gets no lock either
    else:
        assert data is not None
        check_place(output, inputs=[data])
        ground = look(data, recipes, settings)  # what is wrong with it is told before there is a folder
        marks = marks_of(ground.sources)
        output.mkdir(parents=True, exist_ok=True)
    with training_in(output):
        if resume:
            state, ground = _again(output, device, on_note)
        else:
            assert data is not None
            wanted: dict[str, Any] = {"folds": folds, "hours": hours, "device": device or "auto"}
            wanted["settings"] = list(settings)
            state = State(output, str(data.resolve()), wanted)
            names = keep_recipes(output, ground.recipes)
            state.done["ground"] = _about(ground, names, marks)
            state.save()
        if not ground.test:
            on_note(f"no test file was found in {state.data}: {_names(ground.asked)} is predicted in its place")
        asked = state.asked
        if state.plan is None:
            hours, folds, device = float(asked["hours"]), asked["folds"], asked["device"]
            own = asked.get("settings", ())
            state.plan = _planned(ground, Path(state.data), hours, folds, device, lambda: state.seconds, progress, own)
            state.save()
        on_plan(state.plan)
        steps = Steps(state, _devices(asked["device"]), on_note, progress)
        try:
            return _go(state, ground, steps)
        finally:
            if (output / STATE).is_file():
                state.save()


def _again(output: Path, device: str | None, on_note: Callable[[str], None]) -> tuple[State, Ground]:
    """A competition that was begun, with the files and recipes that it was begun with."""
    state = read_state(output)
    data, known = Path(state.data), state.done["ground"]
    ground = look(data, [str(kept_recipe(output, name)) for name in known["recipes"]], fitted=True)
    marks = marks_of(ground.sources)
    check_unchanged(ground, data, known["marks"], marks)
    if any(marks[role] != known["marks"].get(role) for role, path in ground.sources.files.items()
           if path in ground.test):  # fmt: skip
        what = "is not what it was when the competition began: it is predicted as it is now"
        on_note(f"{_names(ground.test)} {what}")
    state.done["ground"] = _about(ground, known["recipes"], marks)
    if device is not None:
        state.asked = {**state.asked, "device": device}
    state.save()
    return state, ground


def _go(state: State, ground: Ground, steps: Steps) -> Competed:
    members = steps.train_members()
    run = steps.put_together(members)
    if "tune" not in state.done:
        with state.step("tune") as came:
            came["before"] = steps.facts(run)
            steps.tune(run)
            came["after"] = steps.facts(run)
    source = _as_one(ground.asked, state.folder)
    competition = competition_of(ground, source)
    # Some forms are told to those who write them by the ending of the file's name.
    result = steps.predict(run, source, Path(unpacked_name(source) if competition is None else competition.inside))
    submission = steps.submit(result, source, ground.options, competition)
    competed = Competed(state.folder, run, result, submission)
    write_account(state, ground, competed, members)
    return competed


def _about(ground: Ground, recipes: Sequence[str], marks: Mapping[str, str]) -> dict[str, Any]:
    return {
        "task": ground.task,
        "form": ground.form,
        "files": {role: path.name for role, path in ground.sources.files.items()},
        "marks": dict(marks),
        "recipes": list(recipes),
    }


def _devices(device: str) -> list[str]:
    """On what members are trained: each GPU that is there, or the one that was named."""
    if device != "auto":
        return [device]
    from ietool.training.device import choose_device

    chosen = choose_device("auto")
    if chosen.type != "cuda":
        return ["cpu"]
    import torch

    return [f"cuda:{n}" for n in range(torch.cuda.device_count())]


def _names(paths: Sequence[Path]) -> str:
    return " and ".join(path.name for path in paths)


def _as_one(files: Sequence[Path], folder: Path) -> Path:
    """Files that one submission answers as one: it itself, or an archive of several in the folder of the
    competition."""
    if len(files) == 1:
        return files[0]
    place = folder / ASKED
    part = place.with_name(f".{ASKED}.part")
    with zipfile.ZipFile(part, "w") as archive:
        for path in files:
            with damage_told(path), archive.open(unpacked_name(path.name), "w", force_zip64=True) as out:
                for _, stream in open_members(path):
                    shutil.copyfileobj(stream, out, 1 << 20)
    part.replace(place)
    return place
