"""Rule files: what each kind does, what a wrong file is told, and that the shipped one does no harm."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from ietool.errors import UserError
from ietool.tasks.ske.data.example import Triple
from ietool.tasks.ske.data.reading import load_examples
from ietool.tasks.ske.rules.files import Rules, load_rules

ROOT = Path(__file__).resolve().parents[4]
SHIPPED = ROOT / "recipes" / "rules" / "ske.yaml"


def spo(subject: str, predicate: str, value: str, **slots: str) -> Triple:
    return Triple(subject, predicate, (("@value", value), *sorted(slots.items())))


def one(**keys: object) -> Rules:
    return Rules.model_validate({"rules": [{"predicates": ["*"], **keys}]})


def names(rules: Rules, text: str, *triples: Triple) -> list[tuple[str, str, str]]:
    return [(t.subject, t.predicate, t.object[0][1]) for t, _ in rules.apply(text, triples)]


def test_mirror_adds_once_beside_its_source() -> None:
    rules = one(kind="mirror", predicates=["丈夫", "妻子"])
    a, b = spo("林若", "丈夫", "高岳"), spo("高岳", "妻子", "林若")
    other = spo("甲", "导演", "乙")
    assert rules.apply("…", [a, other]) == [(a, 0), (b, 0), (other, 1)]
    assert rules.apply("…", [a, b]) == [(a, 0), (b, 1)]


def test_mirror_of_one_predicate_is_symmetric_and_slots_have_no_mirror() -> None:
    rules = one(kind="mirror", predicates=["同学"])
    assert names(rules, "", spo("甲", "同学", "乙")) == [("甲", "同学", "乙"), ("乙", "同学", "甲")]
    assert len(rules.apply("", [spo("甲", "同学", "乙", onDate="1999年")])) == 1


def test_album_loses_what_belongs_to_its_songs() -> None:
    rules = one(
        kind="drop_when_subject_also", predicates=["歌手"], object_of=["所属专辑"], unless_subject_of=["所属专辑"]
    )
    song, album = spo("渡口", "歌手", "方蓝"), spo("雨季", "歌手", "方蓝")
    assert names(rules, "", song, album, spo("渡口", "所属专辑", "雨季")) == [
        ("渡口", "歌手", "方蓝"),
        ("渡口", "所属专辑", "雨季"),
    ]
    # The title song of an album that bears its name keeps its singer.
    assert len(rules.apply("", [album, spo("雨季", "所属专辑", "雨季")])) == 2


@pytest.mark.parametrize(
    ("text", "keys", "expected"),
    [
        ("由蓝河影业有限公司出品", {}, "蓝河影业有限公司"),
        ("由蓝河影业公司出品", {}, "蓝河影业公司"),
        ("由蓝河影业出品", {}, "蓝河影业"),
        ("蓝河影业公司与蓝河影业", {}, "蓝河影业"),
        ("蓝河影业公司与蓝河影业", {"everywhere": False}, "蓝河影业公司"),
        ("由蓝河影业传媒有限公司出品", {}, "蓝河影业"),
        ("由蓝河影业传媒有限公司出品", {"gap": 2}, "蓝河影业传媒有限公司"),
        ("由蓝河影业、X公司出品", {"gap": 2}, "蓝河影业"),
    ],
)
def test_extend_suffix(text: str, keys: dict[str, object], expected: str) -> None:
    rules = one(kind="extend_suffix", suffixes=["公司", "有限公司"], **keys)
    assert names(rules, text, spo("片", "出品公司", "蓝河影业"))[0][2] == expected


def test_split_keeps_slots_and_source_and_merges_repeats() -> None:
    rules = one(kind="split_object", separators=["、", "，"])
    joined, alone = spo("片", "主演", "高岳、林若", inWork="片"), spo("片", "主演", "林若", inWork="片")
    assert rules.apply("", [joined, alone]) == [
        (spo("片", "主演", "高岳", inWork="片"), 0),
        (alone, 1),  # a triple predicted as such keeps its own spans
    ]
    assert names(rules, "", spo("片", "歌手", "高岳、林"))[0][2] == "高岳、林"
    assert names(rules, "", spo("片", "改编自", "《山、海》"))[0][2] == "《山、海》"


def test_trim_keeps_brackets_in_pairs() -> None:
    rules = one(kind="trim", characters="《》，", suffixes=["人"])
    assert names(rules, "", spo("《渡口》", "祖籍", "云泽人")) == [("渡口", "祖籍", "云泽")]
    assert names(rules, "", spo("《甲》与《乙》", "祖籍", "人")) == [("《甲》与《乙》", "祖籍", "人")]


def test_require() -> None:
    rules = one(kind="require", predicates=["票房"], object_has=["亿", "万"], text_has=["票房"], lacks=["人次"])
    assert rules.apply("票房3亿", [spo("片", "票房", "3亿")])
    assert not rules.apply("票房3亿", [spo("片", "票房", "3")])
    assert not rules.apply("卖了3亿", [spo("片", "票房", "3亿")])
    assert not rules.apply("票房3亿人次", [spo("片", "票房", "3亿人次")])
    assert rules.apply("卖了3亿", [spo("片", "导演", "3")])


def test_forbid_asks_every_occurrence() -> None:
    rules = one(kind="forbid", names=["中国"], contexts=["中国共产党"], followed_by=["电影"], preceded_by=["非"])
    triple = spo("高岳", "国籍", "中国")
    assert not rules.apply("高岳，中国共产党党员", [triple])
    assert not rules.apply("高岳，中国电影导演，非中国人", [triple])
    assert rules.apply("高岳，中国人，中国共产党党员", [triple])
    assert rules.apply("高岳，法国人", [triple]), "a name that is not in the text as it stands is left alone"
    assert not one(kind="forbid", names=["中国"]).apply("中国", [triple])


def test_distinct() -> None:
    assert not one(kind="distinct").apply("", [spo("高岳", "妻子", "高岳")])


def test_rules_run_in_order_and_can_be_off() -> None:
    data = [
        {"kind": "split_object", "predicates": ["妻子"], "separators": ["、"]},
        {"kind": "mirror", "predicates": ["丈夫", "妻子"]},
    ]
    triple = spo("高岳", "妻子", "林若、方蓝")
    assert len(Rules.model_validate({"rules": data}).apply("", [triple])) == 4
    data[0]["enabled"] = False
    assert len(Rules.model_validate({"rules": data}).apply("", [triple])) == 2


def test_limited_to_a_schema(tmp_path: Path) -> None:
    file = tmp_path / "rules.yaml"
    file.write_text(
        "rules:\n"
        "  - {kind: mirror, predicates: [丈夫, 妻子]}\n"
        "  - {kind: distinct, predicates: [丈夫, 导演]}\n"
        "  - {kind: trim, predicates: ['*'], characters: '《》'}\n",
        encoding="utf-8",
    )
    rules = load_rules(file, {"丈夫", "作者"}).rules
    assert [(r.kind, list(r.predicates)) for r in rules] == [("distinct", ["丈夫"]), ("trim", ["*"])]


@pytest.mark.parametrize(
    ("rule", "line", "field", "said"),
    [
        ("kind: mirrors\n    predicates: [丈夫]", 2, "rules.0.kind", "did you mean mirror?"),
        ("predicates: [丈夫]", 2, "rules.0.kind", "is missing"),
        ("kind: mirror", 2, "rules.0.predicates", "is missing in a rule of kind mirror"),
        ("kind: trim\n    predicates: ['*']\n    charcters: x", 4, "rules.0.charcters", "did you mean characters?"),
        ("kind: extend_suffix\n    predicates: ['*']\n    suffixes: 公司", 4, "rules.0.suffixes", "list"),
        ("kind: extend_suffix\n    predicates: ['*']\n    suffixes: [a]\n    gap: 99", 5, "rules.0.gap", "12"),
        ("kind: require\n    predicates: ['*']", 2, "rules.0", "needs text_has"),
        ("just a string", 2, "rules.0", ""),
    ],
)
def test_a_wrong_rule_is_told_by_line_key_and_mend(tmp_path: Path, rule: str, line: int, field: str, said: str) -> None:
    file = tmp_path / "rules.yaml"
    file.write_text(f"rules:\n  - {rule}\n", encoding="utf-8")
    with pytest.raises(UserError) as caught:
        load_rules(file)
    assert (caught.value.file, caught.value.line, caught.value.field) == (str(file), line, field)
    assert said in str(caught.value) and caught.value.mend


@pytest.mark.parametrize("text", ["", "[]", "mirror: 丈夫\n", "rules: 3\n", "rules: []\nmore: 1\n"])
def test_a_file_of_another_shape(tmp_path: Path, text: str) -> None:
    file = tmp_path / "rules.yaml"
    file.write_text(text, encoding="utf-8")
    with pytest.raises(UserError):
        load_rules(file)


def test_shipped_rules_load_and_leave_the_gold_of_the_corpus_alone() -> None:
    rules = load_rules(SHIPPED)
    assert all(rule.name and rule.why for rule in rules.rules)
    for split in ("train", "dev", "test"):
        for example in load_examples(ROOT / "data" / "ske" / f"{split}.jsonl"):
            assert rules.apply(example.text, example.triples) == [(t, i) for i, t in enumerate(example.triples)]


def test_a_hostile_text_takes_no_time() -> None:
    rules = load_rules(SHIPPED)
    triples = [spo("中国", "国籍", "中国"), spo("人", "祖籍", "人"), spo("公", "出品公司", "公")]
    began = time.perf_counter()
    rules.apply("中国共产党" * 20_000 + "人" * 50_000 + "公司" * 20_000, triples)
    assert time.perf_counter() - began < 2
