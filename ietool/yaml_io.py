"""Strict YAML: plain data only, no duplicate keys, no aliases, and the line of every key."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import yaml

from ietool.errors import UserError
from ietool.outputs import atomic_text

LARGEST = 1 << 20
"""Bytes of a file; recipes and rule files have some thousands."""

Path_ = tuple[str | int, ...]
"""A place in a document: keys and list indices from the top."""


class _Loader(yaml.SafeLoader):
    """SafeLoader that refuses duplicate keys and aliases, and reads ``5e-4`` as a number (YAML 1.1 does not)."""

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:  # type: ignore[override]
        if self.check_event(yaml.AliasEvent):
            # An alias lets a small file expand without bound, and no recipe needs one.
            raise yaml.composer.ComposerError(
                None, None, "aliases (*name) are not allowed", self.peek_event().start_mark
            )
        return super().compose_node(parent, index)  # type: ignore[arg-type]

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen: set[Any] = set()
        for key_node, _ in node.value:
            key = self.construct_object(key_node, deep=True)
            if not isinstance(key, str):
                raise yaml.constructor.ConstructorError(
                    None,
                    None,
                    f"the key {key_node.value!r} is read as {type(key).__name__}, put it in quotes",
                    key_node.start_mark,
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
    loader = _Loader(text)
    try:
        node = loader.get_single_node()
        data = None if node is None else loader.construct_document(node)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = None if mark is None else mark.line + 1
        raise UserError(
            f"is not a YAML file of ours: {error.problem}", file=file, line=line, mend="mend that line"
        ) from None
    except (yaml.YAMLError, RecursionError, ValueError) as error:
        raise UserError(f"is not YAML: {error}", file=file, mend="write it anew, or start from a copy") from None
    finally:
        loader.dispose()
    lines: dict[Path_, int] = {}
    if node is not None:
        _collect_lines(node, (), lines)
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
    try:
        with path.open("rb") as stream:
            content = stream.read(LARGEST + 1)
        text = content.decode("utf-8-sig")
    except FileNotFoundError:
        raise UserError("no such file", file=path, mend="check the path") from None
    except UnicodeDecodeError as error:
        raise UserError(f"is not UTF-8 (byte {error.start + 1})", file=path, mend="save it as UTF-8") from None
    except OSError as error:
        raise UserError(f"cannot be read ({error.strerror})", file=path, mend="check the path") from None
    if len(content) > LARGEST:
        raise UserError(f"is larger than {LARGEST >> 20} MB", file=path, mend="is it a recipe or a rule file?")
    data, lines = parse(text, path)
    return data, lines, text


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


def write(data: Any, path: Path, header: str = "") -> None:
    """Write plain data as YAML, atomically, keys in their order. ``header`` is a comment of full lines."""
    with atomic_text(path) as out:
        out.write(header)
        yaml.dump(data, out, _Writer, sort_keys=False, allow_unicode=True, width=120)
