"""The pages for people: what they name exists, and each Chinese page says as much as its English twin."""

from __future__ import annotations

import re
import shlex
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pytest
import typer
from markdown_it import MarkdownIt

from ietool import paths
from ietool.cli.app import app
from ietool.recipe_io import load_recipe
from ietool.recipe_keys import keys_of
from ietool.registry import TASKS, get_task

ROOT = Path(__file__).resolve().parents[1]
CHINESE = ".zh-CN.md"
PAGES = sorted(
    path for folder in ("", "docs", "data", "recipes", "benchmarks") for path in (ROOT / folder).glob("*.md")
)
TWINS = [
    path for path in PAGES if path.parent.name == "docs" or (path.name.startswith("README") and path.parent == ROOT)
]
ENGLISH = [path for path in TWINS if not path.name.endswith(CHINESE)]
RECIPES = sorted(paths.shipped_recipes())


def name_of(page: Path) -> str:
    return page.relative_to(ROOT).as_posix()


@dataclass
class Page:
    """What a page of Markdown consists of, in order; ``tables`` as (columns, rows)."""

    headings: list[tuple[int, str]] = field(default_factory=list)
    blocks: list[str] = field(default_factory=list)
    tables: list[tuple[int, int]] = field(default_factory=list)
    links: list[str] = field(default_factory=list)
    codes: list[str] = field(default_factory=list)
    prose: str = ""


@cache
def read(path: Path) -> Page:
    page = Page()
    columns = rows = 0
    tokens = MarkdownIt("commonmark").enable("table").parse(path.read_text(encoding="utf-8"))
    for before, token in zip([None, *tokens], tokens, strict=False):
        if token.type == "fence":
            page.blocks.append(token.content)
        elif token.type == "table_open":
            columns = rows = 0
        elif token.type in ("th_open", "tr_open"):
            columns, rows = columns + (token.type == "th_open"), rows + (token.type == "tr_open")
        elif token.type == "table_close":
            page.tables.append((columns, rows))
        for part in token.children or ():
            if part.type == "link_open":
                page.links.append(unquote(str(part.attrs["href"])))
            elif part.type == "code_inline":
                page.codes.append(part.content)
            elif part.type == "text":
                page.prose += part.content + "\n"
        if before is not None and before.type == "heading_open":
            page.headings.append((int(before.tag[1]), "".join(part.content for part in token.children or ())))
    return page


def anchors(page: Page) -> set[str]:
    """The anchors that a hub gives to the headings of a page."""
    found: set[str] = set()
    seen: Counter[str] = Counter()
    for _, heading in page.headings:
        slug = re.sub(r"[^\w\- ]", "", heading.strip().lower()).replace(" ", "-")
        found.add(f"{slug}-{seen[slug]}" if seen[slug] else slug)
        seen[slug] += 1
    return found


def without_comments(block: str) -> list[str]:
    """The lines of a block of code that mean something in every language; of a drawing how many arrows it has."""
    if "▶" in block:
        return [f"{block.count('▶')} arrows"]
    return [re.sub(r"(^|\s)#\s.*", "", line).rstrip() for line in block.splitlines()]


@pytest.mark.parametrize("english", ENGLISH, ids=name_of)
def test_twins_have_the_same_sections_code_tables_and_links(english: Path) -> None:
    ours, theirs = read(english), read(english.with_name(english.name.removesuffix(".md") + CHINESE))
    assert [level for level, _ in theirs.headings] == [level for level, _ in ours.headings]
    assert theirs.tables == ours.tables
    assert list(map(without_comments, theirs.blocks)) == list(map(without_comments, ours.blocks))
    pages = [[link.partition("#")[0].replace(CHINESE, ".md") for link in page.links] for page in (theirs, ours)]
    assert pages[0] == pages[1]


@pytest.mark.parametrize("chinese", [path for path in TWINS if path not in ENGLISH], ids=name_of)
def test_chinese_pages_have_a_twin_and_one_word_for_one_thing(chinese: Path) -> None:
    assert chinese.with_name(chinese.name.replace(CHINESE, ".md")) in ENGLISH
    said = [word for word in ("指称", "主语", "宾语", "字表", "口径", "令牌", "token") if word in read(chinese).prose]
    assert not said  # CONTRIBUTING.md has the words to take


@pytest.mark.parametrize("path", PAGES, ids=name_of)
def test_links_lead_to_files_and_headings_that_exist(path: Path) -> None:
    for link in read(path).links:
        if re.match(r"[a-z]+:", link):
            continue
        name, _, anchor = link.partition("#")
        target = path.parent / name if name else path
        assert target.exists(), link
        assert not anchor or anchor in anchors(read(target)), link


def commands_in(text: str) -> Iterator[list[str]]:
    """The words after ``ietool`` of every command in some lines, whoever starts it."""
    for line in text.splitlines():
        if not re.search(r"(^|[\s/])ietool\s", line):
            continue
        words = shlex.split(line, comments=True)
        for place, word in enumerate(words):
            starts = place == 0 or words[place - 1] == "-m" or words[0] == "uvx"
            if starts and word.rpartition("/")[2] == "ietool":
                yield words[place + 1 :]
                break


@cache
def command_line() -> Any:
    return typer.main.get_command(app)


def options_of(words: list[str]) -> Iterator[tuple[str, str | None]]:
    """The options of a command with their values, after it was held to the verbs and options that there are."""
    command = command_line()
    left, arguments = list(words), 0
    while left:
        word = left.pop(0)
        if word.startswith("-") and word != "-":
            name, equals, value = word.partition("=")
            option = next((one for one in command.params if name in (*one.opts, *one.secondary_opts)), None)
            assert option is not None or name in ("-h", "--help"), f"{command.name} {name}"
            if option is not None and not option.is_flag:
                value = value if equals else left.pop(0)
            yield name, value or None
        elif hasattr(command, "commands"):
            assert word in command.commands, word
            command = command.commands[word]
        else:
            arguments += 1
    takes = [one.nargs for one in getattr(command, "params", ()) if one.param_type_name == "argument"]
    assert -1 in takes or arguments <= sum(takes), f"{command.name}: {arguments} arguments"


def headers() -> str:
    """The comments that the shipped recipes open with."""
    texts = (paths.shipped_recipes()[name].read_text(encoding="utf-8").partition("\n\n")[0] for name in RECIPES)
    return re.sub(r"^#( \w+:)?", "", "\n".join(texts), flags=re.MULTILINE)


def test_commands_name_verbs_options_and_recipes_that_exist() -> None:
    texts = [headers()]
    for page in map(read, PAGES):
        # In running text a command begins its piece of code.
        texts += [*page.blocks, *(code for code in page.codes if code.startswith("ietool "))]
    commands = [words for text in texts for words in commands_in(text)]
    assert len(commands) > 100
    for words in commands:
        for option, value in options_of(words):
            if option in ("--recipe", "-r") and value is not None and value.islower():
                assert value in RECIPES or value.endswith(".yaml"), words
    for wrong in (["trian"], ["train", "--epoch", "3"], ["recipes", "list"], ["runs", "a", "b", "c"]):
        with pytest.raises(AssertionError):
            list(options_of(wrong))


@cache
def keys() -> frozenset[str]:
    """Every key that a recipe of some task, head and encoder has or had."""
    found: set[str] = set()
    for task in (get_task(name) for name, _ in TASKS):
        found |= set(task.former_keys)
        for head in task.heads:
            for kind in ("characters", "pretrained"):
                found |= set(keys_of(head.load("recipe"), {"model": {"encoder": {"kind": kind}}}))
    return frozenset(found)


SECTIONS = ("data", "model", "sampling", "training", "decode")


@pytest.mark.parametrize("path", PAGES, ids=name_of)
def test_keys_exist(path: Path) -> None:
    named = re.findall(r"--set\s+'?([a-z]\w*[\w.]*)", path.read_text(encoding="utf-8") + headers())
    named += [code for code in read(path).codes if re.fullmatch(rf"({'|'.join(SECTIONS)})(\.[a-z_]+)+", code)]
    for key in named:
        exists = key in keys() or (key.endswith(".") and any(one.startswith(key) for one in keys()))
        assert exists or key.endswith(".py"), key


@pytest.mark.parametrize("path", TWINS, ids=name_of)
def test_options_in_running_text_exist(path: Path) -> None:
    verbs = [command_line()]
    for verb in verbs:
        verbs += getattr(verb, "commands", {}).values()
    there = {name for verb in verbs for one in verb.params for name in (*one.opts, *one.secondary_opts)}
    for code in read(path).codes:
        for option in re.findall(r"(?:^|\s)(--[a-z][\w-]*)", code if code.startswith("--") else ""):
            assert option in there, option


@pytest.mark.parametrize("path", [page for page in TWINS if page.parent == ROOT], ids=name_of)
def test_recipes_stand_in_the_readme_with_their_scores(path: Path) -> None:
    rows = dict(re.findall(r"^\| `([\w-]+)` \|(.*)", path.read_text(encoding="utf-8"), flags=re.MULTILINE))
    assert sorted(rows) == RECIPES
    for name in RECIPES:
        best, shown = load_recipe(name).best, re.search(r"(?:F1|mean|平均) (0\.\d{3})", rows[name])
        assert (best is None) == (shown is None), name
        if best is not None and shown is not None:
            assert float(shown[1]) == pytest.approx(best.score, abs=0.00051) and f"`{best.metric}`" in rows[name], name


def test_makefile_has_the_targets_that_pages_name() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    named = {
        target
        for path in PAGES
        for block in read(path).blocks
        for target in re.findall(r"^make (\w+)", block, re.MULTILINE)
    }
    assert {"demo", "test"} <= named <= set(re.findall(r"^(\w+):", makefile, re.MULTILINE))
    assert re.findall(r"^(\w+):", makefile, re.MULTILINE)[0] == "help"  # which a bare make takes
