"""Which AWS calls a handler can make: what its code reaches, read from the sources, without running anything.

A name that a function's text mentions is reached; a method is reached when its name is mentioned anywhere in reach and
its class is. That is a little more than what runs, and never less, as long as nobody builds names out of strings:
test_template_interpreted.py compares it with the calls of a run.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from pathlib import Path

from botocore import xform_name
from botocore.session import get_session

ROOT = Path(__file__).parents[2]
PACKAGES = {
    "handlers": ROOT / "handlers",
    "receipt_dynamo_stream": ROOT / "stream_package/receipt_dynamo_stream",
    "receipt_chroma": ROOT / "chroma_package/receipt_chroma",
}
SERVICES = {"dynamodb": "dynamodb", "s3": "s3", "sqs": "sqs", "stepfunctions": "states", "lambda": "lambda"}
OTHER_NAMES = {  # an IAM action does not always have its call's name
    "head_object": {"s3:GetObject"},
    "list_objects_v2": {"s3:ListBucket"},
    "delete_objects": {"s3:DeleteObject"},
    "copy_object": {"s3:GetObject", "s3:PutObject"},
    "upload_file": {"s3:PutObject"},
    "upload_fileobj": {"s3:PutObject"},
    "download_file": {"s3:GetObject"},
    "download_fileobj": {"s3:GetObject"},
    "send_message_batch": {"sqs:SendMessage"},
    "transact_write_items": set(),  # its parts say which
}
TRANSACTION_PARTS = {
    "ConditionCheck": "dynamodb:ConditionCheckItem",
    "Update": "dynamodb:UpdateItem",
    "Put": "dynamodb:PutItem",
    "Delete": "dynamodb:DeleteItem",
}
CLIENTS = {"client", "dynamodb", "s3", "sfn", "sqs"}
STREAMS = {"body"}
"""What a `.read()` reads that is no method of ours."""
OWN_GET = {"self", "quarantine"}
"""What a `.get()` may be asked of that has a method of ours; everything else that is asked is a dictionary."""


def _calls() -> dict[str, set[str]]:
    session = get_session()
    known = {
        xform_name(operation): {f"{prefix}:{operation}"}
        for service, prefix in SERVICES.items()
        for operation in session.get_service_model(service).operation_names
    }
    return known | OTHER_NAMES


CALLS = _calls()


class Sources:
    """The definitions of all packages: `bodies[module][name]` is a function, class or assignment."""

    def __init__(self, packages: Mapping[str, Path] = PACKAGES) -> None:
        self.bodies: dict[str, dict[str, ast.AST]] = {}
        self.imports: dict[str, dict[str, tuple[str, str | None]]] = {}
        for package, folder in packages.items():
            for file in folder.rglob("*.py"):
                parts = file.relative_to(folder).with_suffix("").parts
                module = ".".join((package, *parts)).removesuffix(".__init__")
                self._read(module, ast.parse(file.read_text()))

    def _read(self, module: str, tree: ast.Module) -> None:
        bodies, imports = self.bodies.setdefault(module, {}), self.imports.setdefault(module, {})
        for node in tree.body:
            if isinstance(node, ast.FunctionDef | ast.ClassDef):
                bodies[node.name] = node
            elif isinstance(node, ast.Assign):
                bodies.update({target.id: node.value for target in node.targets if isinstance(target, ast.Name)})
            elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name) and node.value:
                bodies[node.target.id] = node.value
        for node in ast.walk(tree):  # also those inside functions
            if isinstance(node, ast.ImportFrom):
                base = (
                    f"{module.rpartition('.')[0]}.{node.module or ''}".strip(".") if node.level else node.module or ""
                )
                imports.update({alias.asname or alias.name: (base, alias.name) for alias in node.names})

    def find(self, module: str, name: str) -> tuple[str, str] | None:
        """Where a name that a module uses is defined, following imports."""
        if name in self.bodies.get(module, {}):
            return module, name
        origin = self.imports.get(module, {}).get(name)
        if origin is None or origin[1] is None:
            return None
        return self.find(*origin) if origin[0] in self.bodies else None  # type: ignore[arg-type]


SOURCES = Sources()


def reached(module: str, function: str, sources: Sources = SOURCES) -> Iterator[ast.AST]:
    """Every body that a function may run."""
    waiting: list[tuple[str, ast.AST]] = [(module, sources.bodies[module][function])]
    seen: set[int] = set()
    classes: list[tuple[str, ast.ClassDef]] = []
    attributes: set[str] = set()
    while waiting:
        where, body = waiting.pop()
        if id(body) in seen:
            continue
        seen.add(id(body))
        if isinstance(body, ast.ClassDef):
            classes.append((where, body))
            waiting.extend((where, expression) for expression in (*body.bases, *body.decorator_list))
        else:
            yield body
            for node in ast.walk(body):
                if isinstance(node, ast.Name) and (found := sources.find(where, node.id)):
                    waiting.append((found[0], sources.bodies[found[0]][found[1]]))
                if isinstance(node, ast.Attribute):
                    if _may_be_ours(node):
                        attributes.add(node.attr)
                    if isinstance(node.value, ast.Name):  # module.name
                        origin = sources.imports[where].get(node.value.id)
                        full = f"{origin[0]}.{origin[1]}" if origin else ""
                        if node.attr in sources.bodies.get(full, {}):
                            waiting.append((full, sources.bodies[full][node.attr]))
        for place, found_class in classes:
            for member in found_class.body:
                is_used = isinstance(member, ast.FunctionDef) and (
                    member.name in attributes or member.name.startswith("__")
                )
                if is_used and id(member) not in seen:
                    waiting.append((place, member))


def _may_be_ours(node: ast.Attribute) -> bool:
    name = _name(node.value)
    return (node.attr != "read" or name not in STREAMS) and (node.attr != "get" or name in OWN_GET)


def actions(module: str, function: str, sources: Sources = SOURCES) -> set[str]:
    """The IAM actions that a handler's code may need."""
    return {action for body in reached(module, function, sources) for action in _actions_of(body)}


def written(module: str, sources: Sources = SOURCES) -> set[str]:
    """The IAM actions that a module's own text asks for, whoever runs it."""
    return {action for body in sources.bodies[module].values() for action in _actions_of(body)}


def _actions_of(body: ast.AST) -> set[str]:
    found: set[str] = set()
    for node in ast.walk(body):
        if isinstance(node, ast.Attribute) and node.attr in CALLS and _is_client(node.value):
            found |= CALLS[node.attr]
            if node.attr == "transact_write_items":
                found |= {
                    TRANSACTION_PARTS[key.value]
                    for literal in ast.walk(body)
                    if isinstance(literal, ast.Dict)
                    for key in literal.keys
                    if isinstance(key, ast.Constant) and key.value in TRANSACTION_PARTS
                }
        if isinstance(node, ast.Call) and getattr(node.func, "attr", "") == "get_paginator":
            argument = node.args[0]
            assert isinstance(argument, ast.Constant), "a paginator's name must be written out"
            found |= CALLS[argument.value]
    return found


def _is_client(receiver: ast.AST) -> bool:
    if isinstance(receiver, ast.Call):  # client("sqs").send_message
        receiver = receiver.func
    return _name(receiver) in CLIENTS


def _name(receiver: ast.AST) -> str:
    name: str = receiver.attr if isinstance(receiver, ast.Attribute) else getattr(receiver, "id", "")
    return name.lstrip("_")


def settings_read(module: str, function: str) -> set[str]:
    """The environment variables that a handler reads through `settings()`."""
    return {
        node.attr.upper()
        for body in reached(module, function)
        for node in ast.walk(body)
        if isinstance(node, ast.Attribute)
        and isinstance(node.value, ast.Call)
        and getattr(node.value.func, "id", "") == "settings"
    }


def metrics_emitted() -> set[str]:
    """The names of all metrics that the handlers emit: every call with `name=` and `unit=`."""
    found = set()
    for module, bodies in SOURCES.bodies.items():
        if module.startswith("handlers."):
            for body in bodies.values():
                for call in (node for node in ast.walk(body) if isinstance(node, ast.Call)):
                    arguments = {k.arg: k.value for k in call.keywords}
                    if {"name", "unit"} <= set(arguments):
                        name = arguments["name"]
                        choices = [name.body, name.orelse] if isinstance(name, ast.IfExp) else [name]
                        found |= {choice.value for choice in choices if isinstance(choice, ast.Constant)}
    return found
