"""The queue: clients share batches, nobody is lost, nobody pays for another, and it stays bounded."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

import pytest

from tests.serve.made import Stub

pytest.importorskip("fastapi", reason="serve is an extra: pip install 'ietool[serve]'")

from ietool.errors import UserError
from ietool.serve import batching
from ietool.serve.batching import TOGETHER, Batcher
from ietool.serve.limits import Limits, Refused
from tests.serve.made import Asked


def items(*texts: str) -> list[Asked]:
    return [Asked(text) for text in texts]


async def ask(batcher: Batcher, model: Any, *texts: str, keep: bool = False) -> Sequence[Any]:
    said = await batcher.ask(model, items(*texts), keep=keep, size=sum(map(len, texts)))
    return [one.prediction.text for one in said]


def test_what_waits_is_read_together_and_each_gets_its_own() -> None:
    model, batcher = Stub(), Batcher(Limits(window=0.0))
    model.gate.clear()

    async def many() -> list[Any]:
        batcher.start()
        first = asyncio.create_task(ask(batcher, model, "first"))
        await asyncio.sleep(0.1)  # the model is busy with it
        others = [asyncio.create_task(ask(batcher, model, f"{n}", f"{n}b")) for n in range(12)]
        await asyncio.sleep(0.1)
        model.gate.set()
        return await asyncio.gather(first, *others)

    said = asyncio.run(many())
    batcher.stop()
    assert said == [["first"], *([f"{n}", f"{n}b"] for n in range(12))]
    assert [len(batch) for batch in model.batches] == [1, 16, 8]  # half of what waits, and few are not halved
    assert batcher.answered == 25 and not batcher.waiting


def test_a_batch_waits_for_others_within_its_window() -> None:
    model, batcher = Stub(), Batcher(Limits(window=0.3))

    async def two() -> None:
        batcher.start()
        first = asyncio.create_task(ask(batcher, model, "a"))
        await asyncio.sleep(0.05)
        await asyncio.gather(first, ask(batcher, model, "b"))

    asyncio.run(two())
    batcher.stop()
    assert model.batches == [["a", "b"]]


def test_batches_are_bounded_and_keep_their_kinds_and_order() -> None:
    model, other, batcher = Stub(), Stub("other"), Batcher(Limits(window=0.0))
    most = TOGETHER * model.batch_size
    model.gate.clear()

    async def many() -> None:
        batcher.start()
        tasks = [asyncio.create_task(ask(batcher, model, "first"))]
        await asyncio.sleep(0.1)
        tasks += [asyncio.create_task(ask(batcher, model, f"{n}", f"{n}b")) for n in range(most)]
        tasks.append(asyncio.create_task(ask(batcher, model, "kept", keep=True)))
        tasks.append(asyncio.create_task(ask(batcher, other, "other")))
        await asyncio.sleep(0.1)
        model.gate.set()
        await asyncio.gather(*tasks)

    asyncio.run(many())
    batcher.stop()
    assert max(map(len, model.batches)) == most
    assert ["kept"] in model.batches and other.batches == [["other"]]
    plain = [text for batch in model.batches[1:] for text in batch if text != "kept"]
    assert plain == [f"{n}{b}" for n in range(most) for b in ("", "b")]


def test_one_that_fails_costs_the_others_nothing() -> None:
    told: list[BaseException] = []
    model, batcher = Stub(), Batcher(Limits(window=0.2), on_error=told.append)

    async def three() -> list[Any]:
        batcher.start()
        asked = (ask(batcher, model, "a"), ask(batcher, model, "boom"), ask(batcher, model, "b"))
        return await asyncio.gather(*asked, return_exceptions=True)

    first, failed, last = asyncio.run(three())
    batcher.stop()
    assert (first, last) == (["a"], ["b"])
    assert isinstance(failed, Refused) and failed.status == 500 and "/home" not in str(failed.value())
    assert [str(error) for error in told] == ["boom in /home/someone/model.py"]


def test_a_full_queue_says_when_to_come_again() -> None:
    model, batcher = Stub(), Batcher(Limits(waiting=3, window=0.0))
    model.gate.clear()

    async def many() -> list[Any]:
        batcher.start()
        tasks = [asyncio.create_task(ask(batcher, model, "first"))]
        await asyncio.sleep(0.1)
        tasks += [asyncio.create_task(ask(batcher, model, f"{n}", f"{n}")) for n in range(3)]
        await asyncio.sleep(0.1)
        model.gate.set()
        return await asyncio.gather(*tasks, return_exceptions=True)

    said = asyncio.run(many())
    batcher.stop()
    assert said[:2] == [["first"], ["0", "0"]]
    assert all(isinstance(one, Refused) and one.status == 429 for one in said[2:])
    assert int(said[2].headers["Retry-After"]) >= 1


def test_a_client_that_waits_too_long_is_told_and_what_it_asked_is_not_read() -> None:
    model, batcher = Stub(), Batcher(Limits(timeout=0.2, window=0.0))
    model.gate.clear()

    async def two() -> list[Any]:
        batcher.start()
        tasks = [asyncio.create_task(ask(batcher, model, "first"))]
        await asyncio.sleep(0.05)
        tasks.append(asyncio.create_task(ask(batcher, model, "second")))
        said = await asyncio.gather(*tasks, return_exceptions=True)
        model.gate.set()
        return [*said, await ask(batcher, model, "third")]

    first, second, third = asyncio.run(two())
    batcher.stop()
    assert first.status == second.status == 504 and third == ["third"]
    assert model.batches == [["first"], ["third"]] and not batcher.waiting


def test_it_ends_when_all_is_answered_and_takes_nothing_more() -> None:
    model, batcher = Stub(seconds=0.05), Batcher(Limits(window=5.0))

    async def many() -> list[Any]:
        batcher.start()
        tasks = [asyncio.create_task(ask(batcher, model, f"{n}")) for n in range(20)]
        await asyncio.sleep(0)
        stopping = asyncio.create_task(asyncio.to_thread(batcher.stop))
        said = await asyncio.gather(*tasks)
        await stopping
        return [*said, *await asyncio.gather(ask(batcher, model, "late"), return_exceptions=True)]

    *said, late = asyncio.run(many())
    assert said == [[f"{n}"] for n in range(20)]
    assert isinstance(late, Refused) and late.status == 503


def test_what_a_client_asked_that_has_left_is_not_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batching, "LOOK", 0.05)
    model, batcher = Stub(), Batcher(Limits(window=0.0))
    model.gate.clear()

    async def gone() -> bool:
        return True

    async def three() -> list[Any]:
        batcher.start()
        first = asyncio.create_task(ask(batcher, model, "first"))
        await asyncio.sleep(0.05)
        second = asyncio.create_task(batcher.ask(model, items("second"), keep=False, size=6, gone=gone))
        third = asyncio.create_task(ask(batcher, model, "third"))
        await asyncio.sleep(0.3)
        model.gate.set()
        return await asyncio.gather(first, second, third, return_exceptions=True)

    first, second, third = asyncio.run(three())
    batcher.stop()
    assert (first, third) == (["first"], ["third"]) and isinstance(second, Refused)
    assert model.batches == [["first"], ["third"]]


def test_what_memory_does_not_suffice_for_is_told(caplog: pytest.LogCaptureFixture) -> None:
    model, batcher = Stub(), Batcher(Limits(window=0.0))

    def full(items: Sequence[Any], *, keep: bool) -> Any:
        raise UserError("the memory does not suffice", mend="predict fewer texts at a time: --batch-size N")

    model.answer = full  # type: ignore[method-assign]

    async def one() -> Any:
        batcher.start()
        return await asyncio.gather(ask(batcher, model, "a"), return_exceptions=True)

    (refused,) = asyncio.run(one())
    batcher.stop()
    assert refused.status == 503 and refused.value()["error"] == "the memory does not suffice"
    assert caplog.messages[0].startswith("error: the memory does not suffice")
