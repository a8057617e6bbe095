"""What the heads learn of passages that were mined. All sentences are invented."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from ietool.core.candidates import Floor
from ietool.core.sources import Sources
from ietool.recipe_io import load_recipe
from ietool.tasks.qa import QaTask
from ietool.tasks.qa.data.question import Passage, Question
from tests.tasks.qa.made import dump, recipe_of
from tests.tiny_encoder import make_encoder_folder

NAMES = "青砖石桥雨水山书云路林海风雪月花"


def asked(number: int) -> dict[str, Any]:
    """A question with the one passage that answers: on the tower of a place, the next one on its lake, so that the
    passage of each is nearest to the other."""
    place = NAMES[number // 2 % 16] + NAMES[(7 * (number // 2) + 3) % 16]
    what, told = ("塔有多高？", "塔高{}米") if number % 2 else ("湖有多深？", "湖深{}米")
    answer = str(100 + number)
    return {
        "id": f"m{number}", "question": place + what, "golden_answers": [answer],
        "passages": [{"passage": f"{place}{told.format(answer)}。", "answer": answer}],
    }  # fmt: skip


def learnt(head: str, folder: Path, steps: int, rate: float, *more: str) -> Any:
    """A reader that has learnt from 64 questions with passages of others, of which the data has none."""
    if head == "reader":
        recipe = load_recipe("qa", ("model.encoder.hidden_size=16", "model.encoder.passage_dilations=[1,2]", *more))
    else:
        encoder = make_encoder_folder(folder / "encoder", [str(asked(n)) for n in range(100)], dropout=0.0)
        recipe = recipe_of(head, encoder, "sampling.mined=1", *more)
    task, prepared = QaTask(), folder / "prepared"
    prepared.mkdir()
    files = {"train": dump(folder / "train.json", [asked(n) for n in range(64)])}
    files["dev"] = dump(folder / "dev.json", [asked(n) for n in range(64, 68)])
    task.prepare(recipe, Sources(files), prepared, rejects=None, progress=lambda *_: None)  # type: ignore[arg-type]
    torch.manual_seed(7)
    model: Any = task.build_model(recipe, prepared)  # type: ignore[arg-type]
    data: Any = task.training_set(recipe, prepared)  # type: ignore[arg-type]
    optimiser = torch.optim.AdamW(model.parameters(), rate)
    dice = random.Random(7)
    for step in range(steps):
        data.set_epoch(step)
        batch = data.collate([data[at] for at in dice.sample(range(len(data)), 16)])
        loss = model(**batch)["loss"]
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    return task.reader(recipe, model.eval(), prepared)  # type: ignore[arg-type]


def surest(reader: Any, *, own: bool) -> float:
    """The mean probability of the best span of a new question's own passage, or of the passage that it would get."""
    questions = []
    for number in range(68, 84):
        told = asked(number if own else number ^ 1)["passages"][0]["passage"]
        questions.append(Question(str(number), asked(number)["question"], (Passage(told),)))
    found = reader.propose(questions, floor=Floor())
    return float(np.mean([some.parts.prod(1).max(initial=0) for _, some in found]))


@pytest.mark.parametrize(
    ("head", "steps", "rate", "more"),
    [("reader", 120, 2e-2, ("sampling.mined=1",)), ("span", 300, 3e-3, ("sampling.negatives=0.5",))],
)
def test_passages_that_were_mined_are_less_probable(
    head: str, steps: int, rate: float, more: tuple[str, ...], tmp_path: Path
) -> None:
    reader = learnt(head, tmp_path, steps, rate, *more)
    own, other = surest(reader, own=True), surest(reader, own=False)
    assert own > 0.3 and own > 2 * other, (own, other)
