"""What a training step of head ``cross`` sees."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, cast

from ietool.tasks.el.heads.cross.pairs import pair_batch
from ietool.tasks.el.heads.cross.recipe import CrossRecipe
from ietool.tasks.el.heads.linkable import Linkable
from ietool.tasks.el.heads.sampling import ElTrainingSet, match_batch, target_batch
from ietool.text.tokens import TokenReader
from ietool.training.batches import columns, pad


class CrossTrainingSet(ElTrainingSet):
    """The training windows as tokens."""

    def __init__(self, recipe: CrossRecipe, prepared: Path, *, rows: Sequence[int] | None = None) -> None:
        super().__init__(recipe, prepared, rows=rows)
        self._section, self._fewest = recipe.model.head, recipe.fewest_ranked

    def is_linkable(self, mention: list[int]) -> bool:
        return super().is_linkable(mention) and (
            # Of one that has no candidate the type may be learnt.
            self._fewest == 1 or len(self.featurizer.candidates(mention[2])) >= self._fewest
        )

    def collate(self, items: list[dict[str, Any]]) -> dict[str, Any]:
        """One batch in the form that ``CrossModel.forward`` takes."""
        links: list[tuple[int, Linkable]] = [(at, link) for at, item in enumerate(items) for link in item["linkables"]]
        pairs = [(items[at]["text"], linked) for at, linked in links]
        reader, section = cast(TokenReader, self.featurizer.reader), self._section
        ranking = pair_batch(reader, pairs, section.query, section.description, self.width)
        return {
            "ids": pad([item["ids"] for item in items], self.width.of([item["ids"] for item in items])),
            "mentions": columns([(at, linked.units[0], linked.units[1] - 1) for at, linked in links], 3),
            **match_batch(items),
            **target_batch([linked for _, linked in links]),
            **ranking,
            # On the CPU for good, where it is decided by them what is computed together; copied, since a worker moves
            # the memory of the tensors that it sends.
            "pair_sizes": ranking["pair_lengths"].numpy().copy(),
        }
