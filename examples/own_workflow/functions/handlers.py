"""The functions of the states. What each is given and must answer is in `handlers/` of this repository, in the
docstring of the function of its name."""

import os
from typing import Any

import boto3


def InspectHolder(event: dict[str, Any], _context: Any) -> dict[str, Any]:  # noqa: N802 (a state's name)
    """{collection, waits} -> {held, holder, fence, running, wait_seconds}."""
    key = {"PK": {"S": f"COLLECTION#{event['collection']}"}, "SK": {"S": "HEAD"}}
    dynamodb, sfn = boto3.client("dynamodb"), boto3.client("stepfunctions")
    head = dynamodb.get_item(TableName=os.environ["CONTROL_TABLE"], Key=key, ConsistentRead=True).get("Item", {})
    holder, fence = head.get("holder", {}).get("S", ""), int(head.get("fence", {}).get("N", "0"))
    if not holder:
        return {"held": False, "holder": "", "fence": fence, "running": False, "wait_seconds": 5}
    running = sfn.describe_execution(executionArn=holder)["status"] == "RUNNING"
    return {"held": True, "holder": holder, "fence": fence, "running": running, "wait_seconds": 5}


def PlanCompaction(event: dict[str, Any], _context: Any) -> dict[str, Any]:  # noqa: N802
    """What there is to do. Nothing, here: the execution releases its lease and ends as `nothing_pending`."""
    return {
        "plan_key": "",
        "receipts": 0,
        "more": False,
        "wait_seconds": 0,
        "base_version": 0,
        "version": 1,
        "snapshot_id": f"{1:010d}-{event['fence']:010d}-{event['round']}",
        "shards": [],
    }


def _yours(_event: dict[str, Any], _context: Any) -> dict[str, Any]:
    raise NotImplementedError("write this state's function")


DownloadSnapshot = MergeDeltas = ValidateShard = WriteManifest = SwapPointer = SettleChanges = _yours
ExpireSnapshots = PrepareRollback = VerifySnapshot = _yours
PlanFold = FoldShard = ValidateFold = WriteFold = ValidateReshard = StartFold = StartGenerations = PrepareSwitch = (
    _yours
)
