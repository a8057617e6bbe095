"""How many tokens an encoder has positions for, found from the model itself."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

from ietool.quiet import quiet

_TABLES = ("position_embeddings", "position_embedding", "embed_positions", "positions_embed", "pos_embeddings", "wpe")
"""Names of tables with a row for each position of a text. Others count places on a page, or distances."""

_FIXED = (*_TABLES, "pos_encoding", "char_position_embeddings")
"""Names of whatever has as many rows as the configuration tells, or could."""


def positions_of(config: Any) -> int | None:
    """The tokens that the encoder of a configuration can read at once; None where nothing limits them, as where
    positions are distances or rotations.

    The model is built without any weights. Where positions are counted from behind the padding id, as RoBERTa and its
    like do, the rows up to there are none.
    """
    import torch
    from transformers import AutoModel

    told = max(int(getattr(config, "max_position_embeddings", 0) or 0), 0)  # some say −1 for none
    try:
        with quiet(), torch.device("meta"):
            model = AutoModel.from_config(deepcopy(config), trust_remote_code=False)
    # Whatever a configuration makes of the library: loading the weights tells it.
    except Exception:
        return told or None
    limits = []
    for name, module in model.named_modules():
        if told and any(getattr(module, fixed, None) is not None for fixed in _FIXED):
            limits.append(told)
        rows = getattr(module, "weight", None)
        if name.rpartition(".")[2] not in _TABLES or rows is None or rows.dim() != 2:
            continue
        padding = getattr(module, "padding_idx", None)
        # Some have a few rows more than positions, and count from there.
        most = min(told, len(rows)) if told and padding is None else len(rows)
        limits.append(most - (0 if padding is None else padding + 1))
    return min(limits, default=None)
