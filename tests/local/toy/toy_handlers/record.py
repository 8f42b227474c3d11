"""A recorder that writes down every event, and fails as the executions' input says."""

import json
import os
import time
from pathlib import Path


def record(event, _context):
    root = Path(os.environ["EFS_ROOT"])
    detail = event["detail"]
    asked = json.loads(detail["input"])
    marker = root / f"failed-{detail['name']}-{detail['status']}"
    if asked.get("record") == "fail once" and not marker.exists():
        marker.touch()
        raise ValueError("as told")
    if asked.get("record") == "hang":
        marker.touch()
        time.sleep(60)
    with (root / "events.jsonl").open("a") as events:
        events.write(json.dumps(event) + "\n")
    return {"recorded": True}
