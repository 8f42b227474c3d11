"""Who may import whom: the light package stays light, nothing imports what is only deployed, and no arrow runs up."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
STDLIB = sys.stdlib_module_names
FOLDERS = {
    "receipt_dynamo_stream": ROOT / "stream_package/receipt_dynamo_stream",
    "receipt_chroma": ROOT / "chroma_package/receipt_chroma",
    "handlers": ROOT / "handlers",
    "operate": ROOT / "operate",
    "local": ROOT / "local",
    "console": ROOT / "console",
}
ALLOWED = {
    "receipt_dynamo_stream": {"boto3", "botocore"},
    "receipt_chroma": {"receipt_dynamo_stream", "boto3", "botocore", "chromadb", "numpy", "pyarrow"},
    "handlers": {"receipt_dynamo_stream", "receipt_chroma", "aws_lambda_powertools", "boto3", "botocore"},
    "operate": {"receipt_dynamo_stream", "receipt_chroma", "boto3", "botocore", "graphlay", "numpy"},
    "local": {
        *("receipt_dynamo_stream", "receipt_chroma", "operate", "boto3", "botocore", "moto", "werkzeug"),
        *("awslambdaric", "chromadb", "numpy", "pyarrow"),
    },
    "console": {
        *("receipt_dynamo_stream", "receipt_chroma", "operate", "local", "boto3", "botocore", "rich"),
        *("flask", "shtab", "waitress", "werkzeug"),
    },
}
"""Each folder, and the folders and libraries that it may know."""

TYPES_ALONE = "mypy_boto3_"
"""How distributions begin that hold the types of AWS's clients and nothing that runs."""

ROOMS = {
    "receipt_dynamo_stream": {
        "": {"control"},
        "control": set(),
        "round": {"control"},
    },
    "receipt_chroma": {
        "": {"delta", "reader", "segment", "shard", "snapshot", "storage"},
        "delta": {"shard"},
        "reader": {"segment", "shard", "snapshot", "storage"},
        "segment": set(),
        "shard": {"storage"},
        "snapshot": {"segment", "shard", "storage"},
        "storage": set(),
    },
    "operate": {
        "": set(),
        "adopt": {"contents"},
        "asl": set(),
        "conform": {"asl", "conform.probes"},
        "conform.probes": {"conform"},
        "contents": set(),
        "execution": set(),
        "whereabouts": {"adopt", "contents"},
    },
    "local": {
        "": {"aws", "lambdas", "mapping"},
        "aws": {"lambdas"},
        "demo": {"aws", "lambdas", "demo.naive", "demo.samples"},
        "demo.naive": set(),
        "demo.samples": set(),
        "lambdas": set(),
        "mapping": {"lambdas"},
    },
    "console": {
        "": set(),
        "cli": {"web"},
        "web": {"web.actions", "web.pages"},
        "web.actions": {"web"},
        "web.pages": {"web", "web.actions"},
    },
}
"""The rooms of each folder ("" is its top), and the rooms that each may know beside its folder's top."""

TOP_FOR_ROOMS = {
    "receipt_chroma": {"digests", "errors", "records", "results", "derived"},
    "operate": {
        *("connection", "errors", "lineage", "models", "prices", "receipts", "services", "stack", "stored"),
        *("throttling", "wording"),
    },
    "local": {"application", "definition", "errors", "names", "settings", "stack"},
}
"""Of a folder's top, what its rooms may know: pure rules and names, and no verb that is made of the rooms."""

ZIP_HANDLERS = {
    "stream_handler",
    "inspect_holder",
    "plan_compaction",
    "settle_changes",
    "record_execution",
    "start_fold",
    "start_generations",
}


def imports(file: Path) -> Iterator[str]:
    """Every absolute module name that a file imports, at any depth of the file."""
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def sources(package: str) -> list[Path]:
    files = sorted(FOLDERS[package].rglob("*.py"))
    assert files, f"no sources in {FOLDERS[package]}"
    return files


@cache
def modules() -> dict[str, Path]:
    """Every module of ours by its dotted name."""
    found = {}
    for package, folder in FOLDERS.items():
        for file in sources(package):
            parts = [package, *file.relative_to(folder).with_suffix("").parts]
            found[".".join(parts).removesuffix(".__init__")] = file
    return found


def room_of(package: str, name: str) -> str:
    """The room of a module of the package: the dotted folders between them, "" for its top."""
    inside = name.removeprefix(package).removeprefix(".")
    return inside if modules()[name].name == "__init__.py" else inside.rpartition(".")[0]


@pytest.mark.parametrize("package", sorted(ALLOWED))
def test_a_folder_imports_only_what_its_arrow_allows(package: str) -> None:
    strangers = {
        f"{file.relative_to(ROOT)}: {name}"
        for file in sources(package)
        for name in imports(file)
        if name.split(".")[0] not in STDLIB | ALLOWED[package] | {package} and not name.startswith(TYPES_ALONE)
    }
    assert not strangers


def test_the_types_of_clients_are_for_the_checker_alone() -> None:
    """They are no dependency of anything that runs: who installs a package has boto3 without them."""
    checked = 0
    for file in (file for package in FOLDERS for file in sources(package)):
        tree = ast.parse(file.read_text())
        guarded = {
            id(node)
            for test in ast.walk(tree)
            if isinstance(test, ast.If) and ast.unparse(test.test) == "TYPE_CHECKING"
            for node in ast.walk(test)
        }
        for node in ast.walk(tree):
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith(TYPES_ALONE):
                assert id(node) in guarded, f"{file.relative_to(ROOT)}:{node.lineno}"
                checked += 1
    assert checked > 20


def test_no_arrow_between_folders_runs_up() -> None:
    TopologicalSorter({package: allowed & set(FOLDERS) for package, allowed in ALLOWED.items()}).prepare()


def test_no_module_imports_itself_by_way_of_others() -> None:
    known = modules()
    arrows = {
        name: {found for found in imports(file) if found in known and found != name and not _is_door(known[found])}
        for name, file in known.items()
        if not _is_door(file)
    }
    TopologicalSorter(arrows).prepare()


def _is_door(file: Path) -> bool:
    """Whether it only hands on what the modules beside it have; who imports one of these need not come through it."""
    return file.name == "__init__.py"


@pytest.mark.parametrize("package", sorted(ROOMS))
def test_a_room_knows_only_the_rooms_that_it_may_and_every_room_is_named(package: str) -> None:
    names = [name for name in modules() if name.split(".")[0] == package]
    assert {room_of(package, name) for name in names} == set(ROOMS[package])
    strangers = set()
    for name in names:
        here = room_of(package, name)
        for found in imports(modules()[name]):
            if found not in modules() or found.split(".")[0] != package or found == package:
                continue
            there = room_of(package, found)
            if there == here or there in ROOMS[package][here]:
                continue
            top = found.removeprefix(package).removeprefix(".")
            if there == "" and top in TOP_FOR_ROOMS.get(package, {top}):
                continue
            strangers.add(f"{name} imports {found}")
    assert not strangers


def test_only_the_pages_know_that_there_are_pages() -> None:
    """What the pages show can be shown in a terminal too, and pages ask our APIs and never AWS."""
    for file in sources("console"):
        imported = {name.split(".")[0] for name in imports(file)}
        if file.is_relative_to(FOLDERS["console"] / "web"):
            assert not imported & {"boto3", "rich"}, file
        else:
            assert not imported & {"flask", "waitress", "werkzeug"}, file


def test_what_an_operator_asks_is_said_without_a_terminal() -> None:
    """Nor does it take what is inside a snapshot, or a client, to ask how a collection is."""
    code = (
        "import sys, operate.stack, operate.asked_first, operate.health, operate.execution.timeline\n"
        "assert not {'rich', 'flask', 'chromadb', 'numpy', 'pyarrow', 'sqlite3', 'boto3'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True, cwd=ROOT)


def test_pages_are_made_without_a_terminal() -> None:
    code = (
        "import sys, console.web.server\n"
        "assert 'rich' not in sys.modules and not any(name.startswith('console.cli') for name in sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True, cwd=ROOT)


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
        "from receipt_chroma.reader import SnapshotReader",
        "from receipt_dynamo_stream.history import list_executions",
        "from operate.stack import Stack",
        "from console.contents import Contents",
        "from console.merged import what_came, what_merged",
        "from local.worker_logs import find_invocation",
    ],
)
def test_a_promised_import_line_works_and_loads_no_chromadb(statement: str) -> None:
    code = f"{statement}\nimport sys\nassert 'chromadb' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True, cwd=ROOT)


def test_the_stream_handler_never_loads_chroma_or_numpy() -> None:
    code = (
        f"import sys; sys.path.insert(0, {str(ROOT)!r})\nimport handlers.stream_handler\n"
        "assert not {'chromadb', 'numpy', 'receipt_chroma'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
