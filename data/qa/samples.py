"""Small files in two other forms: SQuAD (with questions that have no answer) and DuReader 2.0.

The DuReader form is the raw one: documents with paragraphs, some of them with HTML, several answers a question,
entities for ENTITY questions and labels for YES_NO questions.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from banks import MEDIA, Dice
from facts import KINDS, SPECIALS, Thing, World
from telling import Teller

CONTEXTS, UNANSWERED = 10, 7
SITES = ["小城问答", "闲谈社区", "百事经验", "知道吧", "书影论坛"]

# A question, and two answers in other words; the first stands in a paragraph, a line a step.
HOW: list[tuple[str, list[str], str]] = [
    (
        "{x}怎么保存",
        ["先把{x}摊开晾一个晚上，", "再用油纸一层一层包好，", "放进陶罐里封口，", "最后放在阴凉的地方，能存三个月。"],
        "晾一个晚上后用油纸包好，装进陶罐封口，放在阴凉处。",
    ),
    (
        "怎么挑选好的{x}",
        ["一看颜色，发暗的{x}不要买；", "二闻气味，有酸味的多半放久了；", "三掂分量，沉一些的更好。"],
        "看颜色、闻气味、掂分量，颜色亮、没有酸味、沉一些的好。",
    ),
    (
        "{x}寄到外地用什么包装",
        ["里面垫一层碎纸，", "外面套两层纸箱，", "箱子上写明轻放，一般两三天就能到。"],
        "垫碎纸，套两层纸箱，写上轻放。",
    ),
]
ABOUT = ["谁能介绍一下{s}", "{s}是什么样的", "关于{s}有哪些资料"]
WHICH = ["{s}有哪些特产", "{s}的土特产有哪几种", "去{s}可以买什么带回家"]
OPINIONS: list[tuple[str, list[tuple[str, str]]]] = [
    ("《{film}》好看吗", [("好看，看了两遍，结尾尤其感人。", "Yes"), ("不好看，节奏太慢，中途睡着了。", "No")]),
    ("{city}值得去吗", [("值得去，秋天人少，河边很安静。", "Yes"), ("看季节，雨季就算了，秋天可以去。", "Depends")]),
    ("{city}冬天下雪吗", [("下的，一般腊月里有两三场雪。", "Yes")]),
    ("《{book}》适合孩子读吗", [("不适合，有些情节太沉重。", "No"), ("要看年龄，上了初中可以读。", "Depends")]),
    (
        "{firm}的{goods}质量好吗",
        [("质量不错，用了五年没坏过。", "Yes"), ("挺好的，就是贵了点。", "Yes"), ("不好，半年就修了两次。", "No")],
    ),
]
TALK = [
    "楼主问得好，我也想知道。",
    "登录后可查看更多回答。",
    "本帖最后由管理员编辑。",
    "同问，等一个答案。",
    "欢迎转载，请注明出处。",
]

Row = dict[str, Any]


def squad(dice: Dice, world: World) -> Row:
    """Ten contexts of three questions; of some, one is about what the context does not say."""
    teller, articles = Teller(dice, world, False), []
    unanswered = dice.some(range(CONTEXTS), UNANSWERED)
    for number in range(CONTEXTS):
        kind = list(KINDS)[number % len(KINDS)]
        fields = KINDS[kind].fields
        while True:
            first, second = dice.some(world.things[kind], 2)
            known = dice.some(list(fields), 4)
            told = [(name, dice.pick(first.values[name])) for name in known]
            values = [(name, second.values[name][0]) for name in known[1:3]]
            context = teller.pair(teller.about(first, told), teller.about(second, values)) + "。"
            spellings = [value for _, value in told]
            if all(context.count(value) == 1 for value in spellings):
                break
        asks = [(name, value) for name, value in told[:3]]
        if number in unanswered:
            asks[2] = (next(name for name in fields if name not in known), "")
        qas = []
        for n, (name, value) in enumerate(asks):
            question = teller.choose(fields[name].asks).replace("{S}", first.name) + "？"
            start = context.find(value)
            answers = [{"text": value, "answer_start": start}] if value else []
            if value and dice.chance(0.5):
                # A second annotator who stopped earlier or started later.
                later = len(value) > 4
                answers.append({"text": value[2:] if later else value, "answer_start": start + 2 * later})
            qas.append({"id": f"S{number}_{n}", "question": question, "answers": answers, "is_impossible": not value})
        articles.append({"title": first.name, "paragraphs": [{"id": f"S{number}", "context": context, "qas": qas}]})
    return {"version": "1.0", "data": articles}


def html(dice: Dice, sentences: list[str]) -> str:
    """The sentences as a paragraph of a page: plain, or with tags and character references."""
    text = "".join(sentences)
    fate = dice.between(0, 4)
    if fate == 0:
        return f"<p>{text}</p>"
    if fate == 1:
        return "&nbsp;&nbsp;" + "<br />".join(sentences)
    if fate == 2:
        return "".join(f"<li>{sentence}</li>" for sentence in sentences)
    return text


def documents(dice: Dice, world: World, question: str, told: list[list[str]]) -> list[Row]:
    """A document for each text told, selected, and one or two that only talk."""
    pages = []
    for text in [*told, *([] for _ in range(dice.between(1, 2)))]:
        paragraphs = [html(dice, [talk]) for talk in dice.some(TALK, dice.between(1, 2))]
        if text:
            paragraphs.insert(dice.between(0, len(paragraphs)), html(dice, text))
        source = dice.pick(world.places) + dice.pick(MEDIA) if dice.chance(0.3) else dice.pick(SITES)
        pages.append({"is_selected": bool(text), "title": f"{question}_{source}", "paragraphs": paragraphs})
    return dice.some(pages, len(pages))


def dureader(dice: Dice, world: World) -> list[Row]:
    """Eight DESCRIPTION, seven ENTITY and five YES_NO questions."""
    teller = Teller(dice, world, False)
    rows: list[Row] = []

    def add(kind: str, opinion: bool, question: str, told: list[list[str]], answers: list[str], **more: Any) -> None:
        rows.append(
            {
                "question_id": 500_001 + len(rows),
                "question_type": kind,
                "fact_or_opinion": "OPINION" if opinion else "FACT",
                "question": question,
                "documents": documents(dice, world, question, told),
                "answers": answers,
                **more,
            }
        )

    def one(kind: str) -> Thing:
        return dice.pick(world.things[kind])

    for (asked, steps, short), goods in zip(HOW, dice.some(SPECIALS, len(HOW)), strict=True):
        told = [step.replace("{x}", goods) for step in steps]
        add("DESCRIPTION", False, asked.replace("{x}", goods), [told, [short]], ["".join(told), short])
    for kind in ("film", "firm", "school", "person", "club"):
        thing = one(kind)
        told = [
            teller.about(thing, [(n, thing.values[n][0]) for n in dice.some(list(thing.values), 3)]) + "。"
            for _ in "ab"
        ]
        add("DESCRIPTION", False, dice.pick(ABOUT).replace("{s}", thing.name), [[t] for t in told], told)
    for city in dice.some(world.things["city"], 7):
        found = dice.some(SPECIALS, dice.between(2, 4))
        texts = [[f"{city.name}的特产有", "、".join(found) + "。"], [f"买点{found[0]}吧，", f"{found[1]}也不错。"]]
        answers = ["、".join(found), "".join(texts[1])]
        entities = [found, found[:2]]
        add("ENTITY", True, dice.pick(WHICH).replace("{s}", city.name), texts, answers, entity_answers=entities)
    for asked, opinions in OPINIONS:
        firm = one("firm")
        names = {"film": one("film").name, "city": one("city").name, "book": one("book").name, "firm": firm.name}
        question = asked.format(goods=firm.values["goods"][0], **names)
        texts = [[text] for text, _ in opinions]
        answers, labels = [text for text, _ in opinions], [label for _, label in opinions]
        add("YES_NO", True, question, texts, answers, yesno_answers=labels, yesno_type="OPINION")
    return rows


def write(folder: Path, dice: Dice, world: World) -> None:
    text = json.dumps(squad(dice, world), ensure_ascii=False, indent=1) + "\n"
    (folder / "squad.json").write_text(text, encoding="utf-8", newline="\n")
    lines = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in dureader(dice, world))
    (folder / "dureader2.jsonl").write_text(lines, encoding="utf-8", newline="\n")
