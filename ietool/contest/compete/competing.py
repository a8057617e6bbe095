"""A competition from its files to a submission: look, measure, plan, train, tune, predict, check, pack."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ietool.contest.compete.account import write_account
from ietool.contest.compete.ground import Ground, check_unchanged, competition_of, look, marks_of
from ietool.contest.compete.plan import Plan, Speed, make_plan
from ietool.contest.compete.recipes import keep_recipes, kept_recipe
from ietool.contest.compete.state import STATE, State, check_place, read_state
from ietool.contest.compete.steps import Steps
from ietool.errors import UserError
from ietool.files.outputs import unpacked_name
from ietool.progress import Progress, no_progress
from ietool.runs.folder import training_in


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
    return _planned(look(data, recipes, settings), data, hours, folds, device, progress)


def _planned(ground: Ground, data: Path, hours: float, folds: int | None, device: str, progress: Progress) -> Plan:
    from ietool.contest.compete.measuring import measure
    from ietool.workflow.prepare import prepare

    speeds: list[Speed] = []
    for number, recipe in enumerate(ground.recipes):
        prepared = prepare(recipe, data=data, remembered=False, progress=progress)
        progress("measure the speed", number, len(ground.recipes))
        speeds.append(measure(recipe, prepared.folder, device))
    progress("measure the speed", len(speeds), len(speeds))
    return make_plan(hours, ground.recipes, speeds, folds=folds)


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
        output.mkdir(parents=True, exist_ok=True)
    with training_in(output):
        if resume:
            state, ground = _again(output, device, on_note)
        else:
            assert data is not None
            wanted: dict[str, Any] = {"folds": folds, "hours": hours, "device": device or "auto"}
            state = State(output, str(data.resolve()), wanted)
            names = keep_recipes(output, ground.recipes)
            state.done["ground"] = _about(ground, names, marks_of(ground.sources))
            state.save()
        asked = state.asked
        if state.plan is None:
            hours = float(asked["hours"])
            state.plan = _planned(ground, Path(state.data), hours, asked["folds"], asked["device"], progress)
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
    ground = look(data, [str(kept_recipe(output, name)) for name in known["recipes"]])
    marks = marks_of(ground.sources)
    check_unchanged(ground, data, known["marks"], marks)
    if ground.test is not None and marks["test"] != known["marks"].get("test"):
        on_note(f"{ground.test} is not what it was when the competition began: it is predicted as it is now")
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
    source = ground.source
    if source is None:
        raise UserError("holds no test file to predict on", file=state.data, mend="put test.json beside train")
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

    return (
        [f"cuda:{n}" for n in range(torch.cuda.device_count())]
        if "CUDA_VISIBLE_DEVICES" not in os.environ
        else ["auto"]
    )
