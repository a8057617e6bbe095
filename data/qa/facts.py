"""The world the questions are about: invented films, books, songs, people, firms, cities, clubs and schools.

A thing has a value for each field of its kind; a value is a tuple of spellings, all of them accepted as an answer, the
usual one first. Names come from the morphemes of ``data/ske/banks.py``. A likeness to anybody or anything is chance.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import banks
from banks import Dice
from bodies import CITY, CLUB, FIRM, SCHOOL
from works import BOOK, FILM, PERSON, SONG, Kind

KINDS: dict[str, Kind] = {
    "film": FILM,
    "book": BOOK,
    "song": SONG,
    "person": PERSON,
    "firm": FIRM,
    "city": CITY,
    "club": CLUB,
    "school": SCHOOL,
}
LONGEST = 12  # characters of an answer

Value = tuple[str, ...]

CLUBS = [
    "海燕", "飞鱼", "雪豹", "钢铁", "铁骑", "红狐", "蓝鲸", "猎鹰", "雷霆", "白马", "灯塔", "矿工", "渔夫", "黑熊",
    "远航", "烈风",
]  # fmt: skip
RIVER_HEADS = list("清沅白马金乌沧玉柳鹭青墨黑寒石")
RIVER_TAILS = ["水河", "漪河", "练江", "蹄河", "沙溪", "川江", "枫河", "鸣溪", "湾河", "龙江", "河", "江", "溪"]
OLD_NAMES = [a + b for a in "奉平永宣归鄞梁庐邵蓟郢宁弋蒲汝" for b in "州邑郡阳昌城"]
GOODS = [
    "汽水", "凉茶", "方便面", "豆奶", "辣酱", "饼干", "啤酒", "自行车", "电饭锅", "缝纫机", "无人机", "台灯", "轮胎",
    "陶瓷", "羽绒服", "牛仔裤", "雨伞", "行李箱", "钢琴", "吉他", "机器人", "充电宝", "路由器", "耳机", "手表",
    "茶叶", "牙膏", "洗衣粉", "玩具", "童装", "跑鞋", "铅笔", "墨水", "瓷砖", "水泥", "拖拉机", "渔网", "船用发动机",
    "扫地机", "投影仪",
]  # fmt: skip
SPECIALS = [
    "酱板鸭", "桂花糕", "藕粉", "腊鱼", "米酒", "竹编", "蓝印花布", "豆腐乳", "蜜橘", "银鱼", "黑木耳", "菱角",
    "板栗", "柿饼", "麻糖", "辣椒", "折扇", "砚台", "剪纸", "年画", "青瓷", "草席", "红薯粉", "芝麻饼", "山核桃",
    "枇杷", "杨梅", "咸鸭蛋", "羊肚菌", "丝绸",
]  # fmt: skip
FLOWERS = [
    "兰花", "腊梅", "樱花", "茶花", "月季", "菊花", "桂花", "荷花", "牡丹", "紫薇", "木棉", "杜鹃", "栀子", "海棠",
    "玉兰", "石榴花", "丁香", "水仙",
]  # fmt: skip
TREES = [
    "樟", "榆", "槐", "柏", "枫", "柳", "桦", "银杏", "梧桐", "香樟", "雪松", "榕树", "国槐", "水杉", "白杨", "红枫",
    "皂角", "合欢",
]  # fmt: skip
COLOURS = [
    "红色", "蓝色", "白色", "绿色", "紫色", "黄色", "黑色", "橙色", "墨绿", "蓝白条纹", "红黑条纹", "橙黑相间",
    "全红", "天蓝", "酒红",
]  # fmt: skip
MOTTOS = [
    "求真", "务实", "厚德", "笃行", "明理", "致远", "勤朴", "敏毅", "博学", "慎思", "自强", "弘毅", "崇文", "尚武",
    "知行", "守正", "日新", "格物", "至善", "诚毅",
]  # fmt: skip


@dataclass(eq=False)
class Thing:
    kind: str
    name: str
    values: dict[str, Value] = field(default_factory=dict)


def cased(text: str, *others: str) -> Value:
    """The spellings that are no longer than an answer may be."""
    return tuple(dict.fromkeys(t for t in (text, *others) if 0 < len(t) <= LONGEST))


def person_forms(name: str) -> Value:
    return (name, name.partition("·")[2]) if "·" in name else (name,)


def school_forms(name: str) -> Value:
    """云泽大学 → 云大, 云泽师范大学 → 云师大, 云泽理工大学 → 云理工."""
    for tail, short in (("师范大学", "师大"), ("理工大学", "理工"), ("大学", "大")):
        if name.endswith(tail):
            return (name, name[0] + short)
    return (name,)


class World:
    """The things of one split. No name that ``others`` hold: of people, works, places, firms and schools alike."""

    def __init__(self, dice: Dice, sizes: dict[str, int], others: set[str]) -> None:
        self.dice, self._others, self.names = dice, others, set[str]()
        total = sum(sizes.values())
        self.places = [self._new(lambda: banks.place(dice)) for _ in range(total // 6)]
        self.things: dict[str, list[Thing]] = {}
        for kind, count in sizes.items():
            self.things[kind] = [Thing(kind, self._new(self._namer(kind))) for _ in range(count)]
        for things in self.things.values():
            for thing in things:
                for name, field_ in KINDS[thing.kind].fields.items():
                    thing.values[name] = self._value(field_.type, thing)

    def _new(self, make: Callable[[], str]) -> str:
        for _ in range(2000):
            name = make()
            if name not in self.names and name not in self._others and len(name) <= LONGEST and name.isprintable():
                self.names.add(name)
                return name
        raise RuntimeError("the bank is exhausted")

    def _namer(self, kind: str) -> Callable[[], str]:
        dice = self.dice
        return {
            "person": lambda: banks.person(dice, dice.chance(0.5)),
            "firm": lambda: banks.company(dice, dice.pick(self.places), False),
            "city": lambda: banks.place(dice),
            "club": lambda: dice.pick(self.places) + dice.pick(CLUBS) + "队",
            "school": lambda: banks.school(dice, dice.pick(self.places)),
        }.get(kind, lambda: banks.title(dice, dice.pick(self.places)))

    def _value(self, kind: str, thing: Thing) -> Value:
        """A value that is not part of the thing's name, nor the other way round, nor another value of it."""
        taken = [thing.name, *(form for value in thing.values.values() for form in value)]
        while True:
            value = self._draw(kind)
            if not any(form in name or name in form for form in value for name in taken):
                return value

    def _draw(self, kind: str) -> Value:
        dice = self.dice
        number = dice.between
        if kind == "person":
            known = self.things["person"]
            if dice.chance(0.25):
                return person_forms(dice.pick(known).name)
            return person_forms(self._new(lambda: banks.person(dice, dice.chance(0.5))))
        if kind == "place":
            return (dice.pick(self.places),)
        if kind == "studio":
            name = self._new(lambda: banks.company(dice, dice.pick(self.places), True))
            return cased(name, name.removesuffix("有限公司"))
        if kind == "press":
            return (self._new(lambda: dice.pick(self.places) + dice.pick(banks.PRESS_KINDS)),)
        if kind == "school":
            return school_forms(dice.pick(self.things["school"]).name)
        if kind == "title":
            return (self._new(lambda: banks.title(dice, dice.pick(self.places))),)
        if kind == "role":
            return (self._new(lambda: banks.role(dice)),)
        if kind == "stadium":
            return (self._new(lambda: dice.pick(self.places) + dice.pick(["体育场", "体育中心", "球场"])),)
        if kind == "river":
            return (self._new(lambda: dice.pick(RIVER_HEADS) + dice.pick(RIVER_TAILS)),)
        if kind == "oldname":
            return (dice.pick(OLD_NAMES),)
        if kind == "motto":
            return ("".join(dice.some(MOTTOS, 2)),)
        if kind == "height":
            tall = number(151, 199)
            return (f"{tall}厘米", f"1米{tall - 100}")
        if kind in BANKS:
            return (dice.pick(BANKS[kind]),)
        year = number(1952, 2019)
        million = f"{number(1, 29)}.{number(1, 9)}亿"
        return {
            "date": (f"{year}年{number(1, 12)}月{number(1, 28)}日",),
            "month": (f"{year}年{number(1, 12)}月",),
            "year": (f"{year}年",),
            "minutes": (f"{number(81, 169)}分钟",),
            "pages": (f"{number(120, 799)}页",),
            "money": (f"{million}元", million),
            "staff": (f"{number(12, 980)}0人",),
            "people": (f"{(many := number(21, 940))}万人", f"{many}万"),
            "code": (f"0{number(310, 997)}",),
        }[kind]


BANKS = {"goods": GOODS, "special": SPECIALS, "flower": FLOWERS, "tree": TREES, "colour": COLOURS}
