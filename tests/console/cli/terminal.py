"""A terminal that answers."""

from io import StringIO


class Terminal(StringIO):
    def isatty(self) -> bool:
        return True
