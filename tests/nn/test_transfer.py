"""One copy to the device and one back, as if the CPU were a device of its own."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ietool.nn import transfer
from ietool.nn.transfer import Asked, ahead_on, sent

KINDS = [torch.bool, torch.uint8, torch.int32, torch.int64, torch.float16, torch.float32, torch.float64]
CPU = torch.device("cpu")


@st.composite
def tensors(draw: st.DrawFn) -> list[torch.Tensor]:
    """Of any shape and kind, some turned round."""
    found = []
    for _ in range(draw(st.integers(0, 5))):
        shape, kind = draw(st.lists(st.integers(0, 3), max_size=3)), draw(st.sampled_from(KINDS))
        tensor = torch.arange(1, 1 + int(np.prod(shape, dtype=int))).reshape(shape).to(kind)
        found.append(tensor.T if draw(st.booleans()) and tensor.dim() == 2 else tensor)
    return found


@pytest.fixture(params=["here", "apart"])
def copies(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transfer, "apart", lambda device: request.param == "apart")


@pytest.mark.usefixtures("copies")
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(tensors())
def test_what_is_sent_arrives(given_: list[torch.Tensor]) -> None:
    batch = {str(n): tensor for n, tensor in enumerate(given_)}
    there = sent(batch, CPU)
    assert list(there) == list(batch)
    for name, tensor in batch.items():
        assert there[name].dtype == tensor.dtype and torch.equal(there[name], tensor)


@pytest.mark.usefixtures("copies")
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(tensors())
def test_what_is_asked_for_comes(given_: list[torch.Tensor]) -> None:
    for array, tensor in zip(Asked(given_).wait(), given_, strict=True):
        wanted = tensor.numpy()
        assert array.dtype == wanted.dtype and array.shape == wanted.shape and (array == wanted).all()


def test_everything_goes_in_one_piece(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transfer, "apart", lambda device: True)
    there = sent({"a": torch.ones(3), "b": torch.ones(2, 2, dtype=torch.int64), "c": torch.ones(5) > 0}, CPU)
    assert len({tensor.untyped_storage().data_ptr() for tensor in there.values()}) == 1
    first, second = Asked([torch.ones(3), torch.ones(2, 2, dtype=torch.int64)]).wait()
    # The wider numbers first.
    assert first.ctypes.data - second.ctypes.data == second.nbytes


def test_the_cpu_keeps_what_it_has() -> None:
    tensor = torch.ones(3)
    assert sent({"a": tensor}, CPU)["a"] is tensor
    (array,) = Asked([tensor]).wait()
    tensor[0] = 7
    assert array[0] == 7 and ahead_on(CPU) == 0 and ahead_on(torch.device("cuda")) == 1
