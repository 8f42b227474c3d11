"""Sets of characters as Rust's patterns mean them, as ranges of code points, and as a class of a Python pattern."""

import re
import sys
import unicodedata
from collections import defaultdict
from collections.abc import Iterable
from functools import cache
from itertools import chain, pairwise
from typing import Final

Ranges = tuple[tuple[int, int], ...]
"""First and last code point of each range, in any order; they may overlap."""

ASCII: Final = 0x7F
UNICODE: Final = sys.maxunicode
_CASED_UNTIL: Final = 0x1E944
"""Behind it no character has another case."""

_ASSIGNED: Final = (range(0x33480), range(0xE0000, 0xE0200))
"""Planes 4 to 13 are empty, 15 and 16 private."""

_WORD: Final = frozenset({"Nd", "Nl", "Pc", "Lu", "Ll", "Lt", "Lm", "Lo", "Mn", "Mc", "Me"})
_SPACES: Final = (
    *((0x09, 0x0D), (0x20, 0x20), (0x85, 0x85), (0xA0, 0xA0), (0x1680, 0x1680)),
    *((0x2000, 0x200A), (0x2028, 0x2029), (0x202F, 0x202F), (0x205F, 0x205F), (0x3000, 0x3000)),
)
_JOIN_CONTROLS: Final = ((0x200C, 0x200D),)
_OTHER_ALPHABETIC: Final = ((0x24B6, 0x24E9), (0x1F130, 0x1F149), (0x1F150, 0x1F169), (0x1F170, 0x1F189))
"""Letters that Unicode's categories call symbols: the circled and squared ones."""

_EQUAL_SINCE_UNICODE_15: Final = ("\u0390\u1fd3", "\u03b0\u1fe3", "\ufb05\ufb06")


@cache
def perl_class(name: str, last: int) -> Ranges:
    r"""What \d, \s and \w match up to the character `last` (ASCII or UNICODE), and all that \D, \S and \W match."""
    if name.isupper():
        return complement(perl_class(name.lower(), last))
    if name == "s":
        return _SPACES
    categories = _WORD if name == "w" else {"Nd"}
    codes = range(last + 1) if last == ASCII else chain(*_ASSIGNED)
    found = [(code, code) for code in codes if unicodedata.category(chr(code)) in categories]
    return _merged(found if name == "d" or last == ASCII else [*found, *_JOIN_CONTROLS, *_OTHER_ALPHABETIC])


def characters(text: str) -> Ranges:
    """Exactly these characters."""
    return tuple((ord(one), ord(one)) for one in text)


def complement(ranges: Ranges) -> Ranges:
    """All other characters."""
    borders = [(-1, -1), *_merged(ranges), (UNICODE + 1, UNICODE + 1)]
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


def class_of(ranges: Ranges, last: int) -> str:
    """A Python pattern that matches one of these characters up to `last`; where there is none, nothing."""
    clipped = [(low, min(high, last)) for low, high in ranges if low <= last]
    if not clipped:
        return "(?:(?!))"
    if len(clipped) == 1 and clipped[0][0] == clipped[0][1]:
        return re.escape(chr(clipped[0][0]))
    return "[" + "".join(f"{_literal(low)}-{_literal(high)}" for low, high in clipped) + "]"


def _literal(code: int) -> str:
    return f"\\x{code:02x}" if code <= ASCII else chr(code)  # Python reads an escape four times as slowly


@cache
def _case_variants() -> dict[int, str]:
    equal: defaultdict[str, str] = defaultdict(str)
    for code in range(_CASED_UNTIL):
        character = chr(code)
        lower = character.lower()
        if lower != character.upper():
            folds = [fold for fold in (character.casefold(), lower, character) if len(fold) == 1]
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
