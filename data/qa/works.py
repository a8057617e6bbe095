"""How films, books, songs and people are asked about and told of.

A field of a kind has a label, the type of its value (``facts.py`` draws it), questions, sentences, and questions the
other way round, whose answer is the thing itself. ``{S}`` is the thing, ``{v}`` the value. What starts with ``!`` comes
in the test file only. A sentence that starts with ``{S}`` may follow another one about the same thing; see
``generate.py``.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple


class Field(NamedTuple):
    """A field of a kind: how it is called, asked for, told, and asked from."""

    label: str
    type: str
    asks: list[str]
    tells: list[str]
    backs: Sequence[str] = ()


class Kind(NamedTuple):
    """A kind of thing: what stands for its name, opening words for it, and its fields."""

    stand_ins: list[str]
    opening: list[str]
    fields: dict[str, Field]
    marked: bool = False


FILM = Kind(
    ["该片", "影片", "这部电影"],
    ["电影", "影片", "故事片", "国产电影", ""],
    {
        "director": Field(
            "导演",
            "person",
            ["{S}的导演是谁", "{S}是谁导演的", "谁执导了{S}", "{S}是哪位导演拍的", "!{S}由谁执导"],
            [
                "{S}由{v}执导",
                "{S}的导演是{v}",
                "{S}由{v}担任导演",
                "{v}执导了{S}",
                "{S}是{v}导演的作品",
                "!{S}由{v}导演",
            ],
            ["{v}导演过哪部电影", "{v}执导的电影叫什么", "!哪部电影是{v}导演的"],
        ),
        "star": Field(
            "主演",
            "person",
            ["{S}的主演是谁", "谁主演了{S}", "{S}是谁主演的", "!{S}由谁主演"],
            ["{S}由{v}主演", "{S}由{v}领衔主演", "{v}主演了{S}", "{S}的主演是{v}", "!{S}是{v}主演的作品"],
            ["{v}主演过哪部电影", "{v}主演的电影叫什么"],
        ),
        "writer": Field(
            "编剧",
            "person",
            ["{S}的编剧是谁", "{S}是谁编剧的", "谁写了{S}的剧本", "!{S}由谁编剧"],
            ["{S}由{v}编剧", "{S}的编剧是{v}", "{v}写了{S}的剧本", "{S}的剧本出自{v}"],
        ),
        "studio": Field(
            "出品公司",
            "studio",
            ["{S}是哪家公司出品的", "{S}的出品公司是哪家", "哪家公司出品了{S}", "!{S}由哪家公司出品"],
            ["{S}由{v}出品", "{S}的出品公司是{v}", "{v}出品了{S}", "{S}是{v}出品的"],
        ),
        "date": Field(
            "上映日期",
            "date",
            ["{S}什么时候上映", "{S}的上映日期是哪天", "{S}是哪天上映的", "!{S}何时上映"],
            ["{S}于{v}上映", "{S}的上映日期是{v}", "{S}在{v}全国上映", "{v}，{S}在各地上映"],
        ),
        "place": Field(
            "取景地",
            "place",
            ["{S}是在哪里取景的", "{S}的取景地是哪里", "{S}在什么地方拍摄", "!{S}在哪儿拍的"],
            ["{S}在{v}取景", "{S}的取景地是{v}", "{S}主要在{v}拍摄", "剧组在{v}拍摄了{S}"],
        ),
        "minutes": Field(
            "片长",
            "minutes",
            ["{S}有多长", "{S}的片长是多少", "{S}片长多少分钟", "!{S}要看多久"],
            ["{S}片长{v}", "{S}的片长是{v}", "{S}全长{v}"],
        ),
        "gross": Field(
            "票房",
            "money",
            ["{S}的票房是多少", "{S}票房有多少", "{S}拿下了多少票房", "!{S}卖了多少票房"],
            ["{S}的票房是{v}", "{S}票房达到{v}", "{S}拿下{v}的票房", "!{S}收获{v}票房"],
        ),
    },
    marked=True,
)

BOOK = Kind(
    ["该书", "这本书", "全书"],
    ["小说", "长篇小说", "图书", "畅销书", ""],
    {
        "author": Field(
            "作者",
            "person",
            ["{S}的作者是谁", "{S}是谁写的", "谁写了{S}", "!{S}是哪位作家的作品"],
            ["{S}的作者是{v}", "{S}是{v}写的", "{S}是作家{v}的作品", "{v}写了{S}", "{S}，{v}著", "!作家{v}著有{S}"],
            ["{v}写过哪本书", "{v}写的小说叫什么", "!哪本书是{v}写的"],
        ),
        "translator": Field(
            "译者",
            "person",
            ["{S}的译者是谁", "{S}是谁翻译的", "谁翻译了{S}", "!{S}由谁翻译"],
            ["{S}由{v}翻译", "{S}的译者是{v}", "{v}翻译了{S}", "{S}是{v}翻译的"],
        ),
        "press": Field(
            "出版社",
            "press",
            ["{S}是哪家出版社出版的", "{S}的出版社是哪家", "哪家出版社出版了{S}", "!{S}由哪家出版社出版"],
            ["{S}由{v}出版", "{S}的出版社是{v}", "{v}出版了{S}", "{S}由{v}出版发行"],
        ),
        "year": Field(
            "出版时间",
            "month",
            ["{S}是什么时候出版的", "{S}的出版时间是什么时候", "{S}哪年出版", "!{S}何时出版"],
            ["{S}于{v}出版", "{S}的出版时间是{v}", "{S}在{v}出版", "{v}，{S}出版"],
        ),
        "hero": Field(
            "主人公",
            "role",
            ["{S}的主人公叫什么", "{S}的主人公是谁", "{S}里的主人公叫什么名字", "!谁是{S}的主人公"],
            ["{S}的主人公是{v}", "{S}讲述了主人公{v}的故事", "{v}是{S}的主人公", "{S}的主人公名叫{v}"],
        ),
        "pages": Field(
            "页数",
            "pages",
            ["{S}有多少页", "{S}的页数是多少", "{S}一共几页", "!{S}总共有多少页"],
            ["{S}共{v}", "{S}的页数是{v}", "{S}一共{v}", "{S}全本{v}"],
        ),
    },
    marked=True,
)

SONG = Kind(
    ["这首歌", "歌曲", "该曲"],
    ["歌曲", "单曲", "金曲", ""],
    {
        "singer": Field(
            "歌手",
            "person",
            ["{S}是谁唱的", "{S}的歌手是谁", "谁演唱了{S}", "{S}的演唱者是谁", "!{S}由谁演唱"],
            ["{S}由{v}演唱", "{S}的歌手是{v}", "{v}演唱了{S}", "{S}是{v}唱的", "{S}是歌手{v}演唱的"],
            ["{v}唱过哪首歌", "{v}演唱的歌叫什么", "!哪首歌是{v}唱的"],
        ),
        "lyricist": Field(
            "作词",
            "person",
            ["{S}是谁作词的", "{S}的作词人是谁", "谁给{S}作词", "{S}的歌词是谁写的", "!{S}由谁填词"],
            ["{S}由{v}作词", "{S}的作词人是{v}", "{v}为{S}作词", "{S}的歌词是{v}写的", "!{S}由{v}填词"],
        ),
        "composer": Field(
            "作曲",
            "person",
            ["{S}是谁作曲的", "{S}的作曲人是谁", "谁给{S}作曲", "{S}的曲子是谁写的", "!{S}由谁谱曲"],
            ["{S}由{v}作曲", "{S}的作曲人是{v}", "{v}为{S}作曲", "{S}的曲子是{v}写的", "!{S}由{v}谱曲"],
        ),
        "album": Field(
            "所属专辑",
            "title",
            ["{S}是哪张专辑里的歌", "{S}收录在哪张专辑", "{S}的所属专辑是什么", "!哪张专辑收录了{S}"],
            ["{S}收录在专辑《{v}》里", "{S}的所属专辑是《{v}》", "{S}是专辑《{v}》里的歌", "专辑《{v}》收录了{S}"],
        ),
        "date": Field(
            "发行日期",
            "date",
            ["{S}什么时候发行", "{S}的发行日期是哪天", "{S}是哪天发行的", "!{S}何时发行"],
            ["{S}于{v}发行", "{S}的发行日期是{v}", "{S}在{v}发行", "{v}，{S}发行"],
        ),
    },
    marked=True,
)

PERSON = Kind(
    ["此人", "这个人", "这位名人"],
    ["演员", "歌手", "作家", "主持人", "画家", ""],
    {
        "birthplace": Field(
            "出生地",
            "place",
            ["{S}出生在哪里", "{S}的出生地是哪里", "{S}是哪里人", "!{S}生于何地"],
            ["{S}出生在{v}", "{S}的出生地是{v}", "{S}是{v}人", "{S}出生于{v}"],
        ),
        "home": Field(
            "现居地",
            "place",
            ["{S}现在住在哪里", "{S}的现居地是哪里", "{S}定居在哪里", "!{S}在哪儿定居"],
            ["{S}现在住在{v}", "{S}的现居地是{v}", "{S}后来定居{v}", "{S}如今定居在{v}"],
        ),
        "born": Field(
            "出生日期",
            "date",
            ["{S}是哪天出生的", "{S}的出生日期是哪天", "{S}的生日是什么时候", "!{S}生于何时"],
            ["{S}出生于{v}", "{S}的出生日期是{v}", "{S}的生日是{v}", "{S}{v}出生"],
        ),
        "school": Field(
            "毕业院校",
            "school",
            ["{S}是哪个学校毕业的", "{S}的毕业院校是哪所", "{S}毕业于哪里", "!{S}在哪所学校读书"],
            ["{S}毕业于{v}", "{S}的毕业院校是{v}", "{S}从{v}毕业", "{S}在{v}读书"],
        ),
        "spouse": Field(
            "配偶",
            "person",
            ["{S}的配偶是谁", "{S}和谁结婚了", "{S}的爱人是谁", "!{S}跟谁结了婚"],
            ["{S}的配偶是{v}", "{S}和{v}结婚", "{S}的爱人是{v}", "{S}与{v}结婚"],
        ),
        "teacher": Field(
            "老师",
            "person",
            ["{S}的老师是谁", "{S}拜谁为师", "谁是{S}的老师", "!{S}师从谁"],
            ["{S}的老师是{v}", "{S}拜{v}为师", "{v}是{S}的老师", "{S}师从{v}"],
        ),
        "debut": Field(
            "成名作",
            "title",
            ["{S}的成名作是什么", "{S}因哪部作品成名", "{S}凭什么作品成名", "!哪部作品让{S}成名"],
            ["{S}的成名作是《{v}》", "{S}因《{v}》成名", "{S}凭作品《{v}》成名", "《{v}》让{S}成名"],
            ["因《{v}》成名的是谁", "谁的成名作是《{v}》"],
        ),
        "height": Field(
            "身高",
            "height",
            ["{S}身高多少", "{S}的身高是多少", "{S}有多高", "!{S}个子多高"],
            ["{S}身高{v}", "{S}的身高是{v}", "{S}有{v}高"],
        ),
    },
)
