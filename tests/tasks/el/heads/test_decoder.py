"""What the decoders choose of candidates, against a literal twin: one window, one mention at a time."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ietool.core.candidates import Candidates, merged
from ietool.tasks.el.data.example import Example, Mention
from ietool.tasks.el.heads.decoder import LinkDecoder
from ietool.tasks.el.heads.joint.decode import PointerDecoder
from ietool.tasks.el.heads.linking import TIE, best_first
from ietool.tasks.el.heads.mentions import apart

TEXT = "云朵之歌林满望山石桥青砖巷"
TYPES = ("NIL_Other", "NIL_Location")


class Names:
    """What stands for a knowledge base: entity 7 is called s7 and has the id 7."""

    @staticmethod
    def kb_id(row: int) -> str:
        return str(row)

    @staticmethod
    def subject(row: int) -> str:
        return f"s{row}"


def decoder(kind: type[LinkDecoder], *, keep_nil: bool) -> LinkDecoder:
    made = kind(Path("none"), TYPES if keep_nil else (), keep_nil=keep_nil)
    made.__dict__["entities"] = Names()
    return made


SHARES = st.sampled_from([0.0, 0.05, 0.1, 0.3, 0.30000001, 0.5, 0.9])
MENTION = st.tuples(
    st.integers(0, 8), st.integers(1, 4), st.tuples(SHARES, SHARES, SHARES), st.lists(SHARES, max_size=3),
    SHARES, st.integers(0, 1), st.sampled_from([0, 4]),
)  # fmt: skip
"""Start, length, parts, shares of candidates, share of none, NIL type, window."""
DECODE = st.builds(
    SimpleNamespace, mention=SHARES, link=SHARES, joint=SHARES, given_mentions=st.booleans()
)  # fmt: skip


def candidates(mentions: list[Any], width: int) -> Candidates:
    rows, parts = [], []
    for start, size, chance, shares, none, nil, window in mentions:
        for entity, share in [*enumerate(shares, 10 * start), (-1 - nil, none)]:
            rows.append((start, start + size, 7 * start + size, entity, window))
            parts.append((*chance[:width], share))
    return Candidates(
        np.array(rows, np.int32).reshape(-1, 5), np.array(parts, np.float32).reshape(-1, width + 1), np.zeros(0)
    )


def literal(mentions: list[Any], decode: Any, pointers: bool, keep_nil: bool) -> list[tuple[Any, ...]]:
    """(start, end, kb_id, probability) of what is found."""
    best: dict[tuple[int, int], tuple[Any, ...]] = {}
    for window in dict.fromkeys(m[-1] for m in mentions):
        proposals = []
        for at, (start, size, chance, *_, mine) in enumerate(mentions):
            a, b, nearer = (float(np.float32(p)) for p in chance)
            is_chosen = a > decode.mention and b > decode.mention and nearer <= decode.mention
            p = float(np.float32(a) * np.float32(b)) if pointers else a
            if not pointers:
                is_chosen = a > decode.mention
            if mine == window and (is_chosen or decode.given_mentions):
                proposals.append((start, start + size, at, p))
        for start, end, at, p in proposals if decode.given_mentions else apart(proposals):
            _, _, _, shares, none, nil, _ = mentions[at]
            shares = [float(np.float32(share)) for share in shares]
            none = float(np.float32(none))
            top = next((i for i, share in enumerate(shares) if share >= max(shares) - TIE), -1)
            sure, kb_id = (shares[top], str(10 * start + top)) if shares else (0.0, "")
            if keep_nil or decode.given_mentions:
                if not shares or sure < max(none, decode.link):
                    sure, kb_id = none, TYPES[nil] if keep_nil else "NIL"
            elif not shares or sure < decode.link:
                continue
            if p * sure < decode.joint and not decode.given_mentions:
                continue
            if (start, end) not in best or best[start, end][3] < p * sure:
                best[start, end] = (start, end, kb_id, p * sure)
    found = list(best.values())
    if not decode.given_mentions:
        found = [found[i] for _, _, i, _ in apart([(m[0], m[1], i, m[3]) for i, m in enumerate(found)])]
    return sorted(found)


@given(
    st.lists(MENTION, max_size=6, unique_by=lambda m: (m[0], m[1], m[-1])), DECODE, st.booleans(), st.booleans()
)  # fmt: skip
@settings(max_examples=300)
def test_the_choices_are_those_of_the_literal_twin(mentions: Any, decode: Any, pointers: bool, keep: bool) -> None:
    made = decoder(PointerDecoder if pointers else LinkDecoder, keep_nil=keep)
    found = made.decode(Example("1", TEXT), candidates(mentions, 3 if pointers else 1), decode)
    assert found.text_id == "1" and found.text == TEXT
    expected = literal(mentions, decode, pointers, keep)
    assert [(m.start, m.end, m.kb_id, m.probability) for m in found.mentions] == expected
    for m in found.mentions:
        assert m.mention == TEXT[m.start : m.end]
        assert all(c.subject == f"s{c.kb_id}" for c in m.candidates)


@given(st.lists(st.floats(0, 1, width=32), max_size=6))
def test_of_candidates_that_tie_the_first_comes_first(shares: list[float]) -> None:
    order = best_first(shares)
    assert sorted(order) == list(range(len(shares)))
    if shares:
        assert order[0] == next(i for i, p in enumerate(shares) if p >= max(shares) - TIE)
        rest = [shares[i] for i in order[1:]]
        assert rest == sorted(rest, reverse=True)


@pytest.mark.parametrize("named", [True, False])
def test_given_mentions_are_answered_as_they_are_written(named: bool) -> None:
    decode = SimpleNamespace(mention=0.1, link=0.1, joint=0.1, given_mentions=named)
    found = candidates([(0, 3, (0.9, 0.9, 0.9), [0.9], 0.1, 0, 0)], 1)
    item = Example("1", "ABC公司", (Mention("abc", 0),))
    (mention,) = decoder(LinkDecoder, keep_nil=True).decode(item, found, decode).mentions
    assert mention.mention == ("abc" if named else "ABC")


def test_several_models_that_see_other_types_of_nil() -> None:
    """Rows are the union of what they propose, and each says 0 of the type that it does not see."""
    rows = np.array([(0, 2, 3, -2, 0), (0, 2, 3, -1, 0), (0, 2, 3, 5, 0)], np.int32)
    one = Candidates(rows, np.array([(0.9, 0.7), (0.9, 0.0), (0.9, 0.3)], np.float32), np.zeros(0, np.float32))
    two = Candidates(rows, np.array([(0.7, 0.0), (0.7, 0.5), (0.7, 0.5)], np.float32), np.zeros(0, np.float32))
    decode = SimpleNamespace(mention=0.3, link=0.1, joint=0.3, given_mentions=False)
    (m,) = decoder(LinkDecoder, keep_nil=True).decode(Example("", TEXT), merged([one, two]), decode).mentions
    assert m.kb_id == "NIL_Location" and m.probability == pytest.approx(0.8 * (0.35 + 0.25))
    assert [(c.kb_id, c.probability) for c in m.candidates] == [("5", pytest.approx(0.4))]


def test_decoding_needs_no_torch() -> None:
    modules = "ietool.tasks.el.heads.joint.decode, ietool.tasks.el.heads.cross.decode"
    program = f"import sys, {modules}; print(sorted({{'torch', 'transformers', 'datasets'}} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
