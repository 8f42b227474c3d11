"""The image of the heavy functions, as far as a machine without Docker can prove it."""

import fnmatch
import json
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from importlib.metadata import packages_distributions
from pathlib import Path
from typing import Any

import pytest

from .template import Template

pytestmark = pytest.mark.cdk
ROOT = Path(__file__).parents[2]
DOCKERFILE = ROOT / "handlers/Dockerfile"
REQUIREMENTS = ROOT / "handlers/requirements.txt"
COPY = re.compile(r"^COPY (?!--from)(\S+) (\S+)$", re.MULTILINE)


def normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def pins(file: Path) -> dict[str, str]:
    return {normal(name): version for name, version in re.findall(r"^([\w.-]+)==(\S+)", file.read_text(), re.MULTILINE)}


def is_in_the_context(path: str) -> bool:
    """Whether .dockerignore leaves a path: its last matching line decides."""
    kept = True
    for line in (DOCKERFILE.parent / "Dockerfile.dockerignore").read_text().splitlines():
        pattern = line.removeprefix("!")
        if pattern and not pattern.startswith("#"):
            alternatives = {pattern, pattern.removeprefix("**/"), f"{pattern}/*"}
            if any(fnmatch.fnmatch(path, p) or fnmatch.fnmatch(path, f"*/{p}") for p in alternatives):
                kept = line.startswith("!")
    return kept


def test_the_same_versions_run_in_the_image_and_in_the_tests() -> None:
    locked = pins(ROOT / "locks/run.txt")
    assert pins(REQUIREMENTS)
    assert {name: locked.get(name) for name in pins(REQUIREMENTS)} == pins(REQUIREMENTS)


def test_the_requirements_are_what_was_chosen_for_the_image() -> None:
    chosen = (ROOT / "handlers/requirements.in").read_text().splitlines()
    assert {normal(name) for name in chosen if not name.startswith("#")} == set(pins(REQUIREMENTS))


def test_the_dockerfile_names_one_base_is_multi_stage_and_not_root() -> None:
    text = DOCKERFILE.read_text()
    assert re.findall(r"^FROM (\S+)", text, re.MULTILINE) == ["${BASE}", "${BASE}"]
    (base,) = re.findall(r"^ARG BASE=(\S+)$", text, re.MULTILINE)
    assert re.fullmatch(r"public\.ecr\.aws/lambda/python:3\.\d+(@sha256:[0-9a-f]{64})?", base)
    users = re.findall(r"^USER (\d+)", text, re.MULTILINE)
    assert users
    assert users[-1] != "0"


DIGESTS = (f"sha256:{'0a' * 32}", f"sha256:{'1b' * 32}")


@pytest.fixture
def pin(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], subprocess.CompletedProcess[str]]:
    """Run cdk/pin_image.py on a copy of the Dockerfile, with a docker command that answers what it is told."""
    for name in ("cdk/pin_image.py", "handlers/Dockerfile"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        shutil.copy(ROOT / name, tmp_path / name)

    def run(answer: str) -> subprocess.CompletedProcess[str]:
        docker = tmp_path / "docker"
        docker.write_text(f"#!/bin/sh\necho \"$@\" > {tmp_path}/asked\necho '{answer}'\n")
        docker.chmod(0o755)
        return subprocess.run(
            [sys.executable, str(tmp_path / "cdk/pin_image.py")],
            env={"PATH": f"{tmp_path}:/usr/bin:/bin"},
            capture_output=True,
            text=True,
            check=False,
        )

    return run


def test_the_base_is_pinned_to_the_digest_of_its_tag_and_pinned_anew_later(pin: Any, tmp_path: Path) -> None:
    tag = re.search(r"^ARG BASE=([^\s@]+)", DOCKERFILE.read_text(), re.MULTILINE)[1]  # type: ignore[index]
    for digest in DIGESTS:
        done = pin(json.dumps({"mediaType": "application/vnd.oci.image.index.v1+json", "digest": digest}))
        assert done.returncode == 0, done.stderr
        assert f"imagetools inspect {tag} --format" in (tmp_path / "asked").read_text()
        text = (tmp_path / "handlers/Dockerfile").read_text()
        assert re.findall(r"^ARG BASE=(.*)$", text, re.MULTILINE) == [f"{tag}@{digest}"]
    hadolint = Path(sys.executable).parent / "hadolint"
    subprocess.run([hadolint, tmp_path / "handlers/Dockerfile"], check=True)


@pytest.mark.parametrize("answer", ["", "no such image", '{"digest": "latest"}', "{}"])
def test_without_a_digest_nothing_is_pinned(pin: Any, tmp_path: Path, answer: str) -> None:
    done = pin(answer)
    assert done.returncode == 1
    assert "docker buildx imagetools inspect" in done.stderr
    assert (tmp_path / "handlers/Dockerfile").read_text() == DOCKERFILE.read_text()


def test_what_is_copied_is_there_and_in_the_context() -> None:
    copied = [source for source, _target in COPY.findall(DOCKERFILE.read_text())]
    assert len(copied) == 4
    for source in copied:
        files = [ROOT / source] if (ROOT / source).is_file() else list((ROOT / source).glob("*.py"))
        assert files, source
        for file in files:
            path = str(file.relative_to(ROOT))
            assert is_in_the_context(path) or file.name == "build_zip.py", path


def test_nothing_else_is_in_the_context() -> None:
    for path in ("README.md", "dist/stream.zip", ".venv/bin/python", "cdk/app.py", "local/stack.py", ".git/HEAD"):
        assert not is_in_the_context(path), path


def test_every_command_is_a_handler_in_the_image(dev: Template) -> None:
    for function in dev.functions().values():
        if command := function.get("ImageConfig"):
            module = command["Command"][0].rpartition(".")[0].replace(".", "/")
            assert is_in_the_context(f"{module}.py")


PROGRAM = """
import sys, tempfile
import importlib.util
ALLOWED = set({allowed!r})
class OnlyTheImage:
    def find_spec(self, name, path=None, target=None):
        top = name.split(".")[0]
        if top in sys.stdlib_module_names or top in ALLOWED or top.startswith("_"):
            return None
        raise ImportError(name + " is not in the image", name=name)
sys.meta_path.insert(0, OnlyTheImage())
sys.path.insert(0, {tree!r})
import numpy as np
from pathlib import Path
{imports}
import receipt_chroma
assert receipt_chroma.__file__.startswith({tree!r})
from receipt_chroma.delta.write import write_arrow_delta
from receipt_chroma.delta.read import DeltaRecord
write_arrow_delta([DeltaRecord("IMAGE#a#RECEIPT#00001#LINE#00001", np.ones(8, np.float32), "text", {{}})])
import chromadb
client = chromadb.PersistentClient(tempfile.mkdtemp())
words = client.create_collection("words", embedding_function=None)
words.add(ids=["a", "b"], embeddings=np.eye(2, 8, dtype=np.float32), documents=["a", "b"], metadatas=[{{"m": 1}}] * 2)
words.modify(configuration={{"hnsw": {{"sync_threshold": 5}}}})
words.update(ids=["a"], metadatas=[{{"m": None}}])
assert words.query(query_embeddings=np.eye(1, 8, dtype=np.float32), n_results=1, where={{"m": 1}})["ids"] == [["b"]]
words.delete(ids=["b"])
assert words.get(include=["embeddings"])["ids"] == ["a"]
print("works")
"""


def test_the_copied_tree_runs_with_nothing_but_its_requirements(tmp_path: Path, dev: Template) -> None:
    """Every handler imports, and Chroma works, with the modules of the requirements and of no other distribution."""
    from .emulator import image_tree

    tree = image_tree(tmp_path / "task")
    listed = set(pins(REQUIREMENTS))
    ours = {"handlers", "receipt_chroma", "receipt_dynamo_stream"}
    allowed = {
        top for top, names in packages_distributions().items() if listed & {normal(name) for name in names}
    } | ours
    handlers = sorted(
        f["ImageConfig"]["Command"][0].rpartition(".")[0] for f in dev.functions().values() if "ImageConfig" in f
    )
    imports = "\n".join(f"import {module}" for module in handlers)
    program = PROGRAM.format(allowed=sorted(allowed), tree=str(tree), imports=imports)
    done = subprocess.run([sys.executable, "-I", "-c", program], capture_output=True, text=True, check=False)
    assert done.stdout.strip() == "works", done.stderr[-2000:]
