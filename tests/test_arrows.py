"""Who may import whom: the light package stays light, and nothing imports what is only deployed."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
STDLIB = sys.stdlib_module_names
FOLDERS = {
    "receipt_dynamo_stream": ROOT / "stream_package/receipt_dynamo_stream",
    "receipt_chroma": ROOT / "chroma_package/receipt_chroma",
    "handlers": ROOT / "handlers",
    "local": ROOT / "local",
    "console": ROOT / "console",
}
ALLOWED = {
    "receipt_dynamo_stream": {"boto3", "botocore"},
    "receipt_chroma": {"receipt_dynamo_stream", "boto3", "botocore", "chromadb", "numpy", "pyarrow"},
    "handlers": {"receipt_dynamo_stream", "receipt_chroma", "aws_lambda_powertools", "boto3", "botocore"},
    "console": {
        *("receipt_dynamo_stream", "receipt_chroma", "local", "boto3", "botocore", "graphlay", "rich", "numpy"),
        *("flask", "waitress", "werkzeug"),
    },
}
ZIP_HANDLERS = {"stream_handler", "inspect_holder", "plan_compaction", "settle_changes", "record_execution"}


def imports(file: Path) -> Iterator[str]:
    """Every absolute module name that a file imports, at any depth of the file."""
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
            yield node.module


def sources(package: str) -> list[Path]:
    files = sorted(FOLDERS[package].rglob("*.py"))
    assert files, f"no sources in {FOLDERS[package]}"
    return files


@pytest.mark.parametrize("package", sorted(ALLOWED))
def test_a_package_imports_only_what_its_arrow_allows(package: str) -> None:
    strangers = {
        f"{file.relative_to(ROOT)}: {name}"
        for file in sources(package)
        for name in imports(file)
        if name.split(".")[0] not in STDLIB | ALLOWED[package] | {package}
    }
    assert not strangers


def test_only_the_pages_know_that_there_are_pages() -> None:
    """What the pages show can be shown in a terminal too, and pages ask our APIs and never AWS."""
    for file in sources("console"):
        imported = {name.split(".")[0] for name in imports(file)}
        if file.is_relative_to(FOLDERS["console"] / "web"):
            assert "boto3" not in imported, file
        else:
            assert not imported & {"flask", "waitress", "werkzeug"}, file


def test_only_one_module_of_the_heavy_package_imports_chromadb() -> None:
    roots = {file.name: {name.split(".")[0] for name in imports(file)} for file in sources("receipt_chroma")}
    users = [name for name, imported in roots.items() if "chromadb" in imported]
    assert len(users) == 1, users


def test_zip_handlers_reach_nothing_heavy() -> None:
    for name in ZIP_HANDLERS | {"settings", "clients", "step"}:
        reached = {module.split(".")[0] for module in imports(FOLDERS["handlers"] / f"{name}.py")}
        assert not reached & {"receipt_chroma", "chromadb", "numpy", "pyarrow"}, name


def test_only_handlers_know_powertools() -> None:
    for package in set(FOLDERS) - {"handlers"}:
        for file in sources(package):
            assert not any(name.startswith("aws_lambda_powertools") for name in imports(file)), file


@pytest.mark.parametrize(
    "statement",
    [
        "from receipt_dynamo_stream import parse_stream_record, StreamMessage",
        "from receipt_chroma.compaction import update_receipt_metadata",
    ],
)
def test_the_promised_import_line_works_and_loads_no_chromadb(statement: str) -> None:
    code = f"{statement}\nimport sys\nassert 'chromadb' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_the_stream_handler_never_loads_chroma_or_numpy() -> None:
    code = (
        f"import sys; sys.path.insert(0, {str(ROOT)!r})\nimport handlers.stream_handler\n"
        "assert not {'chromadb', 'numpy', 'receipt_chroma'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
