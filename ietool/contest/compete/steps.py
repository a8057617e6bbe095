"""The steps of a competition: train the members, put them together, find thresholds, predict, check and pack.

Each step is a command of ietool in a process of its own, looks whether its result is there already, and can be killed
at any moment: a training goes on where it stopped, everything else is done anew.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from pathlib import Path
from threading import Event
from typing import Any

from ietool.contest.compete.commands import Died, run_verb
from ietool.contest.compete.plan import AFTER, Member, keys_of
from ietool.contest.compete.recipes import kept_recipe
from ietool.contest.compete.state import State
from ietool.contest.group import is_group, open_group
from ietool.contest.submit.competitions import Competition
from ietool.errors import UserError
from ietool.progress import Progress, no_progress
from ietool.runs.entry import RunEntry
from ietool.runs.info import RUN_FILE, read_info

RESERVE = 0.1
"""Share of the hours that is kept for what comes after the trainings."""

SLOWER = 2.0
"""How many times its reckoned time a training may take, while there is time."""

MEMBERS, LOGS, TEAM, RESULT, SUBMISSION = "members", "logs", "team", "result", "submission"


class Steps:
    """What is done in the folder of a competition.

    Args:
        state: what is known and done so far.
        devices: a member at a time on each.
        note: told what the user should know.
    """

    def __init__(
        self,
        state: State,
        devices: Sequence[str],
        note: Callable[[str], None] = lambda note: None,
        progress: Progress = no_progress,
    ) -> None:
        self.state, self.devices, self.note, self.progress = state, devices, note, progress
        self.folder = state.folder
        self._stop = Event()

    # -- members

    def train_members(self) -> list[Path]:
        """Train all members of the plan that are not finished, each on a device of its own; gives those with weights.

        Raises:
            UserError: none of them could be trained.
        """
        plan = self.state.plan
        assert plan is not None
        waiting = [member for member in plan.members if not self._is_finished(member)]
        free = list(self.devices)
        running: dict[Future[None], tuple[Member, str]] = {}
        first: UserError | None = None
        with ThreadPoolExecutor(len(free)) as pool, self._stopping():
            while waiting or running:
                while waiting and free:
                    member, device = waiting.pop(0), free.pop(0)
                    if self._time_for_training() <= 0:
                        self.note(f"{member.name} is left out: the time is over")
                        free.append(device)
                        continue
                    running[pool.submit(self._train, member, device)] = member, device
                if not running:
                    break
                done, _ = wait(running, return_when=FIRST_COMPLETED)
                for future in done:
                    member, device = running.pop(future)
                    free.append(device)
                    error = future.exception()
                    if isinstance(error, UserError):
                        first = first or error
                        self.note(f"{member.name} was not trained: {error}")
                    elif error is not None:
                        raise error
        able = [place for member in plan.members for place in self.usable(member)]
        if not able:
            raise first or UserError("no member could be trained in this time", mend="give it more --hours")
        return able

    @contextmanager
    def _stopping(self) -> Iterator[None]:
        """Where this thread is interrupted the commands of others end too, else it would wait for them."""
        try:
            yield
        except BaseException:
            self._stop.set()
            raise

    def place(self, member: Member) -> Path:
        """The folder of a member."""
        return self.folder / MEMBERS / member.name

    def _time_for_training(self) -> float:
        assert self.state.plan is not None
        plan = self.state.plan
        return self.state.left - RESERVE * plan.hours * 3600 - AFTER - plan.after

    def _entry(self, member: Member) -> RunEntry | None:
        place = self.place(member)
        info = read_info(place) if (place / RUN_FILE).is_file() else None
        return None if info is None else RunEntry(place, info)

    def _is_finished(self, member: Member) -> bool:
        place = self.place(member)
        if member.folds:
            return is_group(place) and open_group(place).info.state == "finished"
        entry = self._entry(member)
        return entry is not None and entry.state in ("finished", "diverged")

    def usable(self, member: Member) -> list[Path]:
        """The folders that a member has for an ensemble: itself, or those of its folds that are finished where not all
        are; none where nothing came of it."""
        place = self.place(member)
        if not member.folds:
            entry = self._entry(member)
            return [place] if entry is not None and _has_weights(entry) else []
        if self._is_finished(member):
            return [place]
        return [entry.folder for entry in open_group(place).runs() if _has_weights(entry)] if is_group(place) else []

    def _train(self, member: Member, device: str) -> None:
        place, seconds = self.place(member), self._time_for_training()
        minutes = max(0.05, min(seconds, SLOWER * member.seconds) / 60)
        entry = self._entry(member)
        goes_on = is_group(place) if member.folds else entry is not None and entry.can_go_on
        options: list[object] = ["--output", place, "--device", device]
        _clear_unborn(place)
        if goes_on:
            options.append("--resume")
        else:
            options += ["--data", self.state.data, *self._settings(member)]
            if place.is_dir() and any(place.iterdir()):
                options.append("--overwrite")
            if member.folds:
                options += ["--folds", member.folds]
        options += ["--minutes", f"{minutes:.2f}"]
        step = f"train {member.name}"

        def tick(seconds: float) -> None:
            self.state.tick()
            self.progress(step, min(int(seconds), int(member.seconds)), int(member.seconds) or 1)

        # A training that does not end by itself is made to, when nothing would be left for the rest.
        left = self.state.left
        limit = min(60 * minutes + max(60.0, 0.25 * left), max(60 * minutes + 10, left - AFTER))
        command: list[object] = ["train", "--recipe", kept_recipe(self.folder, member.recipe), *options]
        if not run_verb(command, self._log(member.name), tick=tick, limit=limit, stop=self._stop):
            self.note(f"{member.name} was stopped: it did not end in its {minutes:.1f} minutes")

    def _settings(self, member: Member) -> list[str]:
        own = [f"training.epochs={member.epochs}", f"training.seed={member.seed}"]
        if "training.patience" not in keys_of(self.state.asked.get("settings", ())):
            own.append("training.patience=0")
        return [part for setting in (*member.settings, *own) for part in ("--set", setting)]

    def _log(self, name: str) -> Path:
        return self.folder / LOGS / f"{name}.log"

    # -- what follows

    def put_together(self, members: Sequence[Path]) -> Path:
        """The model that predicts: an ensemble of several members, or the only one."""
        names, done = [str(place.relative_to(self.folder)) for place in members], self.state.done
        alone = len(members) == 1 and not is_group(members[0])
        run = members[0] if alone else self.folder / TEAM
        if done.get("together") != names:  # further members may have come since, by --resume
            done.pop("tune", None)
            if not alone:
                _clear_unborn(run)
                options = ["--output", run, "--device", self.devices[0], *(["--overwrite"] if run.is_dir() else [])]
                self._run("ensemble", [*members, *options])
            done["together"] = names
            self.state.save()
        return run

    def tune(self, run: Path) -> None:
        """Find thresholds on dev; what is refused leaves them as they are."""
        try:
            self._run("tune", [run])
        except UserError as error:
            self.note(f"thresholds are left as they are: {error}")

    def predict(self, run: Path, source: Path, like: Path) -> Path:
        """The predictions on a file, in one that ends like another."""
        result = self.folder / f"{RESULT}{like.suffix or '.json'}"
        self._run("predict", ["--run", run, source, "--output", result, "--device", self.devices[0]])
        return result

    def submit(
        self, result: Path, source: Path, options: Mapping[str, Path], competition: Competition | None
    ) -> Path | None:
        """Check the predictions by the organisers' rules, and make of them what is handed in; None where that is
        refused."""
        further = [part for name, path in options.items() for part in (f"--{name}", path)]
        place = self.folder / f"{SUBMISSION}.zip"
        if competition is not None:
            place = place.with_suffix(competition.packed or Path(competition.inside).suffix)
            further += ["--competition", competition.name]
        try:
            self._run("submit", [result, "--input", source, "--output", place, *further])
        except Died as error:
            self.note(f"the submission was not checked: {error}")
        except UserError as error:
            self.note(f"the submission is not what the organisers take: {error}")
        else:
            return place
        return None

    def _run(self, verb: str, options: Sequence[object]) -> None:
        def tick(seconds: float) -> None:
            self.state.tick()
            self.progress(verb, int(seconds), None)

        run_verb([verb, *options], self._log(verb), tick=tick)

    def facts(self, run: Path) -> dict[str, Any]:
        """What a run says of itself that belongs into the report."""
        info = read_info(run)
        return {} if info is None else {"best": info.best, "tuned": info.tuned, "recipe": info.recipe}


def _clear_unborn(place: Path) -> None:
    """Remove what a process that was killed left of a run or group before it could be told for one."""
    if place.is_dir() and not (place / RUN_FILE).is_file() and not is_group(place):
        shutil.rmtree(place)


def _has_weights(entry: RunEntry) -> bool:
    return entry.state == "finished" and entry.has_weights
