"""Names of every kind, and which of them are shared between kinds. Everything is invented; a likeness is chance.

A name is drawn from combinations so many that a model has to learn how such names look and where they stand. Each
split has places, posts, shared names and combinations of its own; see :class:`Namer`.
"""

from __future__ import annotations

from collections.abc import Callable

import banks
from banks import Dice

PLACE_HEAD = [*banks.PLACE_HEAD, *"梧榆桐柳兰荷芦苇嘉崇定怀武宣通广阳平丰禾"]
PLACE_TAIL = [*banks.PLACE_TAIL, *"山河江海阳平宁田关庄塘墩埠洲"]
LEVELS = ["市", "市", "市", "县", "省", "区"]
ROADS = ["路", "街", "大道", "巷", "胡同"]
SPOTS = ["机场", "火车站", "体育中心", "老街", "古城", "会展中心", "码头", "开发区", "软件园", "人民广场"]
AREAS = ["日本", "韩国", "法国", "英国", "泰国", "德国", "北美", "意大利", "新加坡", "欧洲", "东南亚"]

TRADES = [*banks.COMPANY_KINDS, "网络", "游戏", "汽车", "银行", "证券", "保险", "地产", "食品", "航空", "电器", "互娱"]
BRANCHES = [
    "信息技术", "生物医药", "汽车零部件制造", "影视文化传播", "国际贸易", "新能源科技", "供应链管理",
    "建筑装饰工程",
]  # fmt: skip
LEGAL = ["有限公司", "股份有限公司", "有限责任公司", "（集团）有限公司", "控股有限公司"]
BRAND_HEAD = list("星天光瑞鸿启恒卓汇蓝橙金智飞微盛百万极联新华宏海")
BRAND_TAIL = list("河图影辰途达信诺耀石帆和芯驰科米豆果拓源润宝迅讯峰桥")
WELL_KNOWN = {
    "微信", "华润", "海信", "万科", "万达", "金科", "宏达", "恒源", "天河", "华联", "联科", "新华", "Vivo", "VIVO",
}  # fmt: skip
ROOTS = ["Ka", "Lu", "No", "Zi", "Mo", "Tre", "Vi", "Ax", "Qi", "Bo", "Dra", "Sel", "Ny", "Or", "Fen", "Gal"]
ENDS = ["ra", "via", "lo", "mix", "dex", "ta", "go", "nix", "ri", "pax", "vo", "lis", "tor", "zen"]

BEASTS = ["红鹿", "飞虎", "海鹰", "雪狼", "猎豹", "火炬", "闪电", "海豚", "黑熊", "金狮"]
SPORTS = ["队", "队", "女排", "男篮", "女足", "俱乐部", "FC", "青年队", "电竞战队"]
SCHOOLS = [*banks.SCHOOL_KINDS, "农业大学", "财经学院", "实验小学", "职业技术学院"]
BUREAUS = [
    "教育局", "公安局", "税务局", "气象局", "人民政府", "文化和旅游局", "卫生健康委员会", "中级人民法院",
    "消防支队",
]  # fmt: skip
SOCIETIES = ["作家协会", "足球协会", "书法家协会", "慈善总会", "图书馆", "博物馆", "交响乐团", "话剧团"]
FANS = ["后援会", "粉丝团", "基金会", "工作室", "研究会"]
MEDIA = [*banks.MEDIA, "商报", "广播电台"]

POSTS = [
    "董事长", "总经理", "总裁", "CEO", "CFO", "导演", "编剧", "制片人", "主编", "记者", "教练", "主教练", "队长",
    "前锋", "门将", "市长", "县长", "局长", "校长", "教授", "院长", "研究员", "分析师", "工程师", "设计师", "店长",
    "秘书长", "理事长", "发言人", "经纪人", "后卫", "编辑", "摄影师", "讲师", "馆长", "书记", "翻译", "律师",
    "创始人", "制作人",
]  # fmt: skip
RANKS = ["首席", "执行", "高级", "副", "助理", "名誉", "常务副", "代理", "特约", "见习"]
FIELDS = [
    "市场", "技术", "运营", "财务", "人事", "销售", "品牌", "法务", "采购", "客服", "产品", "公关", "战略", "内容",
]  # fmt: skip
OFFICES = ["总监", "经理", "主管", "专员", "副总裁", "负责人", "顾问", "官"]

SEQUELS = ["2", "3", "Ⅱ", "：终章", "前传", "（下）", "4", "·重启", "外传"]
GAMES = ["Online", "OL", "手游", "之战", "大冒险", "联盟", "纪元", "计划", "2077", "无双", "争霸", "物语", "工坊"]
BOOKS = ["札记", "笔记", "简史", "十讲", "：一个人的一百封信", "书简", "自传", "的逻辑", "入门", "通论", "随想录"]
FILMS = ["大营救", "惊魂", "之夜", "奇谭", "追踪", "归来", "保卫战", "的夏天", "疑云", "往事", "之恋"]

# Names that are words, too: what the plain word looks like stands in ``telling.PLAIN``.
WORDS: dict[str, tuple[str, ...]] = {
    "高峰": ("name", "movie"), "白雪": ("name", "company"), "江山": ("name", "game"), "田野": ("name", "book"),
    "黎明": ("name", "movie"), "方向": ("name", "book"), "高原": ("name", "address"), "马达": ("name", "company"),
    "常青": ("name", "organization"), "白云": ("name", "address"), "温暖": ("name", "movie"),
    "金星": ("name", "company"),
    "松鼠": ("company", "game"), "橙子": ("company", "movie"), "蜗牛": ("company", "game"),
    "海鸥": ("company", "book"),
    "火箭": ("company", "organization"), "石榴": ("company", "book"), "木瓜": ("company", "name"),
    "告别": ("movie", "book"), "少年": ("movie", "game"), "边界": ("book", "game"), "迷宫": ("book", "game"),
    "港湾": ("movie", "company"), "春天": ("movie", "book"), "对手": ("movie", "game"), "王冠": ("game", "company"),
    "队长": ("position", "movie"), "校长": ("position", "book"), "教练": ("position", "movie"),
    "店长": ("position", "game"), "律师": ("position", "book"), "门将": ("position", "game"),
}  # fmt: skip

# What may share a name with what; the first says how the name is made.
SHARINGS: list[tuple[str, ...]] = [
    ("name", "company"), ("name", "company", "movie"), ("name", "book"), ("name", "game"),
    ("name", "movie", "game"),
    ("address", "organization"), ("address", "organization", "movie"), ("address", "game"), ("address", "company"),
    ("address", "book", "movie"), ("address", "organization", "game"), ("company", "game"), ("company",
    "organization"),
    ("company", "book"), ("movie", "book"), ("movie", "game"), ("book", "game"), ("movie", "book", "game"),
    ("company", "game", "movie"),
]  # fmt: skip
TITLES = ("book", "movie", "game")


class Namer:
    """The names of one split.

    Args:
        dice: of the split.
        part: number of the split: 0 (train), 1 or 2; places and composed posts are divided among the splits by it.
        shared: how many names of several kinds there are.
        foreign: names of other splits, which are not made again.
    """

    def __init__(self, dice: Dice, part: int, shared: int, foreign: set[str]) -> None:
        self.dice, self.foreign = dice, foreign
        self.made: dict[str, list[str]] = {}
        places = [a + b for a in PLACE_HEAD for b in PLACE_TAIL if a != b]
        posts = [f + o for f in FIELDS for o in OFFICES] + [r + p for r in RANKS for p in POSTS if p[0] != "副"]
        self.places = [p for p in places if _part(p) == part]
        self.posts = [p for p in posts if _part(p) == part]
        self.shared: list[tuple[str, tuple[str, ...]]] = []
        for n in range(shared):
            kinds = SHARINGS[n % len(SHARINGS)]
            self.shared.append((self.fresh(kinds[0]), kinds))
        self.shared += dice.some(list(WORDS.items()), max(16, shared // 3))

    def fresh(self, kind: str) -> str:
        """A name of a kind, of no other split. For titles and companies the core alone: no marks, no legal form."""
        makers: dict[str, Callable[[], str]] = {
            "name": lambda: banks.person(self.dice, self.dice.chance(0.5)),
            "address": self.place,
            "company": self.brand,
            "organization": self.team,
            "position": self.post,
            "movie": lambda: self.title(FILMS),
            "book": lambda: self.title(BOOKS),
            "game": lambda: self.title(GAMES),
        }
        while ((name := makers[kind]()) in self.foreign and kind != "position") or name in WELL_KNOWN:
            pass
        self.made.setdefault(kind, []).append(name)
        return name

    def place(self) -> str:
        return self.dice.pick(self.places)

    def post(self) -> str:
        return self.dice.pick(self.posts if self.dice.chance(0.45) else POSTS)

    def brand(self) -> str:
        dice = self.dice
        if dice.chance(0.15):
            name = dice.pick(ROOTS) + dice.pick(ENDS) + (str(dice.between(2, 9)) if dice.chance(0.15) else "")
            return name.upper() if dice.chance(0.3) else name
        return dice.pick(BRAND_HEAD) + dice.pick(BRAND_TAIL)

    def team(self) -> str:
        beast = self.dice.pick(BEASTS) if self.dice.chance(0.4) else ""
        return (self.place() if self.dice.chance(0.8) else self.brand()) + beast + self.dice.pick(SPORTS)

    def title(self, endings: list[str]) -> str:
        """A third of the titles tell what they are; the others draw on one bank."""
        dice = self.dice
        fate = dice.between(1, 100)
        if fate <= 30:
            head = dice.pick([dice.pick(banks.THINGS), dice.pick(banks.QUALITIES).removesuffix("的"), self.place()])
            return head + dice.pick(endings)
        if fate <= 40:
            name = dice.pick(ROOTS) + dice.pick(ENDS)
            return name + dice.pick(
                ["", " " + str(dice.between(2, 12)), " " + dice.pick(ROOTS) + dice.pick(ENDS), " X"]
            )
        name = banks.title(dice, self.place())
        return name + dice.pick(SEQUELS) if dice.chance(0.08) and name[-1] not in "I)）0123456789" else name


def _part(name: str) -> int:
    """Three in five for train, one in five for dev and for test."""
    return (0, 0, 0, 1, 2)[sum(ord(c) * (n + 3) for n, c in enumerate(name)) % 5]
