"""A JSON file of ours that has one shape: read, checked against it, and refused in one line where it does not hold."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from pydantic import TypeAdapter, ValidationError

from ietool.errors import WHOLE, UserError, cause
from ietool.files.plain_json import load_json

T = TypeVar("T")


def read_typed(path: Path, shape: type[T], *, newest: int, lacking: str, check: Callable[[T], None]) -> T:
    """The value of a file.

    Args:
        shape: a class with a field ``format``, as pydantic validates it.
        newest: the highest ``format`` that is read.
        lacking: what the folder is where the file is not there: ``is no ensemble``.
        check: raises ValueError for what does not hold between fields.

    Raises:
        UserError: it is missing, damaged, or of a newer version.
    """
    try:
        value = TypeAdapter(shape).validate_python(load_json(path.read_text(encoding="utf-8")))
        made_as: Any = getattr(value, "format", newest)
        if made_as > newest:
            raise ValueError(f"its format is {made_as}, this version of ietool reads up to {newest}")
        check(value)
    except FileNotFoundError:
        raise UserError(f"{lacking}: {path.name} is missing", file=path.parent, mend="check the path") from None
    except ValidationError as error:
        problem = error.errors(include_url=False)[0]
        name = ".".join(map(str, problem["loc"]))
        raise UserError(f"is damaged ({problem['msg']})", file=path, field=name, mend=WHOLE) from None
    except (OSError, ValueError, LookupError, TypeError, RecursionError) as error:
        raise UserError(f"is damaged ({cause(error)})", file=path, mend=WHOLE) from None
    return value
