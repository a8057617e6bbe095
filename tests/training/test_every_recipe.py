"""What holds for the training of every recipe: any process makes the same batches, padding is not read, and compiled
layers compute the same."""

from __future__ import annotations

import multiprocessing
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from accelerate import skip_first_batches
from hypothesis import given, settings
from hypothesis import strategies as st

from ietool.progress import no_progress
from ietool.training import compiling
from ietool.training.arguments import training_arguments
from ietool.training.compiling import compile_layers, uncompiled
from ietool.training.reached import TrainState
from ietool.training.trainer import IETrainer
from ietool.training.workers import let_go
from tests.recorded import flows
from tests.training.conftest import Made

every_recipe = pytest.mark.parametrize("name", [name for name, flow in flows.FLOWS.items() if not flow.recipe])

Batch = dict[str, Any]


def same(found: list[Batch], expected: list[Batch]) -> None:
    assert len(found) == len(expected) > 0
    for one, other in zip(found, expected, strict=True):
        assert one.keys() == other.keys()
        for key, values in one.items():  # tensors, or arrays that stay on the CPU
            assert type(values) is type(other[key]) and values.dtype == other[key].dtype
            assert torch.equal(torch.as_tensor(values), torch.as_tensor(other[key])), key


@every_recipe
def test_any_process_makes_the_same_batches(name: str, made: Callable[[str], Made], tmp_path: Path) -> None:
    """From epoch to epoch, from the middle of one, and of a set that was pickled."""
    it = made(name)
    epochs: dict[int, list[list[Batch]]] = {}
    for count in (0, 2):
        section = it.recipe_with(f"training.workers={count}").training
        data = it.task.training_set(it.recipe_with(), it.prepared)
        arguments = training_arguments(section, tmp_path, items=len(data), epochs=2, learning_rate=1e-3, warm=True,
                                       device=torch.device("cpu"), precision="fp32")  # fmt: skip
        trainer = IETrainer(
            torch.nn.Linear(1, 1), arguments, data, section, TrainState(stage=2), tmp_path,  # type: ignore[arg-type]
            evaluate_model=lambda model: ({}, ""), on_epoch=lambda row: None, progress=no_progress,
        )  # fmt: skip
        loader = trainer.get_train_dataloader()
        epochs[count] = []
        processes = set()
        for epoch in range(2):
            trainer.begin_epoch(epoch)
            loader.set_epoch(epoch)
            epochs[count].append(list(loader))
            processes |= {child.pid for child in multiprocessing.active_children()}
        assert len(processes) == count  # the same in both epochs
        rest = skip_first_batches(loader, 2)
        rest.set_epoch(1)
        same(list(rest), epochs[count][1][2:])
        del rest
        let_go(loader)
        assert not multiprocessing.active_children()
    for alone, beside in zip(epochs[0], epochs[2], strict=True):
        same(beside, alone)
    pickled = pickle.dumps(data)
    assert len(pickled) < 5000  # nothing of the table
    again = pickle.loads(pickled)  # noqa: S301
    for one in (data, again):
        one.set_epoch(10_001)
    at = range(min(len(data), 12))
    same([again.collate([again[n] for n in at])], [data.collate([data[n] for n in at])])


@every_recipe
def test_padding_is_not_read(name: str, made: Callable[[str], Made]) -> None:
    it = made(name)
    torch.manual_seed(1)
    model = it.task.build_model(it.recipe_with(), it.prepared).eval()

    def loss(bucket: int) -> tuple[float, set[int]]:
        data = it.task.training_set(it.recipe_with(f"training.bucket={bucket}"), it.prepared)
        batch = data.collate([data[index] for index in range(6)])
        with torch.no_grad():
            return float(model(**batch)["loss"]), {size for tensor in batch.values() for size in tensor.shape}

    plain, sizes = loss(0)

    @settings(max_examples=4)
    @given(st.integers(1, 130))
    def padded(bucket: int) -> None:
        assert loss(bucket)[0] == pytest.approx(plain, rel=1e-5)

    padded()
    value, more = loss(101)
    assert value == pytest.approx(plain, rel=1e-5) and 101 in more - sizes


# The others have layers of the same kinds.
@pytest.mark.parametrize("name", ["el", "qa", "ner-globalpointer", "nl2sql"])
def test_compiled_layers_compute_the_same(
    name: str, made: Callable[[str], Made], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Loss and gradients, in whole graphs that serve shapes which were not seen, and with weights of the same names."""
    from torch._dynamo.utils import counters

    monkeypatch.setattr(compiling, "BACKEND", "eager")
    it = made(name)
    data = it.task.training_set(it.recipe_with(), it.prepared)
    batches = [data.collate([data[index] for index in range(count)]) for count in (3, 5, 6)]
    torch.manual_seed(1)
    model: Any = it.task.build_model(it.recipe_with(), it.prepared).eval()

    def computed() -> list[list[torch.Tensor]]:
        found = []
        for batch in batches:
            model.zero_grad()
            loss = model(**batch)["loss"]
            loss.backward()
            found.append([loss.detach(), *(p.grad.clone() for p in model.parameters() if p.grad is not None)])
        return found

    plain, names = computed(), list(model.state_dict())
    torch._dynamo.reset()
    counters.clear()
    compile_layers(model)
    with uncompiled():
        computed()
    assert not counters["stats"]["unique_graphs"]
    for found, expected in zip(computed(), plain, strict=True):
        torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-7)
    graphs = []  # one more where a length was by chance the size of a layer, which torch takes for the same number
    for first in (6, 7, 8):
        graphs.append(counters["stats"]["unique_graphs"])
        batches = [data.collate([data[index] for index in range(first, first + count)]) for count in (2, 4, 7)]
        computed()
    assert 0 < graphs[1] == counters["stats"]["unique_graphs"] and not counters["graph_break"]
    assert list(model.state_dict()) == names
