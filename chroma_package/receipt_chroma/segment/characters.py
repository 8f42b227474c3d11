"""Sets of characters as Rust's patterns mean them, as ranges of code points, and as a class of a Python pattern."""

import sys
import unicodedata
from collections import defaultdict
from collections.abc import Iterable
from functools import cache
from itertools import pairwise
from typing import Final

Ranges = tuple[tuple[int, int], ...]
"""First and last code point of each range, in any order; they may overlap."""

_LAST: Final = sys.maxunicode
_CASED_UNTIL: Final = 0x1E944
"""Behind it no character has another case."""

_SPACES: Final = (
    *((0x09, 0x0D), (0x20, 0x20), (0x85, 0x85), (0xA0, 0xA0), (0x1680, 0x1680)),
    *((0x2000, 0x200A), (0x2028, 0x2029), (0x202F, 0x202F), (0x205F, 0x205F), (0x3000, 0x3000)),
)
_JOIN_CONTROLS: Final = ((0x200C, 0x200D),)
_EQUAL_SINCE_UNICODE_15: Final = ("\u0390\u1fd3", "\u03b0\u1fe3", "\ufb05\ufb06")
_OTHER_ALPHABETIC: Final = ((0x24B6, 0x24E9), (0x1F130, 0x1F149), (0x1F150, 0x1F169), (0x1F170, 0x1F189))
"""Letters that Unicode's categories call symbols: the circled and squared ones."""


@cache
def perl_class(name: str) -> Ranges:
    r"""What \d, \s, \w and their negations \D, \S, \W match."""
    if name.isupper():
        return complement(perl_class(name.lower()))
    if name == "s":
        return _SPACES
    categories = {"Nd"} if name == "d" else {"Nd", "Nl", "Pc", "Lu", "Ll", "Lt", "Lm", "Lo", "Mn", "Mc", "Me"}
    found = [code for code in range(_LAST + 1) if unicodedata.category(chr(code)) in categories]
    if name == "d":
        return _merged((code, code) for code in found)
    return _merged([*((code, code) for code in found), *_JOIN_CONTROLS, *_OTHER_ALPHABETIC])


def characters(text: str) -> Ranges:
    """Exactly these characters."""
    return tuple((ord(one), ord(one)) for one in text)


def complement(ranges: Ranges) -> Ranges:
    """All other characters."""
    borders = [(-1, -1), *_merged(ranges), (_LAST + 1, _LAST + 1)]
    return tuple((last + 1, first - 1) for (_, last), (first, _) in pairwise(borders) if last + 1 < first)


def in_any_case(ranges: Ranges) -> Ranges:
    """These characters and those that simple case folding makes equal to one of them."""
    more = [
        (ord(other), ord(other))
        for code, others in _case_variants().items()
        if any(first <= code <= last for first, last in ranges)
        for other in others
    ]
    return _merged([*ranges, *more])


def class_of(ranges: Ranges) -> str:
    """A Python pattern that matches one of these characters; there is at least one."""
    return "[" + "".join(f"\\U{first:08x}-\\U{last:08x}" for first, last in ranges) + "]"


@cache
def _case_variants() -> dict[int, str]:
    equal: defaultdict[str, str] = defaultdict(str)
    for code in range(_CASED_UNTIL):
        character = chr(code)
        folds = [fold for fold in (character.casefold(), character.lower(), character) if len(fold) == 1]
        equal[folds[0]] += character
    groups = [*_EQUAL_SINCE_UNICODE_15, *(group for group in equal.values() if len(group) > 1)]
    return {ord(character): group for group in groups for character in group}


def _merged(ranges: Iterable[tuple[int, int]]) -> Ranges:
    merged: list[tuple[int, int]] = []
    for first, last in sorted(ranges):
        if merged and first <= merged[-1][1] + 1:
            merged[-1] = (merged[-1][0], max(last, merged[-1][1]))
        else:
            merged.append((first, last))
    return tuple(merged)
