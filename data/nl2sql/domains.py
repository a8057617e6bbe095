"""What the tables are about: invented names, and the columns of each kind of table. A likeness is chance."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import banks
from banks import Dice

TEXT, NUMBER, YEAR, PERCENT = "text", "number", "year", "percent"


@dataclass(frozen=True)
class Column:
    """A column.

    Attributes:
        header: as the table has it.
        make: a cell.
        kind: how questions write its values.
        said: what questions call it; empty: as the header.
        scale, unit: of a number: what it counts in (票房（万元）: 10^4), and the word behind it.
        equal: what questions say before or behind a value of a column of texts: ``{}导演的``.
        key: whether its cells name the rows.
    """

    header: str
    make: Callable[[Dice], str | float]
    kind: str = TEXT
    said: Sequence[str] = ()
    scale: int = 1
    unit: str = ""
    equal: Sequence[str] = ()
    key: bool = False

    @property
    def names(self) -> Sequence[str]:
        return self.said or (self.header,)


@dataclass(frozen=True)
class Domain:
    """A kind of table: what a row is, its measure word, its titles (``{}`` is a place or a year), its columns."""

    thing: str
    measure: str
    titles: Sequence[str]
    columns: Sequence[Column] = field(default_factory=tuple)


def _join(*parts: Sequence[str]) -> Callable[[Dice], str]:
    return lambda dice: "".join(dice.pick(part) for part in parts)


def _of(*items: str) -> Callable[[Dice], str]:
    return lambda dice: dice.pick(items)


def _whole(low: int, high: int, step: int = 1) -> Callable[[Dice], float]:
    return lambda dice: float(step * dice.between(low // step, high // step))


def _tenths(low: int, high: int) -> Callable[[Dice], float]:
    return lambda dice: dice.between(low, high) / 10


def _hundredths(low: int, high: int) -> Callable[[Dice], float]:
    return lambda dice: dice.between(low, high) / 100


HEAD = [*banks.PLACE_HEAD, *"梧榆桐柳兰荷芦苇嘉崇怀武宣通广阳平丰禾"]
CITY = _join(HEAD, banks.PLACE_TAIL, ["市"])
DISTRICT = _join(HEAD, banks.PLACE_TAIL, ["区"])
TITLE = _join(
    [*"晚春秋冬夜雨雪风星海山河灯火雾远归旧长"],
    [*"来归路城歌潮光声舟渡桥岸里人事信梦"],
    ["", "", "记", "行", "之恋", "传"],
)
PERSON = _join(banks.SURNAMES, [*banks.MALE, *banks.FEMALE], ["", *banks.MALE[:12], *banks.FEMALE[:12]])
FIRM = _join(
    [*"星天光瑞鸿启恒卓汇蓝橙智飞微盛联"], [*"河图影辰途达信诺耀石帆和芯驰"],
    ["科技", "传媒", "地产", "食品", "能源", "物流"], ["有限公司", "股份有限公司", "集团"],
)  # fmt: skip
GARDEN = _join(HEAD, [*"悦景和锦澜雅御翠"], ["花园", "苑", "府", "湾", "城", "公馆"])
BRANDS = ("Kavo", "Lumix", "Nori", "Zidex", "Tremo")
MODEL = _join([*"云星锋雅幻极"], [*"影途光翼弦屏"], ["", " "], ["5", "6", "7", "9", "11", "X2", "X3", " Pro", " Max"])
TRAIN = _join(["G", "D", "K", "Z"], [*"123456789"], [*"0123456789"], [*"13579"])
PRESS = _join(HEAD, banks.PLACE_TAIL, ["出版社", "文艺出版社", "大学出版社"])
SPOT = _join(HEAD, ["山", "湖", "岛", "谷", "古镇", "峡"], ["", "风景区", "公园"])
START = _join(HEAD, banks.PLACE_TAIL, ["站", "南站", "西站"])
END = _join(HEAD, banks.PLACE_TAIL, ["站", "北站", "东站"])
TEAM = _join(HEAD, banks.PLACE_TAIL, ["飞虎", "海鹰", "猎豹", "金狮"], ["队"])
SCHOOL = _join(HEAD, banks.PLACE_TAIL, ["中学", "一中", "实验小学", "职业学院", "大学"])


def _day(dice: Dice) -> str:
    return f"{dice.between(2015, 2022)}年{dice.between(1, 12)}月{dice.between(1, 28)}日"


DOMAINS = (
    Domain("影片", "部", ("{}年院线影片", "{}影城排片表"), (
        Column("影片", TITLE, said=("影片", "电影"), key=True),
        Column("导演", PERSON, equal=("{}导演的", "{}执导的", "导演是{}的")),
        Column("类型", _of("喜剧", "悬疑", "动画", "纪录片", "科幻"), equal=("类型是{}的", "属于{}的")),
        Column("票房（万元）", _whole(500, 60000, 100), NUMBER, ("票房",), 10**4, "元"),
        Column("上座率(%)", _whole(5, 90, 5), PERCENT, ("上座率",)),
        Column("上映年份", _whole(2005, 2022), YEAR, ("上映年份", "上映")),
    )),
    Domain("企业", "家", ("{}年企业财务表", "{}企业经营情况"), (
        Column("企业名称", FIRM, said=("企业", "公司"), key=True),
        Column("所在城市", CITY, said=("所在城市", "城市"), equal=("位于{}的", "{}的", "所在城市是{}的")),
        Column("行业", _of("制造业", "零售业", "金融业", "软件业", "物流业"), equal=("{}的", "行业为{}的", "从事{}的")),
        Column("营业收入（亿元）", _tenths(5, 900), NUMBER, ("营业收入", "营收"), 10**8, "元"),
        Column("净利润（万元）", _whole(100, 90000, 50), NUMBER, ("净利润", "利润"), 10**4, "元"),
        Column("员工人数", _whole(50, 20000, 50), NUMBER, ("员工人数", "员工数"), 1, "人"),
        Column("增长率（%）", _tenths(10, 400), PERCENT, ("增长率",)),
    )),
    Domain("楼盘", "个", ("{}商品房成交表", "{}年楼盘价格表"), (
        Column("项目名称", GARDEN, said=("楼盘", "项目"), key=True),
        Column("区域", DISTRICT, equal=("位于{}的", "在{}的", "{}的")),
        Column("开发商", FIRM, equal=("{}开发的", "开发商是{}的")),
        Column("成交均价（元/平方米）", _whole(6000, 90000, 100), NUMBER, ("成交均价", "均价"), 1, "元"),
        Column("成交套数", _whole(1, 300), NUMBER, ("成交套数", "成交量"), 1, "套"),
        Column("容积率", _hundredths(80, 450), NUMBER, ("容积率",)),
        Column("开盘日期", _day, said=("开盘日期", "开盘时间"), equal=("{}开盘的", "开盘日期是{}的")),
    )),
    Domain("图书", "本", ("{}年新书目录", "{}书店畅销榜"), (
        Column("书名", TITLE, said=("书", "图书"), key=True),
        Column("作者", PERSON, equal=("{}写的", "作者是{}的", "{}所著的")),
        Column("出版社", PRESS, equal=("{}出版的", "出版社为{}的")),
        Column("定价(元)", _tenths(150, 1200), NUMBER, ("定价", "价格"), 1, "元"),
        Column("销量（万册）", _tenths(1, 900), NUMBER, ("销量",), 10**4, "册"),
        Column("页数", _whole(90, 900), NUMBER, ("页数",), 1, "页"),
        Column("出版年份", _whole(1995, 2022), YEAR, ("出版年份", "出版")),
    )),
    Domain("景区", "个", ("{}旅游景区名录", "{}年景区客流"), (
        Column("景区", SPOT, said=("景区", "景点"), key=True),
        Column("所在城市", CITY, said=("所在城市", "城市"), equal=("{}的", "位于{}的")),
        Column("等级", _of("3A", "4A", "5A"), said=("等级",), equal=("等级是{}的", "{}级的")),
        Column("门票（元）", _whole(10, 260, 5), NUMBER, ("门票", "票价"), 1, "元"),
        Column("游客（万人次）", _tenths(5, 8000), NUMBER, ("游客", "游客数"), 10**4, "人次"),
        Column("评分", _tenths(30, 50), NUMBER, ("评分",), 1, "分"),
    )),
    Domain("手机", "款", ("{}年手机报价", "{}数码城手机价目"), (
        Column("型号", MODEL, said=("手机", "机型"), key=True),
        Column("品牌", _of(*BRANDS), equal=("{}牌的", "品牌为{}的", "{}品牌的")),
        Column("颜色", _of("黑色", "白色", "雪青", "橙红", "墨绿"), equal=("{}的", "颜色是{}的")),
        Column("售价（元）", _whole(800, 9900, 100), NUMBER, ("售价", "价格"), 1, "元"),
        Column("电池容量", _whole(3000, 6000, 100), NUMBER, ("电池容量", "电池"), 1, "毫安"),
        Column("屏幕尺寸", _tenths(48, 72), NUMBER, ("屏幕尺寸", "屏幕"), 1, "英寸"),
        Column("好评率(%)", _whole(60, 99), PERCENT, ("好评率",)),
    )),
    Domain("城市", "个", ("{}年城市统计", "各地经济数据（{}年）"), (
        Column("城市", CITY, key=True),
        Column("省份", _join(HEAD, ["南", "北", "东", "西"], ["省"]), equal=("属于{}的", "{}的")),
        Column("常住人口（万人）", _whole(20, 2500, 10), NUMBER, ("常住人口", "人口"), 10**4, "人"),
        Column("生产总值（亿元）", _whole(100, 30000, 10), NUMBER, ("生产总值", "GDP"), 10**8, "元"),
        Column("绿化率(%)", _whole(20, 60), PERCENT, ("绿化率",)),
        Column("平均气温", _tenths(20, 260), NUMBER, ("平均气温", "气温"), 1, "度"),
    )),
    Domain("列车", "趟", ("{}站列车时刻", "{}年列车票价"), (
        Column("车次", TRAIN, said=("列车", "车"), key=True),
        Column("始发站", START, equal=("从{}出发的", "始发站是{}的")),
        Column("终点站", END, equal=("开往{}的", "到{}的", "终点站为{}的")),
        Column("里程（公里）", _whole(60, 2400, 10), NUMBER, ("里程",), 1, "公里"),
        Column("票价（元）", _whole(20, 1200, 5), NUMBER, ("票价",), 1, "元"),
        Column("首开日期", _day, said=("首开日期", "首次开行时间"), equal=("{}首开的", "首开日期为{}的")),
    )),
    Domain("球员", "名", ("{}队球员名单", "{}年联赛球员数据"), (
        Column("球员", PERSON, key=True),
        Column("球队", TEAM, equal=("{}的", "效力于{}的")),
        Column("位置", _of("前锋", "中场", "后卫", "门将"), equal=("司职{}的", "位置是{}的", "踢{}的")),
        Column("年龄", _whole(17, 39), NUMBER, ("年龄",), 1, "岁"),
        Column("进球", _whole(0, 32), NUMBER, ("进球", "进球数"), 1, "个"),
        Column("身价（万元）", _whole(50, 9000, 50), NUMBER, ("身价",), 10**4, "元"),
    )),
    Domain("学校", "所", ("{}学校一览", "{}年招生情况"), (
        Column("学校", SCHOOL, key=True),
        Column("所在区", DISTRICT, equal=("{}的", "位于{}的", "在{}的")),
        Column("性质", _of("公办", "民办", "合作办学"), equal=("{}的", "性质为{}的")),
        Column("学生人数", _whole(200, 30000, 100), NUMBER, ("学生人数", "学生"), 1, "人"),
        Column("教师人数", _whole(20, 2000, 10), NUMBER, ("教师人数", "教师"), 1, "人"),
        Column("升学率(%)", _whole(40, 99), PERCENT, ("升学率",)),
        Column("建校年份", _whole(1950, 2018), YEAR, ("建校年份", "建校")),
    )),
)  # fmt: skip
