"""What a preparation tells besides its tables."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from ietool.core.intake import held_out_note
from ietool.core.sources import Sources
from ietool.tasks.el.kb.knowledge_base import KnowledgeBase
from ietool.tasks.el.prepare.survey import Survey
from ietool.tasks.el.recipe import ElRecipe
from ietool.text.units import cut_note


def notes(
    recipe: ElRecipe,
    kb: KnowledgeBase,
    splits: Mapping[str, Survey],
    described: Mapping[str, int],
    extra: Survey,
    sources: Sources,
    overlap: int,
) -> list[str]:
    """One line each.

    Args:
        described: counts of descriptions: ``characters`` of records, ``chosen`` of them, ``cut`` records; of head cross
            also ``tokens`` of the chosen ones and ``tokens_cut`` records.
        extra: mentions without ids.
        overlap: texts of dev that train has too.
    """
    return [
        f"knowledge base: {kb.info.entities:,} entities, {kb.info.names:,} names, "
        f"{sum(kb.info.files.values()) / 1e6:.1f} MB on disk, opened by memory map",
        _descriptions(recipe, kb, described),
        *_texts(recipe, splits, extra, sources),
        *([f"{overlap:,} texts of dev are in train too: its score flatters"] if overlap else []),
    ]


def _descriptions(recipe: ElRecipe, kb: KnowledgeBase, described: Mapping[str, int]) -> str:
    size = recipe.model.head.description
    told = (
        f"descriptions: {described['cut']:,} of {kb.info.entities:,} are longer than the {size} characters "
        f"that the network reads; of {described['characters']:,} characters it reads {described['chosen']:,} "
        f"({recipe.model.head.description_choice}), and the match features look into all"
    )
    if "tokens" in described:
        cut = described["tokens_cut"]
        losing = f"{cut:,} descriptions of more than {size} lose their end" if cut else f"none of more than {size}"
        told += f"; as {described['tokens']:,} tokens, {losing}"
    return told


def _texts(recipe: ElRecipe, splits: Mapping[str, Survey], extra: Survey, sources: Sources) -> Iterator[str]:
    data = recipe.data
    if extra.records:
        yield f"mentions without ids: {extra.records:,} further texts"
    elif "mentions" in sources.files:
        yield "mentions without ids: not used (data.extra_mentions)"
    if "dev" not in sources.files:
        yield held_out_note(splits["dev"].records, "texts", data.held_out, data.held_out_seed)
    for name, split in splits.items():
        if split.unknown_ids:
            yield f"{name}: {split.unknown_ids:,} mentions have an id that the knowledge base lacks"
        if split.windows_cut:
            yield f"{name}: {cut_note(split.windows_cut)}"
