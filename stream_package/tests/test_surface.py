import ast
import json
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import receipt_dynamo_stream
from receipt_dynamo_stream import ENTITY_TYPES, errors
from receipt_dynamo_stream.tables import change_table

PACKAGE = Path(receipt_dynamo_stream.__file__).parent
PROJECT = Path(__file__).parents[1]
MODULES = sorted(PACKAGE.rglob("*.py"))
DOCUMENT = PROJECT.parent / "docs" / "message-format.md"


def test_the_public_surface_is_sorted_and_there() -> None:
    assert receipt_dynamo_stream.__all__ == sorted(receipt_dynamo_stream.__all__)
    assert len(set(receipt_dynamo_stream.__all__)) == len(receipt_dynamo_stream.__all__)
    missing = [name for name in receipt_dynamo_stream.__all__ if not hasattr(receipt_dynamo_stream, name)]
    assert missing == []


def imported(path: Path) -> set[str]:
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path.name} imports relatively"
            found.add((node.module or "").split(".")[0])
    return found


@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.name)
def test_a_module_imports_the_standard_library_boto3_and_the_package_alone(path: Path) -> None:
    allowed = set(sys.stdlib_module_names) | {"boto3", "botocore", "receipt_dynamo_stream"}
    types_alone = {name for name in imported(path) if name.startswith("mypy_boto3_")}  # for the checker; test_arrows
    assert imported(path) <= allowed | types_alone


@pytest.mark.parametrize("path", sorted((PROJECT / "examples").glob("*.py")), ids=lambda path: path.name)
def test_an_example_uses_the_public_surface_alone(path: Path) -> None:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("receipt"):
            assert node.module == "receipt_dynamo_stream"
            assert {alias.name for alias in node.names} <= set(receipt_dynamo_stream.__all__)
    assert imported(path) <= set(sys.stdlib_module_names) | {"receipt_dynamo_stream"}


def test_the_package_depends_on_boto3_alone() -> None:
    project = tomllib.loads((PROJECT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert [re.split(r"[<>=~]", one)[0] for one in project["dependencies"]] == ["boto3"]


def test_importing_the_package_imports_neither_boto3_nor_botocore() -> None:
    code = (
        "from receipt_dynamo_stream import parse_stream_record, StreamMessage; import sys;"
        "print([name for name in ('boto3', 'botocore', 'chromadb', 'numpy') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout.strip() == "[]"


def test_the_tree_at_the_top_of_the_errors_module_is_the_tree() -> None:
    drawn: dict[str, str] = {}
    parents = ["CompactionError"]
    for line in (errors.__doc__ or "").splitlines():
        found = re.match(r"    ((?:[│├└─ ]{4})+)(\w+)", line)
        if found:
            depth = len(found.group(1)) // 4
            del parents[depth:]
            drawn[found.group(2)] = parents[-1]
            parents.append(found.group(2))
    classes = {
        name: value.__bases__[0].__name__
        for name, value in vars(errors).items()
        if isinstance(value, type) and issubclass(value, errors.CompactionError) and name != "CompactionError"
    }
    assert drawn == classes


def test_every_error_of_the_package_is_in_the_errors_module() -> None:
    for path in MODULES:
        if path.name == "errors.py":
            continue
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ClassDef):
                bases = {base.id for base in node.bases if isinstance(base, ast.Name)}
                assert "CompactionError" not in bases
                assert "Exception" not in bases


def test_the_readme_has_the_table_that_the_code_prints() -> None:
    readme = (PROJECT / "README.md").read_text(encoding="utf-8")
    table = readme.split("<!-- table -->\n")[1].split("\n<!-- end -->")[0]
    assert table == change_table()
    assert all(f"| {entity_type} |" in table for entity_type in ENTITY_TYPES)


def test_the_readme_names_every_module_there_is_and_none_that_is_not() -> None:
    readme = (PROJECT / "README.md").read_text(encoding="utf-8")
    section = readme.split("## The pipeline's own modules")[1]
    named = {
        name for row in re.findall(r"^\| (`[^|]+`) \|", section, re.MULTILINE) for name in re.findall(r"`(\w+)`", row)
    }
    assert named <= {path.stem for path in MODULES}
    public = {
        "names",
        "attributes",
        "conditions",
        "times",
        "tables",
        "entities",
        "stream_record",
        "history",
        "changes",
        "messages",
        "publisher",
    }
    assert {path.stem for path in MODULES} - named - public == {"__init__"}


def test_the_document_shows_every_golden_message_and_every_field() -> None:
    document = DOCUMENT.read_text(encoding="utf-8")
    shown = [json.loads(text) for text in re.findall(r"```json\n(.*?)```", document, re.DOTALL)]
    golden = Path(__file__).parent / "golden"
    expected = [
        json.loads((golden / f"{entity_type.lower()}.message.json").read_text(encoding="utf-8"))
        for entity_type in ENTITY_TYPES
    ]
    assert shown == expected
    for field in receipt_dynamo_stream.message_schema()["properties"]:
        assert f"| `{field}` |" in document
