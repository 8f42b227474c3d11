"""A how-to page's blocks, run in a shell as a reader pastes them: every line after a `$ `, and each must succeed."""

import os
import re
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from operate.connection import Connection

ROOT = Path(__file__).parents[2]
AWS_CLI = "1.46.3"


def chapters(page: str) -> dict[str, str]:
    """The chapters of a page of docs/howto, by title; "" is what stands before the first."""
    split = re.split(r"^#+ (.+)$", (ROOT / "docs/howto" / page).read_text(), flags=re.MULTILINE)
    return {"": split[0], **dict(zip(split[1::2], split[2::2], strict=True))}


def blocks(chapter: str) -> list[str]:
    """The shell scripts of a chapter: of each console block the lines that are typed."""
    found = re.findall(r"^```console\n(.*?)^```", chapter, re.MULTILINE | re.DOTALL)
    return ["\n".join(re.findall(r"^\$ (.*)$", block, re.MULTILINE)) for block in found]


def lines_of(page: str) -> list[str]:
    """Everything that a page types."""
    return [line for chapter in chapters(page).values() for block in blocks(chapter) for line in block.splitlines()]


def program(chapter: str) -> str:
    """The one Python program of a chapter."""
    (found,) = re.findall(r"^```python\n(.*?)^```", chapter, re.MULTILINE | re.DOTALL)
    return str(found)


def install(venv: Path, *packages: str) -> Path:
    """An environment of its own with these packages; its folder of programs. Raises CalledProcessError."""
    subprocess.run([sys.executable, "-m", "venv", venv], check=True)
    pip = [venv / "bin/python", "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    subprocess.run([*pip, *packages], check=True, capture_output=True, text=True)
    return venv / "bin"


@dataclass(frozen=True)
class Shell:
    """bash in a folder, with `compaction` and what is in `programs` on the path, and these variables."""

    folder: Path
    variables: Mapping[str, str]
    programs: tuple[Path, ...] = ()

    @classmethod
    def at(cls, connection: Connection, folder: Path, programs: Path, **variables: str) -> "Shell":
        """Where the AWS CLI and boto3 find a local stack."""
        local = {
            "AWS_ENDPOINT_URL": connection.endpoint_url or "",
            "AWS_DEFAULT_REGION": connection.region,
            "AWS_ACCESS_KEY_ID": "local",
            "AWS_SECRET_ACCESS_KEY": "local",
            "AWS_EC2_METADATA_DISABLED": "true",
        }
        return cls(folder, local | variables, (programs,))

    def run(self, script: str) -> str:
        """What it wrote to stdout, in one line; a line that fails ends it, and the test."""
        path = os.pathsep.join(map(str, (Path(sys.executable).parent, *self.programs, os.environ["PATH"])))
        done = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", script],
            cwd=self.folder,
            env={"PATH": path, "HOME": str(self.folder), "COLUMNS": "300", **self.variables},
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, f"{script}\n{done.stdout}\n{done.stderr}"
        return " ".join(done.stdout.split())
