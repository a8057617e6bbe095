"""A small flow for ``el-cross``: names that mean several things, NIL, and an encoder made on the spot."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import torch

from ietool.core.contract import PrepareReport
from ietool.recipe_io import load_recipe
from ietool.tasks.el import ElTask
from ietool.tasks.el.heads.cross.model import CrossModel, build
from ietool.tasks.el.heads.cross.recipe import CrossRecipe
from ietool.tasks.el.heads.joint.model import JointModel
from ietool.tasks.el.heads.joint.model import build as build_joint
from ietool.tasks.el.heads.joint.recipe import JointRecipe
from tests.tiny_encoder import make_encoder_folder

ENTITIES = [
    ("1", "云朵", ["小云"], "林满演唱的歌曲，民谣专辑"),
    ("2", "云朵", ["Cloudy"], "一家公司，总部在望山"),
    ("3", "云朵", [], "天上的水汽"),
    ("4", "林满", ["小林"], "歌手，演唱民谣"),
    ("5", "林满", [], "画家，办过画展"),
    ("6", "望山", ["望山镇"], "地名，山中小镇"),
    ("7", "石桥", [], "一家公司，做软件"),
    ("8", "石桥", [], "歌曲，民谣专辑"),
    ("9", "青砖巷", ["Brick Lane"], "地名，老街"),
]
"""Ids, names, aliases, descriptions."""

PATTERNS = [
    ("听{song}这首歌曲", [("{song}", "song")]),
    ("{firm}公司在望山招人", [("{firm}", "firm"), ("望山", "6")]),
    ("林满的画展开了", [("林满", "5")]),
    ("歌手林满演唱{song}", [("林满", "4"), ("{song}", "song")]),
    ("小林在青砖巷演唱", [("小林", "4"), ("青砖巷", "9")]),
    ("画家林满去望山镇", [("林满", "5"), ("望山镇", "6")]),
    ("Brick Lane有{firm}公司", [("Brick Lane", "9"), ("{firm}", "firm")]),
    ("天上的云朵是水汽", [("云朵", "3")]),
    ("小猫{song}在睡觉", [("{song}", "nil")]),
    ("白塔下有{firm}的软件", [("白塔", "place"), ("{firm}", "7?")]),
]
"""Texts with their mentions. ``nil``: a cat's name; 白塔 is in no knowledge base; ``7?``: the firm if it is 石桥."""

SONGS, FIRMS = {"云朵": "1", "石桥": "8"}, {"云朵": "2", "石桥": "7"}


def record(number: int, form: str) -> dict[str, Any]:
    pattern, mentions = PATTERNS[number % len(PATTERNS)]
    name = ("云朵", "石桥")[number // len(PATTERNS) % 2]
    words = {"song": name, "firm": name}
    text = pattern.format(**words) + ("", "。", "，第二日", "！")[number // 7 % 4]
    nil = {"ccks2019": ("NIL", "NIL"), "ccks2020": ("NIL_Other", "NIL_Location")}[form]
    found = []
    for mention, kind in mentions:
        kb_id = {"song": SONGS[name], "firm": FIRMS[name], "7?": FIRMS[name], "nil": nil[0], "place": nil[1]}.get(
            kind, kind
        )
        spelled = mention.format(**words)
        found.append({"kb_id": kb_id, "mention": spelled, "offset": str(text.index(spelled))})
    return {"text_id": str(number), "text": text, "mention_data": found}


def write(path: Path, records: Sequence[dict[str, Any]]) -> Path:
    path.write_text("".join(json.dumps(r, ensure_ascii=False) + "\n" for r in records), encoding="utf-8")
    return path


def make_data(folder: Path, form: str = "ccks2019", train: int = 60) -> Path:
    """A folder of competition files: all patterns in each; the test file without ids."""
    folder.mkdir(parents=True, exist_ok=True)
    kb = [{"subject_id": kb_id, "subject": name, "alias": alias, "type": ["Thing"],
           "data": [{"predicate": "摘要", "object": told}]} for kb_id, name, alias, told in ENTITIES]  # fmt: skip
    write(folder / "kb_data", kb)
    write(folder / "train.json", [record(i, form) for i in range(train)])
    write(folder / "dev.json", [record(i, form) | {"text_id": f"d{i}"} for i in range(100, 120)])
    test = [record(i, form) for i in range(200, 220)]
    for one in test:
        one["mention_data"] = [{k: v for k, v in m.items() if k != "kb_id"} for m in one["mention_data"]]
    write(folder / "test.json", test)
    return folder


def make_encoder(folder: Path, **settings: Any) -> Path:
    """An encoder that knows every character here; of ``Brick`` it has the halves alone, of ``Cloudy`` too."""
    texts = [str(record(i, "ccks2019")["text"]) for i in range(60)]
    told = [f"{name}，{'，'.join(alias)}，摘要：{text}" for _, name, alias, text in ENTITIES]
    return make_encoder_folder(folder, [*texts, *told, "#"], **settings)


def settings_for(encoder: Path, *more: str) -> list[str]:
    """``--set`` settings of a recipe small enough to train within seconds."""
    changes = [
        f"model.encoder={encoder}", "model.head.size=16", "model.head.query=24", "model.head.description=20",
        "data.folds=4",
        "training.epochs=1", "training.batch_size=8", "training.precision=fp32", "training.learning_rate=1e-3",
        "training.head_learning_rate=1e-2", "training.ema_decay=0", "training.warmup_epochs=0", *more,
    ]  # fmt: skip
    return [part for change in changes for part in ("--set", change)]


class Made(NamedTuple):
    recipe: CrossRecipe
    folder: Path
    report: PrepareReport


class MadeJoint(NamedTuple):
    recipe: JointRecipe
    folder: Path
    report: PrepareReport


def prepare_cross(
    folder: Path, encoder: Path, *more: str, form: str = "ccks2019", train: list[dict[str, Any]] | None = None
) -> Made:
    data = make_data(folder / "data", form)
    if train is not None:
        write(data / "train.json", train)
    recipe = load_recipe("el-cross", settings_for(encoder, *more)[1::2])
    assert isinstance(recipe, CrossRecipe)
    out = folder / "out"
    out.mkdir()
    sources = ElTask().locate(data, needed=("kb", "train"))
    return Made(recipe, out, ElTask().prepare(recipe, sources, out, rejects=None, progress=lambda *_: None))


def prepare_joint(folder: Path, *more: str, form: str = "ccks2019") -> MadeJoint:
    """The same for head ``joint``."""
    data = make_data(folder / "data", form)
    small = ("model.encoder.hidden_size=16", "model.head.attention_heads=2", "model.head.attention_head_size=4",
             "model.head.description=20", "data.folds=4", "decode.restrict=0")  # fmt: skip
    recipe = load_recipe("el", [*small, *more])
    assert isinstance(recipe, JointRecipe)
    out = folder / "out"
    out.mkdir()
    sources = ElTask().locate(data, needed=("kb", "train"))
    return MadeJoint(recipe, out, ElTask().prepare(recipe, sources, out, rejects=None, progress=lambda *_: None))


def loud_joint(given: MadeJoint, seed: int = 8) -> JointModel:
    """Random weights whose probabilities spread."""
    torch.manual_seed(seed)
    model = build_joint(given.recipe, given.folder)
    with torch.no_grad():
        for p in model.parameters():
            p.copy_(torch.randn_like(p) * 0.3)
        for name, scale in (("span_outer", 1.5), ("pointers", 8.0)):
            if hasattr(model, name):
                layer = getattr(model, name)
                layer.weight.mul_(scale)
                layer.bias.zero_()
    return model.eval()


def loud(given: Made, seed: int = 5) -> CrossModel:
    """Random heads whose probabilities spread."""
    torch.manual_seed(seed)
    model = build(given.recipe, given.folder)
    with torch.no_grad():
        for name, p in model.named_parameters():
            if not name.startswith("encoder."):
                p.copy_(torch.randn_like(p) * 0.4)
        model.span_outer.weight.mul_(0.2)
        model.link_outer.weight.mul_(0.5)
    return model.eval()
