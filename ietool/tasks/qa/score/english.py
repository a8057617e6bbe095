"""Tokens of what is not Chinese in an answer, as NLTK's ``word_tokenize`` makes them, without its downloads.

``word_tokenize`` splits into sentences by Punkt, whose English statistics are a download, and then into words by rules.
Here Punkt runs with the abbreviations below in place of those statistics. In an answer a sentence seldom ends within a
run of other letters than Chinese ones; where one does, only an abbreviation missing below makes a difference: its dot
stands alone then.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Any

# What no rule of NLTK splits is not worth a second of importing it: whole numbers and words of plain letters.
_PLAIN = re.compile(r"[0-9]+(?:\.[0-9]+)*|[a-z0-9]+")
_SPLIT = frozenset({"cannot", "gimme", "gonna", "gotta", "lemme", "wanna"})
_ABBREVIATIONS = """
    adm ave bros co col corp dr ft gen inc jr lt ltd maj mr mrs ms ph.d prof rev sen sr st vs
    a.d a.m d.c l.a n.y p.m u.k u.n u.s u.s.a u.s.s.r jan feb aug sept oct nov dec
"""


@lru_cache(maxsize=1)
def _nltk() -> tuple[Any, Any]:
    from nltk.tokenize.destructive import NLTKWordTokenizer
    from nltk.tokenize.punkt import PunktParameters, PunktSentenceTokenizer

    parameters = PunktParameters()
    parameters.abbrev_types = set(_ABBREVIATIONS.split())
    return PunktSentenceTokenizer(parameters), NLTKWordTokenizer()


@lru_cache(maxsize=1 << 16)
def word_tokenize(text: str) -> tuple[str, ...]:
    """The tokens of a lower-cased text."""
    if _PLAIN.fullmatch(text) and text not in _SPLIT:
        return (text,)
    sentences, words = _nltk()
    return tuple(token for sentence in sentences.tokenize(text) for token in words.tokenize(sentence))
