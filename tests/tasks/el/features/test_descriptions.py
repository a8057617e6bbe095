"""What is read of an entity: whole pieces that fit, the most telling first; the match features see everything."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import settings as examples
from hypothesis import strategies as st

from ietool.tasks.el.features.descriptions import SHORT_VALUE, Choice, describe, pieces, short_values, whole
from ietool.tasks.el.kb.records import Entity
from ietool.text.characters import fold

SONG = Entity(
    "7",
    "云朵之歌",
    ("Cloud Song", "云朵之歌"),
    ("CreativeWork",),
    (
        ("中文名", "云朵之歌"),
        ("歌词", "云在山前走，风在水上吹，" * 4),
        ("填词", "林满"),
        ("摘要", "《云朵之歌》是一首民谣。它写于雨天！后来常有人唱"),
        ("标签", "音乐"),
        ("义项描述", "林满作词的民谣"),
    ),
)

TEXTS = st.text(st.sampled_from("云朵歌。！\n；ABİ《 "), max_size=40)
NAMES = TEXTS.filter(lambda name: name.strip())
PREDICATES = st.sampled_from(["摘要", "义项描述", "标签", "别名", "填词", ""])
ENTITIES = st.builds(
    Entity,
    st.just("1"),
    NAMES,
    st.lists(NAMES, max_size=3).map(tuple),
    st.just(()),
    st.lists(st.tuples(PREDICATES, NAMES), max_size=6).map(tuple),
)
CHOICES: tuple[Choice, ...] = ("ranked", "front")


def test_the_most_telling_pieces_come_first() -> None:
    assert list(pieces(SONG, "ranked")) == [
        "云朵之歌，Cloud Song",
        "义项描述：林满作词的民谣",
        "《云朵之歌》是一首民谣。",
        "标签：音乐",
        "填词：林满",
        "它写于雨天！",
        "后来常有人唱",
        "歌词：" + "云在山前走，风在水上吹，" * 4,
        "中文名：云朵之歌",
    ]
    assert list(pieces(SONG, "front"))[:3] == ["云朵之歌，Cloud Song", "中文名：云朵之歌", "歌词：" + SONG.facts[1][1]]


def test_a_piece_that_does_not_fit_makes_room_for_shorter_ones() -> None:
    text = describe(SONG, 80)
    assert text.splitlines() == [fold(piece) for piece in pieces(SONG, "ranked") if not piece.startswith("歌词")]
    # With much room left, the beginning of what does not fit is better than nothing.
    assert (
        describe(SONG, 120).splitlines()[7]
        == ("歌词：" + SONG.facts[1][1])[: 120 - len("\n".join(text.splitlines()[:7])) - 1]
    )
    assert describe(SONG, 20, "front") == "云朵之歌，cloud song\n中文名："


@given(ENTITIES, st.integers(8, 60), st.sampled_from(CHOICES))
@examples(max_examples=150)
def test_a_description_fits_and_is_made_of_pieces(entity: Entity, size: int, choice: Choice) -> None:
    text, every = describe(entity, size, choice), [fold(piece) for piece in pieces(entity, choice)]
    assert text and len(text) <= size
    assert text[: len(every[0])] == every[0][: len(text)]  # the names
    # All taken whole and in order but for the last, of which the beginning is there.
    left, at = text, 0
    while left:
        assert at < len(every), (text, every)
        piece = every[at]
        if left.startswith(piece + "\n"):
            left = left[len(piece) + 1 :]
        elif left == piece or piece.startswith(left):
            left = ""
        at += 1
    if len("\n".join(every)) < size:
        assert text == "\n".join(every)


@given(ENTITIES)
def test_every_fact_is_in_some_piece(entity: Entity) -> None:
    for choice in CHOICES:
        joined = "".join(pieces(entity, choice)).replace("\n", "")
        for _, value in entity.facts:
            for sentence in value.replace("！", "。").replace("；", "。").replace("\n", "。").split("。"):
                assert sentence in joined
        assert all(name.replace("\n", "") in joined for name in entity.names())


@given(ENTITIES)
def test_the_match_features_see_everything(entity: Entity) -> None:
    full = whole(entity)
    assert all(fold(name) in full for name in entity.names())
    assert all(fold(f"{predicate}：{value}") in full for predicate, value in entity.facts)
    values = short_values(entity)
    assert len(set(values)) == len(values)
    for _, value in entity.facts:
        short = fold(value.strip())
        if 2 <= len(short) <= SHORT_VALUE:
            assert short in values


@pytest.mark.parametrize(
    "value, expected",
    [("林", ()), ("林满", ("林满",)), ("风" * 10, ("风" * 10,)), ("风" * 11, ()), (" AB  ", ("ab",)), ("  云  ", ())],
)
def test_short_values_have_two_to_ten_characters(value: str, expected: tuple[str, ...]) -> None:
    assert short_values(Entity("1", "云朵", facts=(("填词", value), ("作曲", value)))) == expected
