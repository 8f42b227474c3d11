"""A synthesised template, and the questions that tests ask it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

Properties = Mapping[str, Any]


def joined(value: Any) -> str:
    """An Fn::Join as a text; references become <Name>."""
    if isinstance(value, str):
        return value
    if "Fn::Join" in value:
        separator, parts = value["Fn::Join"]
        return str(separator).join(joined(part) for part in parts)
    return f"<{value.get('Ref') or '.'.join(value['Fn::GetAtt'])}>"


@dataclass(frozen=True)
class Template:
    """The parsed template, its logical ids as the CDK made them."""

    body: Mapping[str, Any]

    def all(self, kind: str) -> dict[str, Properties]:
        """The properties of every resource of a type, such as `Lambda::Function`, by logical id."""
        return {n: r.get("Properties", {}) for n, r in self.body["Resources"].items() if r["Type"] == f"AWS::{kind}"}

    def one(self, kind: str, containing: str = "") -> Properties:
        """The one resource of a type whose logical id contains a text."""
        found = [properties for name, properties in self.all(kind).items() if containing in name]
        assert len(found) == 1, f"{len(found)} of {kind} with {containing!r}"
        return found[0]

    def resource(self, kind: str, containing: str = "") -> Mapping[str, Any]:
        """Like `one`, with what stands beside the properties."""
        properties = self.one(kind, containing)
        return next(r for r in self.body["Resources"].values() if r.get("Properties") is properties)

    def functions(self) -> dict[str, Properties]:
        """Every function by its name, which is its handler's in CamelCase."""
        return {self.name_of(properties): properties for properties in self.all("Lambda::Function").values()}

    @staticmethod
    def name_of(function: Properties) -> str:
        """`handlers.merge_deltas.merge_deltas` is MergeDeltas."""
        handler = function.get("Handler") or function["ImageConfig"]["Command"][0]
        return "".join(part.capitalize() for part in handler.rpartition(".")[2].split("_"))

    def statements(self, role: str) -> Iterator[dict[str, Any]]:
        """What a role (its logical id) may do; action and resource always as lists."""
        for policy in self.all("IAM::Policy").values():
            if any(user.get("Ref") == role for user in policy["Roles"]):
                for statement in policy["PolicyDocument"]["Statement"]:
                    actions, resources = statement["Action"], statement["Resource"]
                    yield statement | {
                        "Action": [actions] if isinstance(actions, str) else actions,
                        "Resource": resources if isinstance(resources, list) else [resources],
                    }

    def role_of(self, function: str) -> str:
        """The logical id of a function's role."""
        role: str = self.functions()[function]["Role"]["Fn::GetAtt"][0]
        return role

    def actions_of(self, role: str) -> set[str]:
        """All actions of a role."""
        return {action for statement in self.statements(role) for action in statement["Action"]}
