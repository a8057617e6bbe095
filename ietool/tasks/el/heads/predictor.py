"""From probabilities to linked mentions: two stages, batched across texts and candidates."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import islice
from typing import Any

import numpy as np
import torch

from ietool.nn.pooling import span_vectors
from ietool.tasks.el.data.example import NIL, Example
from ietool.tasks.el.features.featurizer import Features, Featurizer
from ietool.tasks.el.heads.joint.cache import EncodedDescriptions
from ietool.tasks.el.heads.linking import Candidate, LinkedMention, Linking, Proposal, apart, best_apart, best_first
from ietool.tasks.el.heads.sampling import Linkable, link_batch, linkable
from ietool.tasks.el.heads.scores import PAIRS, _spans, softmax_shares
from ietool.tasks.el.recipe import ElRecipe
from ietool.text.segmentation import word_spans
from ietool.text.spans import nearest_spans
from ietool.text.units import cut_note
from ietool.text.windows import windows
from ietool.training.batches import columns, pad


class ElPredictor:
    """Reads texts in batches of like length; memory is bounded by ``pool_batches`` batches of texts.

    ``notes`` tell the user what he may not expect, for example that the knowledge base is another than in training.
    """

    def __init__(
        self,
        recipe: ElRecipe,
        model: Any,
        featurizer: Featurizer,
        nil_types: Sequence[str] = (),
        notes: Sequence[str] = (),
        *,
        pool_batches: int = 16,
    ) -> None:
        self.recipe, self.model, self.featurizer = recipe, model, featurizer
        self.nil_types, self.pool_batches = nil_types, pool_batches
        self.pointers = getattr(model.config, "mentions", "spans") == "pointers"
        self.pairwise = getattr(model.config, "loss", "listwise") == "pair"
        self._notes = tuple(notes)
        self.highest_probability = 0.0
        self.descriptions = EncodedDescriptions(model, recipe.decode.batch_size)

    @property
    def notes(self) -> Sequence[str]:
        """Those given, and whether texts were not read whole."""
        cut = self.featurizer.reader.cut
        return (*self._notes, cut_note(cut)) if cut else self._notes

    def predict(self, inputs: Iterable[Example]) -> Iterator[Linking]:
        """Linkings in the order of the inputs."""
        stream = iter(inputs)
        while pool := list(islice(stream, self.recipe.decode.batch_size * self.pool_batches)):
            yield from self._pool(pool)

    def _pool(self, examples: Sequence[Example]) -> Iterator[Linking]:
        data = self.recipe.data
        pieces = [
            (i, a, b) for i, e in enumerate(examples) if e.text for a, b in windows(e.text, data.window, data.overlap)
        ]
        pieces.sort(key=lambda piece: piece[2] - piece[1])
        found: list[dict[tuple[int, int], LinkedMention]] = [{} for _ in examples]
        size = self.recipe.decode.batch_size
        for at in range(0, len(pieces), size):
            batch = pieces[at : at + size]
            given = None
            if self.recipe.decode.given_mentions:
                given = [[(m.start - a, m.end - a) for m in examples[i].mentions if a <= m.start and m.end <= b]
                         for i, a, b in batch]  # fmt: skip
            linked = self.link([examples[i].text[a:b] for i, a, b in batch], given)
            for (i, start, _), linkings in zip(batch, linked, strict=True):
                for m in linkings:
                    moved = replace(m, start=m.start + start, end=m.end + start)
                    known = found[i].get((moved.start, moved.end))
                    if known is None or known.probability < moved.probability:
                        found[i][moved.start, moved.end] = moved
        keep_all = self.recipe.decode.given_mentions
        for example, spans in zip(examples, found, strict=True):
            kept = list(spans.values()) if keep_all else best_apart(list(spans.values()))
            yield Linking(example.text_id, example.text, tuple(sorted(kept, key=lambda m: (m.start, m.end))))

    @torch.inference_mode()
    def link(
        self, texts: Sequence[str], given: Sequence[Sequence[tuple[int, int]]] | None = None
    ) -> list[list[LinkedMention]]:
        """The linked mentions of a batch of texts, all thresholds applied; ``given`` spans are linked whatever they
        are, without it mentions are looked for."""
        features = self.featurizer.encode_all(texts)
        encoded = self._encode(features)
        if given is None:
            proposals = self.mentions(features, encoded)
        else:
            kb = self.featurizer.kb
            proposals = []
            for text, spans in zip(texts, given, strict=True):
                numbers = ((start, end, kb.number(text[start:end])) for start, end in spans)
                proposals.append([(start, end, -1 if n is None else n, 1.0) for start, end, n in numbers])
        return self._link(texts, features, encoded, proposals)

    def _encode(self, features: Sequence[Features]) -> dict[str, torch.Tensor]:
        lengths, device = [len(f.units) for f in features], self.model.device
        longest = max(lengths)
        return self.model.encode(
            pad([f.units.ids for f in features], longest).to(device),
            torch.tensor(lengths, device=device),
            pad([f.units.words for f in features], longest).to(device),
            pad([f.units.tags for f in features], longest).to(device),
            _spans(features).to(device),
        )

    # -- mentions

    def mentions(self, features: Sequence[Features], encoded: dict[str, torch.Tensor]) -> list[list[Proposal]]:
        """The mentions of each text, none overlapping another."""
        if self.pointers:
            return self._pointed(features, encoded)
        device = self.model.device
        rows = _spans(features).to(device)
        signals = torch.from_numpy(np.concatenate([f.signals for f in features]))
        names = torch.from_numpy(np.concatenate([f.names for f in features])).long()
        logits = self.model.match_logits(encoded, rows, names.to(device), signals.to(device))
        probabilities = logits.sigmoid().cpu().numpy()
        self._note(probabilities)
        found, at = [], 0
        threshold = self.recipe.decode.mention
        for f in features:
            scores = probabilities[at : at + len(f.matches)].tolist()
            at += len(f.matches)
            spans = [(a, b, n, p) for (a, b, n), p in zip(f.matches.tolist(), scores, strict=True) if p > threshold]
            found.append(apart(spans))
        return found

    def _pointed(self, features: Sequence[Features], encoded: dict[str, torch.Tensor]) -> list[list[Proposal]]:
        """The article's way: each start with the nearest end, where the dictionary has the name."""
        p = (self.model.pointer_logits(encoded).sigmoid() * encoded["marks"]).cpu().numpy()
        self._note(p)
        threshold, length = self.recipe.decode.mention, p.shape[1]
        s_at, s_pos = np.nonzero(p[:, :, 0] > threshold)
        e_at, e_pos = np.nonzero(p[:, :, 1] > threshold)
        kept_s, kept_e, at = nearest_spans(s_pos, e_pos, s_at, e_at, length)
        found: list[list[Proposal]] = [[] for _ in features]
        names = [{(a, b): n for a, b, n in f.matches.tolist()} for f in features]
        for i, start, last in zip(at.tolist(), s_pos[kept_s].tolist(), e_pos[kept_e].tolist(), strict=True):
            number = names[i].get((start, last + 1))
            if number is not None:
                found[i].append((start, last + 1, number, float(p[i, start, 0] * p[i, last, 1])))
        return [apart(spans) for spans in found]

    def _note(self, probabilities: np.ndarray) -> None:
        self.highest_probability = max(self.highest_probability, float(probabilities.max(initial=0.0)))

    # -- links

    def _link(
        self,
        texts: Sequence[str],
        features: Sequence[Features],
        encoded: dict[str, torch.Tensor],
        proposals: Sequence[Sequence[Proposal]],
    ) -> list[list[LinkedMention]]:
        decode, featurizer = self.recipe.decode, self.featurizer
        links: list[tuple[int, Linkable]] = []
        flat: list[Proposal] = []
        for at, (f, spans) in enumerate(zip(features, proposals, strict=True)):
            words = word_spans(f.text) if spans else []
            for start, end, number, probability in spans:
                every = featurizer.candidates(number, restrict=decode.restrict)
                rows = every[: decode.candidates]
                # As in training: the name is no less ambiguous for what it was linked to there.
                count = len(featurizer.kb.candidates(number)) if number >= 0 else 0
                linked = linkable(featurizer, f.text, words, (start, end, number), rows, count)
                # The first unit stands for a given mention that the units cannot express.
                links.append((at, replace(linked, units=f.units.span_of(start, end) or (0, 1))))
                flat.append((start, end, number, probability))
        shares = self._shares(texts, links, encoded)
        types = self._nil_types(links, encoded)
        found: list[list[LinkedMention]] = [[] for _ in features]
        for (at, linked), (start, end, _, probability), share, nil in zip(links, flat, shares, types, strict=True):
            candidates = best_first(
                [Candidate(e.kb_id, e.subject, p) for e, p in zip(linked.entities, share, strict=True)]
            )
            best = candidates[0].probability if candidates else 0.0
            if self.recipe.data.nil == "keep" or decode.given_mentions:
                none = 1.0 - sum(share) if not self.pairwise else 1.0 - best
                kb_id, sure = (candidates[0].kb_id, best) if best >= max(none, decode.link) else (nil, none)
            else:
                if not candidates or best < decode.link:
                    continue
                kb_id, sure = candidates[0].kb_id, best
            if probability * sure < decode.joint and not decode.given_mentions:
                continue
            found[at].append(
                LinkedMention(texts[at][start:end], start, end, kb_id, probability * sure, tuple(candidates))
            )
        return found

    def _shares(
        self, texts: Sequence[str], links: Sequence[tuple[int, Linkable]], encoded: dict[str, torch.Tensor]
    ) -> list[list[float]]:
        """The probabilities of each mention's candidates; ``links`` are (text, mention)."""
        scores = self._link_logits(links, encoded, max(map(len, texts)))
        if self.pairwise:
            counts = [len(linked.entities) for _, linked in links]
            return [part.tolist() for part in scores.sigmoid().split(counts)] if links else []
        return softmax_shares(scores, [linked for _, linked in links])

    def _link_logits(
        self, links: Sequence[tuple[int, Linkable]], encoded: dict[str, torch.Tensor], longest: int
    ) -> torch.Tensor:
        """Logits of all pairs in their order, on the CPU, some hundred pairs at a time."""
        device, scores = self.model.device, []
        part: list[tuple[int, Linkable]] = []
        pairs = 0
        for number, link in enumerate(links, 1):
            part.append(link)
            pairs += len(link[1].entities)
            if pairs and (pairs >= PAIRS or number == len(links)):
                entities = list({e.row: e for _, linked in part for e in linked.entities}.values())
                described, lengths = self.descriptions.get(entities)
                batch = {name: value.to(device) for name, value in link_batch(part, longest).items()}
                logits = self.model.link_logits(
                    encoded,
                    batch["mentions"],
                    described,
                    lengths,
                    batch["entity_types"],
                    batch["pairs"],
                    batch["overlaps"],
                    batch["priors"],
                )
                scores.append(logits.cpu())
                part, pairs = [], 0
        return torch.cat(scores) if scores else torch.zeros(0)

    def _nil_types(self, links: Sequence[tuple[int, Linkable]], encoded: dict[str, torch.Tensor]) -> list[str]:
        """What each mention is where it is none of the candidates."""
        if self.model.nil_type is None or not links:
            return [NIL] * len(links)
        spans = [(at, linked.units[0], linked.units[1] - 1) for at, linked in links]
        rows = columns(spans, 3).to(self.model.device)
        classes = self.model.nil_type(span_vectors(encoded["z"], rows)).argmax(-1).tolist()
        return [self.nil_types[number] for number in classes]
