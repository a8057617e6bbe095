"""Invented questions, and tiny encoders that know their characters."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any
from unittest import mock

from ietool.core.predicting import Predictor
from ietool.recipe_io import load_recipe
from ietool.tasks.qa import QaTask
from ietool.tasks.qa.data.question import Question
from ietool.tasks.qa.heads.voting import Answered
from ietool.tasks.qa.recipe import QaRecipe
from ietool.workflow.prepare import prepare
from tests.tiny_encoder import make_encoder_folder

BOOKS = ("青砖巷", "云州旧事", "雨水经", "山中书")
PEOPLE = ("林满", "何舟", "Ada Lin", "苏木")
PLACES = ("云州", "雨山", "Tirol", "山南")
WEATHER = "云州多雨，山中的桥都很旧。"
TEXTS = (
    *BOOKS,
    *PEOPLE,
    *PLACES,
    WEATHER,
    "是谁写的，第问？《》由于后来离开了。没有人知道在哪里",
    "0123456789",
    "abcdefghij klmnop",
)

SMALL: tuple[str, ...] = (
    "data.window=64", "data.overlap=24", "data.question=32", "decode.longest=16", "decode.batch_size=4",
    "training.epochs=2", "training.batch_size=8", "training.precision=fp32", "training.learning_rate=2e-3",
    "training.head_learning_rate=2e-3", "training.warmup_epochs=0",
)  # fmt: skip


def small(head: str) -> tuple[str, ...]:
    """Settings of a small recipe of a head on a pretrained encoder."""
    return (*SMALL, "model.head.masks=8") if head == "mlm" else SMALL


def fact(number: int) -> tuple[str, str, str]:
    """(question, passage, answer)."""
    book, person = BOOKS[number % 4], PEOPLE[number // 4 % 4]
    place = PLACES[number // 16 % 4]
    return f"{book}是谁写的，第{number}问？", f"{WEATHER}《{book}》由{person}写于{place}，后来{person}离开了。", person


def webqa(count: int, first: int = 0) -> list[dict[str, Any]]:
    """Questions with two passages, the second of which answers."""
    found = []
    for number in range(first, first + count):
        asked, passage, answer = fact(number)
        passages = [{"passage": WEATHER, "answer": ""}, {"passage": passage, "answer": answer}]
        found.append({"id": f"w{number}", "question": asked, "golden_answers": [answer], "passages": passages})
    return found


def squad(count: int, first: int = 0, *, every: int = 4) -> dict[str, Any]:
    """Questions on one passage each, of which one in ``every`` cannot be answered."""
    paragraphs = []
    for number in range(first, first + count):
        asked, passage, answer = fact(number)
        none = number % every == every - 1
        context = WEATHER + "没有人知道。" if none else passage
        answers = [] if none else [{"text": answer, "answer_start": passage.index(answer)}]
        entry = {"id": f"s{number}", "question": asked, "is_impossible": none, "answers": answers}
        paragraphs.append({"context": context, "qas": [entry]})
    return {"version": "1", "data": [{"title": "", "paragraphs": paragraphs}]}


def documents(count: int, first: int = 0) -> list[dict[str, Any]]:
    """Questions of DuReader 2.0 with their references alone."""
    found = []
    for number in range(first, first + count):
        asked, passage, answer = fact(number)
        paragraphs = [{"title": "", "paragraphs": [WEATHER, passage], "is_selected": True}]
        found.append({"question_id": number, "question": asked, "question_type": "ENTITY", "documents": paragraphs,
                      "answers": [answer], "entity_answers": [[answer]], "fact_or_opinion": "FACT"})  # fmt: skip
    return found


def dump(path: Path, value: Any) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(value, ensure_ascii=False), encoding="utf-8")
    return path


def encoder_folder(path: Path, **more: Any) -> Path:
    return make_encoder_folder(path, TEXTS, **({"mlm": True} | more))


def recipe_of(head: str, encoder: Path, *more: str) -> Any:
    return load_recipe(f"qa-{head}", [*small(head), f"model.encoder={encoder}", *more])


def predictor_of(recipe: Any, reader: Any) -> Predictor[Question, Answered]:
    """A reader with the decoder of its recipe."""
    return Predictor(reader, QaTask().decoder(recipe, Path()), recipe.decode)


def prepared_of(recipe: QaRecipe, folder: Path, train: Any = None) -> Path:
    """A prepared folder, without a trace of it elsewhere."""
    train = dump(folder / "train.json", webqa(24) if train is None else train)
    dev = dump(folder / "dev.json", webqa(4, 50))
    with mock.patch.dict(os.environ, {"IETOOL_HOME": str(folder / "home")}):
        return prepare(recipe, files={"train": train, "dev": dev}, output=folder / "prepared").folder
