"""What a model finds in texts, whatever its head, before any choice: windows → matches → candidates of each, ranked.

    texts ──cut──▶ windows ──matched──▶ probabilities of matches ──floor──▶ mentions ──ranked──▶ candidates with shares

Heads say how windows are encoded, how probable matches are, and how well candidates fit.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import ClassVar, Generic, TypeVar

import numpy as np
import torch

from ietool.core.candidates import Candidates, Floor, Layout, Parts, strongest
from ietool.core.fit import check_fit
from ietool.core.pools import Reading, read_in_pools
from ietool.core.predicting import with_parts
from ietool.nn.pooling import span_vectors
from ietool.nn.transfer import Asked, ahead_on, sent
from ietool.tasks.el.data.example import Example
from ietool.tasks.el.features.assets import read_nil_types
from ietool.tasks.el.features.featurizer import Features, Featurizer
from ietool.tasks.el.features.traits import TYPES
from ietool.tasks.el.heads.asked import GivenRows, cut_given, mentions_asked, scored_parts
from ietool.tasks.el.heads.base_of import chosen_base
from ietool.tasks.el.heads.decoder import layout_of
from ietool.tasks.el.heads.linkable import Linkable, linkable
from ietool.tasks.el.heads.matches import MatchModel
from ietool.tasks.el.heads.mentions import Chance, SpanChance, apart
from ietool.tasks.el.heads.ranking import Shares
from ietool.tasks.el.heads.windows import (
    FoundMention,
    LinkWindow,
    RankedMention,
    joined,
    match_inputs,
    rows_of,
    size_of,
)
from ietool.tasks.el.recipe import ElRecipe
from ietool.text.encoding import WORDS
from ietool.text.segmentation import word_spans
from ietool.text.units import cut_note
from ietool.text.windows import windows
from ietool.training.batches import columns

MOST = 1 << 16
"""Candidates of a text, at most."""

MENTIONS = 256
"""Mentions of a window whose candidates are looked at, at most: no window has more that do not overlap, but one of more
characters whose names are a character each."""

Model = TypeVar("Model", bound=MatchModel)


class LinkReader(ABC, Generic[Model]):
    """A model with the knowledge base and the tokenizer beside it.

    Of a mention that is proposed all candidates are, so that their shares add up: the floor acts on mentions alone. If
    it names their parts, as :meth:`LinkDecoder.floor` does, it is taken for the threshold that they will be chosen by,
    and of those that overlap only the best are linked, which the decoder would choose too; what may be decoded with
    other thresholds, higher ones too, wants a floor that gives a default alone.

    Raises:
        UserError: the files of ``assets`` belong to another model, or the knowledge base cannot be opened.
    """

    chance: ClassVar[Chance] = SpanChance()
    layout: ClassVar[Layout] = layout_of(chance)
    most = MOST
    mentions = MENTIONS

    def __init__(self, recipe: ElRecipe, model: Model, assets: Path, *, pool: int = 16) -> None:
        self.recipe, self.model, self.pool = recipe, model, pool
        kb, self._notes = chosen_base(recipe, model, assets)
        self.featurizer = Featurizer.open(recipe, assets, kb)
        self.highest_probability = 0.0
        types = read_nil_types(assets) if recipe.data.nil == "keep" else []
        words, config = self.featurizer.encoder.word_rows, model.config
        further = {
            WORDS: words > config.words or (words > 0) != (config.words > 0),
            TYPES: len(self.featurizer.types) != config.types,
            "recipe.yaml": len(types) != config.nil_types or not self.fits(recipe),
        }
        check_fit(assets, self.featurizer.reader, config, further)

    @property
    def notes(self) -> Sequence[str]:
        """Whether the knowledge base is another than in training, and whether texts were not read whole."""
        cut = self.featurizer.reader.cut
        return (*self._notes, cut_note(cut)) if cut else self._notes

    # -- what heads say

    def fits(self, recipe: ElRecipe) -> bool:
        """Whether the model is one that the recipe makes."""
        return True

    @abstractmethod
    def inputs(self, features: Sequence[Features]) -> dict[str, torch.Tensor]:
        """What :meth:`encode` needs of the windows of a batch, on the CPU."""

    @abstractmethod
    def encode(self, batch: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
        """The windows as the model's states, ``z`` among them.

        Args:
            batch: what :meth:`inputs` and :func:`match_inputs` give, on the device.
        """

    @abstractmethod
    def scores(
        self, texts: Sequence[str], links: Sequence[tuple[int, Linkable]], encoded: dict[str, torch.Tensor]
    ) -> list[torch.Tensor]:
        """Logits of the candidates of all mentions that are asked about, in pieces, on the device.

        Args:
            links: (number of its text, mention).
        """

    @abstractmethod
    def ranked(self, links: Sequence[tuple[int, Linkable]], scores: torch.Tensor) -> tuple[Shares, Sequence[float]]:
        """The shares of each mention's candidates, (candidates,), and the probability of none.

        Args:
            links: those of :meth:`scores`.
            scores: (P,) what that gives, on the CPU.
        """

    def match_logits(self, batch: dict[str, torch.Tensor], encoded: dict[str, torch.Tensor]) -> torch.Tensor:
        """What the model says of the matches, for :meth:`matched`: (n,) probabilities."""
        logits = self.model.match_logits(encoded, batch["matches"], batch["names"], batch["signals"])
        return logits.sigmoid()

    def matched(self, features: Sequence[Features], probabilities: np.ndarray) -> Parts:
        """The parts of all matches of a batch of windows, (n, parts of :attr:`chance`)."""
        parts: Parts = probabilities[:, None]
        return parts

    def _encoded(self, features: Sequence[Features]) -> tuple[dict[str, torch.Tensor], dict[str, torch.Tensor]]:
        """The windows of a batch on the device, and as the model's states."""
        batch = sent(self.inputs(features) | match_inputs(features), self.model.device)
        return batch, self.encode(batch)

    def _read(self, features: Sequence[Features]) -> Reading[tuple[dict[str, torch.Tensor], Parts]]:
        """The windows of a batch as the model's states, and the parts of all their matches."""
        batch, encoded = self._encoded(features)
        asked = Asked([self.match_logits(batch, encoded)])
        yield
        (probabilities,) = asked.wait()
        self.note(probabilities)
        return encoded, self.matched(features, probabilities)

    def note(self, probabilities: np.ndarray) -> None:
        """Keep the highest of some probabilities."""
        self.highest_probability = max(self.highest_probability, float(probabilities.max(initial=0.0)))

    # -- proposing

    def propose(self, inputs: Iterable[Example], *, floor: Floor) -> Iterator[tuple[Example, Candidates]]:
        """As in :class:`ietool.core.predicting.Reader`."""

        @torch.inference_mode()
        def read(some: Sequence[LinkWindow]) -> Reading[list[Candidates]]:
            features = self.featurizer.encode_all([w.text for w in some])
            left_out = [0] * len(some)
            if self.recipe.decode.given_mentions:
                encoded, mentions = self._encoded(features)[1], [self._given(w) for w in some]
            else:
                encoded, parts = yield from self._read(features)
                mentions, left_out = self._above(features, parts, floor)
            linked = yield from self._linked(some, features, encoded, mentions)
            return [rows_of(self.layout, w.start, mine, n) for w, mine, n in zip(some, linked, left_out, strict=True)]

        for example, read_of in read_in_pools(
            inputs, self._cut, size_of, read,
            batch_size=self.recipe.decode.batch_size, pool=self.pool, ahead=ahead_on(self.model.device),
        ):  # fmt: skip
            yield example, joined(self.layout, read_of, self.most)

    def _cut(self, examples: Sequence[Example]) -> Iterator[tuple[int, LinkWindow]]:
        for number, example in enumerate(examples):
            yield from ((number, LinkWindow(example, a, b)) for a, b in self._windows(example.text))

    def _windows(self, text: str) -> list[tuple[int, int]]:
        data = self.recipe.data
        return windows(text, data.window, data.overlap) if text else []

    def _above(
        self, features: Sequence[Features], parts: Parts, floor: Floor
    ) -> tuple[list[list[FoundMention]], list[int]]:
        """The mentions of each window that are worth linking, and how many more there are."""
        chance, most = self.chance, self.mentions
        are_thresholds = chance.are_thresholds(floor)
        mask = chance.chosen(parts, floor.of(chance.product[0])) if are_thresholds else chance.above(parts, floor)
        at, window = np.flatnonzero(mask), np.repeat(np.arange(len(features)), [len(f.matches) for f in features])
        matches = np.concatenate([f.matches for f in features])[at].tolist()
        kept, probability = parts[at], chance.probability(parts[at])
        cuts = np.searchsorted(window[at], np.arange(len(features) + 1)).tolist()
        found, left_out = [], []
        for first, behind in pairwise(cuts):
            mine = list(range(first, behind))
            if are_thresholds:
                spans = [(*matches[i][:2], i, p) for i, p in zip(mine, probability[first:behind].tolist(), strict=True)]
                mine = [i for _, _, i, _ in apart(spans)]
            left_out.append(max(0, len(mine) - most))
            if len(mine) > most:
                mine = np.array(mine)[strongest(probability[mine], most)].tolist()
            rows = [(*matches[i], kept[i].tolist()) for i in mine]
            found.append([FoundMention(a, b, name, parts_of, self._known(name)) for a, b, name, parts_of in rows])
        return found, left_out

    def _given(self, window: LinkWindow) -> list[FoundMention]:
        kb, start, sure = self.featurizer.kb, window.start, self.chance.sure()
        spans = {(m.start, m.end): None for m in window.example.mentions if start <= m.start and m.end <= window.end}
        found = []
        for a, b in spans:
            known = kb.number(window.example.text[a:b])
            number = -1 if known is None else known
            found.append(FoundMention(a - start, b - start, number, sure, self._known(number)))
        return found

    def _known(self, number: int) -> list[int]:
        """The candidates of a name that are looked at."""
        decode = self.recipe.decode
        return self.featurizer.candidates(number, restrict=decode.restrict)[: decode.candidates]

    # -- scoring

    def score(self, inputs: Iterable[tuple[Example, Candidates]]) -> Iterator[tuple[Example, Candidates]]:
        """As in :class:`ietool.core.predicting.Reader`.

        Of a mention that is no match its parts are 0 (1, where mentions are given and it is one of them). Its share of
        probability is what a candidate has among those that stand in the rows of the mention, and none of these: the
        same as when it was proposed if all of them do. A row is scored in the window that it names or, where this
        model's windows are others, in the first that holds it.
        """
        kb, all_given = self.featurizer.kb, self.recipe.decode.given_mentions

        @torch.inference_mode()
        def read(some: Sequence[LinkWindow]) -> Reading[list[tuple[np.ndarray, Parts]]]:
            features = self.featurizer.encode_all([w.text for w in some])
            encoded, every = yield from self._read(features)
            matched = np.split(every, np.cumsum([len(f.matches) for f in features])[:-1])
            asked = [
                mentions_asked(w, f, parts, kb=kb, chance=self.chance, all_given=all_given)
                for w, f, parts in zip(some, features, matched, strict=True)
            ]
            linked = yield from self._linked(some, features, encoded, [[m for m, _ in mine] for mine in asked])
            return [
                (w.at, scored_parts(w.rows, [at for _, at in mine], said, len(self.layout.parts)))
                for w, mine, said in zip(some, asked, linked, strict=True)
            ]

        def cut(some: Sequence[GivenRows]) -> Iterator[tuple[int, LinkWindow]]:
            return cut_given(some, self._windows)

        stream = (GivenRows(example, given) for example, given in inputs)
        for asked, read_of in read_in_pools(
            stream, cut, size_of, read,
            batch_size=self.recipe.decode.batch_size, pool=self.pool, ahead=ahead_on(self.model.device),
        ):  # fmt: skip
            yield asked.example, with_parts(asked.found, read_of, len(self.layout.parts))

    # -- linking

    def _linked(
        self,
        some: Sequence[LinkWindow],
        features: Sequence[Features],
        encoded: dict[str, torch.Tensor],
        mentions: Sequence[Sequence[FoundMention]],
    ) -> Reading[list[list[RankedMention]]]:
        """What is said of the candidates of all mentions of a batch, by window."""
        featurizer = self.featurizer
        links: list[tuple[int, Linkable]] = []
        for at, (f, mine) in enumerate(zip(features, mentions, strict=True)):
            words = word_spans(f.text) if mine else []
            for m in mine:
                # As in training: the name is no less ambiguous for what it was linked to there.
                count = len(featurizer.kb.candidates(m.number)) if m.candidates else 0
                linked = linkable(featurizer, f.text, words, (m.start, m.end, m.number), m.candidates, count)
                # The first unit stands for a given mention that the units cannot express.
                links.append((at, replace(linked, units=f.units.span_of(m.start, m.end) or (0, 1))))
        typed = self._nil_types(links, encoded)
        asked = Asked([*typed, *self.scores([w.text for w in some], links, encoded)])
        yield
        arrays = asked.wait()
        types = arrays.pop(0).tolist() if typed else [0] * len(links)
        scores = torch.from_numpy(np.concatenate(arrays)) if arrays else torch.zeros(0)
        shares, none = self.ranked(links, scores)
        said = zip(shares, none, types, strict=True)
        return [[RankedMention(m, *next(said)) for m in mine] for mine in mentions]

    def _nil_types(self, links: Sequence[tuple[int, Linkable]], encoded: dict[str, torch.Tensor]) -> list[torch.Tensor]:
        """(mentions,): what type each is of where it is none of the candidates; nothing where there are no types."""
        head = self.model.nil_type
        if head is None or not links:
            return []
        spans = [(at, linked.units[0], linked.units[1] - 1) for at, linked in links]
        rows = sent({"spans": columns(spans, 3)}, self.model.device)["spans"]
        return [head(span_vectors(encoded["z"], rows)).argmax(-1)]
