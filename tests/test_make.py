"""`make test` runs named parts in order, and says which failed first."""

import re
import shutil
import subprocess
from pathlib import Path

ROOT = Path(__file__).parents[1]
MAKEFILE = (ROOT / "Makefile").read_text()
PARTS = {
    name: parts.split()
    for name, parts in re.findall(r"^(TEST_PARTS(?:_OF_ONE_CORE)?) := (.*)$", MAKEFILE, re.MULTILINE)
}


def make_test(parts: str, of_one_core: str = "") -> subprocess.CompletedProcess[str]:
    """`make test` of other parts; what is installed stays as it is."""
    given = [f"TEST_PARTS={parts}", f"TEST_PARTS_OF_ONE_CORE={of_one_core}"]
    command = ["make", "--no-print-directory", "-o", ".venv/.installed-dev", "test", *given]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)


def test_the_first_part_that_fails_is_named_last_and_ends_the_run() -> None:
    done = make_test("help no-such-part lint")
    assert done.returncode != 0
    assert re.findall(r"^make test: (\S+)$", done.stdout, re.MULTILINE) == ["help", "no-such-part"]
    assert 'make test: part "no-such-part" failed; `make no-such-part` runs it alone' in done.stderr


def test_one_that_fails_beside_others_is_named_too_and_no_later_one_begins() -> None:
    done = make_test("help", of_one_core="no-such-part lint")
    assert done.returncode != 0
    assert "make test: help" not in done.stdout
    assert 'make test: part "no-such-part" failed; `make no-such-part` runs it alone' in done.stderr


def test_parts_that_pass_pass_together() -> None:
    done = make_test("help", of_one_core="help lint")
    assert done.returncode == 0
    assert done.stdout.endswith("make test: all parts passed\n")


def test_every_part_is_a_target_and_the_cheap_ones_come_first() -> None:
    first, then = PARTS["TEST_PARTS_OF_ONE_CORE"], PARTS["TEST_PARTS"]
    assert {*first, *then} <= set(re.findall(r"^([a-z-]+):", MAKEFILE, re.MULTILINE))
    assert {"lint", "format-check", "types", "lint-machine"} < set(first)
    assert then[-1] == "test-browser-if-any"


NO_ENSUREPIP = """\
#!/bin/sh
case "$1 $2" in
  "-m venv") mkdir -p .venv/bin; echo "ensurepip is not available: apt install python3-venv"; exit 1;;
esac
"""


def test_an_environment_that_could_not_be_made_is_tried_again_and_says_the_same(tmp_path: Path) -> None:
    tools = tmp_path / "tools"  # no uv among them
    tools.mkdir()
    for name in ("make", "mkdir", "sh", "touch"):
        found = shutil.which(name)
        assert found is not None
        (tools / name).symlink_to(found)
    (tools / "python3").write_text(NO_ENSUREPIP)
    (tools / "python3").chmod(0o755)
    (tmp_path / "Makefile").write_text(MAKEFILE)
    for name in re.findall(r"^(?:PROJECTS|RUN_LOCKS) := (.*)$", MAKEFILE, re.MULTILINE):
        for file in map(tmp_path.joinpath, name.split()):
            file.parent.mkdir(exist_ok=True)
            file.touch()
    for _once_more in range(2):
        command = ["make", "PYTHON=python3", ".venv/.installed"]
        done = subprocess.run(command, cwd=tmp_path, env={"PATH": str(tools)}, capture_output=True, text=True)
        assert done.returncode != 0
        assert done.stdout.splitlines()[-1] == "ensurepip is not available: apt install python3-venv"
        assert "No module named pip" not in done.stderr
    assert not (tmp_path / ".venv/.installed").exists()
