"""A Chroma index's pickle, read as data: dicts of texts and numbers, built by hand from the opcodes.

Python's own unpickler makes room for what an opcode says, and runs what it names. Here the memory is a few times the
file's bytes, nothing is imported, and nesting is counted. Before 1.0 chromadb pickled an object of a class of its own:
its state stands for it.
"""

import pickletools
from typing import Any, Final

from receipt_chroma.delta.bounds import MAX_PICKLE_BYTES
from receipt_chroma.errors import DeltaCorrupt, DeltaTooLarge

_VALUES: Final = frozenset(
    ("BINUNICODE", "SHORT_BINUNICODE", "BINUNICODE8", "BININT", "BININT1", "BININT2", "LONG1", "LONG4", "BINFLOAT")
)
_CONSTANTS: Final = {"NONE": None, "NEWTRUE": True, "NEWFALSE": False}
_IGNORED: Final = frozenset(("PROTO", "FRAME"))
_MARK: Final = object()
_NAMED: Final = object()
"""What stands for a class or an object of one: BUILD puts the object's state in its place."""
_MAX_LONG_BYTES: Final = 16


def read_plain_pickle(content: bytes, most: int = MAX_PICKLE_BYTES) -> Any:
    """The value of a pickle that has dicts, tuples, texts and numbers only. Raises DeltaCorrupt, DeltaTooLarge."""
    if len(content) > most:
        raise DeltaTooLarge(f"the index's pickle has {len(content)} bytes, more than {most}")
    try:
        return _read(content)
    except (ValueError, IndexError, KeyError, TypeError, OverflowError) as error:
        raise DeltaCorrupt(f"the index's pickle cannot be read: {type(error).__name__}: {error}") from error


def _read(content: bytes) -> Any:
    stack: list[Any] = []
    memo: dict[int, Any] = {}
    for opcode, argument, _ in pickletools.genops(content):
        name = opcode.name
        if name in _VALUES:
            if isinstance(argument, int) and argument.bit_length() > 8 * _MAX_LONG_BYTES:
                raise ValueError("a number is too large")
            stack.append(argument)
        elif name == "SETITEMS":
            pairs = _popped(stack)
            _fill(stack[-1], pairs)
        elif name == "SETITEM":
            value, key = stack.pop(), stack.pop()
            _fill(stack[-1], [key, value])
        elif name == "MEMOIZE":
            memo[len(memo)] = stack[-1]
        elif name in ("BINPUT", "LONG_BINPUT") and isinstance(argument, int):
            memo[argument] = stack[-1]
        elif name in ("BINGET", "LONG_BINGET") and isinstance(argument, int):
            stack.append(memo[argument])
        elif name in _CONSTANTS:
            stack.append(_CONSTANTS[name])
        elif name == "MARK":
            stack.append(_MARK)
        elif name == "EMPTY_DICT":
            stack.append({})
        elif name == "EMPTY_TUPLE":
            stack.append(())
        elif name == "GLOBAL":
            stack.append(_NAMED)
        elif name in ("STACK_GLOBAL", "NEWOBJ", "REDUCE"):  # of a module and a name, or a class and its arguments
            stack[-2:] = [_NAMED]
        elif name == "BUILD":
            state = stack.pop()
            if stack[-1] is not _NAMED:
                raise ValueError("it gives a state to what is no object")
            stack[-1] = state
        elif name == "STOP":
            (value,) = stack
            return value
        elif name not in _IGNORED:
            raise ValueError(f"it has the opcode {name}, which Chroma does not write")
    raise ValueError("it does not end")


def _popped(stack: list[Any]) -> list[Any]:
    at = len(stack) - 1
    while stack[at] is not _MARK:  # an IndexError where there is none
        at -= 1
    found = stack[at + 1 :]
    del stack[at:]
    return found


def _fill(target: Any, pairs: list[Any]) -> None:
    if not isinstance(target, dict) or len(pairs) % 2:
        raise ValueError("it puts items into what is no dict")
    for key, value in zip(pairs[::2], pairs[1::2], strict=True):
        if type(key) not in (str, int):
            raise ValueError("a key is neither text nor number")
        if isinstance(value, dict) and value is target:
            raise ValueError("a dict is in itself")
        target[key] = value
