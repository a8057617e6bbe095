"""Batches of like length, in an order that depends on the seed and the epoch alone, and the items they are made of."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import torch
from torch.utils.data import Dataset, Sampler
from transformers.trainer_pt_utils import LengthGroupedSampler

from ietool.training.sets import TrainingSet


class LengthBucketSampler(LengthGroupedSampler):
    """transformers' sampler, with its batches shuffled (it leaves each stretch sorted, long texts first) and a
    generator of its own, so that a resumed run draws what an uninterrupted one would have drawn."""

    def __init__(self, batch_size: int, lengths: Sequence[int], seed: int) -> None:
        super().__init__(batch_size, lengths=[int(n) for n in lengths], generator=torch.Generator())
        self.seed, self.epoch = seed, 0

    def set_epoch(self, epoch: int) -> None:
        self.epoch = epoch

    def __iter__(self) -> Iterator[int]:
        self.generator.manual_seed(self.seed * 1_000_003 + self.epoch)
        indices = list(super().__iter__())
        batches = [indices[i : i + self.batch_size] for i in range(0, len(indices), self.batch_size)]
        # A short last batch stays last: every other one keeps its full size.
        full = len(indices) // self.batch_size
        order = torch.randperm(full, generator=self.generator).tolist() + list(range(full, len(batches)))
        for at in order:
            yield from batches[at]


class EpochSampler(Sampler[tuple[int, int]]):
    """The places of :class:`LengthBucketSampler`, each with the number of its epoch: processes that make batches live
    for many epochs, and know of one what a place tells them.

    Args:
        first: the number of epoch 0; every stage draws its own samples.
    """

    def __init__(self, sampler: LengthBucketSampler, first: int) -> None:
        self.sampler, self.first = sampler, first

    def __len__(self) -> int:
        return len(self.sampler)

    def set_epoch(self, epoch: int) -> None:
        self.sampler.set_epoch(epoch)

    def __iter__(self) -> Iterator[tuple[int, int]]:
        epoch = self.first + self.sampler.epoch
        for index in self.sampler:
            yield epoch, index


class Items(Dataset[Any]):
    """The items of a training set. Its ``set_epoch`` is ours to call: accelerate would call it with other numbers, and
    in this process alone."""

    def __init__(self, data: TrainingSet) -> None:
        self.data, self.epoch = data, -1

    def __len__(self) -> int:
        return len(self.data)

    def __getitem__(self, place: tuple[int, int]) -> Any:
        epoch, index = place
        if epoch != self.epoch:
            self.data.set_epoch(epoch)
            self.epoch = epoch
        return self.data[index]
