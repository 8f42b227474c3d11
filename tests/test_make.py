"""`make test` runs named parts in order, and says which failed first."""

import re
import subprocess
from pathlib import Path

ROOT = Path(__file__).parents[1]
MAKEFILE = (ROOT / "Makefile").read_text()
(PARTS,) = re.findall(r"^TEST_PARTS := (.*)$", MAKEFILE, re.MULTILINE)


def make_test(parts: str) -> subprocess.CompletedProcess[str]:
    """`make test` of other parts; what is installed stays as it is."""
    command = ["make", "--no-print-directory", "-o", ".venv/.installed-dev", "test", f"TEST_PARTS={parts}"]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)


def test_the_first_part_that_fails_is_named_last_and_ends_the_run() -> None:
    done = make_test("help no-such-part lint")
    assert done.returncode != 0
    assert re.findall(r"^make test: (\S+)$", done.stdout, re.MULTILINE) == ["help", "no-such-part"]
    assert 'make test: part "no-such-part" failed; `make no-such-part` runs it alone' in done.stderr


def test_parts_that_pass_pass_together() -> None:
    done = make_test("help")
    assert done.returncode == 0
    assert done.stdout.endswith("make test: all parts passed\n")


def test_every_part_is_a_target_and_the_cheap_ones_come_first() -> None:
    parts = PARTS.split()
    assert set(parts) <= set(re.findall(r"^([a-z-]+):", MAKEFILE, re.MULTILINE))
    assert parts[:4] == ["lint", "format-check", "types", "lint-machine"]
    assert parts[-1] == "test-browser-if-any"
