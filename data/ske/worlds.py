"""Fact tables: a world of invented people, films, songs, books and companies, and what holds between them.

A record is a dict of fields; a field is a name or a list of names. ``RELATIONS`` says which two fields make a triple:
a sentence that mentions both fields states the triple (see ``patterns.py``), for lists each with each.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import banks
from banks import Dice

Record = Mapping[str, str | list[str]]

# (subject field, predicate, object field, {further slot: field}); a further slot is filled if its field is mentioned.
RELATIONS: list[tuple[str, str, str, dict[str, str]]] = [
    ("film", "导演", "director", {}),
    ("film", "导演", "director1", {}),
    ("film", "主演", "actor", {}),
    ("film", "主演", "actor1", {}),
    ("film", "导演", "auteur", {}),
    ("film", "主演", "auteur", {}),
    ("film", "出品公司", "company", {}),
    ("film", "上映时间", "date", {"inArea": "area"}),
    ("film", "上映时间", "date2", {"inArea": "area2"}),
    ("actor1", "饰演", "role1", {"inWork": "film"}),
    ("cast1", "饰演", "part1", {"inWork": "film"}),
    ("cast2", "饰演", "part2", {"inWork": "film"}),
    ("director1", "毕业院校", "dschool", {}),
    ("director1", "妻子", "dwife", {}),
    ("dwife", "丈夫", "director1", {}),
    ("actor1", "毕业院校", "aschool", {}),
    ("book", "作者", "author", {}),
    ("book", "作者", "author1", {}),
    ("book", "出版社", "press", {}),
    ("author1", "毕业院校", "wschool", {}),
    ("song", "歌手", "singer", {}),
    ("song", "作词", "lyricist", {}),
    ("song", "作曲", "composer", {}),
    ("song", "作词", "both", {}),
    ("song", "作曲", "both", {}),
    ("song", "歌手", "maker", {}),
    ("song", "作词", "maker", {}),
    ("song", "作曲", "maker", {}),
    ("song", "所属专辑", "album", {}),
    ("songs", "歌手", "singer", {}),
    ("songs", "所属专辑", "album", {}),
    ("husband", "妻子", "wife", {}),
    ("wife", "丈夫", "husband", {}),
    ("husband", "毕业院校", "hschool", {}),
    ("wife", "毕业院校", "wifeschool", {}),
    ("people", "毕业院校", "school", {}),
    ("person", "毕业院校", "school", {}),
    ("films", "导演", "person", {}),
    ("played", "主演", "person", {}),
    ("books", "作者", "person", {}),
    ("joint", "导演", "duo", {}),
    ("joint", "主演", "stars", {}),
    ("winner", "获奖", "award", {"inWork": "work", "onDate": "year", "period": "period"}),
    ("winner", "获奖", "award2", {"inWork": "work2", "onDate": "year2"}),
    ("firm", "成立日期", "founded", {}),
    ("firm", "总部地点", "seat", {}),
    ("films", "出品公司", "firm", {}),
    ("academy", "成立日期", "opened", {}),
]

TYPES = {
    "导演": ("影视作品", {"@value": "人物"}),
    "主演": ("影视作品", {"@value": "人物"}),
    "饰演": ("人物", {"@value": "人物", "inWork": "影视作品"}),
    "出品公司": ("影视作品", {"@value": "企业"}),
    "上映时间": ("影视作品", {"@value": "Date", "inArea": "地点"}),
    "作者": ("图书作品", {"@value": "人物"}),
    "出版社": ("图书作品", {"@value": "出版社"}),
    "歌手": ("歌曲", {"@value": "人物"}),
    "作词": ("歌曲", {"@value": "人物"}),
    "作曲": ("歌曲", {"@value": "人物"}),
    "所属专辑": ("歌曲", {"@value": "音乐专辑"}),
    "丈夫": ("人物", {"@value": "人物"}),
    "妻子": ("人物", {"@value": "人物"}),
    "毕业院校": ("人物", {"@value": "学校"}),
    "获奖": ("人物", {"@value": "奖项", "inWork": "作品", "onDate": "Date", "period": "Number"}),
    "成立日期": ("机构", {"@value": "Date"}),
    "总部地点": ("企业", {"@value": "地点"}),
}


class World:
    """The tables of one split. Names that ``others`` hold are avoided: only worlds that share on purpose meet."""

    def __init__(self, dice: Dice, scale: int, others: set[str]) -> None:
        self.dice, self._others, self.names = dice, others, set[str]()
        self.places = [self._new(lambda: banks.place(dice)) for _ in range(scale // 3)]
        self.schools = [self._new(lambda: banks.school(dice, self.place())) for _ in range(scale // 2)]
        self.men = [self._new(lambda: banks.person(dice, True)) for _ in range(scale * 2)]
        self.women = [self._new(lambda: banks.person(dice, False)) for _ in range(scale * 2)]
        self.wife_of = dict(zip(self.men[: scale // 2], self.women[: scale // 2], strict=True))
        self.school_of = {name: dice.pick(self.schools) for name in self.men + self.women}
        self.studios = [self._new(lambda: banks.company(dice, self.place(), True)) for _ in range(scale // 2)]
        self.tables: dict[str, list[Record]] = {
            "film": [self._film() for _ in range(scale)],
            "book": [self._book() for _ in range(scale // 2)],
            "song": [self._song() for _ in range(scale * 2 // 3)],
            "couple": [self._couple() for _ in range(scale // 2)],
            "person": [self._person() for _ in range(scale // 2)],
            "award": [self._award() for _ in range(scale // 2)],
            "firm": [self._firm() for _ in range(scale // 2)],
            "empty": [{} for _ in range(scale)],
        }

    def place(self) -> str:
        return self.dice.pick(self.places)

    def _new(self, make: Callable[[], str]) -> str:
        for _ in range(1000):
            name = make()
            if name not in self.names and name not in self._others:
                self.names.add(name)
                return name
        raise RuntimeError("the bank is exhausted")

    def anyone(self) -> str:
        return self.dice.pick(self.men if self.dice.chance(0.5) else self.women)

    def _people(self, low: int, high: int) -> list[str]:
        return self.dice.some(self.men + self.women, self.dice.between(low, high))

    def title(self) -> str:
        return self._new(lambda: banks.title(self.dice, self.place()))

    def _film(self) -> Record:
        dice, cast = self.dice, self._people(5, 8)
        record: dict[str, str | list[str]] = {"film": self.title(), "area": dice.pick(banks.AREAS)}
        if dice.chance(0.12):
            record["auteur"] = cast.pop()
        else:
            record["director"] = [dice.pick(list(self.wife_of))] if dice.chance(0.3) else cast[5:6] or [self.anyone()]
            if dice.chance(0.12):
                record["director"] = self._people(2, 2)
            record["director1"] = record["director"][0]
            record["dschool"] = self.school_of[record["director1"]]
            if record["director1"] in self.wife_of:
                record["dwife"] = self.wife_of[record["director1"]]
        count = dice.between(1, 4)
        record |= {"actor": cast[:count], "actor1": cast[0], "aschool": self.school_of[cast[0]]}
        record["role1"] = banks.role(dice)
        record |= {"cast1": cast[0], "part1": record["role1"], "cast2": cast[-1], "part2": banks.role(dice)}
        record["company"] = dice.some(self.studios, 1 if dice.chance(0.75) else 2)
        year = str(dice.between(1990, 2019))
        record["date"] = f"{year}年{dice.between(1, 12)}月{dice.between(1, 28)}日"
        record["date2"] = f"{year}年{dice.between(1, 12)}月"
        area = str(record["area"])
        record["area2"] = dice.pick([a for a in banks.AREAS if a not in area and area not in a])
        return record

    def _book(self) -> Record:
        dice, author = self.dice, self._people(1, 1 if self.dice.chance(0.75) else 3)
        school = self.school_of[author[0]]
        press = (school if dice.chance(0.3) else self.place()) + dice.pick(banks.PRESS_KINDS)
        if press.startswith(school):
            press = school + "出版社"  # the nest: place, its school, the school's press
        return {"book": self.title(), "author": author, "author1": author[0], "wschool": school, "press": press}

    def _song(self) -> Record:
        dice, titles = self.dice, [self.title() for _ in range(3)]
        album = titles[0] if dice.chance(0.08) else self.title()
        record: dict[str, str | list[str]] = {"song": titles[0], "songs": titles[: dice.between(2, 3)], "album": album}
        singer = self._people(1, 1 if dice.chance(0.8) else 2)
        if dice.chance(0.2):
            record["maker"] = singer[0]
            return record
        record["singer"] = singer
        if dice.chance(0.3):
            record["both"] = singer[0] if dice.chance(0.3) else self.anyone()
        else:
            record |= {"lyricist": self._people(1, 1 if dice.chance(0.85) else 2), "composer": self.anyone()}
        return record

    def _couple(self) -> Record:
        husband = self.dice.pick(list(self.wife_of))
        wife = self.wife_of[husband]
        schools = {"hschool": self.school_of[husband], "wifeschool": self.school_of[wife]}
        return {"husband": husband, "wife": wife, **schools}

    def _person(self) -> Record:
        name, school = self.anyone(), self.dice.pick(self.schools)
        works = [self.title() for _ in range(self.dice.between(1, 3))]
        record: dict[str, str | list[str]] = {"person": name, "school": school, "people": self._people(2, 3)}
        record[self.dice.pick(["films", "played", "books"])] = works
        record |= {"joint": [self.title(), self.title()], self.dice.pick(["duo", "stars"]): self._people(2, 2)}
        return record

    def _award(self) -> Record:
        dice = self.dice
        years = sorted(dice.between(1980, 2019) for _ in range(2))
        return {
            "winner": self.anyone(), "award": banks.award(dice), "award2": banks.award(dice), "work": self.title(),
            "work2": self.title(), "year": f"{years[0]}年", "year2": f"{years[1]}年",
            "period": str(dice.between(2, 39)),
        }  # fmt: skip

    def _firm(self) -> Record:
        dice, city = self.dice, self.place()
        firm = self._new(lambda: banks.company(dice, city, False))
        record: dict[str, str | list[str]] = {"firm": firm, "founded": banks.date(dice), "seat": city}
        if any(kind in firm for kind in ("影", "娱乐", "传媒")):
            record["films"] = [self.title() for _ in range(dice.between(1, 3))]
        return record | {"academy": dice.pick(self.schools), "opened": banks.date(dice)}
