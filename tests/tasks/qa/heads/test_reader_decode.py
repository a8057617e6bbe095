"""From probabilities to answers: best spans, votes, windows, batches."""

from __future__ import annotations

from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import settings as examples
from hypothesis import strategies as st
from torch import Tensor

from ietool.core.predicting import Predictor
from ietool.errors import UserError
from ietool.recipe_io import load_recipe
from ietool.tasks.qa.data.question import Passage, Question
from ietool.tasks.qa.features.featurizer import Featurizer
from ietool.tasks.qa.features.labels import LABELS
from ietool.tasks.qa.heads.decoder import SPANS
from ietool.tasks.qa.heads.reader.model import QaConfig, QaModel
from ietool.tasks.qa.heads.reader.reader import CharacterReader, best_spans, open_reader
from ietool.tasks.qa.heads.reader.recipe import ReaderRecipe
from ietool.tasks.qa.heads.voting import Answered, vote
from ietool.text.characters import CharVocabulary, fold
from ietool.text.encoding import TextEncoder
from ietool.text.segmentation import TAGS
from tests.tasks.qa.made import predictor_of

LETTERS = "始末青砖巷林满写了书在云州何舟雨水山，。"
SMALL = ("data.window=32", "data.overlap=16", "decode.longest=8", "decode.batch_size=3", "decode.vote=squares")


def encoder() -> TextEncoder:
    return TextEncoder(CharVocabulary(LETTERS), None)


def recipe_with(*overrides: str) -> ReaderRecipe:
    recipe = load_recipe("qa", (*SMALL, *overrides))
    assert isinstance(recipe, ReaderRecipe)
    return recipe


class Marks:
    """A reader of marks: an answer starts at 始 and ends at 末, and is the surer the more 雨 its window has."""

    device = torch.device("cpu")
    config = SimpleNamespace(characters=len(LETTERS) + 2, words=0)

    def __init__(self, labels: bool = False) -> None:
        self.label = labels or None
        self.batches: list[int] = []
        self.begin, self.end, self.rain = CharVocabulary(LETTERS).encode("始末雨").tolist()

    def read(self, characters: Tensor, lengths: Tensor, **_: Tensor) -> tuple[Tensor, Tensor, Tensor | None]:
        self.batches.append(len(lengths))
        marks = torch.stack([characters == self.begin, characters == self.end], -1).float()
        rain = (characters == self.rain).float().sum(1)
        # Rainy windows say Yes, the others No.
        labels = torch.stack([rain, 1 - rain, torch.full_like(rain, -9)], 1) * 9
        return marks, rain, labels if self.label else None

    def probabilities(self, spans: Tensor, rain: Tensor, lengths: Tensor) -> Tensor:
        inside = (torch.arange(spans.shape[1]) < lengths[:, None]).unsqueeze(-1)
        return spans * (0.5 + 0.1 * rain.clamp(max=4))[:, None, None] * inside


def marked(*overrides: str, labels: bool = False, pool: int = 16) -> Predictor[Question, Answered]:
    recipe = recipe_with(*overrides)
    model: Any = Marks(labels)
    return predictor_of(recipe, CharacterReader(recipe, model, Featurizer(recipe, encoder()), pool=pool))


def question(number: int, *passages: str, kind: str = "") -> Question:
    return Question(f"q{number}", "何舟在云州写了什么书？", tuple(map(Passage, passages)), kind=kind)


# -- best_spans

SHARES = st.floats(0, 1, width=32)


@given(
    st.integers(1, 7).flatmap(
        lambda length: st.lists(
            st.lists(st.tuples(SHARES, SHARES), min_size=length, max_size=length), min_size=1, max_size=3
        )
    ),
    st.integers(1, 9),
    st.sampled_from([0.0, 0.25, 0.9]),
    st.sampled_from([0.0, 0.5]),
    st.integers(1, 30),
)
def test_best_spans_are_those_of_a_double_loop(
    p: list[list[tuple[float, float]]], longest: int, min_start: float, min_end: float, count: int
) -> None:
    values, starts, last = best_spans(torch.tensor(p), longest, (min_start, min_end), count)
    ends = last + 1
    assert values.shape == starts.shape == ends.shape
    for row, cells in enumerate(p):
        products = {}
        for a, (start, _) in enumerate(cells):
            for b, (_, end) in enumerate(cells):
                if 0 <= b - a < longest and start > min_start and end > min_end and start * end > 1e-40:
                    products[a, b + 1] = start * end
        found = zip(values[row].tolist(), starts[row].tolist(), ends[row].tolist(), strict=True)
        listed = [((a, b), v) for v, a, b in found if v > 1e-40]
        given_ = dict(listed)
        assert len(given_) == len(listed) == min(count, len(products))
        assert sorted(given_.values(), reverse=True) == pytest.approx(
            sorted(products.values(), reverse=True)[:count], rel=1e-6
        )
        for span, value in given_.items():
            assert value == pytest.approx(products[span], rel=1e-6)
    assert all(row == sorted(row, reverse=True) for row in values.tolist())


def test_best_spans_lie_inside() -> None:
    p = torch.zeros(2, 6, 2)
    p[0, :2] = 0.5  # a passage of two characters, padded
    p[1] = 0.4
    values, _, last = best_spans(p, 4)
    ends = last + 1
    assert int(ends.max()) <= 6
    assert int((values[0] > 0).sum()) == 3 and ends[0][values[0] > 0].max() == 2
    assert ends[1][values[1] > 0].max() == 6


# -- vote

SCORED = st.lists(st.tuples(st.integers(0, 7), st.integers(1, 4), st.floats(0.01, 1)))
PROPOSED = st.lists(st.tuples(st.text("ab A青", min_size=1, max_size=8), SCORED), min_size=1, max_size=5)


@given(PROPOSED, st.sampled_from(["", "squares", "sum"]))
def test_votes_are_counted_by_string(proposed: list[tuple[str, list[tuple[int, int, float]]]], rule: str) -> None:
    texts = [text for text, _ in proposed]
    spans = {
        number: [(a, min(a + size, len(text)), v) for a, size, v in found if a < len(text)]
        for number, (text, found) in enumerate(proposed)
    }
    best: dict[str, dict[int, float]] = {}
    for number, found in spans.items():
        for start, end, value in found:
            key = texts[number][start:end].lower().strip()
            if key:
                passages = best.setdefault(key, {})
                passages[number] = max(passages.get(number, 0.0), value)
    expected = {}
    for key, passages in best.items():
        values = list(passages.values())
        squares = sum(v**2 for v in values) / (sum(values) + 1)
        expected[key] = {"squares": squares, "sum": sum(values), "": max(values)}[rule]
    candidates = vote(texts, spans, voting=bool(rule), rule=rule)
    assert {fold(c.answer).strip(): c.score for c in candidates} == pytest.approx(expected)
    assert [c.score for c in candidates] == sorted((c.score for c in candidates), reverse=True)
    for c in candidates:
        assert texts[c.passage][c.start : c.end] == c.answer
        assert c.probability == max(best[fold(c.answer).strip()].values())


def test_two_middling_votes_beat_a_surer_single_one() -> None:
    texts, spans = ["青砖巷", "青砖巷", "云州"], {0: [(0, 3, 0.6)], 1: [(0, 3, 0.6)], 2: [(0, 2, 0.7)]}
    voted, surest = vote(texts, spans), vote(texts, spans, voting=False)
    assert [c.answer for c in voted] == ["青砖巷", "云州"]
    assert voted[0].score == pytest.approx(0.72 / 2.2) and voted[1].score == pytest.approx(0.49 / 1.7)
    assert [c.answer for c in surest] == ["云州", "青砖巷"]
    assert vote(texts, {}) == []


def test_a_weak_vote_helps_as_a_sum_and_hurts_by_squares() -> None:
    texts, alone = ["青砖巷", "云州", "青砖巷"], {0: [(0, 3, 0.30)], 1: [(0, 2, 0.299)]}
    both = alone | {2: [(0, 3, 0.05)]}
    for spans, rule, best in (
        (alone, "squares", "青砖巷"), (both, "squares", "云州"), (alone, "sum", "青砖巷"), (both, "sum", "青砖巷")
    ):  # fmt: skip
        assert vote(texts, spans, rule=rule)[0].answer == best


@given(PROPOSED)
def test_a_single_passage_is_answered_alike_by_every_rule(
    proposed: list[tuple[str, list[tuple[int, int, float]]]],
) -> None:
    text, found = proposed[0]
    spans = {0: [(a, min(a + size, len(text)), v) for a, size, v in found if a < len(text)]}
    by = [[c.answer for c in vote([text], spans, voting=bool(rule), rule=rule)] for rule in ("", "squares", "sum")]
    assert by[0] == by[1] == by[2]


# -- windows

FILLER = "山水在云州，何舟写了书。"


@given(st.integers(0, 400), st.integers(2, 8))
@examples(max_examples=25)
def test_the_answer_is_the_same_wherever_it_lies(at: int, size: int) -> None:
    filler = FILLER * 40
    answer = "始" + "青" * (size - 2) + "末"
    text = filler[:at] + answer + filler[at:]
    (found,) = marked().predict([question(1, text)])
    best = found.candidates[0]
    assert (found.answer, best.start, best.end) == (answer, at, at + size)
    assert best.probability == pytest.approx(0.25) and best.score == pytest.approx(0.25**2 / 1.25)
    assert len(found.candidates) == 1  # the windows that share it do not vote twice


def test_an_answer_as_long_as_allowed_and_no_longer() -> None:
    exact, longer = "始" + "青" * 6 + "末", "始" + "青" * 7 + "末"
    answers = [a.answer for a in marked().predict([question(1, FILLER + exact), question(2, FILLER + longer)])]
    assert answers == [exact, ""]


def test_a_passage_of_200000_characters() -> None:
    text = (FILLER * 16_667)[:200_000]
    predictor = marked("data.window=256", "data.overlap=128", "decode.batch_size=64")
    answers = list(predictor.predict([question(1, text[:199_997] + "始书末"), question(2, "始山末")]))
    assert [a.answer for a in answers] == ["始书末", "始山末"]
    assert answers[0].candidates[0].end == 200_000


def test_answers_longer_than_what_windows_share_are_told() -> None:
    assert marked().notes == ()
    (note,) = marked("decode.longest=17").notes
    assert "16 characters" in note and "data.overlap" in note


# -- questions

MANY = [
    question(0, "林满写了始青砖巷末。", "雨雨始青砖巷末", "何舟在云州"),
    question(1, "始书末" + FILLER * 9, "雨始山末", "始书末", "始书末"),
    question(2, "  ", "始水末"),
    question(3, "云州何舟"),
    question(4, *(f"{'雨' * (n % 3)}始{'青砖巷'[n % 3]}末{FILLER[: n % 5]}" for n in range(23))),
    question(5, " ", ""),
    question(6, FILLER * 20 + "始云州末" + FILLER * 20),
]


def gist(found: Answered) -> tuple[Any, ...]:
    return (
        found.question_id,
        found.answer,
        [(c.answer, c.passage, c.start, round(c.score, 5)) for c in found.candidates],
    )


@pytest.mark.parametrize("pool", [1, 2, 16])
def test_questions_come_back_in_order_and_as_if_alone(pool: int) -> None:
    alone = [gist(found) for one in MANY for found in marked().predict([one])]
    predictor = marked(pool=pool)
    assert [gist(found) for found in predictor.predict(MANY)] == alone
    assert [found[0] for found in alone] == [one.question_id for one in MANY]
    assert [found[1] for found in alone][:4] == ["始青砖巷末", "始书末", "始水末", ""]
    assert alone[2][2][0][1] == 1  # the passage keeps its number, though the one before is blank
    assert alone[5][1:] == ("", [])
    assert list(marked().predict([])) == []


@pytest.fixture(scope="module")
def random_model() -> QaModel:
    torch.manual_seed(5)
    sizes = {"characters": len(LETTERS) + 2, "tags": len(TAGS), "labels": len(LABELS), "hidden_size": 8}
    model = QaModel(QaConfig(**sizes))
    with torch.no_grad():
        for p in model.parameters():
            p.copy_(torch.randn_like(p) * 0.3)
    return model.eval()


@pytest.mark.parametrize("loss", ["softmax", "focal"])
def test_a_batch_answers_as_one_question_and_one_passage_at_a_time(random_model: QaModel, loss: str) -> None:
    random_model.config.loss = loss
    recipe = recipe_with("decode.voting=false", "decode.nbest=1000", "data.window=64", "data.overlap=32")
    predictor = predictor_of(recipe, CharacterReader(recipe, random_model, Featurizer(recipe, encoder())))
    voting = recipe_with("decode.nbest=1000", "data.window=64", "data.overlap=32", "decode.batch_size=7")
    reader = CharacterReader(voting, random_model, Featurizer(voting, encoder()), pool=2)
    together = predictor_of(voting, reader).predict(MANY)
    compared = 0
    for one, found in zip(MANY, together, strict=True):
        best: dict[str, list[float]] = {}
        for passage in one.passages:
            (single,) = predictor.predict([Question(one.question_id, one.text, (passage,))])
            for c in single.candidates:
                best.setdefault(fold(c.answer).strip(), []).append(c.probability)
        expected = {key: sum(v * v for v in values) / (sum(values) + 1) for key, values in best.items()}
        scores = {fold(c.answer).strip(): c.score for c in found.candidates}
        # At the edge of the best spans of a window the last bit decides.
        likely = {key for key, score in (expected | scores).items() if score > 1e-4}
        assert {k: scores.get(k, 0.0) for k in likely} == pytest.approx(
            {k: expected.get(k, 0.0) for k in likely}, rel=1e-3, abs=1e-4
        )
        assert found.answer == ("" if not expected else found.candidates[0].answer.strip())
        if expected:
            assert expected[fold(found.answer)] == pytest.approx(max(expected.values()), rel=1e-4)
        compared += len(likely)
    assert compared > 20


# -- memory


class Watched(CharacterReader):
    """Notes how many windows are held whenever it reads, cut and not yet read."""

    held, cut, done = 0, 0, 0

    def windows(self, question: Question) -> Any:
        for window in super().windows(question):
            self.cut += 1
            yield window

    def found(self, windows: Any, floor: Any) -> Any:
        self.held = max(self.held, self.cut - self.done)
        self.done += len(windows)
        return super().found(windows, floor)


def test_no_more_is_held_than_the_pool_takes() -> None:
    recipe = recipe_with()
    model: Any = Marks()
    reader = Watched(recipe, model, Featurizer(recipe, encoder()), pool=2)
    limit, taken = recipe.decode.batch_size * 2, 0

    def stream() -> Iterator[Question]:
        nonlocal taken
        for number in range(60):
            taken += 1
            yield question(number, *["雨始山末" + FILLER * (number % 3)] * (40 if number == 30 else 1 + number % 2))

    for given_, answered in enumerate(predictor_of(recipe, reader).predict(stream())):
        assert answered.question_id == f"q{given_}" and answered.answer == "始山末"
        assert taken - given_ <= limit + 1
    assert limit <= reader.held <= limit + 1
    assert max(model.batches) == recipe.decode.batch_size


# -- decisions


def test_answers_less_sure_than_the_threshold_are_none() -> None:
    questions = [question(1, "始青末"), question(2, "雨雨雨始青末")]  # .25 and .64
    options = ("decode.no_answer=0.5", "decode.none=no answer")
    assert [a.answer for a in marked(*options).predict(questions)] == ["no answer", "始青末"]
    assert [a.answer for a in marked(options[1]).predict([question(3, "云州")])] == ["no answer"]
    first, second = marked("decode.start=0.5").predict(questions)  # must be exceeded
    assert not first.candidates and second.answer == "始青末"
    first, second = marked("decode.end=0.85").predict(questions)
    assert not first.candidates and not second.candidates


def test_blanks_around_an_answer_make_no_other_candidate() -> None:
    found = vote(["  青砖巷 "], {0: [(0, 6, 0.5), (2, 5, 0.4)]})
    assert [(c.answer, c.start, c.end) for c in found] == [("  青砖巷 ", 0, 6)]


def test_yes_and_no_are_weighed_by_how_sure_the_answers_are() -> None:
    passages = ("始青末", "始山末", "雨雨雨雨始水末")  # two at .25 say No, one at .81 says Yes
    answers = marked(labels=True).predict(
        [question(1, *passages, kind="YES_NO"), question(2, *passages[:2], kind="YES_NO"), question(3, *passages)]
    )
    assert [a.label for a in answers] == ["Yes", "No", ""]
    assert [a.label for a in marked().predict([question(1, *passages, kind="YES_NO")])] == [""]


def test_only_the_passages_that_share_most_are_read() -> None:
    one = question(1, "始山末雨水", "何舟在云州写了始青末", "始水末雨山", "何舟写了始书末")
    (found,) = marked("data.paragraphs=2").predict([one])
    assert {c.passage for c in found.candidates} == {1, 3}


def test_at_most_so_many_candidates_are_kept() -> None:
    texts = [f"始{a}{b}末" for a in "青砖巷林满写" for b in "云州何舟雨水"]
    (found,) = marked().predict([question(1, *texts)])
    assert len(found.candidates) == SPANS
    (found,) = marked("decode.nbest=30").predict([question(1, *texts)])
    assert len(found.candidates) == 30 and found.nbest == 30


def test_the_highest_probability_is_kept() -> None:
    predictor = marked()
    list(predictor.predict(MANY[3:4]))
    assert predictor.highest_probability == 0
    list(predictor.predict(MANY[:1]))
    assert predictor.highest_probability == pytest.approx(0.7)


def test_features_of_another_model_are_refused(tmp_path: Any, random_model: QaModel) -> None:
    CharVocabulary(LETTERS[:-1]).save(tmp_path / "characters.txt")
    with pytest.raises(UserError, match="does not fit the model beside it"):
        open_reader(recipe_with(), random_model, tmp_path)
    CharVocabulary(LETTERS).save(tmp_path / "characters.txt")
    assert open_reader(recipe_with(), random_model, tmp_path).data.window == 32
    (tmp_path / "words.txt").write_text("云州\n", encoding="utf-8")
    with pytest.raises(UserError, match=r"words\.txt"):
        open_reader(recipe_with(), random_model, tmp_path)


def test_a_long_question_is_read_at_both_ends() -> None:
    featurizer = Featurizer(recipe_with("data.question=9"), encoder())
    folded, ids = featurizer.question("青砖巷林" + "雨" * 30 + "写了书在云")
    assert folded == "青砖巷林写了书在云"
    np.testing.assert_array_equal(ids[0], encoder().ids(folded)[0])
    assert featurizer.question("青" * 9)[0] == "青" * 9
