"""What a reader proposes and scores against what a predictor predicts; several models together."""

from __future__ import annotations

from collections.abc import Sequence
from copy import copy
from functools import cache
from itertools import combinations, pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tokenizers import Tokenizer, decoders, pre_tokenizers
from tokenizers.models import BPE
from transformers import PreTrainedTokenizerFast

from ietool.core.candidates import Candidates, Floor, merged, union
from ietool.core.predicting import Predictor
from ietool.tasks.ner.data.example import Example
from ietool.tasks.ner.data.reading import read_inputs
from ietool.tasks.ner.heads.decoder import NerDecoder, Recognised
from ietool.tasks.ner.heads.reader import NerReader
from ietool.text.encoding import TextEncoder
from tests.apart import check_apart
from tests.tasks.ner.made import (
    TASK,
    Made,
    encoder_folder,
    examples,
    loud_model,
    prepare_examples,
    small_recipe,
)

Pair = Predictor[Example, Recognised]
HEADS = {"crf": "ner-crf", "bio": "ner-crf", "gp": "ner-globalpointer"}


def byte_encoder(folder: Path) -> Path:
    """An encoder whose tokens are bytes: a Han character is three of them."""
    make = encoder_folder(folder)
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    vocabulary = {token: n for n, token in enumerate(["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *alphabet])}
    tokenizer = Tokenizer(BPE(vocab=vocabulary, merges=[]))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    for name in ("vocab.txt", "tokenizer_config.json", "special_tokens_map.json"):
        (folder / name).unlink(missing_ok=True)
    fast = PreTrainedTokenizerFast(tokenizer_object=tokenizer, pad_token="[PAD]", model_max_length=64)
    fast.save_pretrained(folder)
    config = (make / "config.json").read_text(encoding="utf-8")
    assert int(config.split('"vocab_size": ')[1].split("\n")[0].rstrip(",")) < 261
    from transformers import BertConfig, BertModel

    small = BertConfig(vocab_size=261, hidden_size=16, num_hidden_layers=1, num_attention_heads=2,
                       intermediate_size=16, max_position_embeddings=64)  # fmt: skip
    BertModel(small).save_pretrained(folder)
    return folder


KINDS = ("characters-crf", "characters-bio", "characters-gp", "bert-crf", "bert-gp", "bytes-bio", "bytes-gp")


@pytest.fixture(scope="module", params=KINDS)
def made(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Made:
    encoder, head = request.param.split("-")
    folder = tmp_path_factory.mktemp("p")
    chosen = {"bert": encoder_folder, "bytes": byte_encoder}.get(encoder)
    more = ["model.head.tags=bio"] if head == "bio" else []
    return Made(folder, HEADS[head], f"model.encoder={chosen(folder / 'e') if chosen else encoder}", *more)


def texts() -> list[Example]:
    """Short ones, one of many windows, empty ones, and one of tokens."""
    plain = [Example(e.text) for e in examples(6, seed=4, nested=True)]
    long = Example("".join(e.text for e in examples(9, seed=6)))
    (tokens,) = read_inputs(
        [("f", n, word) for n, word in enumerate(["Ada", "Lin", "在", "云州", "2024", "年"] * 3, 1)]
    )
    return [*plain, Example(""), Example(" \n"), long, tokens, Example("雨")]


def reader_of(predictor: Pair) -> NerReader:  # type: ignore[type-arg]
    reader = predictor.reader
    assert isinstance(reader, NerReader)
    return reader


def rows_of(found: Candidates) -> dict[tuple[int, ...], tuple[float, ...]]:
    rows = [tuple(row) for row in found.rows.tolist()]
    assert rows == sorted(set(rows)), "each row once, by place"
    return dict(zip(rows, map(tuple, found.parts.tolist()), strict=True))


# -- one model


@pytest.mark.parametrize("threshold", [None, 0.0, 0.05, 0.3, 0.7])
def test_lower_floors_decode_to_the_same(made: Made, threshold: float | None) -> None:
    decode = made.recipe.decode.model_copy(update={} if threshold is None else {"threshold": threshold})
    predictor = Predictor(made.predictor.reader, made.predictor.decoder, decode)
    wanted = list(predictor.predict(texts()))
    assert threshold == 0.7 or sum(len(x.entities) for x in wanted) > 10
    for floor in (0.0, 0.01, 0.6 * decode.threshold):
        if floor > decode.threshold and made.recipe.model.head.kind != "crf":
            continue
        found = list(predictor.reader.propose(texts(), floor=Floor(floor)))
        assert [example for example, _ in found] == texts()
        assert [predictor.decoder.decode(x, own, decode) for x, own in found] == wanted


@pytest.mark.parametrize(("floor", "room"), [(0.0, 4096), (0.3, 2)])
def test_a_device_of_its_own_says_the_same(
    made: Made, floor: float, room: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert check_apart(lambda: copy(reader_of(made.predictor)), texts(), Floor(floor), monkeypatch, room) > 10


def test_a_lower_floor_only_adds(made: Made) -> None:
    reader = made.predictor.reader
    by_floor = [[rows_of(found) for _, found in reader.propose(texts(), floor=Floor(f))] for f in (0.0, 0.05, 0.5)]
    for low, high in pairwise(by_floor):
        for every, some in zip(low, high, strict=True):
            assert some.items() <= every.items()
    assert all(parts[0] > 0.5 or parts[1:] == (1.0,) for some in by_floor[2] for parts in some.values())
    assert sum(map(len, by_floor[0])) > sum(map(len, by_floor[2])) > 0


def test_candidates_are_places_in_the_text(made: Made) -> None:
    types = made.model.config.types
    for example, found in made.predictor.reader.propose(texts(), floor=Floor(0.01)):
        assert found.rows.dtype == np.int32 and found.parts.dtype == np.float32 and found.models == 1
        assert found.rows.shape == (len(found), 3) and found.parts.shape == (len(found), len(found.parts.T))
        for (start, end, kind), (probability, *_) in rows_of(found).items():
            assert 0 <= start < end <= len(example.text) and 0 <= kind < types
            assert 0 <= probability <= 1


def test_scores_of_rows_are_those_they_were_proposed_with(made: Made) -> None:
    reader = reader_of(made.predictor)
    one_unit = len(reader.featurizer.reader.units("云州")) <= 4  # two of them special ones
    proposed = list(reader.propose(texts(), floor=Floor(0.02)))
    count = 0
    for (_, found), (example, said) in zip(proposed, reader.score(proposed), strict=True):
        assert said.rows is found.rows and said.models == 1
        if one_unit:
            assert said.parts == pytest.approx(found.parts, abs=1e-6)
        else:
            # Where a character is several units, that span of units is scored which has all of it.
            assert ((said.parts - found.parts)[:, 0] <= 1e-6).all()
        assert example.text or not len(said)
        count += len(found)
    assert count > 100


@cache
def all_rows(made: Made) -> list[dict[tuple[int, ...], tuple[float, ...]]]:
    """All that a model says of five of the texts, uncapped."""
    reader = reader_of(made.predictor)
    reader.most = 1 << 20
    return [rows_of(found) for _, found in reader.propose(texts()[-7:-2], floor=Floor(0.0))]


@settings(max_examples=20, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_any_rows_are_scored(made: Made, data: st.DataObject) -> None:
    """Rows of another model: those that this one could propose have the same parts, the others nothing."""
    reader = reader_of(made.predictor)
    asked = []
    for example in texts()[-7:-2]:
        size = len(example.text)
        span = st.tuples(st.integers(0, max(size - 1, 0)), st.integers(1, 70), st.integers(0, 1))
        drawn = data.draw(st.lists(span, max_size=12)) if size else []
        rows = np.array(sorted({(a, min(a + n, size), kind) for a, n, kind in drawn}), np.int32).reshape(-1, 3)
        parts = np.ones((len(rows), len(reader.layout.parts)), np.float32)
        asked.append((example, Candidates(rows, parts, np.zeros(0, np.float32))))
    for (_, said), (_, wanted), mine in zip(reader.score(asked), asked, all_rows(made), strict=True):
        assert said.rows is wanted.rows
        for row, parts in zip(map(tuple, said.rows.tolist()), said.parts.tolist(), strict=True):
            if row not in mine:
                assert parts[0] <= 1e-6, (row, parts)
            elif isinstance(reader.featurizer.reader, TextEncoder):
                assert parts == pytest.approx(mine[row], abs=1e-5)
            else:  # a character may be several units, and then has several probabilities
                assert parts[0] <= mine[row][0] + 1e-5


def test_reading_twice_gives_the_same(made: Made) -> None:
    reader = made.predictor.reader
    one, two = (list(reader.propose(texts(), floor=Floor(0.01))) for _ in range(2))
    for (_, a), (_, b) in zip(one, two, strict=True):
        assert (a.rows == b.rows).all() and (a.parts == b.parts).all()


# -- several models


def averaged(readers: Sequence[NerReader], some: list[Example]) -> list[Candidates]:  # type: ignore[type-arg]
    """What several models say together of the union of what each proposes."""
    proposed = [[found for _, found in reader.propose(some, floor=Floor(0.01))] for reader in readers]
    asked = [Candidates.none(readers[0].layout) for _ in some]
    for n, own in enumerate(zip(*proposed, strict=True)):
        rows = union(own)
        asked[n] = Candidates(rows, np.zeros((len(rows), own[0].parts.shape[1]), np.float32), own[0].whole)
    said = [list(reader.score(zip(some, asked, strict=True))) for reader in readers]
    return [merged([found for _, found in own]) for own in zip(*said, strict=True)]


@pytest.mark.parametrize("name", ["ner-crf", "ner-globalpointer"])
@pytest.mark.parametrize("encoders", [("characters", "characters"), ("characters", "bert")])
def test_models_are_averaged(tmp_path: Path, name: str, encoders: tuple[str, str]) -> None:
    readers, decoder, some = [], None, [x for x in texts() if not x.tokens]
    for n, encoder in enumerate(encoders):
        chosen = encoder_folder(tmp_path / "e") if encoder == "bert" else encoder
        recipe = small_recipe(name, f"model.encoder={chosen}")
        folder = prepare_examples(recipe, tmp_path / str(n), examples(20), examples(3, seed=2)).folder
        predictor = TASK.predictor(recipe, loud_model(recipe, folder, seed=n + 3), folder)
        readers.append(reader_of(predictor))
        readers[-1].most = 1 << 20  # random weights find more than a text may have
        decoder = decoder or predictor.decoder
    assert isinstance(decoder, NerDecoder)
    every = averaged(readers, some)
    own = [[rows_of(found) for _, found in reader.propose(some, floor=Floor(0.0))] for reader in readers]
    threshold = 0.35
    decode = recipe.decode.model_copy(update={"threshold": threshold})
    count = 0
    for n, (example, found) in enumerate(zip(some, every, strict=True)):
        rows = rows_of(found)
        for row, parts in rows.items():
            for m, value in enumerate(parts):
                mean = sum(mine[n].get(row, (0.0, 0.0))[m] for mine in own) / 2
                assert value == pytest.approx(mean, abs=1e-4)
        assert found.models == 2
        entities = [
            (e.start, e.end, decoder.types.index(e.type)) for e in decoder.decode(example, found, decode).entities
        ]
        able = [row for row, parts in rows.items() if parts[0] > threshold]
        count += len(entities)
        if name == "ner-globalpointer":
            assert entities == able
        elif len(able) <= 12:
            sets = (s for k in range(len(able) + 1) for s in combinations(able, k))
            best = max(
                sum(rows[r][0] - threshold for r in s)
                for s in sets
                if all(a[1] <= b[0] or b[1] <= a[0] for a, b in combinations(s, 2))
            )
            assert sum(rows[(a, b, k)][0] - threshold for a, b, k in entities) == pytest.approx(best)
    assert count > 10


def test_without_a_threshold_averaged_spans_need_even_odds(tmp_path: Path) -> None:
    decoder = Made(tmp_path, "ner-crf").predictor.decoder
    rows = np.array([(0, 2, 0), (1, 3, 0), (4, 5, 1)], np.int32)
    found = Candidates(rows, np.array([(0.4, 1), (0.51, 0), (0.5, 1)], np.float32), np.zeros(0, np.float32), models=2)
    decode = small_recipe().decode
    (entity,) = decoder.decode(Example("林满在云州"), found, decode).entities
    assert (entity.start, entity.end) == (1, 3)
