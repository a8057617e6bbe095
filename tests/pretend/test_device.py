"""The pretend device is as strict as CUDA, computes what the CPU computes, and counts what it should."""

from __future__ import annotations

import copy
import io
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import load_file, save_file
from torch import nn

from ietool.training.finite import FirstNotFinite
from tests.pretend.counts import COPY_IN, COPY_OUT, WAIT, Told, counting
from tests.pretend.device import NAME, Remote, pretend


def test_it_is_there_within_alone() -> None:
    entered = torch.inference_mode.__enter__
    assert not torch.accelerator.is_available()
    with pretend() as device:
        assert torch.accelerator.is_available() and torch.ones(2, device=device).device == device
        assert torch.inference_mode.__enter__ is not entered
    assert not torch.accelerator.is_available() and torch.inference_mode.__enter__ is entered
    with torch.inference_mode():
        assert torch.ones(2).is_inference()


def test_mixed_devices() -> None:
    here = torch.arange(3.0)
    with pretend() as device:
        there = here.to(device)
        for mixed in (
            lambda: there + here,
            lambda: torch.cat([there, here]),
            lambda: here[there.long()],
            lambda: torch.where(there > 1, there, here),
            lambda: nn.Linear(3, 1)(there),
            lambda: there.numpy(),
            lambda: there.index_put((there.long(),), here),
        ):
            with pytest.raises((RuntimeError, TypeError), match=r"mixed|numpy"):
                mixed()
        # As on CUDA: a number of the host goes along, and indices are brought.
        assert (there * torch.tensor(2.0)).tolist() == [0, 2, 4]
        with counting() as counts:
            assert there[torch.tensor([2, 0])].device == device
        assert counts.told() == Told(copies_in=1, blocking=1)


def test_what_is_counted() -> None:
    with pretend() as device:
        there = torch.tensor([1.0, 0.0, 2.0], device=device)
        waits = {
            "item": lambda: there[0].item(),
            "float": lambda: float(there.sum()),
            "if": lambda: 1 if there[0] > 0 else 0,
            "tolist": there.tolist,
            "nonzero": there.nonzero,
            "mask": lambda: there[there > 0],
            "unique": there.unique,
            "select": lambda: there.masked_select(there > 0),
            "equal": lambda: torch.equal(there, there),
        }
        for name, does in waits.items():
            with counting() as counts:
                does()
            assert counts.told() == Told(waits=1), name
        with counting() as counts:
            FirstNotFinite(device).step()
        assert "ietool/training/finite.py:" in counts.places(WAIT)
        nothing = (
            lambda: there.masked_fill_(there > 9, 0.0),
            lambda: torch.arange(5, device=device),
            lambda: there[there.long()],
            lambda: torch.nonzero_static(there, size=2),
            lambda: torch.full((), 3, device=device),
        )
        with counting() as counts:
            for each in nothing:
                each()
        assert counts.told() == Told(), counts.places(COPY_IN, COPY_OUT, WAIT)
        with counting() as counts:
            torch.ones(2).to(device)
            torch.ones(2).to(device, non_blocking=True)
            there.new_tensor([1, 2])
            there.cpu()
            there.to("cpu", non_blocking=True)
        assert counts.told() == Told(copies_in=3, blocking=2, copies_out=2, waits=1)


@settings(max_examples=12)
@given(st.sampled_from(["lstm", "gru"]), st.integers(1, 3), st.integers(1, 4), st.booleans(), st.booleans())
def test_recurrent_layers(kind: str, batch: int, length: int, both_ways: bool, bias: bool) -> None:
    torch.manual_seed(batch * 10 + length)
    made = nn.LSTM if kind == "lstm" else nn.GRU
    here: nn.Module = made(3, 2, batch_first=True, bidirectional=both_ways, bias=bias)
    x = torch.randn(batch, length, 3)
    with pretend() as device:
        there = copy.deepcopy(here).to(device)
        out = there(x.to(device))[0]
        out.pow(2).sum().backward()
        found = [out.detach().cpu(), *(p.grad.cpu() for p in there.parameters() if p.grad is not None)]
    wanted = here(x)[0]
    wanted.pow(2).sum().backward()
    torch.testing.assert_close(found, [wanted.detach(), *(p.grad for p in here.parameters())])


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_autocast(dtype: torch.dtype) -> None:
    with pretend() as device:
        layer, x = nn.Linear(3, 2).to(device), torch.ones(4, 3, device=device)
        with torch.autocast(NAME, dtype):
            low = layer(x)
            assert low.dtype == (low @ low.T).dtype == low.relu().dtype == dtype
            for full in (low.exp(), low.softmax(-1), low.sum(), nn.functional.layer_norm(low, (2,)), low + x[:, :2]):
                assert full.dtype == torch.float32
            assert torch.cat([low, x], 1).dtype == torch.float32
            with torch.autocast(NAME, enabled=False):
                assert layer(x).dtype == torch.float32
        low.float().sum().backward()
        assert layer.weight.grad is not None and layer.weight.grad.dtype == torch.float32


def test_models_are_moved_copied_and_kept(tmp_path: Path) -> None:
    with pretend() as device:
        table, out = nn.Embedding(3, 2), nn.Linear(2, 3, bias=False)
        out.weight = table.weight
        both = nn.Sequential(table, out).to(device)
        assert both[0].weight is both[1].weight and isinstance(both[0].weight, nn.Parameter)
        twin = copy.deepcopy(both)
        assert isinstance(twin[0].weight, Remote) and twin[0].weight is twin[1].weight is not both[0].weight
        optimiser = torch.optim.AdamW(both.parameters(), foreach=True)
        both(torch.tensor([0, 2], device=device)).sum().backward()
        with counting() as counts:
            torch.nn.utils.clip_grad_norm_(both.parameters(), 1.0)
            optimiser.step()
        assert counts.told() == Told(), counts.places(COPY_IN, COPY_OUT, WAIT)
        assert not torch.equal(twin[0].weight, both[0].weight)
        kept = io.BytesIO()
        torch.save(optimiser.state_dict(), kept)
        kept.seek(0)
        state = torch.load(kept, map_location=device, weights_only=True)["state"][0]
        assert state["exp_avg"].device == device and torch.equal(
            state["exp_avg"], optimiser.state[both[0].weight]["exp_avg"]
        )
        save_file({"weight": both[0].weight.detach()}, tmp_path / "weights")
        assert torch.equal(load_file(tmp_path / "weights")["weight"], both[0].weight.detach().cpu())
