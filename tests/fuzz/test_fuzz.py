"""No mutated input may end in a traceback, a signal, a hang or a gigabyte. Long runs: ``benchmarks/fuzz.py``."""

from __future__ import annotations

import random
from collections.abc import Iterator

import pytest

from tests.fuzz.doors import Door, make_doors
from tests.fuzz.hunt import Worker, fault_of, hunt_with
from tests.fuzz.mutations import MUTATIONS, mutate


@pytest.fixture(scope="module")
def opened(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Worker, list[Door]]]:
    """A worker process and its doors."""
    work = tmp_path_factory.mktemp("doors")
    worker = Worker(work)
    try:
        yield worker, make_doors(work)
    finally:
        worker.close()


def test_good_files_go_through_every_door(opened: tuple[Worker, list[Door]]) -> None:
    worker, doors = opened
    for door in doors:
        (worker.work / door.path).write_bytes(door.good)
        said = worker.run(door.arguments)
        assert (said["code"], fault_of(said)) == (0, None), (door.name, said)


def test_mutated_files_are_read_or_refused(opened: tuple[Worker, list[Door]]) -> None:
    result = hunt_with(*opened, range(120), seed=1)
    assert result.inputs == 120
    assert not result.faults, "\n".join(result.faults)
    assert result.codes[2] > 20 and result.codes[0] > 20  # neither all refused nor all let through


def test_the_same_seed_makes_the_same_file() -> None:
    good = b'{"text": "abc", "n": [1, 2]}\n' * 3
    made = [mutate(good, random.Random(f"1 {n}")) for n in range(300)]
    assert made == [mutate(good, random.Random(f"1 {n}")) for n in range(300)]
    assert {name for how, _ in made for name in how.split("+")} == {kind.__name__ for kind, _ in MUTATIONS}


def test_faults_are_seen() -> None:
    good = {"code": 2, "err": "error: a: is empty → fill it\n", "seconds": 0.1, "megabytes": 300}
    assert fault_of(good) is None
    assert fault_of(good | {"code": 1}) == "code 1"
    assert fault_of(good | {"err": "Traceback (most recent call last):\n"}) == "code 2"
    assert fault_of(good | {"err": "wrong\n"}) == "0 lines of error"
    assert fault_of(good | {"err": "error: \x1b[31m\n"}) == "control characters"
    assert fault_of(good | {"megabytes": 2000}) == "2000 MB"
    assert fault_of(good | {"lost": "signal 11"}) == "signal 11"
