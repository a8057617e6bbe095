"""What went wrong on the user's side, said in one line that names the place and the mend."""

from __future__ import annotations

from os import PathLike


def cause(error: Exception) -> str:
    """The reason in an exception of a library, without the error number and the path that ``str`` has."""
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return str(error)


WHOLE = "train again, or copy the run folder whole"
"""The mend where a file of a run is missing or damaged."""


class UserError(Exception):
    """Wrong use or bad input: the command line prints it as one line and exits with code 2.

    Args:
        message: what is wrong, without the place.
        file: the file it was found in.
        line: 1-based line number in that file.
        field: the field or key, dotted where nested (``spo_list[2].subject``).
        mend: what the user can do about it, an imperative sentence.
    """

    def __init__(
        self,
        message: str,
        *,
        file: str | PathLike[str] | None = None,
        line: int | None = None,
        field: str | None = None,
        mend: str | None = None,
    ) -> None:
        self.message = message
        self.file = None if file is None else str(file)
        self.line = line
        self.field = field
        self.mend = mend
        super().__init__(message)

    def place(self) -> str:
        """Where it is, to stand before the message: file, line and field, as far as they are known."""
        place = ""
        if self.file is not None:
            place = self.file + (f":{self.line}" if self.line is not None else "") + ": "
        elif self.line is not None:
            place = f"line {self.line}: "
        return place + (f"{self.field}: " if self.field else "")

    def __str__(self) -> str:
        mend = f" → {self.mend}" if self.mend else ""
        return " ".join(f"{self.place()}{self.message}{mend}".split())


class Unwritten(UserError):
    """A file that could not be written for want of room or of the right to: to go on is possible when there is some."""
