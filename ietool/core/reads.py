"""What a task reads: which files it takes, and the examples that stand in them."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

from ietool.core.forms import Form
from ietool.core.headed import Headed, R
from ietool.core.looked import Looked, Words
from ietool.core.sources import Sources
from ietool.files.lines import Line, OnBad, read_lines


class Reads(Headed[R], ABC):
    """The part of the contract from files to examples, which the room ``data/`` fills."""

    input_roles: ClassVar[tuple[str, ...]] = ()
    """Roles of files that an input to predict on needs besides: found beside it unless ``--file ROLE=FILE`` names
    them."""
    roles: ClassVar[tuple[str, ...]] = ("train", "dev")
    """Roles that a preparation needs files for."""
    further_roles: ClassVar[tuple[str, ...]] = ("dev", "test")
    """Roles that files may have besides."""
    forms: ClassVar[tuple[Form, ...]] = ()
    """By what the task's files are known, where one turns up in a wrong place."""
    gold_keys: ClassVar[tuple[str, ...]] = ()
    """Keys that records of gold files have, and those of submissions have not."""
    predictions_like_texts: ClassVar[bool] = True
    """Whether a submission has the form of a gold file."""
    inputs: ClassVar[str] = "texts"
    """What is predicted on, in the plural."""
    asks_text: ClassVar[bool] = True
    """Whether a bare text is all that it is asked: what ``--text`` takes."""
    text_names_files: ClassVar[bool] = False
    """Whether such a text names files of the machine it is read on: a server takes none then."""
    words: ClassVar[Words] = Words()
    """What those who look at a corpus call the parts of :meth:`looked`."""

    @abstractmethod
    def locate(self, folder: Path, *, needed: Sequence[str]) -> Sources:
        """Find the competition's files in a folder.

        Raises UserError naming what of the ``needed`` roles is missing and what was looked for.
        """

    def beside(self, files: Mapping[str, Path]) -> Mapping[str, Path]:
        """Further files that belong to those of a preparation, by role: what is prepared of them depends on these too.
        Those that the user names go before them."""
        return {}

    @abstractmethod
    def read_inputs(self, lines: Iterable[Line], on_bad: OnBad | None = None) -> Iterator[Any]:
        """Texts to predict on, from lines of the competition's test format (gold, where present, is ignored); with
        ``on_bad`` bad records go there and are left out."""

    def open_inputs(self, source: str, on_bad: OnBad | None = None) -> Iterator[Any]:
        """The same from a file; ``-`` is standard input. For tasks whose files are not read line by line."""
        return self.read_inputs(read_lines(source, on_bad), on_bad)

    def open_inputs_with(self, source: str, files: Mapping[str, Path], on_bad: OnBad | None = None) -> Iterator[Any]:
        """The same with the files of ``input_roles`` that the user named."""
        raise NotImplementedError(f"inputs of the task {self.name} need no further files")

    @abstractmethod
    def input_of(self, text: str) -> Any:
        """The same from a bare string (``predict --text`` and Python users)."""

    def inputs_of(self, record: Mapping[str, Any], place: str) -> Iterator[Any]:
        """The same from one record of the competition's test format as plain data, as a client of ``serve`` sends it;
        no file is opened for it.

        Args:
            place: stands for the file in messages.

        Raises:
            UserError: naming the field that is wrong.
        """
        from ietool.files.plain_json import dump_json

        return self.read_inputs([(place, 1, dump_json(record))])

    def told(self, asked: Any) -> str | dict[str, Any]:
        """The reverse of both: what a client of ``serve`` sends to ask the same, without gold."""
        return str(asked.text)

    def open_gold(self, recipe: R, source: Path, assets: Path) -> Iterator[Any]:
        """The examples of a file of the competition that has gold, one for every input that :meth:`open_inputs` gives
        of it: what predictions on that file are judged by.

        Raises:
            UserError: a record without gold, or a bad one.
        """
        raise NotImplementedError(f"gold of the task {self.name} is read from prepared folders alone")

    def open_gold_with(self, recipe: R, source: Path, assets: Path, files: Mapping[str, Path]) -> Iterator[Any]:
        """The same with the files of ``input_roles`` that the user named."""
        raise NotImplementedError(f"inputs of the task {self.name} need no further files")

    def open_labelled(self, source: Path, files: Mapping[str, Path], on_bad: OnBad | None = None) -> Iterator[Any]:
        """The examples of a file with gold, from the files of the competition alone: to look at them. By default the
        inputs, whose gold is not read.

        Args:
            files: what lies beside it, by role: the schema, the tables.
            on_bad: told of bad records, which are then left out; without it the first one raises.

        Raises:
            UserError: naming file, line and field; also where the file has no usable record.
        """
        yield from self.open_inputs(str(source), on_bad)

    def first_lines(self, source: Path) -> Iterator[str]:
        """The first records of a file of texts, as lines of one that can be prepared as well."""
        from ietool.core.first import first_lines

        return first_lines(source)

    def looked(self, example: Any) -> Looked:
        """What an example holds, for those who look at a corpus."""
        return Looked(example.text)

    def kin(self, example: Any) -> Sequence[str]:
        """The texts that an example shares with its near-duplicates: those that share one are never parted."""
        from ietool.core.intake import bare

        return [bare(example.text)]
