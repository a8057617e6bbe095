"""The model card of a run: data, recipe, scores and use, written from what the run recorded."""

from __future__ import annotations

import json
import math
import shlex
from pathlib import Path
from typing import Any

import yaml
from jinja2 import Environment, PackageLoader, StrictUndefined

from ietool import yaml_io
from ietool.outputs import atomic_text
from ietool.recipe import encoder_kind
from ietool.run_info import RunInfo
from ietool.runs import METRICS_FILE, RECIPE_FILE, count_parameters, open_run

CARD = "README.md"
"""Where hubs look for it."""


def write_card(folder: Path) -> Path:
    """Write the card into a run folder.

    Raises:
        UserError: it is no run, or has no weights.
    """
    path = folder / CARD
    with atomic_text(path) as out:
        out.write(card(folder))
    return path


def card(folder: Path) -> str:
    """The card of a run as Markdown with the front matter that hubs read. Raises UserError as :func:`write_card`."""
    info = open_run(folder).info
    recipe, _, _ = yaml_io.read(folder / RECIPE_FILE)
    encoder = encoder_kind(recipe.get("model", {}).get("encoder", "characters"))
    encoder = str(encoder.get("name", encoder.get("kind"))) if isinstance(encoder, dict) else str(encoder)
    environment = Environment(
        loader=PackageLoader("ietool.report"), undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True,
        autoescape=False,  # Markdown: what comes from files goes through ``code`` and ``cell``
    )  # fmt: skip
    environment.filters |= {"code": _code, "cell": _cell}
    best = info.best or {}
    made = environment.get_template("card.md.j2").render(
        front=_front_matter(info),
        info=info,
        title=str(recipe.get("title") or info.recipe),
        best=best,
        score=f"{best['score']:.4f}" if best else "",
        interval="–".join(f"{value:.4f}" for value in best.get("interval") or ()),
        epochs=_epochs(folder),
        corpus=info.corpus,
        encoder=encoder,
        parameters=f"{count_parameters(folder):,}",
        recipe=(folder / RECIPE_FILE).read_text(encoding="utf-8").rstrip("\n"),
        fence=_fence((folder / RECIPE_FILE).read_text(encoding="utf-8")),
        name=folder.name,
        argument=shlex.quote(folder.name),
    )
    return without_local_paths(made, recipe)


def without_local_paths(text: str, recipe: Any) -> str:
    """A text with the absolute paths of a recipe cut to their last part: nobody else has them, and they tell of the
    machine."""
    for path in sorted(_local_paths(recipe), key=len, reverse=True):
        text = text.replace(path, Path(path).name)
    return text


def _local_paths(value: Any) -> set[str]:
    """The absolute paths in a recipe."""
    if isinstance(value, dict):
        return {path for part in value.values() for path in _local_paths(part)}
    if isinstance(value, list):
        return {path for part in value for path in _local_paths(part)}
    return {value} if isinstance(value, str) and Path(value).is_absolute() and Path(value).name else set()


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
            "dataset": {"name": "dev", "type": "dev"},
            "metrics": [value],
        }
        front["model-index"] = [{"name": info.recipe, "results": [result]}]
    return yaml.safe_dump(front, allow_unicode=True, sort_keys=False).rstrip("\n")


def _epochs(folder: Path) -> list[dict[str, Any]]:
    path = folder / METRICS_FILE
    if not path.is_file():
        return []
    rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    shown = []
    for row in rows:
        values = row.get("ema") or row.get("raw") or {}
        score, loss = values.get("score"), row.get("loss")
        shown.append(
            {
                "stage": row["stage"],
                "epoch": row["epoch"],
                "loss": "–" if loss is None or math.isnan(loss) else f"{loss:.4f}",
                "score": "–" if score is None else f"{score:.4f}",
                "best": "best" if row["best"] else "",
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
