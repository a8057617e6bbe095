"""What head ``cross`` prepares and learns from, on an encoder made on the spot."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
from datasets import load_from_disk

from ietool.errors import UserError
from ietool.tasks.el import ElTask
from ietool.tasks.el.features.featurizer import Featurizer
from ietool.tasks.el.heads.cross.model import build
from ietool.tasks.el.heads.cross.sampling import CrossTrainingSet
from ietool.tasks.el.heads.vocabulary import CUT
from ietool.tasks.el.prepare.survey import LEFT_OUT
from ietool.text.tokens import KEPT, TokenReader, kept_tokens
from ietool.training.adversarial import disturbed, tables
from tests.tasks.el.made import ENTITIES, Made, loud, make_encoder, prepare_cross, write


def test_matches_and_mentions_are_places_of_tokens(prepared: Made) -> None:
    featurizer = Featurizer.open(prepared.recipe, prepared.folder)
    count = 0
    for row in load_from_disk(str(prepared.folder / "train")).with_format("numpy"):
        units = featurizer.reader.units(str(row["text"]))
        assert row["ids"].tolist() == units.ids.tolist() and row["length"] == len(units)
        for first, last, number in row["matches"].reshape(-1, 3).tolist():
            start, end = units.text_span(first, last)
            assert featurizer.kb.name(number) == str(row["text"])[start:end].lower()
            count += 1
        rows = zip(row["mentions"].reshape(-1, 5).tolist(), row["mention_units"].reshape(-1, 2).tolist(), strict=True)
        for mention, (first, last) in rows:
            assert units.text_span(first, last) == tuple(mention[:2])
        for first, last in row["borders"].reshape(-1, 2).tolist():
            assert units.inside[first] and units.inside[last]
    assert count > 60


def test_what_tokens_cannot_express_is_counted(tmp_path: Path, encoder: Path) -> None:
    """``Cloudy`` is two tokens, Clo and udy: the name Cloud ends within the second."""
    text = {"text_id": "x", "text": "公司Cloudy与云朵",
            "mention_data": [{"kb_id": "2", "mention": "Cloud", "offset": "2"},
                             {"kb_id": "2", "mention": "云朵", "offset": "9"}]}  # fmt: skip
    whole = {"text_id": "y", "text": "Cloudy公司", "mention_data": [{"kb_id": "2", "mention": "Cloudy", "offset": "0"}]}
    data = tmp_path / "names"
    data.mkdir()
    given = prepare_cross(tmp_path, encoder, train=[text, whole])
    numbers = given.report.statistics["train"]
    lost = numbers["oracle"]["lost"]
    # Its name is not in the knowledge base, which is the first of the reasons.
    assert lost[CUT] == 0 and lost["its name is not in the knowledge base"] == 1
    kb = given.folder.parent / "data" / "kb_data"
    records = [json.loads(line) for line in kb.read_text(encoding="utf-8").splitlines()]
    records[1]["alias"].append("Cloud")
    write(kb, records)
    again = tmp_path / "again"
    again.mkdir()
    sources = ElTask().locate(kb.parent, needed=("kb", "train"))
    report = ElTask().prepare(given.recipe, sources, again, rejects=None, progress=lambda *_: None)
    oracle = report.statistics["train"]["oracle"]
    assert oracle["lost"][CUT] == 1 and oracle["recall"] == pytest.approx(2 / 3)
    (row,) = (r for r in load_from_disk(str(again / "train")).with_format("numpy") if "与" in r["text"])
    featurizer = Featurizer.open(given.recipe, again)
    units = featurizer.reader.units(str(row["text"]))
    found = [units.text_span(a, b) for a, b, _ in row["matches"].reshape(-1, 3).tolist()]
    assert (2, 8) in found and (2, 7) not in found and (9, 11) in found
    assert [units.text_span(a, b + 1) for a, b in row["borders"].reshape(-1, 2).tolist()] == [(9, 11)]


def test_what_is_cut_is_counted_and_said(tmp_path: Path) -> None:
    small = make_encoder(tmp_path / "tiny", positions=32)
    long = {"text_id": "x", "text": "云朵" + "山" * 40 + "林满",
            "mention_data": [{"kb_id": "3", "mention": "云朵", "offset": "0"},
                             {"kb_id": "5", "mention": "林满", "offset": "42"}]}  # fmt: skip
    settings = ("model.head.query=12", "model.head.description=12", "decode.candidates=1", "decode.restrict=0")
    given = prepare_cross(tmp_path, small, *settings, train=[long])
    numbers, notes = given.report.statistics["train"], given.report.notes
    assert numbers["windows_cut"] == 1
    assert any("train: 1 windows lose their end, having more tokens than the encoder has positions" in n for n in notes)
    assert numbers["oracle"]["lost"][CUT] == 1  # 林满 lies behind the cut
    # Linked once in train, 3 is the first of 云朵's candidates; of dev's entities others are.
    assert numbers["oracle"]["lost"][LEFT_OUT] == 0
    assert given.report.statistics["dev"]["oracle"]["lost"][LEFT_OUT] > 0
    told = given.report.statistics["descriptions"]
    assert told["cut"] == len(ENTITIES) - 1 and told["tokens_cut"] == 0
    (note,) = (n for n in notes if n.startswith("descriptions: "))
    assert "8 of 9 are longer than the 12 characters" in note
    assert note.endswith(f"into all; as {told['tokens']:,} tokens, none of more than 12")


def test_descriptions_with_more_tokens_than_characters_are_told(prepared: Made, tmp_path: Path) -> None:
    """As a tokenizer of bytes gives them."""
    from ietool.core.sources import Sources
    from ietool.tasks.el.heads.cross.vocabulary import count_tokens
    from ietool.tasks.el.kb.knowledge_base import KnowledgeBase
    from ietool.tasks.el.prepare.notes import notes
    from ietool.tasks.el.prepare.survey import Survey

    class Bytes:
        @staticmethod
        def tokenizer(texts: Sequence[str], **options: Any) -> dict[str, Any]:
            return {"input_ids": [list(text.encode()) for text in texts]}

    kb = KnowledgeBase.open(prepared.folder / "kb")
    counts = count_tokens(Bytes, kb, prepared.recipe.model, lambda *_: None)  # type: ignore[arg-type]
    assert counts.cut == len(ENTITIES) and counts.tokens == 20 * len(ENTITIES) and not counts.seen
    described = {"cut": 0, "characters": 9, "chosen": 9, "tokens": counts.tokens, "tokens_cut": counts.cut}
    told = notes(prepared.recipe, kb, {}, described, Survey([]), Sources({"dev": tmp_path}), 0)
    assert told[1].endswith("into all; as 180 tokens, 9 descriptions of more than 20 lose their end")


def test_an_encoder_without_room_is_refused_first(tmp_path: Path) -> None:
    small = make_encoder(tmp_path / "tiny", positions=40)
    with pytest.raises(UserError) as refused:
        prepare_cross(tmp_path, small)
    assert str(refused.value) == (
        "model.encoder: the encoder reads 40 tokens, a mention and a description may have 52 "
        "→ set model.head.query and model.head.description to 32 together at most"
    )
    assert not any((tmp_path / "out").iterdir())  # nothing was compiled
    given = prepare_cross(tmp_path / "less", small, "model.head.query=12")
    given.recipe.model.head.query = 24  # no setting that prepares anew
    with pytest.raises(UserError, match="a mention and a description may have 52"):
        build(given.recipe, given.folder)
    with pytest.raises(UserError, match="use an encoder with more positions"):
        prepare_cross(tmp_path / "least", make_encoder(tmp_path / "least-encoder", positions=20))


# -- training


def test_a_training_step_sees_the_gold_candidate_among_several(prepared: Made) -> None:
    data = CrossTrainingSet(prepared.recipe, prepared.folder)
    seen = 0
    for at in range(len(data)):
        for link in data[at]["linkables"]:
            assert len(link.entities) > 1  # of one that is certain nothing is to be learnt
            name = data.featurizer.kb.name(data.featurizer.kb.number(data[at]["text"][link.start : link.end]) or 0)
            assert link.gold < 0 or name in [n.lower() for n in _names(link.entities[link.gold].kb_id)]
            seen += 1
    assert seen > 30
    batch = data.collate([data[at] for at in range(16)])
    assert int(batch["link_targets"].sum()) <= batch["mentions"].shape[1] == len(set(batch["pair_mentions"].tolist()))
    again = CrossTrainingSet(prepared.recipe, prepared.folder).collate([data[at] for at in range(16)])
    assert all(torch.equal(torch.as_tensor(batch[name]), torch.as_tensor(again[name])) for name in batch)


def _names(kb_id: str) -> list[str]:
    return next([name, *alias] for number, name, alias, _ in ENTITIES if number == kb_id)


def test_what_may_be_none_is_learnt_with_one_candidate_too(keeping: Made) -> None:
    data = CrossTrainingSet(keeping.recipe, keeping.folder)
    links = [link for at in range(len(data)) for link in data[at]["linkables"]]
    assert {len(link.entities) for link in links} >= {0, 1, 2, 3}
    assert any(link.gold < 0 and link.nil_type >= 0 and link.entities for link in links)
    assert all(link.gold >= 0 or link.nil_type >= 0 for link in links)
    model = loud(keeping).train()
    assert model.nil_type is not None
    for start in (0, 8):  # with mentions of no candidate, and perhaps without any
        found = model(**data.collate([data[at] for at in range(start, start + 8)]))
        found["loss"].backward()
        assert bool(torch.isfinite(found["loss"]))
    alone = data.collate([data[9]])
    assert alone["pair_ids"].shape[0] == len(data[9]["linkables"][0].entities) + len(data[9]["linkables"][1].entities)


def test_r_drop_and_fgm_for_one_step(prepared: Made) -> None:
    data = CrossTrainingSet(prepared.recipe, prepared.folder)
    batch = data.collate([data[at] for at in range(8)])
    model = loud(prepared).train()
    first, second = model(**batch), model(**batch)
    apart_ = model.divergence(first, second)
    assert float(apart_.detach()) > 1e-4
    ((first["loss"] + second["loss"]) / 2 + 4 * apart_).backward()
    (table,) = tables(model)
    assert table.grad is not None and float(table.grad.norm()) > 0
    model.eval()
    with torch.no_grad():
        before, kept = float(model(**batch)["loss"]), table.clone()
        with disturbed(model, 0.5):
            assert float((table - kept).norm()) == pytest.approx(0.5, rel=1e-4)
            assert float(model(**batch)["loss"]) > before
        assert torch.equal(table, kept)


def test_a_cut_vocabulary_reads_what_it_holds_as_before(tmp_path: Path, encoder: Path, prepared: Made) -> None:
    given = prepare_cross(tmp_path, encoder, "model.encoder.cut_vocabulary=true")
    reader = TokenReader.open(given.folder)
    kept = set(kept_tokens(given.folder).tolist())
    assert 5 < len(kept) < reader.size
    assert not (prepared.folder / KEPT).is_file()
    torch.manual_seed(1)
    cut = build(given.recipe, given.folder).eval()
    torch.manual_seed(1)
    whole = build(prepared.recipe, prepared.folder).eval()
    assert cut.encoder.table.num_embeddings == len(kept) and cut.config.token_rows == len(kept)
    weights = {name: p for name, p in whole.state_dict().items() if not name.startswith("encoder.")}
    cut.load_state_dict(weights, strict=False)
    data = CrossTrainingSet(prepared.recipe, prepared.folder)
    batch = data.collate([data[at] for at in range(24)])
    assert set(batch["ids"].flatten().tolist()) | set(batch["pair_ids"].flatten().tolist()) <= kept
    with torch.no_grad():
        torch.testing.assert_close(cut(**batch)["loss"], whole(**batch)["loss"], rtol=1e-5, atol=1e-5)


def test_long_records_and_texts_are_in_a_cut_vocabulary(tmp_path: Path) -> None:
    """Also what lies behind the encoder's last position, in a later window."""
    small = make_encoder(tmp_path / "tiny", positions=32)
    long = {"text_id": "x", "text": "山" * 90 + "塔", "mention_data": []}
    more = {"text_id": "y", "text": "听云朵", "mention_data": [{"kb_id": "1", "mention": "云朵", "offset": "1"}]}
    settings = ("model.head.query=12", "model.head.description=12", "data.window=24", "data.overlap=8")
    given = prepare_cross(tmp_path, small, "model.encoder.cut_vocabulary=true", *settings, train=[long, more])
    reader = TokenReader.open(given.folder)
    kept = set(kept_tokens(given.folder).tolist())
    assert {int(reader.units(c).ids[1]) for c in "塔听#软街"} <= kept  # 软 and 街 end records
    assert int(reader.units("睡").ids[1]) not in kept  # in the encoder's own vocabulary alone
