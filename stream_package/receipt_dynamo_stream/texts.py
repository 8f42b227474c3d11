"""Texts of strangers where a line is a line: logs, mails, messages about what is wrong."""


def one_line(text: str) -> str:
    """The text with what is not printable as escapes: newlines, a terminal's sequences, overrides of the direction."""
    return text if text.isprintable() else "".join(one if one.isprintable() else ascii(one)[1:-1] for one in text)
