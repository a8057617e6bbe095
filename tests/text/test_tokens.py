"""Tokens and the characters they stand for, on a tokenizer made here."""

from __future__ import annotations

import json
import shutil
import unicodedata
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from transformers import BartConfig

from ietool.errors import UserError
from ietool.recipe import PretrainedSection
from ietool.text.readers import copy_reader, open_reader, write_reader
from ietool.text.tokens import (
    FILES,
    KEPT,
    TokenReader,
    copy_tokenizer,
    fetch_config,
    fetch_tokenizer,
    kept_tokens,
    write_kept_tokens,
)
from ietool.text.units import TOKENIZER
from tests.tiny_encoder import SPECIAL, make_encoder_folder

TEXTS = ["歌手林远山唱了Hello World", "2003年，山水《青花》"]
LIMIT = 40

any_text = st.text(
    st.sampled_from("歌手山水《》Hellowrd2003ＡＢａ１, \n\t\u3000é\u0301İﬁ#[]🙂𝄞𠀀㐀\u200b\ufffd\x00")
    | st.characters(exclude_categories=["Cs"]),
    max_size=60,
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_encoder_folder(tmp_path_factory.mktemp("encoder") / "tiny", TEXTS, positions=LIMIT)


@pytest.fixture(scope="module")
def reader(folder: Path) -> TokenReader:
    return fetch_tokenizer(str(folder))


def tokens(reader: TokenReader, ids: np.ndarray) -> list[str]:
    found: list[str] = reader.tokenizer.convert_ids_to_tokens(ids.tolist())
    return found


def told(caught: pytest.ExceptionInfo[UserError]) -> str:
    text = str(caught.value)
    assert "\n" not in text and " → " in text and len(text) < 500
    return text


@given(text=any_text)
def test_offsets_are_slices_of_the_text_as_given(reader: TokenReader, text: str) -> None:
    units = reader.units(text)
    assert len(units) <= LIMIT
    inside = [(a, b) for a, b, ok in zip(units.starts, units.ends, units.inside, strict=True) if ok]
    assert inside == sorted(inside) and all(0 <= a < b <= len(text) for a, b in inside)
    assert units.ids[0] == SPECIAL.index("[CLS]") and units.ids[-1] == SPECIAL.index("[SEP]")
    assert not units.inside[0] and not units.inside[-1] and units.inside[1:-1].all()
    assert units.ids.dtype == units.starts.dtype == np.int32 and not units.words.any() and not units.tags.any()
    # Nothing is lost but blanks, marks and what no one sees; behind the last position everything is.
    covered = {i for a, b in inside for i in range(a, b)}
    end = len(text) if len(units) < LIMIT else max((b for _, b in inside), default=0)
    for i in range(end):
        assert i in covered or unicodedata.category(text[i])[0] in "CMZ" or text[i] == "\ufffd", repr(text[i])
    for token, (a, b) in zip(tokens(reader, units.ids[1:-1]), inside, strict=True):
        if token not in SPECIAL:
            plain = unicodedata.normalize("NFD", text[a:b].lower())
            assert token.removeprefix("##") == "".join(c for c in plain if unicodedata.category(c) != "Mn")
    for a, b in inside[:5]:
        found = units.span_of(a, b)
        assert found is not None and units.text_span(*found) == (a, b)


@given(st.lists(any_text, max_size=5))
def test_many_texts_are_each_by_itself(reader: TokenReader, texts: list[str]) -> None:
    for text, found in zip(texts, reader.units_all(texts), strict=True):
        alone = reader.units(text)
        assert all(
            np.array_equal(getattr(found, name), getattr(alone, name)) for name in ("ids", "starts", "ends", "words")
        )


def test_case_width_and_subwords(reader: TokenReader) -> None:
    text = "山HELLO　Ａ🙂x World"
    units = reader.units(text)
    assert tokens(reader, units.ids) == ["[CLS]", "山", "hel", "##lo", "[UNK]", "wor", "##ld", "[SEP]"]
    slices = [text[a:b] for a, b in zip(units.starts, units.ends, strict=True)]
    assert slices == ["", "山", "HEL", "LO", "Ａ🙂x", "Wor", "ld", ""]
    assert units.span_of(1, 6) == (2, 4) and units.span_of(1, 4) == (2, 3) and units.span_of(0, 4) == (1, 3)
    assert units.span_of(1, 3) is None and units.span_of(2, 6) is None and units.span_of(7, 8) is None
    assert units.ids[4] == reader.unknown == SPECIAL.index("[UNK]")
    assert reader.size == len(reader.tokenizer)


def test_texts_beyond_the_last_position_are_cut_and_counted(folder: Path) -> None:
    reader = fetch_tokenizer(str(folder))
    assert reader.limit == LIMIT
    fits = "山" * (LIMIT - 2)
    assert len(reader.units(fits)) == len(reader.units(fits + "  \n")) == LIMIT and reader.cut == 0
    (cut, whole) = reader.units_all([fits + "水", "水"])
    assert len(cut) == LIMIT and int(cut.ends.max()) == LIMIT - 2 and len(whole) == 3 and reader.cut == 1
    assert cut.span_of(LIMIT - 2, LIMIT - 1) is None
    reader.units(fits * 100)
    assert reader.cut == 2


def test_half_of_a_surrogate_pair_is_unknown(reader: TokenReader) -> None:
    """No file can hold one, but a shell's argument or a program's string can."""
    text = "山\ud83d水"
    units = reader.units(text)
    assert units.span_of(2, 3) is not None and units.span_of(0, 1) == (1, 2)
    assert len(reader.pairs([text], [text])) == 1


def test_nothing(reader: TokenReader) -> None:
    assert reader.units_all([]) == [] and reader.pairs([], []) == []
    assert reader.units("").inside.tolist() == [False, False] and reader.units("").span_of(0, 1) is None


@given(st.lists(st.tuples(any_text, any_text), max_size=4))
def test_pairs_are_two_texts_in_one(reader: TokenReader, texts: list[tuple[str, str]]) -> None:
    found = reader.pairs([a for a, _ in texts], [b for _, b in texts], cut="longest_first")
    for (first, second), pair in zip(texts, found, strict=True):
        assert len(pair) <= LIMIT and pair.types.tolist() == [0] * (len(pair.of(0)) - pair.types.sum()) + [1] * int(
            pair.types.sum()
        )
        assert (pair.part == -1).sum() == 3
        for part, text in ((0, first), (1, second)):
            units, alone = pair.of(part), reader.units(text)
            assert units.inside.tolist() == (pair.part == part).tolist()
            count = int(units.inside.sum())
            assert units.ids[units.inside].tolist() == alone.ids[alone.inside].tolist()[:count]
            assert units.starts[units.inside].tolist() == alone.starts[alone.inside].tolist()[:count]
            assert units.ends[units.inside].tolist() == alone.ends[alone.inside].tolist()[:count]
            if len(pair) < LIMIT:
                assert count == alone.inside.sum()


@pytest.mark.parametrize(("cut", "left"), [("only_first", (16, 21)), ("only_second", (30, 7))])
def test_pairs_lose_the_end_of_the_text_that_is_named(reader: TokenReader, cut: str, left: tuple[int, int]) -> None:
    first, second = ("山" * 30, "水" * 21)
    (pair,) = reader.pairs([first], [second], cut=cut)
    assert len(pair) == LIMIT and tuple(int((pair.part == n).sum()) for n in (0, 1)) == left


def test_what_is_saved_opens_as_the_same(reader: TokenReader, tmp_path: Path) -> None:
    reader.save(tmp_path)
    copy = tmp_path / "run"
    copy.mkdir()
    (tmp_path / "other.json").write_text("{}", encoding="utf-8")
    copy_tokenizer(tmp_path, copy)
    assert {path.name for path in copy.iterdir()} <= set(FILES)
    text = "歌手HELLO🙂 2003"
    for opened in (TokenReader.open(tmp_path), open_reader(copy)):
        assert isinstance(opened, TokenReader) and opened.limit == LIMIT and opened.size == reader.size
        assert opened.units(text).ids.tolist() == reader.units(text).ids.tolist()
        assert opened.units(text).ends.tolist() == reader.units(text).ends.tolist()


def test_a_prepared_folder_has_the_tokenizer_of_its_encoder(folder: Path, tmp_path: Path) -> None:
    reader = write_reader(tmp_path, PretrainedSection(name=str(folder)), Counter("山水"))
    assert isinstance(reader, TokenReader)
    copy = tmp_path / "run"
    copy.mkdir()
    copy_reader(tmp_path, copy)
    assert isinstance(open_reader(copy), TokenReader)
    copy_reader(copy, _empty(tmp_path / "again"))
    assert open_reader(tmp_path / "again").units("山").ids.tolist() == reader.units("山").ids.tolist()


def _empty(folder: Path) -> Path:
    folder.mkdir()
    return folder


def test_tokens_that_are_kept(reader: TokenReader, tmp_path: Path) -> None:
    write_kept_tokens(tmp_path, reader, {9, 7, 2})
    assert kept_tokens(tmp_path).tolist() == sorted({9, 7, *range(len(SPECIAL))})
    assert (tmp_path / KEPT).is_file()


def test_positions_of_roberta_begin_behind_its_padding(reader: TokenReader, tmp_path: Path, folder: Path) -> None:
    shutil.copytree(folder, tmp_path / "r")
    config = json.loads((tmp_path / "r" / "config.json").read_text())
    config |= {"model_type": "roberta", "architectures": ["RobertaModel"], "pad_token_id": 1}
    (tmp_path / "r" / "config.json").write_text(json.dumps(config))
    assert fetch_tokenizer(str(tmp_path / "r")).limit == LIMIT - 2


@pytest.mark.parametrize("damage", ["none", "tokenizer", "vocabulary", "config", "limit"])
def test_damaged_folders(folder: Path, tmp_path: Path, damage: str) -> None:
    """An encoder's folder is named by the user, a prepared one is ours: both are told in one line."""
    broken = tmp_path / "broken"
    shutil.copytree(folder, broken)
    names = [name for name in FILES if (broken / name).is_file()]
    if damage == "none":
        for name in names:
            (broken / name).unlink()
    elif damage == "tokenizer":
        (broken / "tokenizer.json").write_text('{"version": "1.0", "mod')
        (broken / "vocab.txt").unlink()
    elif damage == "vocabulary":
        (broken / TOKENIZER).write_bytes(b"\xff{")
    elif damage == "config":
        (broken / "config.json").write_text("[]")
    if damage != "limit":
        with pytest.raises(UserError) as caught:
            fetch_tokenizer(str(broken))
        assert str(broken) in told(caught) and "model.encoder" in told(caught)
    if damage in ("tokenizer", "vocabulary", "limit"):
        with pytest.raises(UserError) as caught:  # token_limit.txt is missing from all of them
            open_reader(broken)
        assert "no usable tokenizer" in told(caught) and str(broken) in told(caught)


@pytest.mark.parametrize("name", ["no-such-folder/at/all", "nobody here/tiny", "", "missing"])
def test_names_that_lead_nowhere(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, name: str) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    monkeypatch.chdir(tmp_path)
    for fetch in (fetch_config, fetch_tokenizer):
        with pytest.raises(UserError) as caught:
            fetch(name)
        assert repr(name) in told(caught) and "model.encoder" in told(caught)


def test_a_tokenizer_without_offsets(monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
    def slow(*args: Any, **kwargs: Any) -> Any:
        tokenizer = tokenizers.pop()
        monkeypatch.setattr(type(tokenizer), "is_fast", False)
        return tokenizer

    tokenizers = [fetch_tokenizer(str(folder)).tokenizer]
    monkeypatch.setattr("ietool.text.tokens.AutoTokenizer.from_pretrained", slow)
    with pytest.raises(UserError) as caught:
        fetch_tokenizer(str(folder))
    assert "where its tokens stand" in told(caught)


def test_a_tokenizer_of_another_model(folder: Path, tmp_path: Path) -> None:
    """Better than an index error in the first step."""
    shutil.copytree(folder, tmp_path / "mixed")
    config = json.loads((folder / "config.json").read_text())
    (tmp_path / "mixed" / "config.json").write_text(json.dumps(config | {"vocab_size": config["vocab_size"] - 1}))
    with pytest.raises(UserError) as caught:
        fetch_tokenizer(str(tmp_path / "mixed"))
    assert f"{config['vocab_size']} tokens" in told(caught)


def test_an_encoder_with_a_decoder_is_refused(tmp_path: Path) -> None:
    BartConfig(vocab_size=10, d_model=8).save_pretrained(tmp_path)
    with pytest.raises(UserError) as caught:
        fetch_config(str(tmp_path))
    assert "an encoder with a decoder (bart)" in told(caught)
