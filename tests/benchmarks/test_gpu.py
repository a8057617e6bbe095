"""``benchmarks/gpu.py``: what is measured, in which order, and that nothing of it is lost."""

from __future__ import annotations

import json
import os
import signal
import sys
import time
import warnings
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any
from unittest import mock

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from ietool.training.trainer import IETrainer

BENCHMARKS = Path(__file__).resolve().parents[2] / "benchmarks"
sys.path.append(str(BENCHMARKS))

import gpu  # noqa: E402
import gpu_card  # noqa: E402
import gpu_equal  # noqa: E402
import gpu_rows  # noqa: E402
import gpu_syncs  # noqa: E402
from gpu_steps import STEPS, Day, Step, Target, picked  # noqa: E402

ABOUT = {
    "card": "Some GPU (80 GiB)", "driver": "1.2", "cpu": "some", "cores": 2, "platform": "Linux", "python": "3",
    "ietool": "0", "versions": {"torch": "9"},
}  # fmt: skip


def step(name: str, code: str, *targets: Target, seconds: float = 1.0, limit: float = 20.0) -> Step:
    """One that runs some lines of Python; the figure is ``n``."""
    return Step(name, f"what {name} is", lambda day: ["-S", "-c", code], picked("n"), seconds, limit, targets)


def counted(name: str, *targets: Target) -> Step:
    """One that leaves a line in a file at each call."""
    return step(name, f"open('calls', 'a').write('{name}\\n'); print('{{\"n\": 3}}')", *targets)


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.setattr(gpu, "machine", lambda work, dry: dict(ABOUT))
    before = signal.getsignal(signal.SIGTERM)
    yield tmp_path
    signal.signal(signal.SIGTERM, before)


def day(folder: Path, steps: list[Step], *words: str) -> tuple[int, dict[str, Any]]:
    """The exit code, and the JSON."""
    code = gpu.main(["--work", str(folder), *words], steps)
    path = folder / "gpu.json"
    return code, json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}


def calls(folder: Path) -> list[str]:
    return (folder / "calls").read_text().split()


def test_steps_run_in_order_and_the_json_is_there_after_each(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    look = "import json; print(json.dumps({'n': [row['name'] for row in json.load(open('gpu.json'))['steps']]}))"
    code, found = day(here, [counted("a", Target("n", least=3)), step("b", look), counted("c", Target("n", most=2))])
    assert code == 0
    assert [row["status"] for row in found["steps"]] == ["done"] * 3
    assert [row["figures"]["n"] for row in found["steps"]] == [3, ["a"], 3]
    assert found["steps"][0]["targets"] == {"n ≥ 3": True} and found["steps"][2]["targets"] == {"n ≤ 2": False}
    assert calls(here) == ["a", "c"]
    assert found["card"] == ABOUT["card"] and found["versions"] == {"torch": "9"}
    shown = capsys.readouterr().out
    table = [line for line in shown.splitlines() if line.startswith("| `")]
    assert [line.split("`")[1] for line in table] == ["a", "b", "c"] and "**missed**" in table[2]
    assert ABOUT["card"] in shown and (here / "gpu.md").read_text() in shown
    assert json.loads(shown.splitlines()[-1])["done"] == 3


def test_what_fails_is_told_and_the_others_go_on(here: Path) -> None:
    broken = replace(counted("broken"), command=lambda day: [][0])
    failing = step("failing", "print('{\"n\": 1}'); import sys; sys.exit('error: no such thing')", Target("n", most=2))
    code, found = day(here, [failing, broken, replace(counted("c"), lacks=lambda day: "needs more"), counted("d")])
    assert code == 1
    first, second, third, last = found["steps"]
    assert (first["status"], first["why"]) == ("failed", "exit code 1: error: no such thing")
    assert first["figures"] == {"n": 1} and "no such thing" in first["said"]  # what it told before counts
    assert second["status"] == "failed" and second["why"].startswith("IndexError")
    assert (third["status"], third["why"]) == ("skipped", "needs more")
    assert last["status"] == "done" and calls(here) == ["d"]


def test_what_takes_too_long_is_killed_with_all_it_started(here: Path) -> None:
    code_of = (
        "import subprocess, sys, time\n"
        "child = subprocess.Popen([sys.executable, '-S', '-c', 'import time; time.sleep(60)'])\n"
        "print('{\"n\": %d}' % child.pid, flush=True)\n"
        "time.sleep(60)"
    )
    begin = time.monotonic()
    code, found = day(here, [step("slow", code_of, limit=0.5), counted("next")])
    assert code == 1 and time.monotonic() - begin < 20
    slow, after = found["steps"]
    assert slow["status"] == "killed" and "longer than 0.5 s" in slow["why"] and after["status"] == "done"
    for _ in range(100):
        if not alive(slow["figures"]["n"]):
            break
        time.sleep(0.02)
    assert not alive(slow["figures"]["n"])


def alive(pid: int) -> bool:
    """Whether a process runs; one that is dead and that nobody waits for does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def test_what_does_not_fit_any_more_is_left_out_and_named(here: Path) -> None:
    code, found = day(here, [replace(counted("long"), seconds=90), counted("short")], "--minutes", "1")
    assert code == 0
    assert [row["status"] for row in found["steps"]] == ["left out", "done"]
    assert found["steps"][0]["why"].startswith("takes some 90 s") and calls(here) == ["short"]


def test_resuming_does_what_is_missing_and_what_is_asked_for(here: Path) -> None:
    failing = step("b", "raise SystemExit(3)")
    assert day(here, [counted("a"), failing])[0] == 1
    code, found = day(here, [counted("a"), counted("b"), counted("c")], "--resume")
    assert code == 0 and calls(here) == ["a", "b", "c"]
    assert [row["status"] for row in found["steps"]] == ["done"] * 3
    _, found = day(here, [counted("a"), counted("b"), counted("c")], "--resume", "--only", "c")
    assert calls(here) == ["a", "b", "c", "c"] and len(found["steps"]) == 3
    code, found = day(here, [counted("a"), replace(counted("b"), seconds=9e9)], "--resume", "--only", "b")
    assert found["steps"][1]["status"] == "done"  # what was measured is not given up for nothing
    before = (here / "gpu.json").read_bytes()
    assert gpu.main(["--work", str(here)], [counted("a")]) == 2  # nothing is written over unasked
    assert (here / "gpu.json").read_bytes() == before and len(calls(here)) == 4


def test_a_json_of_another_machine_or_none_is_not_gone_on_with(
    here: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    day(here, [counted("a")])
    before = (here / "gpu.json").read_bytes()
    monkeypatch.setattr(gpu, "machine", lambda work, dry: ABOUT | {"card": "another"})
    assert day(here, [counted("a")], "--resume")[0] == 2
    assert (here / "gpu.json").read_bytes() == before and calls(here) == ["a"]
    (here / "gpu.json").write_text('{"steps": 3')
    assert gpu.main(["--work", str(here), "--resume"], [counted("a")]) == 2
    (here / "gpu.json").unlink()
    monkeypatch.setattr(gpu, "machine", lambda work, dry: ABOUT | {"card": None})
    assert gpu.main(["--work", str(here)], [counted("a")]) == 2
    assert gpu.main(["--work", str(here), "--data", str(here / "none")], [counted("a")]) == 2
    told = capsys.readouterr().err.splitlines()
    assert all(line.startswith("error: ") and " → " in line for line in told) and len(told) == 4
    assert "another machine" in told[0] and "no JSON" in told[1] and "no CUDA" in told[2] and "none" in told[3]


def test_a_signal_ends_it_with_what_was_measured_kept(here: Path) -> None:
    stops = step("stops", f"import os, time; os.kill({os.getpid()}, {signal.SIGTERM}); time.sleep(60)")
    begin = time.monotonic()
    with pytest.raises(SystemExit) as ended:
        gpu.main(["--work", str(here)], [counted("a"), stops, counted("c")])
    assert ended.value.code == 128 + signal.SIGTERM and time.monotonic() - begin < 20
    rows = json.loads((here / "gpu.json").read_text())["steps"]
    assert [row["name"] for row in rows] == ["a"] and calls(here) == ["a"]


figure = st.floats(allow_nan=False) | st.integers() | st.text() | st.lists(st.floats(0, 1), max_size=2) | st.none()


@given(st.dictionaries(st.text(), figure, max_size=4), st.text(), st.sampled_from(["done", "failed"]))
def test_a_row_is_one_line_of_six_cells(figures: dict[str, Any], why: str, status: str) -> None:
    row = {"name": "a", "what": "b", "date": "2026-11-28", "status": status, "why": why, "figures": figures}
    *_, last = gpu_rows.rows_of(ABOUT, [row, row]).splitlines()
    assert last.startswith("| `a` |") and last.replace("\\|", "").count("|") == 7
    assert gpu_rows.rows_of(ABOUT, [row, row]).count("\n") == 6


@given(
    st.lists(st.tuples(st.integers(0, 200_000), st.integers(0, 100)), min_size=1), st.sampled_from(["", "[N/A], 3\n"])
)
def test_the_samples_of_a_card_are_summed_up(samples: list[tuple[int, int]], noise: str) -> None:
    text = noise + "".join(f"{mib}, {load}\n" for mib, load in samples) + "12, "  # a line that was cut
    told = gpu_card.read_samples(text)
    assert told["memory_gb"] == pytest.approx(max(mib for mib, _ in samples) * 2**20 / 1e9, abs=0.006)
    assert told["load"] == pytest.approx(sum(load for _, load in samples) / len(samples) / 100, abs=0.001)
    assert gpu_card.read_samples(noise) == {}


def test_every_step_has_a_command_of_scripts_that_exist(tmp_path: Path) -> None:
    given_all = Day(tmp_path, data=BENCHMARKS.parent / "data" / "ske", word_vectors=tmp_path, encoder=tmp_path)
    nothing = Day(tmp_path)
    assert len({one.name for one in STEPS}) == len(STEPS)
    for one in STEPS:
        script = one.command(given_all)[0]
        assert script == "-m" or Path(script).is_file(), one.name
        assert one.command(nothing)[0] == script, one.name
        assert 0 < one.seconds <= one.limit
    lacking = {one.name: one.lacks(nothing) for one in STEPS}
    assert lacking["ske"] == "needs --data" and lacking["cascade"] == "needs --data and --encoder"
    assert not lacking["tests"] and not lacking["equal"] and not lacking["training"] and not lacking["shipped"]
    assert "ske" in lacking["prediction"] and not STEPS[2].lacks(given_all)


def test_scripts_see_one_card_and_this_checkout_and_dry_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "2,3")
    monkeypatch.setenv("PYTHONPATH", "elsewhere")
    seen = gpu.environment(Day(tmp_path))
    assert seen["CUDA_VISIBLE_DEVICES"] == "2" and seen["IETOOL_HOME"] == str(tmp_path)
    assert seen["PYTHONPATH"].split(os.pathsep) == [str(BENCHMARKS.parent), "elsewhere"]
    assert gpu.environment(Day(tmp_path, dry=True))["CUDA_VISIBLE_DEVICES"] == ""
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES")
    assert gpu.environment(Day(tmp_path))["CUDA_VISIBLE_DEVICES"] == "0"


def figures_of(name: str, here: Day, line: Any) -> dict[str, Any]:
    return next(one for one in STEPS if one.name == name).figures(here, line)


def test_a_training_that_was_cut_tells_how_far_it_came(tmp_path: Path) -> None:
    here = Day(tmp_path, data=tmp_path)
    here.run("ske").mkdir(parents=True)
    assert figures_of("ske", here, {}) == {}
    rows = [{"seconds": 10.0 * n, "raw": {"f1": 0.1 * n}, "ema": {"f1": 0.2 * n} if n > 1 else None} for n in (1, 2)]
    (here.run("ske") / "metrics.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    assert figures_of("ske", here, {}) == {"epochs": 2, "seconds_an_epoch": 15.0, "best_epoch_f1": 0.4}
    line = {"f1": 0.63, "train_seconds": 200.0, "thresholds": 1}
    assert figures_of("ske", here, line)["f1_without_word_vectors"] == 0.63  # which the target does not speak of
    assert figures_of("ske", replace(here, word_vectors=tmp_path), line)["f1"] == 0.63


def test_what_the_tests_said_is_counted_by_name(tmp_path: Path) -> None:
    assert figures_of("tests", Day(tmp_path), {}) == {}
    wrong = '<testcase classname="tests.cuda.a" name="b[ske]"><failure message="assert 1 == 2"/></testcase>'
    cases = f'{wrong}<testcase classname="c" name="d"/>'
    suite = f'<testsuite tests="4" failures="1" errors="0" skipped="1">{cases}</testsuite>'
    (tmp_path / "tests.xml").write_text(f"<testsuites>{suite}</testsuites>")
    told = figures_of("tests", Day(tmp_path), {})
    assert told == {"passed": 2, "failed": 1, "skipped": 1, "wrong": ["a::b[ske]: assert 1 == 2"]}


def test_a_recipe_that_fails_does_not_hide_the_others(capsys: pytest.CaptureFixture[str]) -> None:
    compare, asked = gpu_equal.compare, ["gpu_equal.py", "--device", "cpu", "--few", "--recipe", "ske", "ner-crf"]

    def one_fails(name: str, *words: Any) -> dict[str, Any]:
        if name == "ske":
            raise RuntimeError("devices are mixed")
        return compare(name, *words)

    with mock.patch.object(gpu_equal, "compare", one_fails), mock.patch.object(sys, "argv", asked):
        assert gpu_equal.main() == 1
    line = json.loads(capsys.readouterr().out.splitlines()[-1])
    told = figures_of("equal", Day(Path()), line)
    assert told["failed"] == {"ske": "RuntimeError: devices are mixed"}
    assert (told["texts"], told["differ"], told["highest"]) == (20, 0, 0.0)
    moved = {"tf32": {"differ": 2, "highest": 0.1}, "bf16": {"differ": 3, "highest": 0.1}}
    line["recipes"]["ner-crf"] |= moved
    assert figures_of("equal", Day(Path()), line)["bf16_differ"] == 3


def test_synchronisations_are_counted_where_they_happen() -> None:
    waits = gpu_syncs.Waits()
    with waits.counted():
        for _ in range(3):
            warnings.warn("called a synchronizing CUDA operation (Triggered internally)", stacklevel=1)
        warnings.warn("something else", stacklevel=1)
    told = waits.told(2)
    assert told["count"] == 1.5 and [place.split("/")[-1].split(":")[0] for place in told["places"]] == ["test_gpu.py"]


@pytest.mark.filterwarnings("ignore:called a synchronizing CUDA operation")
def test_synchronisations_of_a_step_are_those_between_two_steps(tmp_path: Path) -> None:
    after_step = IETrainer.after_step

    def waits(trainer: IETrainer) -> None:
        warnings.warn("called a synchronizing CUDA operation", stacklevel=1)
        after_step(trainer)

    with mock.patch.object(IETrainer, "after_step", waits):
        told = gpu_syncs.count("ner-crf", tmp_path / "work", torch.device("cpu"), 3)
    assert told["training"]["count"] == 1.0 and told["prediction"]["count"] == 0


def test_it_runs_dry(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """One step, by the real scripts; CI runs all of them."""
    before = signal.getsignal(signal.SIGTERM)
    try:
        assert gpu.main(["--dry", "--work", str(tmp_path), "--only", "prediction"]) == 0
    finally:
        signal.signal(signal.SIGTERM, before)
    found = json.loads((tmp_path / "gpu.json").read_text())
    (row,) = found["steps"]
    assert found["dry"] and found["card"] is None and found["versions"]["torch"]
    assert row["status"] == "done" and row["figures"]["differ"] == 0 < row["figures"]["triples"]
    assert "targets" not in row  # what a tiny model does on a CPU is held to nothing
    assert "batched_texts_per_second" in capsys.readouterr().out
