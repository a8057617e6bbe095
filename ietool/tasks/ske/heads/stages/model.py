"""What the heads have in common that find subjects first."""

from __future__ import annotations

import torch
from torch import Tensor

from ietool.nn.pointer import product_cross_entropy
from ietool.tasks.ske.heads.base import SkeModel
from ietool.training.adversarial import bernoulli_divergence


class TwoStageModel(SkeModel):
    """Subjects first; then, given a subject, objects and relations together."""

    def encode(
        self, ids: Tensor, lengths: Tensor, words: Tensor | None = None, tags: Tensor | None = None,
        subject_marks: tuple[Tensor, Tensor, Tensor] | None = None,
    ) -> dict[str, Tensor]:  # fmt: skip
        """Everything that depends on the sentence alone.

        Args:
            ids, words, tags: (B, L) ids.
            lengths: (B,).
            subject_marks: (sentence, position, 0 for start or 1 for end) of known subjects.

        Returns:
            ``subject_logits`` (B, L, 2), ``entity`` (B, L, 2) log gates of them, ``mask`` (B, L) bool, and what
            :meth:`objects` needs.
        """
        raise NotImplementedError

    def objects(
        self, encoded: dict[str, Tensor], sentence: Tensor, start: Tensor, end: Tensor,
        object_marks: tuple[Tensor, Tensor, Tensor] | None = None,
    ) -> tuple[Tensor, list[Tensor]]:  # fmt: skip
        """Object scores of P (sentence, subject) pairs.

        Args:
            encoded: from :meth:`encode`.
            sentence, start, end: (P,), the end inclusive.
            object_marks: (pair, position, channel) of known objects; channel r for starts, R + r for ends.

        Returns:
            logits (P, L, 2, R), starts then ends, and log gates broadcastable to them: log p = logσ(logits) + Σ gates.
        """
        raise NotImplementedError

    def forward(
        self, ids: Tensor, lengths: Tensor, words: Tensor | None = None, tags: Tensor | None = None,
        subject_marks: Tensor | None = None, subject_targets: Tensor | None = None, pairs: Tensor | None = None,
        object_targets: Tensor | None = None, object_marks: Tensor | None = None,
    ) -> dict[str, Tensor]:  # fmt: skip
        """The training loss.

        Args:
            subject_targets: (3, n) of (sentence, position, 0 start | 1 end).
            pairs: (3, P) of (sentence, start, inclusive end): the sampled subjects.
            object_targets: (4, n) of (pair, position, 0 start | 1 end, label).
            subject_marks, object_marks: (3, n), as the ``marks`` above.

        Returns:
            ``loss``, ``subject_loss``, ``object_loss``: sums over outputs, means over characters or tokens; and the
            logits with their weights.
        """
        if subject_targets is None or pairs is None or object_targets is None:
            raise ValueError("forward computes the training loss and needs targets; to predict, use encode and objects")
        marks_s = None if subject_marks is None else (subject_marks[0], subject_marks[1], subject_marks[2])
        marks_o = None if object_marks is None else (object_marks[0], object_marks[1], object_marks[2])
        e = self.encode(ids, lengths, words, tags, marks_s)
        inside = e["mask"].unsqueeze(-1)
        subject_loss = (
            product_cross_entropy(e["subject_logits"], [e["entity"]], tuple(subject_targets.unbind(0)), inside)
            / lengths.sum()
        )
        logits, gates = self.objects(e, pairs[0], pairs[1], pairs[2], marks_o)
        within = inside[pairs[0]].unsqueeze(-1)
        object_loss = (
            product_cross_entropy(logits, gates, tuple(object_targets.unbind(0)), within) / lengths[pairs[0]].sum()
        )
        return {
            "loss": subject_loss + object_loss,
            "subject_loss": subject_loss,
            "object_loss": object_loss,
            "subject_logits": e["subject_logits"],
            "subject_weight": inside / lengths.sum(),
            "object_logits": logits,
            "object_weight": within / lengths[pairs[0]].sum(),
        }

    def divergence(self, first: dict[str, Tensor], second: dict[str, Tensor]) -> Tensor:
        """How far two passes are apart, on the scale of the loss."""
        parts = [
            bernoulli_divergence(first[f"{which}_logits"], second[f"{which}_logits"], first[f"{which}_weight"])
            for which in ("subject", "object")
        ]
        return torch.stack(parts).sum()
