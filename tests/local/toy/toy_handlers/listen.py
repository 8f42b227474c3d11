"""A stream handler that writes down every batch, and fails as the items say."""

import json
import os
from pathlib import Path


def listen(event, _context):
    root = Path(os.environ["EFS_ROOT"])
    with (root / "batches.jsonl").open("a") as batches:
        batches.write(json.dumps(event["Records"]) + "\n")
    failed = [record for record in event["Records"] if fails(root, record["dynamodb"].get("NewImage", {}))]
    return {"batchItemFailures": [{"itemIdentifier": record["dynamodb"]["SequenceNumber"]} for record in failed]}


def fails(root, image):
    match image.get("do", {}).get("S"):
        case "raise":
            raise ValueError("as told")
        case "always":
            return True
        case "once":
            marker = root / f"seen-{image['SK']['S']}"
            seen, _ = marker.exists(), marker.touch()
            return not seen
    return False
