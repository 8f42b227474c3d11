"""IAM: each function's role is asked whether it may do what the function does, and one thing that only another does.

`calls.json` beside this file has what each function's code calls, on what and under which key; tests hold it against
the sources and the template. On AWS some 150 questions of SimulatePrincipalPolicy, which reads the role's own policies
and costs nothing. It knows neither what the file system's or a queue's own policy says, nor a boundary of the
organisation.
https://docs.aws.amazon.com/IAM/latest/APIReference/API_SimulatePrincipalPolicy.html
"""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib import resources
from typing import Any, Final

from operate.conform.probes.deployed import Deployed
from operate.conform.probes.told import Told
from operate.conform.rows import Row
from operate.stack import Stack

PART: Final = "IAM"
SIMULATE: Final = "https://docs.aws.amazon.com/IAM/latest/APIReference/API_SimulatePrincipalPolicy.html"
ALLOWED: Final = "allowed"


@dataclass(frozen=True, order=True)
class Call:
    """An action on one of the stack's things, as cdk/compaction_cdk/grants.py names them; key: of the object, or the
    item's partition key."""

    action: str
    on: str
    key: str = ""


def calls() -> dict[str, tuple[Call, ...]]:
    """What each function calls."""
    text = resources.files(__package__).joinpath("calls.json").read_text(encoding="utf-8")
    return {function: tuple(Call(*one) for one in made) for function, made in json.loads(text).items()}


def neighbours_call(function: str, of_all: Mapping[str, Sequence[Call]]) -> Call:
    """A call that another function makes and this one does not, nor anything like it."""
    own = {(one.action, one.on) for one in of_all[function]}
    return min(one for made in of_all.values() for one in made if (one.action, one.on) not in own)


def rows(deployed: Deployed, told: Told) -> Iterator[Row]:
    """The part's rows."""
    functions = deployed.functions
    if not functions:
        yield told.left_out(
            "each function's role: every call it makes, and one of a neighbour's",
            "allowed, and denied",
            "the local stack has no roles and enforces no policy",
            SIMULATE,
        )
        return
    arns = targets(deployed.stack, deployed.resource("AWS::SNS::Topic") or "")
    iam = deployed.stack.connection.client("iam")
    of_all = calls()
    for function in of_all:
        role = functions[function]["Role"] if function in functions else None
        yield of_role(told, function, of_all, None if role is None else decider(iam, role, arns))


def of_role(
    told: Told, function: str, of_all: Mapping[str, Sequence[Call]], decide: Callable[[Call], str] | None
) -> Row:
    """One function's row. decide: what IAM says of a call of its role; None where the stack has no such function."""
    question = f"{function}: every call it makes, and one of a neighbour's"
    if decide is None:
        return told.judged(question, "allowed, and denied", "the stack has no such function", False, SIMULATE)
    neighbours = neighbours_call(function, of_all)
    refused = [one for one in of_all[function] if decide(one) != ALLOWED]
    too_much = decide(neighbours) == ALLOWED
    said = [f"DENIED {one.action} on {one.on} {one.key}".strip() for one in refused]
    said += [f"ALLOWED {neighbours.action} on {neighbours.on}"] if too_much else []
    seen = "; ".join(said) or f"{len(of_all[function])} allowed; {neighbours.action} on {neighbours.on} denied"
    return told.judged(question, "allowed, and denied", seen, not said, SIMULATE)


def decider(iam: Any, role: str, arns: Mapping[str, str]) -> Callable[[Call], str]:
    """What IAM says of calls of a role."""

    def decide(call: Call) -> str:
        resource = f"{arns[call.on]}/{call.key}" if call.on == "objects" else arns[call.on]
        keys = {"dynamodb:LeadingKeys": [call.key]} if call.action.startswith("dynamodb:") else {}
        answer = iam.simulate_principal_policy(
            PolicySourceArn=role,
            ActionNames=[call.action],
            ResourceArns=[resource],
            ContextEntries=[
                {"ContextKeyName": name, "ContextKeyValues": values, "ContextKeyType": "stringList"}
                for name, values in keys.items()
            ],
        )
        return str(answer["EvaluationResults"][0]["EvalDecision"])

    return decide


def targets(stack: Stack, topic: str) -> dict[str, str]:
    """The ARN of each thing, by the name that calls have for it."""
    connection = stack.connection
    _, partition, _, region, account, *_ = connection.state_machine_arn.split(":")
    table = f"arn:{partition}:dynamodb:{region}:{account}:table/"
    queue = (connection.failure_queue_url or "").rpartition("/")[2]
    bucket = f"arn:{partition}:s3:::{connection.bucket}"
    return {
        "control": f"{table}{connection.control_table}",
        "receipts": f"{table}{connection.receipts_table}",
        "bucket": bucket,
        "objects": bucket,
        "failures": f"arn:{partition}:sqs:{region}:{account}:{queue}",
        "machine": connection.state_machine_arn,
        "executions": f"{connection.state_machine_arn.replace(':stateMachine:', ':execution:')}:conform",
        "alerts": topic,
    }
