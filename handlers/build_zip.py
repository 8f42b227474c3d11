"""Build dist/stream.zip, the code of the functions that need no Chroma: `python handlers/build_zip.py`.

The same sources and versions give the same bytes: entries are sorted, have one date and one mode, and hold no bytecode.
What Lambda's Python runtime brings (boto3 and what it needs) stays out; jmespath is brought along all the same, because
Powertools asks for it by itself. Only this environment's installed packages are read: nothing is downloaded.
"""

from __future__ import annotations

import ast
import sys
import zipfile
from collections.abc import Iterator
from importlib.metadata import distribution
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
TARGET = ROOT / "dist/stream.zip"
ENTRY_POINTS = (
    "stream_handler",
    "inspect_holder",
    "plan_compaction",
    "settle_changes",
    "record_execution",
    "start_fold",
    "start_generations",
)
DISTRIBUTIONS = ("aws-lambda-powertools", "jmespath", "typing-extensions")
LIMIT_BYTES = 5_000_000
DATE = (1980, 1, 1, 0, 0, 0)  # the earliest that the format knows
MODE = 0o100644 << 16


class ZipTooLarge(Exception):
    """The zip is above its limit: look for a new dependency of the light functions."""


def modules_of(entry_points: tuple[str, ...]) -> set[str]:
    """The modules of handlers/ that the entry points import, themselves included."""
    found: set[str] = set()
    waiting = list(entry_points)
    while waiting:
        module = waiting.pop()
        if module not in found:
            found.add(module)
            waiting.extend(_siblings(ROOT / f"handlers/{module}.py"))
    return found


def _siblings(file: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.ImportFrom) and node.level == 1 and node.module:
            yield node.module


def contents() -> dict[str, Path]:
    """Every file of the zip by its name there."""
    files = {f"handlers/{module}.py": ROOT / f"handlers/{module}.py" for module in modules_of(ENTRY_POINTS)}
    files["handlers/__init__.py"] = ROOT / "handlers/__init__.py"
    package = ROOT / "stream_package/receipt_dynamo_stream"
    for file in package.rglob("*"):
        if file.suffix in {".py", ".json"}:
            files[f"{package.name}/{file.relative_to(package)}"] = file
    for name in DISTRIBUTIONS:
        installed = distribution(name)
        for path in installed.files or ():
            if path.suffix in {".py", ".json"} and ".." not in path.parts and not path.parts[0].endswith(".dist-info"):
                files[str(path)] = Path(str(installed.locate_file(path)))
        # Powertools asks importlib.metadata for versions.
        info = next(path for path in installed.files or () if path.name == "METADATA")
        files[str(info)] = Path(str(installed.locate_file(info)))
    return files


def build(target: Path) -> int:
    """Write the zip and return its size in bytes. Raises ZipTooLarge."""
    target.parent.mkdir(parents=True, exist_ok=True)
    half_written = target.with_suffix(".tmp")
    with zipfile.ZipFile(half_written, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        for name, file in sorted(contents().items()):
            entry = zipfile.ZipInfo(name, DATE)
            entry.compress_type = zipfile.ZIP_DEFLATED
            entry.create_system = 3  # the same on every system
            entry.external_attr = MODE
            archive.writestr(entry, file.read_bytes(), compresslevel=9)
    size = half_written.stat().st_size
    if size > LIMIT_BYTES:
        half_written.unlink()
        raise ZipTooLarge(f"{target.name} would have {size:,} bytes, more than {LIMIT_BYTES:,}")
    half_written.replace(target)
    return size


if __name__ == "__main__":
    where = Path(sys.argv[1]) if len(sys.argv) > 1 else TARGET
    print(f"{where}: {build(where):,} bytes")
