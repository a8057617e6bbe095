"""What made a GPU wait within a step gives the same without."""

from __future__ import annotations

import copy
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from transformers import BertConfig

from ietool.nn.above import Above, AboveFloor
from ietool.nn.choice import known_cross_entropy
from ietool.nn.encoder import EncoderConfig, make_encoder
from ietool.nn.global_pointer import Scores, groups_of, log_sums, log_sums_of, multilabel_loss
from ietool.nn.transfer import Asked
from ietool.tasks.el.heads.losses import border_loss
from ietool.tasks.qa.heads.reader.losses import focal_loss
from ietool.tasks.ske.heads.graph.model import ObjectConv
from ietool.training.adversarial import disturbed, tables
from ietool.training.batches import known_targets
from ietool.training.ema import make_ema
from tests.pretend.counts import COPY_IN, WAIT, Told, counting
from tests.pretend.device import pretend
from tests.tiny_encoder import make_encoder_folder

few = settings(max_examples=20)


@few
@given(st.lists(st.integers(-1, 2), max_size=6), st.integers(0, 9))
def test_only_some_have_a_class(classes: list[int], seed: int) -> None:
    targets = known_targets("kind", classes)
    assert list(targets) == (["kind"] if max(classes, default=-1) >= 0 else [])
    logits = torch.randn(len(classes), 3, generator=torch.Generator().manual_seed(seed), requires_grad=True)
    given_ = torch.tensor(classes, dtype=torch.int64)
    loss = known_cross_entropy(logits, given_)
    known = given_ >= 0
    wanted = F.cross_entropy(logits[known], given_[known]) if bool(known.any()) else logits.sum() * 0
    torch.testing.assert_close(loss, wanted)
    for found, expected in zip(torch.autograd.grad(loss, logits), torch.autograd.grad(wanted, logits), strict=True):
        torch.testing.assert_close(found, expected)


@few
@given(st.data())
def test_marks_beyond_the_borders(data: st.DataObject) -> None:
    """The tap of a convolution reaches over both ends of a text: nothing is added there."""
    lengths = torch.tensor(data.draw(st.lists(st.integers(1, 4), min_size=2, max_size=2)))
    places = [(p, at, c) for p in range(2) for at in range(int(lengths[p])) for c in range(3)]
    marks = torch.tensor(data.draw(st.lists(st.sampled_from(places), min_size=1, max_size=6, unique=True))).T
    torch.manual_seed(5)
    layer = ObjectConv(2, 3, 4, 3)
    start, pair = torch.zeros(2, dtype=torch.int64), torch.arange(2)
    arguments = (torch.randn(2, 4, 3), torch.randn(2, 4), torch.randn(5, 2), pair, start, start, lengths)
    bare, found = layer(*arguments, None), layer(*arguments, tuple(marks))
    assert layer.prior is not None
    wanted = bare.clone()
    for at_pair, position, channel in marks.T.tolist():
        for tap in range(3):
            if 0 <= position + 1 - tap < lengths[at_pair]:
                wanted[at_pair, position + 1 - tap] += layer.prior[tap, channel]
    torch.testing.assert_close(found, wanted)
    with pretend() as device:
        layer.to(device)
        there = [each.to(device) for each in (*arguments, marks)]
        with counting() as counts:
            out = layer(*there[:-1], tuple(there[-1]))
            out.sum().backward()
        assert counts.told() == Told(), counts.places(WAIT, COPY_IN)
        torch.testing.assert_close(out.detach().cpu(), wanted.detach())


def scores_of(seed: int, *, vanishing: bool = False) -> Scores:
    """Random scores of 2 sentences, 3 types, 4 positions; of some nearly all lies far below the highest factors."""
    torch.manual_seed(seed)
    pair, first, last = torch.randn(2, 4, 4), torch.randn(2, 3, 4), torch.randn(2, 3, 4)
    if vanishing:
        pair, last = torch.full((2, 4, 4), -1e4), last.clone()
        pair[:, 0, 0], last[1, 2, 1] = 0.0, 200.0
    return Scores(pair, first, last)


def test_sums_of_several_scores_and_groups_that_are_known() -> None:
    many = [scores_of(1), scores_of(2, vanishing=True), scores_of(3)]
    dense = [(s.pair[:, None] + s.first[..., None] + s.last[:, :, None]).flatten(2).logsumexp(2) for s in many]
    for found, alone, wanted in zip(log_sums_of(many), map(log_sums, many), dense, strict=True):
        torch.testing.assert_close(found, wanted)
        assert torch.equal(found, alone)
    places = torch.tensor([[0, 1, 1, 0], [2, 0, 2, 2], [0, 1, 2, 0], [3, 1, 3, 1]])
    marks, weight = torch.tensor([[1], [1], [0], [2]]), torch.tensor([0.5, 1.0, 2.0])
    groups = groups_of(torch.cat([places, marks], 1), 3)
    assert groups.tolist() == [2, 3, 4, 5]
    wanted_loss = multilabel_loss(many[0], places, marks, weight)
    with pretend() as device:
        there = [each.to(device) for each in (*many[0], places, marks, weight, groups)]
        with counting() as counts:
            found_loss = multilabel_loss(Scores(*there[:3]), *there[3:6], groups=there[6])
        assert counts.told() == Told(waits=1), counts.places(WAIT)
        assert torch.allclose(found_loss.total.cpu(), wanted_loss.total)


def test_means_over_the_positions_inside() -> None:
    torch.manual_seed(2)
    logits, inside = torch.randn(2, 5, 2), torch.arange(5) < torch.tensor([[5], [3]])
    borders = torch.tensor([[0, 1], [1, 0], [4, 2]])
    gold = torch.zeros(2, 5, 2)
    gold[borders[0], borders[1], 0] = gold[borders[0], borders[2], 1] = 1.0
    each = F.binary_cross_entropy_with_logits(logits, gold, reduction="none").sum(-1)
    torch.testing.assert_close(border_loss(logits, borders, inside), each[inside].mean())
    p = logits.sigmoid()
    right = torch.where(gold > 0, p, 1 - p)
    focal = -torch.where(gold > 0, 0.25, 0.75) * (1 - right) ** 2 * right.log()
    torch.testing.assert_close(focal_loss(p, gold, inside), focal.sum(-1)[inside].mean())
    with pretend() as device:
        there = [each.to(device) for each in (logits, borders, inside, p, gold)]
        with counting() as counts:
            border_loss(*there[:3])
            focal_loss(there[3], there[4], there[2])
        assert counts.told() == Told(), counts.places(WAIT)


@pytest.mark.parametrize("most", [1, 2, 9])
def test_what_lies_above_is_asked_for_once(most: int) -> None:
    """Unless a text has more than may be."""
    scores = torch.tensor([[0.9, 0.2, 0.9, 0.8], [0.1, 0.1, 0.1, 0.1], [0.6, 0.7, 0.1, 0.7]])

    def above(given_: Tensor) -> Above:
        sought = AboveFloor(given_, 0.5, most, lambda: given_)
        return sought.found(Asked(sought.tensors).wait())

    wanted = above(scores)
    with pretend() as device:
        there = scores.to(device)
        with counting() as counts:
            found = above(there)
        assert (counts.told() == Told(copies_out=1, waits=1)) == (most == 9), counts.places(WAIT)
        assert [each.tolist() for each in found] == [each.tolist() for each in wanted]


def test_the_average_and_the_disturbance_ask_for_nothing() -> None:
    torch.manual_seed(3)
    encoder = make_encoder(EncoderConfig(characters=9, hidden_size=4, dilations=[1]))
    with pretend() as device:
        encoder.to(device)
        ema = make_ema(encoder, 0.9)
        (table,) = tables(encoder)
        before = table.detach().clone()
        for grad in (torch.randn(9, 4), torch.zeros(9, 4), torch.full((9, 4), torch.inf)):
            table.grad = grad.to(device)
            with counting() as counts, disturbed(encoder, 0.5):
                moved: Tensor = (table.detach() - before).cpu()
                ema.update_parameters(encoder)
            assert counts.told()._replace(copies_out=0, waits=0) == Told(), counts.places(WAIT, COPY_IN)
            assert counts.told().waits == 1, counts.places(WAIT)  # this test's own look
            right = 0.5 * grad / grad.norm() if 0 < float(grad.norm()) < torch.inf else torch.zeros(9, 4)
            torch.testing.assert_close(moved, right)
        assert int(ema.n_averaged) == 3 and torch.equal(table, before)


def test_encoders_do_not_ask_whether_a_batch_has_padding(tmp_path: Path) -> None:
    """With padding and without: what transformers gives where it looks, and no wait."""
    make_encoder_folder(tmp_path / "encoder", ["天地玄黄"], dropout=0.0)
    own = BertConfig.from_pretrained(tmp_path / "encoder").to_dict()
    torch.manual_seed(1)
    encoder = make_encoder(EncoderConfig(encoder=own)).eval()
    ids = torch.tensor([[5, 6, 7], [6, 5, 0]])
    for inside in (torch.ones(2, 3, dtype=torch.bool), torch.tensor([[True] * 3, [True, True, False]])):
        with torch.no_grad():
            wanted = encoder(ids, inside)
        with pretend() as device, torch.no_grad():
            moved, there = copy.deepcopy(encoder).to(device), (ids.to(device), inside.to(device))
            with counting() as counts:
                found = moved(*there)
            assert counts.told() == Told(), counts.places(WAIT, COPY_IN)
            torch.testing.assert_close(found.cpu(), wanted)
