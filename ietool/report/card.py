"""The model card of a run: data, recipe, scores and use, written from what the run recorded."""

from __future__ import annotations

import math
import shlex
from dataclasses import replace
from pathlib import Path
from typing import Any

import yaml
from jinja2 import Environment, PackageLoader, StrictUndefined

from ietool.files import yaml_io
from ietool.files.outputs import atomic_text
from ietool.recipe import encoder_kind
from ietool.recipe_io import load_recipe
from ietool.report.local import local_paths, strings_in, without_paths
from ietool.runs.checks import read_metrics
from ietool.runs.entry import RECIPE_FILE, open_run
from ietool.runs.folder import count_parameters
from ietool.runs.info import RunInfo

_TELLING = ("differences", "corpus", "tuned", "members")
"""Fields of ``run.json`` that may name files."""

CARD = "README.md"
"""Where hubs look for it."""


def write_card(folder: Path) -> Path:
    """Write the card into a run folder.

    Raises:
        UserError: it is no run, or has no weights.
    """
    path = folder / CARD
    text = card(folder)
    if path.is_symlink():  # a stranger's run may lead out of its folder
        path.unlink()
    with atomic_text(path) as out:
        out.write(text)
    return path


def card(folder: Path) -> str:
    """The card of a run as Markdown with the front matter that hubs read. Raises UserError as :func:`write_card`."""
    info = open_run(folder).info
    load_recipe(folder / RECIPE_FILE)  # a damaged one is told of
    data, _, text = yaml_io.read(folder / RECIPE_FILE)
    local = local_paths(data, info)
    if local & set(strings_in(data)):
        text = yaml_io.dump(without_paths(data, local))
    info = replace(info, **without_paths({key: getattr(info, key) for key in _TELLING}, local))
    recipe = without_paths(data, local)
    model = recipe.get("model")
    encoder = encoder_kind(model.get("encoder", "characters") if isinstance(model, dict) else "characters")
    encoder = str(encoder.get("name", encoder.get("kind"))) if isinstance(encoder, dict) else str(encoder)
    environment = Environment(
        loader=PackageLoader("ietool.report"), undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True,
        autoescape=False,  # Markdown: what comes from files goes through ``code`` and ``cell``
    )  # fmt: skip
    environment.filters |= {"code": _code, "cell": _cell}
    best = info.best or {}
    return environment.get_template("card.md.j2").render(
        front=_front_matter(info),
        info=info,
        title=str(recipe.get("title") or info.recipe),
        best={"epoch": None, "stage": None, "source": "dev", **best} if best else {},
        score=f"{best['score']:.4f}" if best else "",
        interval="–".join(f"{float(value):.4f}" for value in best.get("interval") or ()),
        epochs=_epochs(folder),
        corpus=info.corpus,
        encoder=encoder,
        parameters=f"{count_parameters(folder):,}",
        recipe=text.rstrip("\n"),
        fence=_fence(text),
        name=folder.name,
        argument=shlex.quote(folder.name),
    )


def _front_matter(info: RunInfo) -> str:
    best = info.best or {}
    front: dict[str, Any] = {
        "language": "zh",
        "library_name": "ietool",
        "tags": list(dict.fromkeys(("ietool", info.task, info.recipe))),
    }
    if info.base_model:
        front["base_model"] = info.base_model
    if best:
        value = {"type": str(best["metric"]), "value": round(float(best["score"]), 4), "name": str(best["metric"])}
        result = {
            "task": {"type": info.task},
            "dataset": {"name": str(best.get("source", "dev")), "type": "dev"},
            "metrics": [value],
        }
        front["model-index"] = [{"name": info.recipe, "results": [result]}]
    return yaml.safe_dump(front, allow_unicode=True, sort_keys=False).rstrip("\n")


def _epochs(folder: Path) -> list[dict[str, Any]]:
    shown = []
    for row in read_metrics(folder):
        score = (row.ema or row.raw or {}).get("score")
        shown.append(
            {
                "stage": row.stage,
                "epoch": row.epoch,
                "loss": "–" if row.loss is None or math.isnan(row.loss) else f"{row.loss:.4f}",
                "score": "–" if score is None else f"{score:.4f}",
                "best": "best" if row.best else "",
            }
        )
    return shown


def _code(value: Any) -> str:
    """A string as inline code, whatever it holds."""
    text = " ".join(str(value).split())
    ticks = "`" * (max((len(run) for run in _runs(text)), default=0) + 1)
    pad = " " if text.startswith("`") or text.endswith("`") else ""
    return f"{ticks}{pad}{text}{pad}{ticks}"


def _cell(value: Any) -> str:
    """A value in a cell of a table."""
    if value is None:
        return ""
    text = f"{value:,}" if isinstance(value, int) else str(value)
    return " ".join(text.split()).replace("|", "\\|").replace("<", "&lt;").replace("`", "'")


def _fence(text: str) -> str:
    return "`" * max(3, *(len(run) + 1 for run in _runs(text)), 3)


def _runs(text: str) -> list[str]:
    """Runs of backticks."""
    found, current = [""], ""
    for character in text:
        current = current + character if character == "`" else ""
        found.append(current)
    return found
