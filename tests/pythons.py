"""Try the project with each of some Pythons: `python -m tests.pythons 3.11 3.12`; `make test-pythons` names them.

With each that is installed: what the image installs and what the light package's tests need, by hash, into an
environment of its own; then the light package's tests, an import of every module that is deployed, and a compilation of
all sources with warnings as errors. One that is not installed is left out, and said so.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

ROOT = Path(__file__).parents[1]
HOME = ROOT / ".venv/pythons"
SOURCES = (ROOT / "stream_package", ROOT / "chroma_package", ROOT)
TOOLS = ("hypothesis", "iniconfig", "packaging", "pluggy", "pytest", "sortedcontainers")

COMPILE = """
import pathlib, sys, warnings
warnings.simplefilter("error")
for name in sys.argv[1:]:
    compile(pathlib.Path(name).read_text(encoding="utf-8"), name, "exec")
"""
IMPORT = """
import importlib, sys
for name in sys.argv[1:]:
    importlib.import_module(name)
"""


def find(version: str) -> Path | None:
    """The interpreter of a version ("3.13") on the path, of pyenv or of uv; None when there is none that starts."""
    for candidate in _candidates(version):
        code = "import sys; print('%d.%d' % sys.version_info[:2], sys.executable)"
        done = subprocess.run([candidate, "-I", "-c", code], capture_output=True, text=True, check=False)
        said = done.stdout.split(maxsplit=1)  # a shim may start and then have no such Python
        if done.returncode == 0 and said[0] == version:
            return Path(said[1].strip())
    return None


def _candidates(version: str) -> Iterator[str]:
    if on_path := shutil.which(f"python{version}"):
        yield on_path
    pyenv = Path(os.environ.get("PYENV_ROOT", "~/.pyenv")).expanduser()
    yield from (str(python) for python in sorted(pyenv.glob(f"versions/{version}.*/bin/python{version}")))
    if uv := shutil.which("uv"):
        command = [uv, "python", "find", "--no-project", "--no-python-downloads", version]
        found = subprocess.run(command, capture_output=True, text=True, check=False)
        if found.returncode == 0:
            yield found.stdout.strip()


def deployed_modules() -> list[str]:
    """The names of all modules that run in Lambda."""
    folders = (ROOT / "handlers", *(ROOT / name for name in ("stream_package", "chroma_package")))
    packages = [
        folders[0],
        *(package for folder in folders[1:] for package in folder.glob("receipt_*") if _is(package)),
    ]
    return sorted(
        ".".join(file.relative_to(package.parent).with_suffix("").parts).removesuffix(".__init__")
        for package in packages
        for file in package.rglob("*.py")
    )


def _is(package: Path) -> bool:
    return (package / "__init__.py").is_file()


def all_sources() -> list[str]:
    """Every Python file of the repository; an old chromadb's environment or a build are none of it."""
    left_out = {".venv", "build", "dist", "node_modules", ".compaction"}
    return sorted(str(f) for f in ROOT.rglob("*.py") if not left_out & set(f.relative_to(ROOT).parts))


def requirements(target: Path) -> Path:
    """A requirements file of the image's packages and of TOOLS, with the hashes of the locks."""
    locked = "".join((ROOT / f"locks/{name}.txt").read_text() for name in ("run", "dev"))
    blocks = {block.split("==")[0]: block for block in re.split(r"\n(?=\S)", locked)}
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(
        (ROOT / "handlers/requirements.txt").read_text() + "\n".join(blocks[name] for name in TOOLS) + "\n"
    )
    return target


def environment_of(python: Path, version: str) -> Path:
    """An environment with these requirements, kept for the next time; its interpreter."""
    folder = HOME / version
    wanted = requirements(HOME / "requirements.txt")
    own = folder / "bin/python"
    installed = folder / "installed.txt"
    if installed.is_file() and installed.read_text() == wanted.read_text():
        return own
    if uv := shutil.which("uv"):
        subprocess.run([uv, "venv", "-q", "--clear", "--python", python, folder], check=True)
        install: list[str | Path] = [uv, "pip", "install", "-q", "--python", own]
    else:
        subprocess.run([python, "-m", "venv", "--clear", folder], check=True)
        install = [own, "-m", "pip", "install", "-q", "--disable-pip-version-check"]
    subprocess.run([*install, "--no-deps", "--require-hashes", "-r", wanted], check=True)
    shutil.copy(wanted, installed)
    return own


def main(versions: Sequence[str]) -> int:
    """Try each version; 1 when one of them fails, or none is installed."""
    failed, tried = [], 0
    for version in versions:
        python = find(version)
        if python is None:
            print(f"Python {version} is not installed: left out.", flush=True)
            continue
        print(f"Python {version}: {python}", flush=True)
        tried += 1
        own = str(environment_of(python, version))
        runs = (
            [
                own,
                "-m",
                "pytest",
                "-q",
                "-p",
                "no:cacheprovider",
                "-c",
                "stream_package/pyproject.toml",
                "stream_package/tests",
            ],
            [own, "-c", IMPORT, *deployed_modules()],
            [own, "-c", COMPILE, *all_sources()],
        )
        path = os.pathsep.join(map(str, SOURCES))
        environment = os.environ | {"PYTHONPATH": path, "PYTHONDONTWRITEBYTECODE": "1"}
        if any(subprocess.run(run, cwd=ROOT, env=environment, check=False).returncode for run in runs):
            failed.append(version)
    print(f"Tried {tried} of {len(versions)}; failed: {', '.join(failed) or 'none'}.")
    return 1 if failed or not tried else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
