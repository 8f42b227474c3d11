"""cfn-lint on a synthesised template: `python cdk/lint.py TEMPLATE`. Exit code 1 when it finds anything not named here."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

ACCEPTED = {
    ("W3005", "dependency already enforced"): "the CDK writes the dependency on a role and on its policy out",
    ("E3601", "'OutputPath' was unexpected) at 'States/MergeShards/"): "the states language allows OutputPath in Succeed;"
    " statelint and asl-validator know that",
}
"""(rule, part of its message) -> why it is no finding."""


def findings(template: Path) -> list[str]:
    """What cfn-lint has against a template, without what is accepted."""
    command = [str(Path(sys.executable).parent / "cfn-lint"), "--format", "json", "--template", str(template)]
    answer = subprocess.run(command, capture_output=True, text=True, check=False)
    try:
        reported = json.loads(answer.stdout or "[]")
    except ValueError as error:
        raise RuntimeError(f"cfn-lint did not answer: {answer.stdout}{answer.stderr}") from error
    return [_line(one) for one in reported if not _is_accepted(one)]


def _is_accepted(finding: dict[str, Any]) -> bool:
    return any(finding["Rule"]["Id"] == rule and part in finding["Message"] for rule, part in ACCEPTED)


def _line(finding: dict[str, Any]) -> str:
    path = "/".join(str(part) for part in finding["Location"]["Path"])
    return f"{finding['Rule']['Id']} {path}: {finding['Message']}"


if __name__ == "__main__":
    found = findings(Path(sys.argv[1]))
    print("\n".join(found) or f"cfn-lint: {sys.argv[1]} is clean")
    sys.exit(1 if found else 0)
