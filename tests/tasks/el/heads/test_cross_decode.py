"""What head ``cross`` decodes, against one text, one mention and one candidate at a time."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from ietool.errors import UserError
from ietool.tasks.el import ElTask
from ietool.tasks.el.data.example import Example, Mention
from ietool.tasks.el.features.assets import read_nil_types
from ietool.tasks.el.heads import ranking
from ietool.tasks.el.heads.cross.pairs import pair_features
from ietool.tasks.el.heads.linkable import linkable
from ietool.tasks.el.heads.linking import Linking
from ietool.tasks.el.heads.mentions import apart
from ietool.tasks.el.prepare.preparation import KEPT
from ietool.text.segmentation import word_spans
from ietool.text.tokens import TokenReader
from tests.tasks.el.made import Made, loud, prepare_cross


def literal(
    predictor: Any, nil_types: Sequence[str], text: str, given: Sequence[tuple[int, int]] | None
) -> list[tuple[Any, ...]]:
    """One text, one mention, one candidate at a time: what reader and decoder stand for."""
    model, featurizer, decode = predictor.model, predictor.featurizer, predictor.recipe.decode
    features = featurizer.encode(text)
    reader = featurizer.reader
    assert isinstance(reader, TokenReader)
    with torch.inference_mode():
        encoded = model.encode(torch.from_numpy(features.units.ids)[None].long(), torch.tensor([len(features.units)]))
        proposals = []
        if given is None:
            for at, (start, end, number) in enumerate(features.matches.tolist()):
                first, last = features.spans[at].tolist()
                p = float(model.match_logits(
                    encoded, torch.tensor([[0], [first], [last - 1]]),
                    torch.from_numpy(features.names[at : at + 1]).long(),
                    torch.from_numpy(features.signals[at : at + 1]),
                ).sigmoid())  # fmt: skip
                if p > decode.mention:
                    proposals.append((start, end, number, p))
            proposals = apart(proposals)
        else:
            for start, end in given:
                known = featurizer.kb.number(text[start:end])
                proposals.append((start, end, -1 if known is None else known, 1.0))
        found = []
        for start, end, number, p in proposals:
            rows = featurizer.candidates(number, restrict=decode.restrict)
            scores = []
            for row in rows[: decode.candidates]:
                one = linkable(featurizer, features.text, word_spans(features.text), (start, end, number), [row],
                               len(rows))  # fmt: skip
                half = max(0, (predictor.recipe.model.head.query - (end - start)) // 2)
                left = max(0, min(start - half, len(text) - predictor.recipe.model.head.query))
                right = min(len(text), left + predictor.recipe.model.head.query)
                marked = f"{text[left:start]}#{text[start:end]}#{text[end:right]}"
                (pair,) = reader.pairs([marked], [one.entities[0].description])
                place = pair.of(0).span_of(start - left + 1, end - left + 1)
                assert place is not None
                scores.append(float(model.link_logits(
                    torch.from_numpy(pair.ids)[None].long(), torch.from_numpy(pair.types)[None].long(),
                    torch.tensor([len(pair)]), torch.tensor([[place[0]], [place[1] - 1]]),
                    torch.tensor([one.entities[0].type]), torch.from_numpy(pair_features(one)).float(),
                )))  # fmt: skip
            shares = torch.tensor([*scores, 0.0], dtype=torch.float64).softmax(0).tolist()[:-1]
            if len(scores) < predictor.recipe.fewest_ranked:
                shares = [1.0] * len(scores)
            nil = "NIL"
            if model.nil_type is not None:
                a, b = features.units.span_of(start, end) or (0, 1)
                z = encoded["z"][0]
                vector = torch.cat([z[a], z[b - 1], z[a:b].mean(0)])
                nil = nil_types[int((model.nil_type.weight @ vector + model.nil_type.bias).argmax())]
            best = max(shares, default=0.0)
            none = 1 - sum(shares)
            if best >= decode.link and shares and (predictor.recipe.data.nil == "drop" or best >= none):
                kb_id, sure = featurizer.kb.kb_id(rows[shares.index(best)]), best
            elif predictor.recipe.data.nil == "keep" or given is not None:
                kb_id, sure = nil, none
            else:
                continue
            if given is not None or p * sure >= decode.joint:
                found.append((start, end, kb_id, p * sure))
    return sorted(found)


def same(found: Sequence[Linking], expected: Sequence[list[tuple[Any, ...]]]) -> int:
    count = 0
    for linking, rows in zip(found, expected, strict=True):
        mine = [(m.start, m.end, m.kb_id) for m in linking.mentions]
        assert mine == [row[:3] for row in rows], linking.text
        np.testing.assert_allclose([m.probability for m in linking.mentions], [row[3] for row in rows], atol=1e-4)
        count += len(mine)
    return count


@pytest.mark.parametrize("which", ["drop", "keep", "given"])
@pytest.mark.parametrize("ranked", ["auto", "every"])
def test_batched_finds_what_one_at_a_time_finds(
    prepared: Made, keeping: Made, monkeypatch: pytest.MonkeyPatch, which: str, ranked: str
) -> None:
    chosen = prepared if which == "drop" else keeping
    recipe = chosen.recipe.model_copy(deep=True)
    recipe.model.head.ranked = ranked  # type: ignore[assignment]
    recipe.decode.mention, recipe.decode.joint, recipe.decode.candidates = 0.1, 0.02, 2
    recipe.decode.restrict, recipe.decode.given_mentions, recipe.decode.batch_size = 0, which == "given", 5
    predictor = ElTask().predictor(recipe, loud(chosen), chosen.folder)
    examples = KEPT.split(chosen.folder, "dev")
    given = [[(m.start, m.end) for m in e.mentions] if which == "given" else None for e in examples]
    nil_types = [] if which == "drop" else read_nil_types(chosen.folder)
    expected = [literal(predictor.reader, nil_types, e.text, spans) for e, spans in zip(examples, given, strict=True)]
    together = list(predictor.predict(examples))
    assert same(together, expected) > 12
    if which == "given":
        assert [len(linking.mentions) for linking in together] == [len(e.mentions) for e in examples]
        assert {m.kb_id for linking in together for m in linking.mentions} & {"NIL_Other", "NIL_Location"}
    monkeypatch.setattr(ranking, "PAIRS", 3)
    same(list(predictor.predict(examples)), expected)
    same([linking for e in examples for linking in predictor.predict([e])], expected)


def test_odd_texts_and_mentions_that_tokens_cannot_express(keeping: Made) -> None:
    recipe = keeping.recipe.model_copy(deep=True)
    recipe.decode.mention = recipe.decode.joint = recipe.decode.link = 0.0
    predictor = ElTask().predictor(recipe, loud(keeping), keeping.folder)
    texts = ["", " ", "#", "听#云朵#", "云朵" * 200, "ＣＬＯＵＤＹ Cloudy", "未曾见过的字龘云朵"]
    for linking in predictor.predict([Example("", text) for text in texts]):
        for m in linking.mentions:
            assert linking.text[m.start : m.end] == m.mention and m.mention.lower() in ("云朵", "cloudy")
    recipe.decode.given_mentions = True
    (linking,) = predictor.predict([Example("1", "Cloudy公司", (Mention("Clou", 0), Mention("司", 7)))])
    assert [(m.start, m.end) for m in linking.mentions] == [(0, 4), (7, 8)]
    assert all(m.kb_id.startswith("NIL") for m in linking.mentions)


def test_what_does_not_belong_together_is_refused(prepared: Made, tmp_path: Path) -> None:
    model = loud(prepared)
    assert model.config.encoder is not None
    model.config.encoder["vocab_size"] = 10
    with pytest.raises(UserError, match=r"tokenizer_config.json: does not fit the model beside it → train again"):
        ElTask().predictor(prepared.recipe, model, prepared.folder)


def test_another_knowledge_base_and_a_cut_vocabulary(
    tmp_path: Path, encoder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("IETOOL_HOME", str(tmp_path / "home"))
    given = prepare_cross(tmp_path, encoder, "model.encoder.cut_vocabulary=true")
    recipe = given.recipe.model_copy(deep=True)
    lines = (tmp_path / "data" / "kb_data").read_text(encoding="utf-8").splitlines(keepends=True)
    recipe.decode.kb = tmp_path / "other"
    recipe.decode.kb.write_text("".join(lines[:4]), encoding="utf-8")
    predictor = ElTask().predictor(recipe, loud(given), given.folder)
    (note,) = predictor.notes
    assert "is not the one trained with" in note and note.endswith("and tokens that it alone has are unknown")
    for linking in predictor.predict(KEPT.split(given.folder, "dev")):
        assert {m.kb_id for m in linking.mentions} <= {"1", "2", "3", "4"}
