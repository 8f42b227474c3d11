"""Which AWS calls a handler can make: what its code reaches, read from the sources, without running anything.

A name that a function's text mentions is reached; a method is reached when its class is, and its name is asked of a
receiver of that class, or of one whose class the text does not say. That is a little more than what runs, and never
less, as long as nobody builds names out of strings: test_template_interpreted.py compares it with the calls of a run.
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
SERVICES = {
    "cloudformation": "cloudformation",
    "cloudwatch": "cloudwatch",
    "iam": "iam",
    "logs": "logs",
    "events": "events",
    "service-quotas": "servicequotas",
    "dynamodb": "dynamodb",
    "s3": "s3",
    "sqs": "sqs",
    "sns": "sns",
    "stepfunctions": "states",
    "lambda": "lambda",
}
OTHER_NAMES = {  # an IAM action does not always have its call's name
    "head_object": {"s3:GetObject"},
    "list_objects_v2": {"s3:ListBucket"},
    "list_object_versions": {"s3:ListBucketVersions", "s3:GetObjectVersion"},  # who lists them reads them
    "delete_objects": {"s3:DeleteObject"},
    "invoke": {"lambda:InvokeFunction"},
    "copy_object": {"s3:GetObject", "s3:PutObject"},
    "get_bucket_lifecycle_configuration": {"s3:GetLifecycleConfiguration"},
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
CLIENTS = {
    *("client", "cloudformation", "cloudwatch", "dynamodb", "iam", "logs", "s3", "sfn", "sns", "sqs", "stepfunctions"),
}
STREAMS = {"body", "file", "stream"}
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
        self.classes: dict[str, list[ast.ClassDef]] = {}
        self._families: dict[str, frozenset[str]] = {}
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
                if isinstance(node, ast.ClassDef):
                    self.classes.setdefault(node.name, []).append(node)
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

    def family(self, name: str) -> frozenset[str]:
        """The classes of a name, those that they are made from, and those that are made from them."""
        if name not in self._families:  # asked for every member of every class that is reached
            self._families[name] = frozenset(self._family(name))
        return self._families[name]

    def _family(self, name: str) -> Iterator[str]:
        yield name
        for one in (found for classes in self.classes.values() for found in classes):
            bases = {base.id for base in one.bases if isinstance(base, ast.Name)}
            if one.name == name:
                yield from bases & set(self.classes)
            elif name in bases:
                yield one.name

    def find(self, module: str, name: str) -> tuple[str, str] | None:
        """Where a name that a module uses is defined, following imports."""
        if name in self.bodies.get(module, {}):
            return module, name
        origin = self.imports.get(module, {}).get(name)
        if origin is None or origin[1] is None or origin == (module, name):  # a package's own submodule
            return None
        return self.find(*origin) if origin[0] in self.bodies else None  # type: ignore[arg-type]


SOURCES = Sources()


def reached(module: str, function: str, sources: Sources = SOURCES) -> Iterator[ast.AST]:
    """Every body that a function may run."""
    waiting: list[tuple[str, ast.AST]] = [(module, sources.bodies[module][function])]
    owners: dict[int, str] = {}
    seen: set[int] = set()
    classes: list[tuple[str, ast.ClassDef]] = []
    asked: set[tuple[str | None, str]] = set()
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
            classes_of = Receivers(sources, where, body, owners.get(id(body)))
            for node in ast.walk(body):
                if isinstance(node, ast.Name) and (found := sources.find(where, node.id)):
                    waiting.append((found[0], sources.bodies[found[0]][found[1]]))
                if isinstance(node, ast.Attribute):
                    if _may_be_ours(node):
                        asked.add((classes_of.name(node.value), node.attr))
                    if isinstance(node.value, ast.Name):  # module.name
                        origin = sources.imports[where].get(node.value.id)
                        full = f"{origin[0]}.{origin[1]}" if origin else ""
                        if node.attr in sources.bodies.get(full, {}):
                            waiting.append((full, sources.bodies[full][node.attr]))
        for place, found_class in classes:
            for member in found_class.body:
                is_used = isinstance(member, ast.FunctionDef) and (
                    member.name.startswith("__")
                    or any((one, member.name) in asked for one in (None, *sources.family(found_class.name)))
                )
                if is_used and id(member) not in seen:
                    owners[id(member)] = found_class.name
                    waiting.append((place, member))


class Receivers:
    """The classes of what a body's text asks something of, as far as annotations and constructors say them."""

    def __init__(self, sources: Sources, module: str, body: ast.AST, owner: str | None) -> None:
        self._sources, self._module = sources, module
        self._locals: dict[str, str | None] = {"self": owner}
        for node in ast.walk(body):
            if isinstance(node, ast.arg) and node.arg != "self":
                self._note(node.arg, self._annotated(node.annotation))
        for node in ast.walk(body):
            if isinstance(node, ast.Assign):
                for target in node.targets:
                    pairs = [(target, node.value)]
                    if isinstance(target, ast.Tuple) and isinstance(node.value, ast.Tuple):
                        pairs = list(zip(target.elts, node.value.elts, strict=True))
                    for one, value in pairs:
                        if isinstance(one, ast.Name):
                            self._note(one.id, self.name(value))

    def name(self, receiver: ast.AST) -> str | None:
        """The name of a receiver's class; None where the text does not say it."""
        if isinstance(receiver, ast.Name):
            return self._locals.get(receiver.id)
        if isinstance(receiver, ast.Call):
            if isinstance(receiver.func, ast.Name):
                return self._made_by(receiver.func.id)
            if isinstance(receiver.func, ast.Attribute):
                return self._method(self.name(receiver.func.value), receiver.func.attr)
        if isinstance(receiver, ast.Attribute) and (owner := self.name(receiver.value)):
            return self._field(owner, receiver.attr)
        return None

    def _note(self, name: str, found: str | None) -> None:
        # One name for values of two classes says nothing.
        self._locals[name] = found if self._locals.get(name, found) == found else None

    def _annotated(self, annotation: ast.AST | None) -> str | None:
        name = annotation.value if isinstance(annotation, ast.Constant) else getattr(annotation, "id", "")
        return name if isinstance(name, str) and name in self._sources.classes else None

    def _made_by(self, name: str) -> str | None:
        found = self._sources.find(self._module, name)
        made = self._sources.bodies[found[0]][found[1]] if found else None
        if isinstance(made, ast.ClassDef):
            return made.name
        return self._annotated(made.returns) if isinstance(made, ast.FunctionDef) else None

    def _field(self, owner: str, name: str) -> str | None:
        for member in (each for one in self._sources.family(owner) for each in self._members(one)):
            if isinstance(member, ast.AnnAssign) and getattr(member.target, "id", "") == name:
                return self._annotated(member.annotation)
        return None

    def _members(self, name: str) -> list[ast.stmt]:
        return [member for one in self._sources.classes[name] for member in one.body]

    def _method(self, owner: str | None, name: str) -> str | None:
        for member in (each for one in self._sources.family(owner) for each in self._members(one)) if owner else ():
            if isinstance(member, ast.FunctionDef) and member.name == name:
                return self._annotated(member.returns)
        return None


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
    """The names of all metrics that handlers, and the rules that they pass `measure` to, emit: its first argument."""
    found = set()
    for bodies in SOURCES.bodies.values():
        for body in bodies.values():
            for call in (node for node in ast.walk(body) if isinstance(node, ast.Call)):
                if isinstance(call.func, ast.Name) and call.func.id in ("measure", "measure_apart"):
                    name = call.args[0]
                    choices = [name.body, name.orelse] if isinstance(name, ast.IfExp) else [name]
                    found |= {choice.value for choice in choices if isinstance(choice, ast.Constant)}
    return found
