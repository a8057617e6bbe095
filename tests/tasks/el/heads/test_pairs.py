"""What head ``cross`` reads of a mention and a candidate: marks, cuts, places, facts."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ietool.tasks.el.features.candidates import OVERLAPS, PRIORS, Described
from ietool.tasks.el.heads.cross.marking import MARK, mark
from ietool.tasks.el.heads.cross.pairs import PAIR_FEATURES, cut_second, pair_batch, pair_features
from ietool.tasks.el.heads.linkable import Linkable
from ietool.text.tokens import TokenReader, fetch_tokenizer
from tests.tasks.el.made import make_encoder

TEXTS = st.text(st.sampled_from("山水云#aB1 。"), min_size=1, max_size=60)


@given(TEXTS, st.data(), st.integers(8, 40))
def test_the_marked_text_is_a_piece_of_the_text_with_two_marks(text: str, data: st.DataObject, size: int) -> None:
    start = data.draw(st.integers(0, len(text) - 1))
    end = data.draw(st.integers(start + 1, len(text)))
    marked = mark(text, start, end, size)
    mention = text[start:end][:size]
    assert marked.text[marked.start : marked.end] == mention
    before, behind = marked.text[: marked.start], marked.text[marked.end :]
    assert before[-1] == behind[0] == MARK
    read = before[:-1] + mention + behind[1:]
    assert len(read) == min(len(text), size)
    assert text[start - len(before) + 1 :][: len(read)] == read
    if len(text) > size and len(before) > 1 and len(behind) > 1:
        # In the middle, as far as the text's ends allow.
        at_an_end = text.startswith(read) or text.endswith(read)
        assert at_an_end or abs(len(before) - len(behind)) <= 1


@pytest.fixture(scope="module")
def reader(tmp_path_factory: pytest.TempPathFactory) -> TokenReader:
    return fetch_tokenizer(str(make_encoder(tmp_path_factory.mktemp("encoder"))))


def described(row: int, text: str) -> Described:
    none = np.zeros(0, np.int32)
    return Described(row, str(row), "云朵", row + 1, 1, text, none, none, none.astype(np.uint8), text, frozenset(), ())


def linked(start: int, end: int, descriptions: list[str], length: int) -> Linkable:
    random = np.random.default_rng(length)
    count = len(descriptions)
    return Linkable(
        start, end, [described(row, text) for row, text in enumerate(descriptions)],
        random.integers(0, 2, (count, length, OVERLAPS)).astype(np.uint8),
        random.random((count, PRIORS), np.float32),
    )  # fmt: skip


def test_pairs_are_marked_text_and_cut_description(reader: TokenReader) -> None:
    text, long = "听云朵这首歌曲，Brick Lane", "水汽" * 30
    links = [
        (text, linked(1, 3, ["天上的水汽", long], len(text))),
        ("望山", linked(0, 2, [], 2)),
        (text, linked(8, 18, [""], len(text))),
    ]
    batch = pair_batch(reader, links, query=12, description=9)
    tokens = [
        reader.tokenizer.convert_ids_to_tokens(ids[:length].tolist())
        for ids, length in zip(batch["pair_ids"], batch["pair_lengths"], strict=True)
    ]
    first = ["[CLS]", "听", "#", "云", "朵", "#", "这", "首", "歌", "曲", "，", "bri"]
    assert tokens[0][: len(first) - 1] == first[:-1]
    assert tokens[0][-7:] == ["[SEP]", *"天上的水汽", "[SEP]"]
    assert tokens[1][-11:] == ["[SEP]", *("水汽" * 5)[:9], "[SEP]"]  # nine tokens, and the end
    assert tokens[2][:6] == ["[CLS]", "曲", "，", "#", "bri", "##ck"] and tokens[2][-1] == "[SEP]"
    assert batch["pair_mentions"].tolist() == [0, 0, 2]
    for row, expected in enumerate((["云", "朵"], ["云", "朵"], ["bri", "##ck", "la", "##ne"])):
        start, end = batch["pair_spans"][:, row].tolist()
        assert tokens[row][start : end + 1] == expected
    types = batch["pair_types"][0][: len(tokens[0])].tolist()
    assert types == [0] * (len(tokens[0]) - 6) + [1] * 6
    assert batch["entity_types"].tolist() == [1, 2, 1]
    assert not batch["pair_ids"][0, len(tokens[0]) :].any()


def test_nothing_makes_an_empty_batch(reader: TokenReader) -> None:
    for links in ([], [("望山", linked(0, 2, [], 2))]):
        batch = pair_batch(reader, links, 12, 9)
        assert batch["pair_ids"].shape == batch["pair_types"].shape == (0, 0)
        assert batch["pair_spans"].shape == (2, 0) and batch["pair_features"].shape == (0, PAIR_FEATURES)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.text(st.sampled_from("山水云朵#aB1。 "), max_size=30), st.text(st.sampled_from("水汽Cloudy ，"), max_size=30),
       st.integers(1, 12))  # fmt: skip
def test_a_cut_pair_has_so_many_tokens_of_the_second_text(
    reader: TokenReader, first: str, second: str, size: int
) -> None:
    (pair,) = reader.pairs([first], [second])
    cut = cut_second(pair, size)
    assert (cut.part == 1).sum() == min((pair.part == 1).sum(), size)
    for part in (0, -1):
        assert cut.ids[cut.part == part].tolist() == pair.ids[pair.part == part].tolist()
    kept = pair.ids[pair.part == 1][:size]
    assert cut.ids[cut.part == 1].tolist() == kept.tolist()
    assert cut.ids[-1] == pair.ids[-1]


def test_facts_are_priors_and_what_is_shared_outside_the_mention() -> None:
    link = linked(2, 5, ["a", "b", "c"], 9)
    found = pair_features(link)
    assert found.shape == (3, PAIR_FEATURES)
    for row in range(3):
        shared = [
            sum(int(link.overlaps[row, at, column]) for at in range(9) if not 2 <= at < 5) for column in range(OVERLAPS)
        ]
        expected = [*link.priors[row].tolist(), *np.log1p(shared).tolist(), *(n / 6 for n in shared)]
        np.testing.assert_allclose(found[row], expected, rtol=1e-6)
    whole = linked(0, 4, ["a"], 4)  # there is nothing outside
    assert np.isfinite(pair_features(whole)).all() and not pair_features(whole)[0, PRIORS:].any()


def test_an_encoder_with_few_positions_loses_the_longer_texts_end(tmp_path: Path) -> None:
    reader = fetch_tokenizer(str(make_encoder(tmp_path, positions=20)))
    text = "听云朵" + "山" * 30
    batch = pair_batch(reader, [(text, linked(1, 3, ["水汽" * 20], len(text)))], query=24, description=30)
    assert batch["pair_lengths"].tolist() == [20]
    assert batch["pair_spans"][:, 0].tolist() == [3, 4]
    hidden = "山" * 30 + "云朵"
    batch = pair_batch(reader, [(hidden, linked(30, 32, ["水汽" * 20], len(hidden)))], query=24, description=30)
    assert batch["pair_spans"][:, 0].tolist() == [0, 0]  # its tokens are cut off: the first stands for it
