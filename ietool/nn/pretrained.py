"""Opening the weights of a run folder, which may be damaged or come from a stranger."""

from __future__ import annotations

from pathlib import Path
from typing import Any, TypeVar

from transformers import PreTrainedModel

from ietool.errors import WHOLE, UserError, reason_of
from ietool.quiet import quiet

Model = TypeVar("Model", bound=PreTrainedModel)


def open_pretrained(kind: type[Model], folder: Path) -> Model:
    """``kind.from_pretrained(folder)``, from safetensors alone: a pickle is never read, since it could run code.

    Raises:
        UserError: ``config.json`` or ``model.safetensors`` is missing, damaged, or one does not fit the other.
    """
    weights, config = folder / "model.safetensors", folder / "config.json"
    for path in (config, weights):
        if not path.is_file():
            raise UserError("is missing", file=path, mend=WHOLE)
    try:
        with quiet():
            loaded: Any = kind.from_pretrained(folder, use_safetensors=True, output_loading_info=True)
    # Whatever a damaged file makes of the library and of the model's constructor: many kinds, one cause.
    except Exception as error:
        raise UserError(
            f"cannot be opened: config.json or model.safetensors is damaged ({reason_of(error)})",
            file=folder,
            mend=WHOLE,
        ) from None
    model, info = loaded
    # The library fills what is missing with whatever the memory holds, and says so in a log.
    wrong = sorted(map(str, [*info["missing_keys"], *info["mismatched_keys"], *info["unexpected_keys"]]))
    if wrong:
        more = f" and {len(wrong) - 1} more" if len(wrong) > 1 else ""
        raise UserError(
            f"does not fit config.json: {wrong[0]}{more}",
            file=weights,
            mend=WHOLE,
        )
    result: Model = model
    return result
