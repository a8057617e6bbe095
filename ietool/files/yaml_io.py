"""Strict YAML: plain data only, no duplicate keys, no aliases, and the line of every key."""

from __future__ import annotations

import copy
import functools
import math
import re
from pathlib import Path
from typing import Any

import yaml

from ietool.errors import UserError, cut
from ietool.files.charset import check_narrow
from ietool.files.outputs import atomic_text

Path_ = tuple[str | int, ...]
"""A place in a document: keys and list indices from the top."""


_DEEPEST = 50
"""Levels of a document: recipes have four."""
_LARGEST = 4 << 20
"""Bytes of a file: recipes have some thousand."""


class _Loader(yaml.SafeLoader):
    """SafeLoader that refuses duplicate keys, aliases and numbers that JSON does not know, and reads ``5e-4`` as a
    number (YAML 1.1 does not). What it cannot make of a node is an error with the node's place."""

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self._depth = 0

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:  # type: ignore[override]
        mark = self.peek_event().start_mark
        if self.check_event(yaml.AliasEvent):
            # An alias lets a small file expand without bound, and no recipe needs one.
            raise yaml.composer.ComposerError(None, None, "aliases (*name) are not allowed", mark)
        if self._depth >= _DEEPEST:
            raise yaml.composer.ComposerError(None, None, f"it is nested deeper than {_DEEPEST} levels", mark)
        self._depth += 1
        node = super().compose_node(parent, index)  # type: ignore[arg-type]
        self._depth -= 1
        return node

    def construct_object(self, node: yaml.Node, deep: bool = False) -> Any:
        try:
            value = super().construct_object(node, deep)
        except yaml.YAMLError:
            raise
        # The library's constructors expect that what bears a tag is of its form: ``!!bool maybe``, ``2026-13-45``.
        except Exception:
            shown = f"{cut(node.value)!r}" if isinstance(node, yaml.ScalarNode) else ""
            kind = node.tag.rpartition(":")[2]
            raise yaml.constructor.ConstructorError(
                None, None, f"{shown or 'this'} is no {kind}", node.start_mark
            ) from None
        if isinstance(value, float) and not math.isfinite(value):
            raise yaml.constructor.ConstructorError(
                None, None, f"{node.value!r} is no number that can be used", node.start_mark
            )
        return value

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen: set[Any] = set()
        for key_node, _ in node.value:
            key = self.construct_object(key_node, deep=True)
            if not isinstance(key, str):
                shown = f" {key_node.value!r}" if isinstance(key_node, yaml.ScalarNode) else ""
                raise yaml.constructor.ConstructorError(
                    None, None, f"the key{shown} is read as {type(key).__name__}, put it in quotes", key_node.start_mark
                )
            if key in seen:
                raise yaml.constructor.ConstructorError(
                    None, None, f"the key {key!r} occurs twice", key_node.start_mark
                )
            seen.add(key)
        return super().construct_mapping(node, deep=deep)


_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:float", re.compile(r"^[-+]?[0-9]+(\.[0-9]*)?[eE][-+]?[0-9]+$"), list("-+0123456789")
)


def parse(text: str, file: str | Path | None = None) -> tuple[Any, dict[Path_, int]]:
    """Plain data of a YAML text, and the 1-based line of every key and list item.

    Raises:
        UserError: naming file and line, if the text is no YAML, repeats a key, or holds an alias or a foreign tag.
    """
    try:
        data, lines = _parsed(text)
        return copy.deepcopy(data), dict(lines)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = None if mark is None else mark.line + 1
        raise UserError(
            f"is not a YAML file of ours: {error.problem}", file=file, line=line, mend="mend that line"
        ) from None
    except yaml.reader.ReaderError as error:
        # Characters are counted in the text without its byte order mark; one more or less is no matter for the line.
        line = text.count("\n", 0, error.position) + 1
        code = error.character if isinstance(error.character, int) else ord(error.character)
        what = f"is not YAML: the character U+{code:04X} is not allowed"
        raise UserError(what, file=file, line=line, mend="take it out") from None
    except (yaml.YAMLError, RecursionError, ValueError) as error:
        raise UserError(f"is not YAML: {error}", file=file, mend="write it anew, or start from a copy") from None


@functools.lru_cache(maxsize=64)
def _parsed(text: str) -> tuple[Any, dict[Path_, int]]:
    """What :func:`parse` gives, to be copied: a recipe takes ten milliseconds, and a contest reads the
    same ones again and again."""
    lines: dict[Path_, int] = {}
    loader = _Loader(text)
    try:
        node = loader.get_single_node()
        data = None if node is None else loader.construct_document(node)
        if node is not None:
            _collect_lines(node, (), lines)
    finally:
        loader.dispose()
    return data, lines


def _collect_lines(node: yaml.Node, place: Path_, lines: dict[Path_, int]) -> None:
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            lines[(*place, key.value)] = key.start_mark.line + 1
            _collect_lines(value, (*place, key.value), lines)
    elif isinstance(node, yaml.SequenceNode):
        for index, value in enumerate(node.value):
            lines[(*place, index)] = value.start_mark.line + 1
            _collect_lines(value, (*place, index), lines)


def read(path: Path) -> tuple[Any, dict[Path_, int], str]:
    """(data, lines, text) of a YAML file. Raises UserError as :func:`parse`, and if the file cannot be read."""
    text = read_text(path)
    data, lines = parse(text, path)
    return data, lines, text


def read_text(path: Path) -> str:
    """The text of a YAML file. Raises UserError if it cannot be read, is not UTF-8, or is too large."""
    try:
        with path.open("rb") as stream:
            content = stream.read(_LARGEST + 1)
        if len(content) > _LARGEST:
            raise UserError(f"is larger than {_LARGEST >> 20} MB", file=path, mend="name a recipe or a rule file")
        check_narrow(content, str(path))
        return content.decode("utf-8-sig")
    except FileNotFoundError:
        raise UserError("no such file", file=path, mend="check the path") from None
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise UserError(
            f"is not UTF-8 (byte {error.start + 1})", file=path, line=line, mend="save it as UTF-8"
        ) from None
    except OSError as error:
        raise UserError(f"cannot be read ({error.strerror})", file=path, mend="check the path") from None


class _Writer(yaml.SafeDumper):
    """The safe writer, made to quote what our reader would not read as the same string."""


def _quoted(writer: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    style = None
    if any(c in text for c in "\r\x85\u2028\u2029\ufeff"):
        style = '"'
    else:
        try:  # 5e-4 is a number to our reader, though not to the library's writer
            float(text)
            style = "'"
        except ValueError:
            pass
    return writer.represent_scalar("tag:yaml.org,2002:str", text, style=style)


_Writer.add_representer(str, _quoted)


def dump(data: Any) -> str:
    """Plain data as YAML, keys in their order."""
    text: str = yaml.dump(data, None, _Writer, sort_keys=False, allow_unicode=True, width=120)
    return text


def write(data: Any, path: Path, header: str = "") -> None:
    """Write plain data as YAML, atomically, keys in their order. ``header`` is a comment of full lines."""
    with atomic_text(path) as out:
        out.write(header)
        out.write(dump(data))
