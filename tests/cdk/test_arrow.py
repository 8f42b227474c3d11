"""The app reads the state machine and the handlers as files; it imports nothing of what runs on AWS. Needs no CDK."""

import ast
import sys
from pathlib import Path

FOLDER = Path(__file__).parents[2] / "cdk"
COSTS = {"cost", "elsewhere", "foreign_prices", "prices"}
ALLOWED = {"aws_cdk", "cdk_nag", "compaction_cdk", "constructs", "statelint", *COSTS}


def test_the_app_imports_no_runtime_code() -> None:
    files = sorted(FOLDER.rglob("*.py"))
    assert len(files) > 15
    for file in files:
        for node in ast.walk(ast.parse(file.read_text())):
            modules = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            if isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
                modules = [node.module]
            assert {m.split(".")[0] for m in modules} <= ALLOWED | sys.stdlib_module_names, file


def test_nobody_calls_the_cdk_by_the_folders_name() -> None:
    for file in FOLDER.rglob("*.py"):
        aliases = [a for n in ast.walk(ast.parse(file.read_text())) if isinstance(n, ast.Import) for a in n.names]
        assert not [alias for alias in aliases if "cdk" in (alias.name, alias.asname)], file
