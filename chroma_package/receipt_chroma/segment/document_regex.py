"""`$regex` patterns: Rust's, as chromadb has them, said in Python's `re`.

| Pattern | Here |
|---|---|
| literals, `.`, `^`, `$`, alternation, groups (also named) | the same; `$` is the very end |
| `*` `+` `?` `{n}` `{n,}` `{n,m}`, greedy or lazy, up to 100 times | the same |
| `[…]` of characters, ranges and the six classes below | the same |
| `\\d` `\\s` `\\w` `\\D` `\\S` `\\W` `\\b` `\\B` | the same, by Unicode's properties |
| `\\A` `\\z` `\\n` `\\t` `\\r` `\\f` `\\v` `\\a` `\\xHH`, escaped ASCII punctuation | the same |
| `(?i)`, `(?s)`, `(?m)` and combinations, at the very beginning | the same; case by simple folding |
| unbalanced, nothing to repeat, look-around, backreferences, `{2,1}`, `[z-a]` | ValueError: Rust refuses them, too |
| all else: `\\p{…}`, `[[:alpha:]]`, `[a&&b]`, `(?x)`, flags elsewhere, `a**`, … | RegexUnsupported |

Python searches by backtracking: a pattern like `(a+)+$` is slow on long documents, where Rust's is not. Characters
that are newer than this Python's Unicode (14 in 3.11) are no letters to it.
"""

import re
import string
from collections.abc import Callable
from functools import cache
from typing import Final

from receipt_chroma.errors import RegexUnsupported
from receipt_chroma.segment.characters import (
    ASCII,
    UNICODE,
    Ranges,
    characters,
    class_of,
    complement,
    in_any_case,
    perl_class,
)

_FLAGS: Final = re.compile(r"\(\?([ims]+)\)")
_QUANTIFIER: Final = re.compile(r"(?:[*+?]|\{(\d{1,3})(?:,(\d{1,3})?)?\})\??", re.ASCII)
_GROUP: Final = re.compile(r"\((?:\?:|\?P?<([A-Za-z_][A-Za-z0-9_]*)>)?(?!\?)")
_HEX: Final = re.compile(r"\\x([0-9A-Fa-f]{2})")
_CONTROLS: Final = {"n": "\n", "t": "\t", "r": "\r", "f": "\f", "v": "\v", "a": "\a"}
_SET_OPERATIONS: Final = ("[", "&&", "--", "~~")
_MOST_REPEATS: Final = 100


def document_regex(pattern: str) -> Callable[[str], bool]:
    """A function that is true for the documents where Rust finds the pattern. Raises ValueError, RegexUnsupported.

    Most documents are ASCII, and for them every class of the pattern is short: the whole of Unicode's letters takes
    30 ms to compile, and is compiled when a document needs it.
    """
    narrow = _Translation(pattern, ASCII)
    in_ascii = re.compile(narrow.translate())

    @cache
    def in_unicode() -> re.Pattern[str]:
        return re.compile(_Translation(pattern, UNICODE).translate())

    if narrow.found_empty_class:
        in_unicode()  # which refuses the pattern if the class is empty there, too

    def found(document: str) -> bool:
        return (in_ascii if document.isascii() else in_unicode()).search(document) is not None

    return found


class _Translation:
    """One walk over the pattern. What comes out has no flags and no capturing groups."""

    def __init__(self, pattern: str, last: int) -> None:
        self._pattern = pattern
        self._last = last  # the last character that a document may have
        self.found_empty_class = False
        flags = _FLAGS.match(pattern)
        self._flags = flags[1] if flags else ""
        self._position = flags.end() if flags else 0
        self._names: set[str] = set()
        self._open_groups = 0

    def translate(self) -> str:
        result = ""
        repeatable: bool | None = None  # None: there is nothing to repeat; False: Rust could, Python cannot
        while character := self._peek():
            if character in "*+?{":
                result += self._quantifier(repeatable)
                repeatable = False
            else:
                translated, repeatable = self._atom(character)
                result += translated
        if self._open_groups:
            raise self._refused("a group is not closed")
        return result

    def _atom(self, character: str) -> tuple[str, bool | None]:
        """What stands at the position, translated, and whether a quantifier may follow."""
        if character == "(":
            return self._group(), None
        if character == "\\" and (assertion := self._assertion()):
            return assertion, False
        if character == "\\":
            return self._one_of(self._escaped()), True
        self._position += 1
        if character == "[":
            return self._one_of(self._class()), True
        if character == ")":
            self._open_groups -= 1
            if self._open_groups < 0:
                raise self._refused("a group is closed that was not opened")
            return ")", True
        if character == "|":
            return "|", None
        if character == "^":
            return ("(?m:^)" if "m" in self._flags else r"\A"), False
        if character == "$":
            return (r"(?=\n|\Z)" if "m" in self._flags else r"\Z"), False
        if character == ".":
            return ("(?s:.)" if "s" in self._flags else r"[^\n]"), True
        return self._one_of(characters(character)), True

    def _one_of(self, ranges: Ranges) -> str:
        if not ranges and self._last == UNICODE:
            raise self._refused("a class of no characters")
        self.found_empty_class |= not ranges
        return class_of(self._cased(ranges), self._last)

    def _cased(self, ranges: Ranges) -> Ranges:
        return in_any_case(ranges) if "i" in self._flags else ranges

    def _peek(self, ahead: int = 0) -> str:
        return self._pattern[self._position + ahead : self._position + ahead + 1]

    def _refused(self, why: str) -> ValueError:
        return ValueError(f"regex {self._pattern!r}: {why}")

    def _unsupported(self) -> RegexUnsupported:
        rest = self._pattern[self._position : self._position + 20]
        return RegexUnsupported(
            f"regex {self._pattern!r}: fresh records cannot be searched with what begins at {rest!r}"
        )

    def _quantifier(self, repeatable: bool | None) -> str:
        if repeatable is None:
            raise self._refused("there is nothing to repeat")
        found = _QUANTIFIER.match(self._pattern, self._position)
        if not found or not repeatable:
            raise self._unsupported()
        bounds = [int(bound) for bound in found.groups() if bound]
        if bounds != sorted(bounds):
            raise self._refused("a repetition ends before it begins")
        if bounds and bounds[-1] > _MOST_REPEATS:
            raise self._unsupported()
        self._position = found.end()
        return found[0]

    def _group(self) -> str:
        if self._pattern.startswith(("(?=", "(?!", "(?<=", "(?<!"), self._position):
            raise self._refused("look-around")
        found = _GROUP.match(self._pattern, self._position)
        if not found:
            raise self._unsupported()
        if found[1] in self._names:
            raise self._refused("two groups have one name")
        self._names |= {found[1]} - {None}
        self._open_groups += 1
        self._position = found.end()
        return "(?:"

    def _assertion(self) -> str | None:
        name = self._peek(1)
        if name not in ("A", "z", "b", "B") or (name == "b" and self._peek(2) == "{"):
            return None
        self._position += 2
        if name in ("A", "z"):
            return r"\A" if name == "A" else r"\Z"
        word = class_of(perl_class("w", self._last), self._last)
        behind, ahead = (f"(?<!{word})", f"(?={word})"), (f"(?<={word})", f"(?!{word})")
        if name == "b":
            return f"(?:{''.join(behind)}|{''.join(ahead)})"
        return f"(?:{behind[0]}{ahead[1]}|{ahead[0]}{behind[1]})"

    def _escaped(self) -> Ranges:
        """The characters that the escape at the position stands for."""
        name = self._peek(1)
        if not name:
            raise self._refused("it ends with a backslash")
        if name in string.digits:
            raise self._refused("backreferences")
        if found := _HEX.match(self._pattern, self._position):
            self._position = found.end()
            return characters(chr(int(found[1], 16)))
        if name in "dDsSwW":
            self._position += 2
            return perl_class(name, self._last)
        if name in _CONTROLS or (name in string.punctuation + " " and name not in "<>"):
            self._position += 2
            return characters(_CONTROLS.get(name, name))
        raise self._unsupported()

    def _class(self) -> Ranges:
        """The characters of the class whose bracket was just read."""
        negated = self._peek() == "^"
        self._position += negated
        begin, ranges = self._position, list[tuple[int, int]]()
        while self._peek() != "]" or self._position == begin:
            if not self._peek():
                raise self._refused("a class is not closed")
            ranges += self._member(first=self._position == begin)
        self._position += 1
        cased = self._cased(tuple(ranges))
        return complement(cased) if negated else cased

    def _member(self, *, first: bool) -> Ranges:
        """A character, a range, or an escaped class."""
        if self._pattern.startswith(_SET_OPERATIONS, self._position):
            raise self._unsupported()
        if self._peek() == "-" and not first and self._peek(1) != "]":
            raise self._unsupported()
        low = self._character()
        if self._peek() != "-" or self._peek(1) in ("]", ""):
            return low
        if self._pattern.startswith("--", self._position):
            raise self._unsupported()
        self._position += 1
        if self._peek() == "[":
            raise self._unsupported()
        high = self._character()
        if len(low) != 1 or len(high) != 1 or low[0][0] > high[0][0]:
            raise self._refused("a range that is none")
        return ((low[0][0], high[0][0]),)

    def _character(self) -> Ranges:
        if self._peek() == "\\":
            return self._escaped()
        self._position += 1
        return characters(self._pattern[self._position - 1])
