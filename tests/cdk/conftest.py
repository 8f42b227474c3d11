"""Templates that are synthesised once for all tests. CDK is loaded in fixtures, so that collecting needs none."""

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from .template import Template

ROOT = Path(__file__).parents[2]

Synthesise = Callable[..., Template]


@pytest.fixture(scope="session")
def zip_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    from handlers.build_zip import build

    target = tmp_path_factory.mktemp("zip") / "stream.zip"
    build(target)
    return target


@pytest.fixture(scope="session")
def cdk_code() -> None:
    """Let tests import the app's package; a deployment does the same by running cdk/app.py."""
    folder = str(ROOT / "cdk")
    if folder not in sys.path:
        sys.path.insert(0, folder)


@pytest.fixture(scope="session")
def synthesise(cdk_code: None, zip_file: Path, tmp_path_factory: pytest.TempPathFactory) -> Synthesise:
    """Synthesise with a context (stage="prod", …) into a folder of its own."""
    from compaction_cdk.application import synthesise as run

    def template(**context: Any) -> Template:
        assembly = run(tmp_path_factory.mktemp("cdk.out"), context, zip_file)
        return Template(json.loads(Path(assembly.stacks[0].template_full_path).read_text()))

    return template


@pytest.fixture(scope="session")
def dev(synthesise: Synthesise) -> Template:
    return synthesise(stage="dev")


@pytest.fixture(scope="session")
def prod(synthesise: Synthesise) -> Template:
    return synthesise(stage="prod")
