"""The pages of docs/howto as their readers use them: programs are saved, commands typed in a shell, diffs applied."""

import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).parents[2]
HOWTO = ROOT / "docs/howto"
PACKAGES = ("stream_package", "chroma_package", "pyproject.toml", "docs/howto")
EVERYTHING = (*PACKAGES, "state_machines", "handlers", "local", "operate", "console", "cdk", "docs", "tests")


def blocks(page: str, language: str) -> list[str]:
    """The blocks of a language, in order."""
    text = (HOWTO / page).read_text()
    return re.findall(rf"^```{language}\n(.*?)^```", text, re.MULTILINE | re.DOTALL)


def commands(page: str) -> list[str]:
    """What is typed, in order, without comments."""
    typed = re.findall(r"^\$ (.*?)\s*(?:\s#.*)?$", "".join(blocks(page, "console")), re.MULTILINE)
    assert typed, page
    return typed


def programs(page: str) -> dict[str, str]:
    """The Python that is saved: a block's first line is its file's name."""
    named = {re.match(r"# (\w+\.py)\n", block): block for block in blocks(page, "python")}
    return {name[1]: block for name, block in named.items() if name}


def up_options(line: str) -> list[str]:
    """What `make up …` runs `compaction up` with."""
    make, target, *given = shlex.split(line)
    assert (make, target) == ("make", "up")
    values = dict(one.split("=") for one in given)
    return [*(["--sample", values["SAMPLE"]] if "SAMPLE" in values else []), *(["--keep"] if "KEEP" in values else [])]


@dataclass
class Desk:
    """A reader's terminal: in this folder, with a virtual environment active; `instead`: what stands for what."""

    folder: Path
    instead: Mapping[str, str] = field(default_factory=dict)
    environment: dict[str, str] = field(default_factory=lambda: {**os.environ, "COLUMNS": "100"})

    def __post_init__(self) -> None:
        self.environment["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{self.environment['PATH']}"
        self.environment["HOME"] = str(self.folder)

    def save(self, page: str) -> None:
        """Every program of a page."""
        for name, source in programs(page).items():
            (self.folder / name).write_text(self._here(source))

    def type(self, line: str, *, code: int = 0) -> str:
        """What a command says on stdout; it has to end with this code."""
        line = self._here(line)
        if line.startswith("export "):
            self.environment |= dict(one.split("=", 1) for one in shlex.split(line)[1:])
            return ""
        done = subprocess.run(
            ["bash", "-c", line],
            cwd=self.folder,
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=300,
        )
        assert done.returncode == code, f"{line}\n{done.stdout}{done.stderr}"
        return done.stdout

    def _here(self, text: str) -> str:
        for written, meant in self.instead.items():
            text = text.replace(written, meant)
        return text


def checkout(folder: Path, names: Iterable[str] = EVERYTHING) -> Desk:
    """A desk in a copy of these folders and files: the one place where a reader changes what is there."""
    left_out = shutil.ignore_patterns("__pycache__", "*.egg-info", "*.png", "*.html")
    for name in names:
        target = folder / name
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, target, ignore=left_out, dirs_exist_ok=True)
        elif (ROOT / name).exists() and not target.exists():
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, target)
    for package in ("stream_package/receipt_dynamo_stream", "chroma_package/receipt_chroma"):
        (folder / package).parent.mkdir(exist_ok=True)
        # A local stack's workers look in the folder of `local` before what is installed, which is the real checkout.
        (folder / Path(package).name).symlink_to(package)
    desk = Desk(folder)
    paths = (folder / "stream_package", folder / "chroma_package", folder)
    desk.environment["PYTHONPATH"] = os.pathsep.join(map(str, paths))
    desk.environment["GIT_CEILING_DIRECTORIES"] = str(folder.parent)  # in another repository git would apply nothing
    return desk


def changed_by(diff: str) -> set[str]:
    """The files that a diff of docs/howto changes or makes."""
    return set(re.findall(r"^\+\+\+ b/(.+)$", (HOWTO / diff).read_text(), re.MULTILINE))
