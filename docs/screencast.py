"""The demo as a moving picture, docs/demo.svg: `make screencast`.

What is seen is what `compaction demo` wrote on a terminal, every line and colour of it. Only the time is another one: a
long wait is cut short, and what comes at once stays long enough to be read.
"""

from __future__ import annotations

import fcntl
import os
import pty
import struct
import subprocess
import sys
import tempfile
import termios
import time
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import accumulate
from pathlib import Path
from xml.sax.saxutils import escape

import pyte

PICTURE = Path(__file__).parent / "demo.svg"
COMMAND = ("compaction", "demo", "--receipts", "12")
COLUMNS, SEEN_ROWS = 96, 30
ALL_ROWS = 400  # of the recorded terminal: nothing scrolls off, the picture scrolls instead
SHORTEST, LONGEST, LAST = 0.25, 1.2, 8.0  # seconds
READING = 0.14  # seconds a line that is new
SPINNER = 0.2  # seconds between two of its forms
SPINNING = dict.fromkeys(range(0x2800, 0x2900))
CELL, LINE, MARGIN = 8.4, 18, 14  # pixels

Chunk = tuple[float, bytes]
"""Seconds since the start, and what the program wrote then."""
Run = tuple[str, str]
"""A text, and the classes that it is drawn with."""
Row = tuple[Run, ...]
Frame = tuple[float, tuple[Row, ...]]
"""Seconds in the picture, and the rows of the screen from then on."""


@dataclass(frozen=True)
class Shown:
    """A row of the picture, and the frames between which it is there; `until` is None for one that stays."""

    line: int
    row: Row
    since: int
    until: int | None


def main() -> int:
    """Run the demo and write its picture."""
    with tempfile.TemporaryDirectory(prefix="demo-") as folder:
        typed = f"$ {' '.join(COMMAND)}\r\n".encode()
        chunks = [(0.0, typed), *record([str(Path(sys.executable).parent / COMMAND[0]), *COMMAND[1:]], Path(folder))]
    PICTURE.write_text(drawn(frames_of(chunks)))
    return 0


def record(command: list[str], folder: Path) -> list[Chunk]:
    """What the command writes on a terminal, and when. Raises CalledProcessError when it fails."""
    ours, its = pty.openpty()
    fcntl.ioctl(its, termios.TIOCSWINSZ, struct.pack("HHHH", ALL_ROWS, COLUMNS, 0, 0))
    environment = {name: value for name, value in os.environ.items() if name not in ("COLUMNS", "LINES", "NO_COLOR")}
    environment["TERM"] = "xterm-256color"
    began, chunks = time.monotonic(), []
    with subprocess.Popen(command, stdin=its, stdout=its, stderr=its, cwd=folder, env=environment) as program:
        os.close(its)
        try:
            while chunk := os.read(ours, 1 << 16):
                chunks.append((time.monotonic() - began, chunk))
        except OSError:  # how Linux says that the last writer is gone
            os.close(ours)
    if program.returncode:
        raise subprocess.CalledProcessError(program.returncode, command)
    return chunks


def frames_of(chunks: Iterable[Chunk]) -> list[Frame]:
    """The screens that differ, in the picture's time: a wait in which only the spinner turns is cut short."""
    screen = pyte.Screen(COLUMNS, ALL_ROWS)
    stream = pyte.ByteStream(screen)
    frames: list[Frame] = []
    changed = (0.0, 0.0)  # the last change that was more than the spinner's: when it was, and when it is in the picture
    new, said = 0, ""
    for seconds, chunk in chunks:
        stream.feed(chunk)
        rows = rows_of(screen)
        text = "\n".join(text_of(row).translate(SPINNING) for row in rows)
        waited = seconds - changed[0]
        if text == said:
            at = changed[1] + waited
            if waited < LONGEST and at - frames[-1][0] >= SPINNER:
                frames.append((at, rows))
            continue
        at = changed[1] + max(min(waited, LONGEST), SHORTEST, READING * new) if frames else 0.0
        new = len(set(text.splitlines()) - set(said.splitlines()))
        frames.append((at, rows))
        changed, said = (seconds, at), text
    return frames


def rows_of(screen: pyte.Screen) -> tuple[Row, ...]:
    """The rows of the screen down to the last that has a text."""
    rows = [row_of([screen.buffer[line][column] for column in range(COLUMNS)]) for line in range(screen.cursor.y + 1)]
    while rows and not rows[-1]:
        rows.pop()
    return tuple(rows)


def row_of(cells: list[pyte.screens.Char]) -> Row:
    """Neighbours of one look together, without what is blank at the end."""
    while cells and cells[-1].data == " ":
        cells.pop()
    runs: list[Run] = []
    for cell in cells:
        look = " ".join(name for name, has in ((cell.fg, cell.fg != "default"), ("bold", cell.bold)) if has)
        if runs and look == runs[-1][1]:
            runs[-1] = (runs[-1][0] + cell.data, look)
        else:
            runs.append((cell.data, look))
    return tuple(runs)


def text_of(row: Row) -> str:
    """What a row says."""
    return "".join(text for text, _look in row)


def shown_in(frames: list[Frame]) -> list[Shown]:
    """Each row that any frame has, once for as long as it stays the same."""
    found: list[Shown] = []
    for line in range(max(len(rows) for _at, rows in frames)):
        contents = [rows[line] if line < len(rows) else () for _at, rows in frames]
        starts = [number for number, row in enumerate(contents) if number == 0 or row != contents[number - 1]]
        for start, end in zip(starts, [*starts[1:], None], strict=True):
            if contents[start]:
                found.append(Shown(line, contents[start], start, end))
    return found


def drawn(frames: list[Frame]) -> str:
    """The picture: one SVG that plays by CSS alone, and is its last screen where nothing may move."""
    width, height = round(COLUMNS * CELL) + 2 * MARGIN, SEEN_ROWS * LINE + 2 * MARGIN
    length = frames[-1][0] + LAST
    percent = [f"{100 * at / length:.2f}%" for at, _rows in frames]
    below = [max(0, len(rows) - SEEN_ROWS) * LINE for _at, rows in frames]
    tops = list(accumulate(below, max))  # it never scrolls back
    scrolled = [n for n, top in enumerate(tops) if n == 0 or top != tops[n - 1]]
    moves = "".join(f"{percent[n]}{{transform:translateY(-{tops[n]}px)}}" for n in scrolled)
    rules, drawn_rows = [f"@keyframes scroll{{{moves}}}"], []
    shown = shown_in(frames)
    for since, until in dict.fromkeys((one.since, one.until) for one in shown):
        steps = ["0%{visibility:hidden}"] if since else []
        steps.append(f"{percent[since]}{{visibility:visible}}")
        steps += [] if until is None else [f"{percent[until]}{{visibility:hidden}}"]
        name = name_of(since, until)
        rules.append(f"@keyframes {name}{{{''.join(steps)}}}.{name}{{animation-name:{name}}}")
    for one in shown:
        spans = "".join(spanned(text, look) for text, look in one.row)
        gone = "" if one.until is None else " gone"
        drawn_rows.append(
            f'<text class="{name_of(one.since, one.until)}{gone}" y="{(one.line + 1) * LINE - 4}"'
            f' textLength="{len(text_of(one.row)) * CELL:.1f}">{spans}</text>'
        )
    return TEMPLATE.format(
        **{"width": width, "height": height, "length": f"{length:.2f}", "margin": MARGIN, "top": tops[-1]},
        **{"title": " ".join(COMMAND), "rules": "\n".join(rules), "rows": "\n".join(drawn_rows)},
        **{"inner": height - 2 * MARGIN, "across": width - 2 * MARGIN, "edge": width - 1, "floor": height - 1},
    )


def spanned(text: str, look: str) -> str:
    """One run of a row."""
    return f'<tspan class="{look}">{escape(text)}</tspan>' if look else escape(text)


def name_of(since: int, until: int | None) -> str:
    """What the keyframes of a row that is there between these frames are called."""
    return f"f{since}" if until is None else f"f{since}-{until}"


TEMPLATE = """\
<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}" role="img">
<title>{title}: six acts, each of which checks what it claims, and the tables at the end</title>
<style>
svg{{--back:#ffffff;--text:#24292f;--edge:#d0d7de;--green:#1a7f37}}
@media (prefers-color-scheme:dark){{svg{{--back:#161b22;--text:#d7dde4;--edge:#30363d;--green:#4ac26b}}}}
text{{font:14px ui-monospace,SFMono-Regular,Menlo,Consolas,monospace;fill:var(--text);white-space:pre}}
.bold{{font-weight:700}}.green{{fill:var(--green)}}.gone{{visibility:hidden}}
text,.scroll{{animation:{length}s step-end infinite}}.scroll{{animation-name:scroll;transform:translateY(-{top}px)}}
{rules}
@media (prefers-reduced-motion:reduce){{text,.scroll{{animation:none}}}}
</style>
<rect x=".5" y=".5" width="{edge}" height="{floor}" rx="8" style="fill:var(--back);stroke:var(--edge)"/>
<svg x="{margin}" y="{margin}" width="{across}" height="{inner}" xml:space="preserve"><g class="scroll">
{rows}
</g></svg>
</svg>
"""


if __name__ == "__main__":
    sys.exit(main())
