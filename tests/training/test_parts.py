"""The parts around the Trainer: averaged weights, batches of like length, devices, checkpoints."""

from __future__ import annotations

import os
import random
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from ietool.errors import UserError
from ietool.recipe_io import load_recipe
from ietool.training import device
from ietool.training.compiling import compiling_told
from ietool.training.device import autocast, choose_device, choose_precision, confine, cpu_bf16_gain, precision_note
from ietool.training.ema import make_ema
from ietool.training.reached import EpochRow, TrainState, last_checkpoint, read_progress
from ietool.training.sampler import LengthBucketSampler
from ietool.training.saving import save_weights

# -- averaged weights


@pytest.mark.parametrize("decay", [0.9, 0.999, 0.9999])
def test_average_equals_the_formula(decay: float) -> None:
    torch.manual_seed(1)
    model = torch.nn.Linear(3, 2)
    start = {name: p.detach().clone() for name, p in model.named_parameters()}
    ema = make_ema(model, decay)
    expected: dict[str, torch.Tensor] = {}
    for step in range(40):
        with torch.no_grad():
            for p in model.parameters():
                p.add_(torch.randn_like(p))
        ema.update_parameters(model)
        for name, p in model.named_parameters():
            if step == 0:  # nothing of the random start is left after the first step
                expected[name] = p.detach().double().clone()
            else:
                d = min(decay, (1 + step) / (10 + step))
                expected[name] = d * expected[name] + (1 - d) * p.detach().double()
        for name, p in ema.module.named_parameters():
            torch.testing.assert_close(p.double(), expected[name], rtol=1e-4, atol=1e-5)
        if step == 0:
            assert all(not torch.equal(p, start[name]) for name, p in ema.module.named_parameters())
    assert int(ema.n_averaged) == 40
    assert all(not torch.equal(a, b) for a, b in zip(ema.module.parameters(), model.parameters(), strict=True))


def test_average_keeps_up_with_buffers() -> None:
    model = torch.nn.BatchNorm1d(2)
    ema = make_ema(model, 0.9)
    model(torch.randn(8, 2) + 3)
    ema.update_parameters(model)
    assert torch.equal(ema.module.running_mean, model.running_mean)  # type: ignore[arg-type]


# -- batches of like length

sizes = st.lists(st.integers(1, 500), min_size=1, max_size=300)


@settings(deadline=None, max_examples=60)
@given(sizes, st.integers(1, 40), st.integers(0, 5), st.integers(0, 5))
def test_sampler_is_a_permutation_by_seed_and_epoch(lengths: list[int], batch: int, seed: int, epoch: int) -> None:
    def order(sampler: LengthBucketSampler, epoch: int) -> list[int]:
        sampler.set_epoch(epoch)
        return list(sampler)

    sampler = LengthBucketSampler(batch, lengths, seed)
    drawn = order(sampler, epoch)
    assert sorted(drawn) == list(range(len(lengths))) and len(sampler) == len(lengths)
    # A process that begins in the middle draws what one from the start would: earlier draws leave no trace, nor does
    # the state of torch's own generator.
    torch.manual_seed(random.randrange(1 << 30))
    fresh = LengthBucketSampler(batch, lengths, seed)
    order(fresh, epoch + 3)
    assert order(fresh, epoch) == drawn
    if len(lengths) > 60:
        assert order(sampler, epoch + 1) != drawn
        assert order(LengthBucketSampler(batch, lengths, seed + 1), epoch) != drawn


def test_batches_hold_texts_of_like_length_in_random_order() -> None:
    draw = random.Random(7)
    lengths = [min(320, int(draw.lognormvariate(3.9, 0.5)) + 5) for _ in range(8000)]  # long-tailed, like real corpora
    batch = 32
    sampler = LengthBucketSampler(batch, lengths, 3)
    for epoch in range(2):
        sampler.set_epoch(epoch)
        order = list(sampler)
        batches = [[lengths[i] for i in order[at : at + batch]] for at in range(0, len(order), batch)]
        positions = sum(max(b) * len(b) for b in batches)
        assert 1 - sum(lengths) / positions < 0.12
        assert all(len(b) == batch for b in batches[:-1])
        # Long and short batches are mixed: the mean length of each tenth of the epoch is about that of the whole.
        tenth = len(batches) // 10
        for at in range(0, 10 * tenth, tenth):
            mean = sum(map(sum, batches[at : at + tenth])) / sum(map(len, batches[at : at + tenth]))
            assert mean == pytest.approx(sum(lengths) / len(lengths), rel=0.35)


# -- devices and precision


@pytest.mark.parametrize("name", ["tpu", "cuda:x", "mps", "meta", ""])
def test_devices_of_no_use(name: str) -> None:
    with pytest.raises(UserError, match="--device"):
        choose_device(name)


def test_a_gpu_that_is_not_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert choose_device("auto") == choose_device("cpu") == torch.device("cpu")
    with pytest.raises(UserError, match="0 CUDA devices"):
        choose_device("cuda")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    assert choose_device("auto") == choose_device("cuda") == torch.device("cuda")
    assert choose_device("cuda:0") == torch.device("cuda:0")
    with pytest.raises(UserError, match=r"'cuda:1' is not there \(1 CUDA devices"):
        choose_device("cuda:1")


def test_a_confined_process_knows_its_gpu_by_the_name_it_was_asked_by(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is the only one from then on, while callers go on with the old name."""
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    seen = [3]
    monkeypatch.setattr(torch.cuda, "device_count", lambda: seen[0])
    monkeypatch.setattr(device, "multiply_fp32", lambda precision: None)
    monkeypatch.setattr(device, "_CONFINED", {})
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "4,6,7")
    monkeypatch.delenv("RANK", raising=False)
    for _ in range(2):  # a member of a group, and the next one
        assert confine(choose_device("cuda:1")) == torch.device("cuda:0")
        assert os.environ["CUDA_VISIBLE_DEVICES"] == "6"
        seen[0] = 1
    assert choose_device("cuda:1") == torch.device("cuda:0")
    with pytest.raises(UserError, match="'cuda:2' is not there"):
        choose_device("cuda:2")


def test_precision_by_what_the_device_does_well(monkeypatch: pytest.MonkeyPatch) -> None:
    cpu, gpu = torch.device("cpu"), torch.device("cuda")
    scratch, small = load_recipe("ske"), load_recipe("ske", ["model.encoder=some/encoder"])
    for asked in ("fp32", "bf16", "fp16"):
        used = "fp32" if asked == "fp16" else asked
        assert choose_precision(load_recipe("ske", [f"training.precision={asked}"]), cpu) == used
        assert (precision_note(asked, used) is None) == (asked == used)
    for gain, expected in ((4.0, "bf16"), (0.3, "fp32")):
        monkeypatch.setattr(device, "cpu_bf16_gain", lambda gain=gain: gain)
        assert choose_precision(small, cpu) == expected
        assert choose_precision(scratch, cpu) == "fp32"  # slower there in bf16, whatever products alone gain
    for has, expected in ((True, "bf16"), (False, "fp16")):
        monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda including_emulation=True, has=has: has)
        assert choose_precision(scratch, gpu) == choose_precision(small, gpu) == expected


def test_fp32_within_half_precision_is_fp32() -> None:
    """A member of an ensemble that computes in fp32, asked beside one in bf16."""
    cpu, x = torch.device("cpu"), torch.ones(2, 2)
    with autocast(cpu, "bf16"):
        assert (x @ x).dtype == torch.bfloat16
        with autocast(cpu, "fp32"):
            assert (x @ x).dtype == torch.float32
        assert (x @ x).dtype == torch.bfloat16


def test_the_gain_is_measured() -> None:
    assert 0 < cpu_bf16_gain() < 1000


# -- checkpoints


def checkpoint(folder: Path, step: int, *, complete: bool = True) -> Path:
    made = folder / f"checkpoint-{step}"
    made.mkdir(parents=True)
    (made / "model.safetensors").write_bytes(b"...")
    if complete:
        row = EpochRow(1, step, 0.5, 1e-3, None, {"score": 0.25}, 10.0, 1.0, True)
        (made / "progress.json").write_text(TrainState([row], 0.25, 1).to_json(), encoding="utf-8")
    return made


def test_the_last_complete_checkpoint(tmp_path: Path) -> None:
    assert last_checkpoint(tmp_path / "none") is None
    assert last_checkpoint(tmp_path) is None
    checkpoint(tmp_path, 900, complete=False)
    assert last_checkpoint(tmp_path) is None
    checkpoint(tmp_path, 90)
    newest = checkpoint(tmp_path, 100)  # by number: as strings, 90 comes after 100
    (checkpoint(tmp_path, 800, complete=False) / "progress.json.part").write_text("{", encoding="utf-8")
    assert last_checkpoint(tmp_path) == newest
    state = read_progress(newest)
    assert state.best == 0.25 and state.rows[0].epoch == 100 and state.rows[0].ema == {"score": 0.25}


def test_layers_that_cannot_be_compiled_are_told() -> None:
    with pytest.raises(UserError, match="layers cannot be compiled here") as caught, compiling_told():
        raise torch._dynamo.exc.TorchDynamoException("\nno C++ compiler\nmore")
    assert caught.value.field == "training.compile" and "(no C++ compiler) → set it to false" in str(caught.value)
    with pytest.raises(LookupError), compiling_told():
        raise LookupError


def test_weights_are_on_the_disk_before_they_take_their_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A power cut must not leave a finished run with empty weights."""
    kept: set[int] = set()
    fsync, replace = os.fsync, os.replace

    def synced(descriptor: int) -> None:
        kept.add(os.fstat(descriptor).st_ino)
        fsync(descriptor)

    def placed(source: Path, target: Path) -> None:
        assert source.stat().st_ino in kept
        replace(source, target)

    class Model:
        def save_pretrained(self, folder: Path) -> None:
            folder.mkdir()
            (folder / "model.safetensors").write_bytes(b"x")

    monkeypatch.setattr("os.fsync", synced)
    monkeypatch.setattr("os.replace", placed)
    save_weights(Model(), tmp_path)  # type: ignore[arg-type]
    assert (tmp_path / "model.safetensors").read_bytes() == b"x" and tmp_path.stat().st_ino in kept
