"""Write the corpus of event subjects anew: ``python data/event_subject/generate.py`` (or ``... generate.py FOLDER``),
byte for byte.

Made-up companies are put into clauses, each of which tells an event of one type of one of them; most texts string two
or three such clauses together, so that the company depends on the type that is asked for. Each split has companies of
its own beside some that train has. Standard library only. Licence of what it writes: CC0.
"""

from __future__ import annotations

import csv
import sys
from pathlib import Path
from random import Random

SEED = 20190606
SIZES = {"train": 1800, "dev": 200, "test": 200}
NONE = "NaN"
OTHER = "其他"

PLACES = (
    "云岭", "江临", "北湾", "青石", "白鹭", "南桥", "松原", "海棠", "金沙", "远川", "长屿", "柳溪", "东澜", "西陵",
    "秋浦", "晴川",
)  # fmt: skip
MARKS = (
    "恒泽", "瑞禾", "盛陶", "天枢", "博远", "华栎", "鼎岚", "众合", "宏杉", "信达通", "安澜", "嘉木", "光湛",
    "智航", "万舟", "同启", "泰砚", "新桐", "优澄", "联朔", "星屿", "腾麓", "凯禾", "诺林", "锦帆", "润科", "维晟",
    "凌川", "启辰光", "德佑",
)  # fmt: skip
TRADES = (
    "科技", "药业", "食品", "置业", "能源", "电子", "传媒", "物流", "金服", "股份", "重工", "环保", "生物", "新材",
    "矿业", "教育",
)  # fmt: skip
TAILS = ("", "", "", "公司", "集团", "股份有限公司", "有限公司")

EVENTS = {
    "高管变动": (
        "{c}董事长{p}辞职", "{c}总经理{p}因个人原因离任", "{p}不再担任{c}财务总监", "{c}公告：董事会秘书{p}请辞",
    ),
    "股东减持": (
        "{c}第二大股东拟减持不超过{n}%股份", "大股东{p}清仓式减持{c}", "{c}实控人一致行动人减持{n}%",
        "{c}遭股东{o}减持",
    ),
    "业绩下滑": (
        "{c}上半年净利同比下降{n}%", "{c}预计全年亏损{n}亿元", "受原料涨价拖累，{c}一季度由盈转亏",
        "{c}利润腰斩，毛利率跌至{n}%",
    ),
    "信息披露违规": (
        "{c}因未及时披露担保被监管警示", "交易所向{c}发出问询函：年报为何迟迟不出", "{c}涉嫌隐瞒关联交易遭立案",
        "{c}收到监管函，称其公告前后不一",
    ),
    "重组终止": (
        "{c}终止收购{o}", "{c}筹划半年的重大资产重组告吹", "与{o}谈不拢，{c}宣布重组失败",
        "{c}撤回购买{o}{n}%股权的申请",
    ),
    "产品问题": (
        "{c}一批次产品抽检不合格", "{c}召回{n}万件问题商品", "多名消费者投诉{c}产品有异味",
        "{c}因虚标含量被罚{n}万元",
    ),
    "债务违约": (
        "{c}未能按期兑付{n}亿元债券", "{c}银行账户被{o}申请冻结", "{c}称暂无力偿还到期借款", "{o}起诉{c}要求归还欠款",
    ),
}  # fmt: skip
"""Type → clauses: {c} is the company that it happened to, {o} another one, {p} a person, {n} a number."""

CALM = (
    "{c}新厂房昨日落成", "{c}与{o}签署合作备忘录", "{c}举办第{n}届员工运动会", "{o}参观{c}展厅",
    "今日大盘缩量震荡，多数板块走平",
    "{p}谈行业前景：慢就是快", "{c}入选本地纳税百强",
)  # fmt: skip
JOINS = ("", "，", "；", " ", "。")
SURNAMES, GIVEN = "林何高周许沈陆秦冯顾", ["远舟", "明澜", "岳", "雨桐", "之恒", "晓川", "立言", "秋白", "子衡", "若谷"]


class Teller:
    """Makes texts of the companies of one split."""

    def __init__(self, seed: int, companies: list[str]) -> None:
        self.dice, self.companies = Random(seed), companies

    def clause(self, pattern: str, company: str) -> str:
        """A clause about a company."""
        dice = self.dice
        other = dice.choice([name for name in self.companies if name not in company and company not in name])
        code = f"({dice.randrange(300000, 604000):06d})" if dice.random() < 0.25 else ""
        person = dice.choice(SURNAMES) + dice.choice(GIVEN)
        return pattern.format(c=company + code, o=other, p=person, n=dice.randrange(2, 90))

    def record(self) -> tuple[str, str, str]:
        """(text, type, subject)."""
        dice = self.dice
        kinds = dice.sample(list(EVENTS), dice.choice((1, 2, 2, 3)))
        names = dice.sample(self.companies, len(kinds))
        clauses = [self.clause(dice.choice(EVENTS[kind]), name) for kind, name in zip(kinds, names, strict=True)]
        if dice.random() < 0.15:
            calm = [self.clause(dice.choice(CALM), dice.choice(self.companies)) for _ in range(dice.choice((1, 2)))]
            return dice.choice(JOINS).join(calm), OTHER, NONE
        join = dice.choice(JOINS)
        asked = dice.randrange(len(kinds))
        if dice.random() < 0.04:  # nothing of that kind is told
            missing = dice.choice([kind for kind in EVENTS if kind not in kinds])
            return join.join(clauses), missing, NONE
        return join.join(clauses), kinds[asked], names[asked]


def companies(seed: int, count: int, foreign: set[str]) -> list[str]:
    """So many names that no other split has."""
    dice, found = Random(seed), dict[str, None]()
    while len(found) < count:
        place = dice.choice(PLACES) if dice.random() < 0.5 else ""
        name = place + dice.choice(MARKS) + dice.choice(TRADES) + dice.choice(TAILS)
        if name not in foreign:
            found[name] = None
    return list(found)


def main(folder: Path) -> None:
    """Write ``folder/event_subject``."""
    out = folder / "event_subject"
    out.mkdir(parents=True, exist_ok=True)
    known: list[str] = []
    seen: set[tuple[str, str]] = set()
    number = 0
    for part, (name, size) in enumerate(SIZES.items()):
        own = companies(SEED + part, 260 if part == 0 else 90, set(known))
        names = own if part == 0 else own + known[:60]
        known = known or own
        teller = Teller(SEED * 7 + part, names)
        with (out / f"{name}.csv").open("w", encoding="utf-8", newline="") as stream:
            writer = csv.writer(stream, quoting=csv.QUOTE_ALL, lineterminator="\n")
            written = 0
            while written < size:
                text, kind, subject = teller.record()
                if (text, kind) in seen:
                    continue
                seen.add((text, kind))
                number += 1
                written += 1
                writer.writerow([str(500000 + number), text, kind, subject])


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).resolve().parents[1])
