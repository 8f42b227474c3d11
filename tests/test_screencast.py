"""The moving picture of the demo: what the terminal said, in a time that a person can follow."""

import re
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest

from docs.screencast import COMMAND, LAST, LONGEST, PICTURE, SHORTEST, drawn, frames_of, record, text_of

SVG = "{http://www.w3.org/2000/svg}"


def lines_of(svg: str) -> dict[str, str]:
    """The class of each text that the picture has."""
    return {"".join(text.itertext()): text.get("class", "") for text in ElementTree.fromstring(svg).iter(f"{SVG}text")}


def test_a_picture_is_its_last_screen_where_nothing_moves() -> None:
    chunks = [(0.0, b"first\r\n"), (1.0, b"waiting"), (2.0, b"\r\x1b[2Kdone <&>\r\n")]
    lines = lines_of(drawn(frames_of(chunks)))
    assert {line: "gone" in look for line, look in lines.items()} == {
        "first": False,
        "waiting": True,
        "done <&>": False,
    }


def test_a_line_is_there_from_when_it_was_written_until_it_was_overwritten() -> None:
    frames = frames_of([(0.0, b"first\r\n"), (1.0, b"waiting"), (2.0, b"\r\x1b[2Kdone\r\n")])
    assert [(at, [text_of(row) for row in rows]) for at, rows in frames] == [
        (0.0, ["first"]),
        (1.0, ["first", "waiting"]),
        (2.0, ["first", "done"]),
    ]
    svg = drawn(frames)
    name = lines_of(svg)["waiting"].split()[0]
    length = 2.0 + LAST
    steps = f"0%{{visibility:hidden}}{100 / length:.2f}%{{visibility:visible}}{200 / length:.2f}%{{visibility:hidden}}"
    assert f"@keyframes {name}{{{steps}}}" in svg


def test_a_wait_in_which_only_the_spinner_turns_is_cut_short() -> None:
    turns = [(second / 10, f"\r{'⠋⠙⠹'[second % 3]} waiting".encode()) for second in range(600)]
    frames = frames_of([*turns, (60.0, b"\r\x1b[2Kdone\r\n")])
    assert frames[-1][0] == pytest.approx(LONGEST)
    assert 3 < len(frames) < 10


def test_what_comes_at_once_stays_long_enough_to_be_read() -> None:
    table = "".join(f"row {number}\r\n" for number in range(20)).encode()
    begun, shown, ended = frames_of([(0.0, b"$ demo\r\n"), (0.01, table), (0.02, b"end\r\n")])
    assert shown[0] - begun[0] >= SHORTEST
    assert ended[0] - shown[0] > 2.0


def test_the_recorder_sees_a_terminal_and_refuses_a_program_that_fails(tmp_path: Path) -> None:
    program = "import os, sys; print(sys.stdout.isatty(), os.getcwd(), flush=True); sys.exit(len(sys.argv) - 1)"
    said = b"".join(chunk for _seconds, chunk in record([sys.executable, "-c", program], tmp_path))
    assert said.decode().split() == ["True", str(tmp_path)]
    with pytest.raises(subprocess.CalledProcessError):
        record([sys.executable, "-c", program, "fail"], tmp_path)


def test_the_picture_in_the_readme_is_small_whole_and_alone() -> None:
    svg = PICTURE.read_text()
    assert len(svg) < 150_000
    assert "(docs/demo.svg)" in (PICTURE.parents[1] / "README.md").read_text()
    assert {element.tag.removeprefix(SVG) for element in ElementTree.fromstring(svg).iter()} == {
        *("svg", "title", "style", "rect", "g", "text", "tspan"),
    }
    assert not re.search(r"url\(|href|@import", svg)


def test_the_picture_in_the_readme_ends_with_both_collections_equal_to_the_independent_model() -> None:
    lines = {" ".join(line.split()) for line, look in lines_of(PICTURE.read_text()).items() if "gone" not in look}
    assert f"$ {' '.join(COMMAND)}" in lines
    assert {line[0] for line in lines if re.match(r"\d\. ", line)} == set("123456")
    assert {"In the end", "independent model equal equal", "collection lines words"} <= lines
