"""Morphemes and the names composed of them: people, places, schools, companies, works, dates.

Everything is invented. A name is drawn from combinations so many that a model has to learn how such names look and
where they stand, not which there are. A likeness to anyone or anything that exists is chance.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from typing import TypeVar

T = TypeVar("T")


class Dice:
    """Random draws made of ``random()`` alone: the one method whose sequence Python promises not to change."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed).random

    def chance(self, probability: float) -> bool:
        return self._random() < probability

    def between(self, low: int, high: int) -> int:
        """A whole number from low to high, both included."""
        return low + int(self._random() * (high - low + 1))

    def pick(self, items: Sequence[T]) -> T:
        return items[int(self._random() * len(items))]

    def some(self, items: Sequence[T], count: int) -> list[T]:
        """``count`` different places of ``items``, in random order."""
        pool = list(items)
        return [pool.pop(int(self._random() * len(pool))) for _ in range(min(count, len(pool)))]


SURNAMES = list(
    "赵钱孙李周吴郑王冯陈褚卫蒋沈韩杨朱秦许何吕施张孔曹严华金魏陶姜戚谢邹喻柏苏潘葛范彭鲁韦马方"
    "俞任袁柳鲍史唐费岑薛雷贺倪汤"
)
SURNAMES += ["欧阳", "司徒", "上官", "慕容", "诸葛", "端木"]
MALE = list("伟强磊涛毅鹏凯峰浩宇轩博昊哲铭远航骏廷朗澈岩松柏川钧辰煜泽嘉承启睿修衡劭彦之云知行子文立景")
FEMALE = list("芳娜静敏婷雪莹琳倩颖薇蕾岚瑶璐菲妍萱蔓筠若兰溪汐宁语清黛桐苒柔蓁绮楚荷芷念可子文知景云之行")
FOREIGN_FIRST = [
    "艾伦", "卢卡", "玛蒂", "索菲", "伊凡", "米娅", "奥托", "莱娜", "雨果", "妮可", "保罗", "安雅", "费恩",
    "塔拉", "罗曼", "爱玛",
]  # fmt: skip
FOREIGN_LAST = [
    "柯斯特", "范德林", "莫雷蒂", "斯特恩", "奥哈拉", "贝格曼", "杜瓦", "林德", "卡萨尔", "维特", "罗西诺",
    "哈特曼", "费舍", "诺维",
]  # fmt: skip
LATIN = ["Coco", "Max", "Luna", "Kiki", "Ivan", "Nina", "Leo", "Yuki", "Zoe", "Ray", "Mika", "Ann"]

PLACE_HEAD = list("云青临望清沧澜碧镜鹿鹤霜松石白南北东西安永新长银玉凤龙")
PLACE_TAIL = list("泽岚州川浦陵溪湾原津岭港城桥峡屿汀泉坞渚")
AREAS = [
    "中国", "中国内地", "中国香港", "中国台湾", "日本", "韩国", "美国", "北美", "法国", "英国", "泰国", "德国",
    "新加坡", "意大利",
]  # fmt: skip
SCHOOL_KINDS = [
    "大学", "大学", "大学", "师范大学", "理工大学", "电影学院", "音乐学院", "戏剧学院", "美术学院", "第一中学",
    "医学院", "外国语学院",
]  # fmt: skip
PRESS_KINDS = ["出版社", "文艺出版社", "人民出版社", "少年儿童出版社", "教育出版社", "译文出版社", "美术出版社"]
BRANDS = [a + b for a in "星天光瑞鸿启恒卓汇蓝橙金智飞微" for b in "河图影辰途达信诺耀石帆和芯驰" if a != b]
COMPANY_KINDS = [
    "影业", "影视", "传媒", "文化传媒", "娱乐", "科技", "集团", "动漫", "影业有限公司", "文化传媒有限公司",
    "科技有限公司", "影视制作有限公司",
]  # fmt: skip
FILM_COMPANY_KINDS = [k for k in COMPANY_KINDS if k[:2] in ("影业", "影视", "传媒", "文化", "娱乐", "动漫")]
COMPANY_LATIN = ["NOVA", "Aoki", "QX", "BlueBay", "M3", "ＫＴ", "Orca", "T8"]

QUALITIES = [
    "最后的", "沉默的", "遥远的", "看不见的", "倒流的", "透明的", "失眠的", "无名", "末代", "迟到的", "温柔的",
    "燃烧的", "第二个", "半个", "千年", "深海", "午夜", "逆光", "盛夏", "雪国", "北方", "飞行", "橘色", "雨中",
]  # fmt: skip
THINGS = [
    "灯塔", "列车", "候鸟", "麦田", "旧信", "月台", "航线", "星图", "钟楼", "渡口", "邮差", "剧场", "鲸鱼",
    "白塔", "城墙", "花火", "风筝", "迷宫", "琴师", "守夜人", "刀客", "宫墙", "少年", "密码", "春天", "黄昏",
    "来客", "告白", "回声", "岛屿", "食堂", "镖局",
]  # fmt: skip
ACTIONS = ["寻找", "再见", "追赶", "告别", "等待", "遇见", "翻越", "拆掉", "我的", "听见", "梦回", "致"]
SUFFIXES = ["往事", "传奇", "风云", "之恋", "物语", "疑云", "1937", "夜话", "记", "手札", "七号", "三部曲"]
ENGLISH = [
    "Blue Harbor", "Hello 2049", "Run", "Moonlight X", "No.9", "Paper Sky", "ONE DAY", "Rain", "Ｓ计划",
    "２０４６号房",
]  # fmt: skip
NUMBERS = ["十二", "三", "一百", "28", "7", "99"]
ROLE_TITLES = ["探长", "掌柜", "校长", "将军", "护士长", "公主", "少帅", "老板娘"]
AWARDS_HEAD = [
    "金鹿奖", "银帆奖", "云杉奖", "白鹭电影节", "青石电影节", "海螺奖", "星舟音乐奖", "长桥文学奖", "晨钟奖",
    "木槿奖",
]  # fmt: skip
AWARDS_TAIL = [
    "最佳男主角", "最佳女主角", "最佳导演", "最佳新人", "最佳编剧", "最佳男配角", "最佳女配角", "评委会大奖",
    "最佳原创歌曲", "终身成就奖",
]  # fmt: skip
MEDIA = ["晚报", "娱乐周刊", "日报", "新闻网", "电视台"]


def person(dice: Dice, male: bool) -> str:
    if dice.chance(0.05):
        return dice.pick(FOREIGN_FIRST) + "·" + dice.pick(FOREIGN_LAST)
    given = MALE if male else FEMALE
    name = dice.pick(SURNAMES) + dice.pick(given)
    return name + dice.pick(given) if dice.chance(0.75) else name


def place(dice: Dice) -> str:
    return dice.pick(PLACE_HEAD) + dice.pick(PLACE_TAIL)


def school(dice: Dice, city: str) -> str:
    return city + dice.pick(SCHOOL_KINDS)


def company(dice: Dice, city: str, film: bool) -> str:
    brand = dice.pick(COMPANY_LATIN) if dice.chance(0.1) else dice.pick(BRANDS)
    return (city if dice.chance(0.35) else "") + brand + dice.pick(FILM_COMPANY_KINDS if film else COMPANY_KINDS)


def title(dice: Dice, city: str) -> str:
    """A title of any work: films, books, songs and albums share one bank, so only the context tells which it is."""
    shapes: list[Callable[[], str]] = [
        lambda: dice.pick(QUALITIES) + dice.pick(THINGS),
        lambda: dice.pick(QUALITIES) + dice.pick(THINGS),
        lambda: dice.pick(ACTIONS) + dice.pick(THINGS),
        lambda: dice.pick(THINGS) + dice.pick(SUFFIXES),
        lambda: dice.pick(THINGS) + dice.pick("与和的") + dice.pick(THINGS),
        lambda: city + dice.pick(SUFFIXES),
        lambda: city + dice.pick(THINGS),
        lambda: dice.pick(ACTIONS) + dice.pick(QUALITIES) + dice.pick(THINGS),
        lambda: dice.pick(NUMBERS) + dice.pick("个座次封") + dice.pick(THINGS),
    ]
    name = dice.pick(shapes)()
    if dice.chance(0.05):
        name = dice.pick(ENGLISH) + dice.pick(["", " II", " " + dice.pick(THINGS)])
    if dice.chance(0.06) and name[-1] not in "I)）0123456789":
        name += dice.pick(["2", "3", "II", "：终章", "前传", "（下）"])
    return name


def role(dice: Dice) -> str:
    """A character of a film: a name like a person's, a title, or a nickname."""
    if dice.chance(0.25):
        return dice.pick(SURNAMES) + dice.pick(ROLE_TITLES)
    return dice.pick("阿小老") + dice.pick(MALE + FEMALE) if dice.chance(0.3) else person(dice, dice.chance(0.5))


def date(dice: Dice) -> str:
    year, month, day = dice.between(1952, 2019), dice.between(1, 12), dice.between(1, 28)
    return dice.pick([f"{year}年{month}月{day}日", f"{year}年{month}月{day}日", f"{year}年{month}月", f"{year}年"])


def award(dice: Dice) -> str:
    return dice.pick(AWARDS_HEAD) + dice.pick(AWARDS_TAIL) if dice.chance(0.7) else dice.pick(AWARDS_HEAD)
