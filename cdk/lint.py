"""The static checkers on a synthesised template: `python cdk/lint.py TEMPLATE`; exit code 1 when one finds anything.

cfn-lint reads the template; statelint and asl-validator read the state machine in it with its placeholders filled in.
asl-validator comes through npx, from the npm registry. None is left out: a checker that cannot run is an error.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from compaction_cdk.node import NodeMissing, npx, with_node

ASL_VALIDATOR = "asl-validator@4.0.0"
ACCEPTED = {
    ("W3005", "dependency already enforced"): "the CDK writes out the dependency on a role and on its policy",
    ("E3601", "'OutputPath' was unexpected) at 'States/MergeShards/"): (
        "the states language allows OutputPath in Succeed; the other two checkers know that"
    ),
}
"""(rule, part of its message) of cfn-lint -> why it is no finding."""


def findings(template: Path) -> list[str]:
    """What cfn-lint has against a template, without what is accepted."""
    answer = _run(_tool("cfn-lint"), "--format", "json", "--template", str(template))
    try:
        reported = json.loads(answer.stdout or "[]")
    except ValueError as error:
        raise RuntimeError(f"cfn-lint did not answer: {answer.stdout}{answer.stderr}") from error
    return [_line(one) for one in reported if not _is_accepted(one)]


def filled_in(template: Path) -> str:
    """The state machine of a template as Step Functions gets it; references become an ARN."""
    resources = json.loads(template.read_text())["Resources"].values()
    machine = next(r["Properties"] for r in resources if r["Type"] == "AWS::StepFunctions::StateMachine")
    text: str = machine["DefinitionString"]
    for name, value in machine["DefinitionSubstitutions"].items():
        arn = "arn:aws:lambda:us-east-1:123456789012:function:name"
        text = text.replace(f"${{{name}}}", value if isinstance(value, str) else arn)
    return text


def definition_findings(text: str) -> list[str]:
    """What statelint and asl-validator have against a state machine. Raises NodeMissing where there is no npx."""
    from statelint.linter import Linter

    with TemporaryDirectory() as folder:
        file = Path(folder) / "compaction.asl.json"
        file.write_text(text)
        found = [f"statelint: {problem}" for problem in Linter.validate(str(file))]
        answer = _run(*npx(), "--yes", ASL_VALIDATOR, "--json-path", str(file), environment=with_node(os.environ))
        if answer.returncode:
            found.append(f"asl-validator: {answer.stdout}{answer.stderr}")
    return found


def _tool(name: str) -> str:
    return str(Path(sys.executable).parent / name)


def _run(*command: str, environment: dict[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)  # noqa: S603 -- our own linters


def _is_accepted(finding: dict[str, Any]) -> bool:
    return any(finding["Rule"]["Id"] == rule and part in finding["Message"] for rule, part in ACCEPTED)


def _line(finding: dict[str, Any]) -> str:
    path = "/".join(str(part) for part in finding["Location"]["Path"])
    return f"cfn-lint: {finding['Rule']['Id']} {path}: {finding['Message']}"


def main() -> int:
    """Check the template that the command line names."""
    template = Path(sys.argv[1])
    try:
        found = [*findings(template), *definition_findings(filled_in(template))]
    except NodeMissing as error:
        print(f"asl-validator cannot run: {error}", file=sys.stderr)
        return 1
    print("\n".join(found) or f"{template.name} and its state machine are clean")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
