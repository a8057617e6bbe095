"""Opening the weights of a run folder, which may be damaged or come from a stranger."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar

from transformers import PreTrainedModel

from ietool.errors import WHOLE, UserError, reason_of
from ietool.quiet import quiet
from ietool.runs.checks import read_settings
from ietool.runs.entry import CONFIG_FILE, WEIGHTS_FILE

Model = TypeVar("Model", bound=PreTrainedModel)


def open_pretrained(kind: type[Model], folder: Path) -> Model:
    """``kind.from_pretrained(folder)``, from safetensors alone: a pickle is never read, since it could run code.

    Raises:
        UserError: ``config.json`` or ``model.safetensors`` is missing, damaged, or one does not fit the other.
    """
    weights, config = folder / WEIGHTS_FILE, folder / CONFIG_FILE
    for path in (config, weights):
        if not path.is_file():
            raise UserError("is missing", file=path, mend=WHOLE)
    _check_settings(read_settings(config), vars(kind.config_class()), config)  # type: ignore[misc]
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


def _check_settings(settings: Mapping[str, Any], usual: Mapping[str, Any], config: Path) -> None:
    """Raise UserError for a setting of another type than its usual value has: the model would be made, and fail at the
    first text."""
    for key in settings.keys() & usual.keys():
        if not _is_alike(settings[key], usual[key]):
            raise UserError(
                "is damaged (it is of another kind than this setting of the model is)",
                file=config,
                field=key,
                mend=WHOLE,
            )


def _is_alike(value: Any, usual: Any) -> bool:
    if isinstance(usual, list) and usual:
        return isinstance(value, list) and bool(value) and all(_is_alike(inner, usual[0]) for inner in value)
    if isinstance(usual, bool) or not isinstance(usual, int | float | str):
        return True  # what may be left out, and switches, which anything can be
    if isinstance(usual, str):
        return isinstance(value, str)
    is_whole = isinstance(value, int) and not isinstance(value, bool)
    return is_whole or (isinstance(usual, float) and isinstance(value, float))
