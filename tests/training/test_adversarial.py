"""FGM and R-Drop against literal computations, within the steps of the trainer."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from ietool.errors import UserError
from ietool.nn.encoder import EncoderConfig, make_encoder
from ietool.tasks.ske import SkeTask
from ietool.tasks.ske.heads.base import SkeModel
from ietool.tasks.ske.recipe import SkeRecipe
from ietool.training.adversarial import bernoulli_divergence, choice_divergence, disturbed, tables
from ietool.training.arguments import training_arguments
from ietool.training.reached import TrainState
from ietool.training.trainer import IETrainer
from ietool.workflow.train import train
from tests.tasks.ske.made import acting, encoder_of_corpus, head_of_corpus, prepare_small, small_recipe


def test_divergence_of_yes_or_no() -> None:
    torch.manual_seed(1)
    a, b, weight = torch.randn(3, 5) * 3, torch.randn(3, 5) * 3, torch.rand(3, 1)
    p, q = torch.distributions.Bernoulli(logits=a), torch.distributions.Bernoulli(logits=b)
    both = torch.distributions.kl_divergence(p, q) + torch.distributions.kl_divergence(q, p)
    torch.testing.assert_close(bernoulli_divergence(a, b), both.sum() / 2)
    torch.testing.assert_close(bernoulli_divergence(a, b, weight), (both * weight).sum() / 2)
    assert float(bernoulli_divergence(a, a)) == 0.0
    far = bernoulli_divergence(torch.tensor([-1e4, 1e4]), torch.tensor([-1e4, 1e4]))
    assert float(far) == 0.0


def test_divergence_of_choices() -> None:
    torch.manual_seed(1)
    a, b, weight = torch.randn(2, 4, 6), torch.randn(2, 4, 6), torch.rand(2, 4)
    p, q = torch.distributions.Categorical(logits=a), torch.distributions.Categorical(logits=b)
    both = torch.distributions.kl_divergence(p, q) + torch.distributions.kl_divergence(q, p)
    torch.testing.assert_close(choice_divergence(a, b), both.sum() / 2)
    torch.testing.assert_close(choice_divergence(a, b, weight), (both * weight).sum() / 2)
    masked = a.masked_fill(torch.arange(6) > 3, -torch.inf)
    assert float(choice_divergence(masked, masked + 1)) == pytest.approx(0.0, abs=1e-5)
    assert bool(torch.isfinite(choice_divergence(masked, b.masked_fill(torch.arange(6) > 3, -torch.inf))))


def test_the_table_is_moved_along_its_gradient_and_back_to_the_digit() -> None:
    torch.manual_seed(1)
    encoder = make_encoder(EncoderConfig(characters=50, hidden_size=8, dilations=[1]))
    (weight,) = tables(encoder)
    assert weight is encoder.table.weight
    with torch.no_grad():
        weight.mul_(1000.0)  # so large that what is added and taken away again would leave a trace
    before = weight.detach().clone()
    with disturbed(encoder, 0.5):
        assert torch.equal(weight, before)  # without a gradient there is no direction
    weight.grad = torch.randn_like(weight)
    direction = weight.grad / weight.grad.norm()
    with disturbed(encoder, 0.5):
        torch.testing.assert_close(weight.detach(), before + 0.5 * direction)
    assert torch.equal(weight, before)
    with pytest.raises(KeyboardInterrupt), disturbed(encoder, 0.5):
        raise KeyboardInterrupt
    assert torch.equal(weight, before)
    for grad in (torch.zeros_like(weight), torch.full_like(weight, torch.inf)):
        weight.grad = grad
        with disturbed(encoder, 0.5):
            assert torch.equal(weight, before)


Made = tuple[SkeRecipe, SkeModel, IETrainer, dict[str, Tensor]]


@pytest.fixture(scope="module", params=["ske", "ske-cascade", "ske-gplinker"])
def make(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Made]:
    """A trainer of a recipe, its model and a batch; ``ske`` on characters, the others on tokens."""
    folder = tmp_path_factory.mktemp("trainer")
    encoder = "dgcnn" if request.param == "ske" else str(encoder_of_corpus(folder))
    base = small_recipe(f"model.encoder={encoder}", name=request.param)
    prepared = prepare_small(base, head_of_corpus(folder), folder)

    def build(*settings: str) -> Made:
        recipe = small_recipe(*acting((f"model.encoder={encoder}", *settings), request.param), name=request.param)
        torch.manual_seed(3)
        data = SkeTask().training_set(recipe, prepared)
        model: Any = SkeTask().build_model(recipe, prepared)
        section = recipe.training
        arguments = training_arguments(
            section, folder / "checkpoints", items=len(data), epochs=1, learning_rate=1e-3, warm=False,
            device=torch.device("cpu"), precision="fp32",
        )  # fmt: skip

        def nothing(*args: Any) -> Any:
            return {"score": 0.0}, ""

        trainer = IETrainer(
            model, arguments, data, section, TrainState(), folder, nothing, nothing, nothing  # type: ignore[arg-type]
        )  # fmt: skip
        trainer.current_gradient_accumulation_steps = 1  # the training loop sets it
        return recipe, model, trainer, data.collate([data[i] for i in range(8)])

    return build


STILL = ("model.embedding_dropout=0", "model.gate_dropout=0", "model.head_dropout=0")


def silence(model: torch.nn.Module) -> None:
    """No dropout, not even in the pretrained encoder."""
    for module in model.modules():
        if isinstance(module, torch.nn.Dropout):
            module.p = 0.0


def test_a_step_adds_the_gradients_of_both_passes(make: Callable[..., Made]) -> None:
    _, model, trainer, batch = make("training.adversarial=0.7", *STILL)
    silence(model)
    before = {name: p.detach().clone() for name, p in model.named_parameters()}
    loss = trainer.training_step(model, dict(batch))
    found = {name: None if p.grad is None else p.grad.clone() for name, p in model.named_parameters()}
    assert all(torch.equal(p, before[name]) for name, p in model.named_parameters())

    model.zero_grad()
    names = [name for name, p in model.named_parameters() if p.requires_grad]
    leaves = [dict(model.named_parameters())[name] for name in names]
    table = model.encoder.table.weight
    plain = model(**batch)["loss"]
    first = torch.autograd.grad(plain, leaves, allow_unused=True)
    own = first[[id(p) for p in leaves].index(id(table))]
    assert own is not None
    with torch.no_grad():
        table.add_(0.7 * own / own.norm())
    moved = model(**batch)["loss"]
    second = torch.autograd.grad(moved, leaves, allow_unused=True)
    assert float(moved.detach()) > float(plain.detach())
    torch.testing.assert_close(loss, plain.detach())
    for name, a, b in zip(names, first, second, strict=True):
        expected = None if a is None or b is None else a + b
        got = found[name]
        assert (got is None or not got.any()) if expected is None else got is not None, name
        if expected is not None and got is not None:
            torch.testing.assert_close(got, expected, rtol=1e-3, atol=1e-5, msg=name)


def test_r_drop_is_the_mean_of_two_passes_and_what_divides_them(make: Callable[..., Made]) -> None:
    _, model, trainer, batch = make("training.r_drop=4")
    model.train()
    torch.manual_seed(11)
    found = trainer.compute_loss(model, dict(batch))
    torch.manual_seed(11)
    first, second = model(**batch), model(**batch)
    expected = (first["loss"] + second["loss"]) / 2 + 4 * model.divergence(first, second)
    torch.testing.assert_close(found, expected)
    assert float(model.divergence(first, second).detach()) > 0
    silence(model)
    _, still, plain, _ = make("training.r_drop=4", *STILL)
    silence(still)
    still.train()
    torch.testing.assert_close(plain.compute_loss(still, dict(batch)), still(**batch)["loss"])


def test_gradient_accumulation_and_both_together(make: Callable[..., Made]) -> None:
    """The trainer divides by the steps that are added up; FGM's second pass too."""
    _, model, trainer, batch = make("training.adversarial=0.5", "training.r_drop=1", *STILL)
    silence(model)
    trainer.training_step(model, dict(batch))
    whole = {name: p.grad.clone() for name, p in model.named_parameters() if p.grad is not None}
    model.zero_grad()
    trainer.current_gradient_accumulation_steps = 2
    trainer.training_step(model, dict(batch))
    for name, p in model.named_parameters():
        if p.grad is not None:
            torch.testing.assert_close(p.grad * 2, whole[name], rtol=1e-3, atol=1e-5, msg=name)


def test_adversarial_training_wants_embeddings_that_move(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    encoder = encoder_of_corpus(tmp_path)
    recipe = small_recipe(
        f"model.encoder={encoder}", "training.adversarial=0.5", "training.frozen_layers=1", name="ske-gplinker"
    )
    prepared = prepare_small(recipe, head_of_corpus(tmp_path, train=20, dev=4), tmp_path)
    with pytest.raises(UserError, match=r"training\.adversarial"):
        train(recipe, prepared=prepared, output=tmp_path / "run", device="cpu")


def test_kl_by_hand() -> None:
    """Two logits: σ(0) = ½ and σ(ln 3) = ¾."""
    value = bernoulli_divergence(torch.tensor([0.0]), torch.tensor([3.0]).log())
    there = 0.5 * torch.tensor(0.5 / 0.75).log() + 0.5 * torch.tensor(0.5 / 0.25).log()
    back = 0.75 * torch.tensor(0.75 / 0.5).log() + 0.25 * torch.tensor(0.25 / 0.5).log()
    torch.testing.assert_close(value, (there + back) / 2)
    torch.testing.assert_close(
        choice_divergence(torch.tensor([[0.0, 0.0]]), F.pad(torch.tensor([[3.0]]).log(), (1, 0))), (there + back) / 2
    )
