"""How fast and how small the stream side is: `make bench-stream`. Exits 1 when a number misses its bound.

Times of imports are CPU seconds of a fresh process, the least of several, and are compared with a process that only
imports boto3, in the same run. Bounds are those that the package promises.
"""

from __future__ import annotations

import resource
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from receipt_dynamo_stream import detect_change, parse_stream_record

ROOT = Path(__file__).resolve().parent.parent
PROCESSES = 9
RECORDS = 200_000
MANY_RECORDS = 1_000_000
IMAGE = "IMAGE#3f52804b-2fad-4e00-92c8-b593da3a8ed3"

BOTO3 = "import boto3"
PACKAGE = f"{BOTO3}\nimport receipt_dynamo_stream\nreceipt_dynamo_stream.parse_stream_record"
COLD_START = f"""{BOTO3}
import os, sys
sys.path.insert(0, {str(ROOT)!r})
os.environ.update(AWS_DEFAULT_REGION="us-east-1", AWS_ACCESS_KEY_ID="x", AWS_SECRET_ACCESS_KEY="x",
    RECEIPTS_TABLE="r", CONTROL_TABLE="c", BUCKET="b", POWERTOOLS_METRICS_NAMESPACE="n", POWERTOOLS_SERVICE_NAME="s")
from types import SimpleNamespace
from handlers.clients import dynamodb, sqs, stepfunctions
from handlers.stream_handler import stream_handler
for client in (dynamodb, stepfunctions, sqs):
    client()
context = SimpleNamespace(function_name="f", memory_limit_in_mb=512, invoked_function_arn="a", aws_request_id="r")
stream_handler({{"Records": []}}, context)
"""


def cpu_seconds(*codes: str) -> list[float]:
    """The least CPU time of fresh processes that run each code, in turns, so that a busy moment meets all alike."""
    times: list[list[float]] = [[] for _ in codes]
    for _ in range(PROCESSES):
        for code, measured in zip(codes, times, strict=True):
            before = resource.getrusage(resource.RUSAGE_CHILDREN)
            subprocess.run([sys.executable, "-c", code], check=True, stdout=subprocess.DEVNULL)
            after = resource.getrusage(resource.RUSAGE_CHILDREN)
            measured.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
    return [min(measured) for measured in times]


def image(sk: str, **attributes: Any) -> dict[str, Any]:
    """An image of about 9.6 KB, as real tables have them: most attributes do not matter to Chroma."""
    box = {"M": {"x": {"N": "0.123456789012345"}, "y": {"N": "0.5"}, "text": {"S": "z" * 100}}}
    return {"PK": {"S": IMAGE}, "SK": {"S": sk}, **{f"box_{n}": box for n in range(48)}, **attributes}


def record(sk: str, event: str, old: dict[str, Any] | None, new: dict[str, Any] | None) -> dict[str, Any]:
    """A record as Lambda's stream mapping delivers it."""
    images = {
        name: image(sk, **values) for name, values in (("OldImage", old), ("NewImage", new)) if values is not None
    }
    return {
        "eventID": "0123456789abcdef0123456789abcdef",
        "eventName": event,
        "eventSource": "aws:dynamodb",
        "awsRegion": "us-east-1",
        "dynamodb": {
            "ApproximateCreationDateTime": 1767225600.0,
            "Keys": {"PK": {"S": IMAGE}, "SK": {"S": sk}},
            "SequenceNumber": "1234500000000012345678",
            "SizeBytes": 9600,
            "StreamViewType": "NEW_AND_OLD_IMAGES",
            **images,
        },
    }


def sample() -> list[dict[str, Any]]:
    """A mix as a burst has it: mostly words, then labels, places, sections, and a run's own state writes."""
    word, receipt = "RECEIPT#00001#LINE#00001#WORD#{:05d}", "RECEIPT#00001"
    pending, valid = ({"validation_status": {"S": s}, "reasoning": {"S": "x" * 200}} for s in ("PENDING", "VALID"))
    merchants = ({"merchant_name": {"S": name}} for name in "ab")
    line_ids = ({"line_ids": {"L": [{"N": str(n)} for n in ids]}} for ids in ([1, 2], [1]))
    return [
        *(record(word.format(n), "INSERT", None, {"text": {"S": "b"}}) for n in range(40)),
        *(record(word.format(n), "MODIFY", {"text": {"S": "a"}}, {"text": {"S": "b"}}) for n in range(20)),
        *(record(word.format(n) + "#LABEL#TOTAL", "MODIFY", pending, valid) for n in range(20)),
        *[record(f"{receipt}#PLACE", "MODIFY", *merchants)] * 10,
        *[record(f"{receipt}#SECTION#HEADER", "MODIFY", *line_ids)] * 5,
        *[record(f"{receipt}#COMPACTION_RUN#r", "MODIFY", {}, {"lines_state": {"S": "COMPLETED"}})] * 5,
    ]


def detect(records: list[dict[str, Any]], count: int) -> Iterator[int]:
    """Parse and detect `count` records; yields the peak memory of the process in KB at each tenth."""
    for done in range(0, count, len(records)):
        for one in records:
            detect_change(parse_stream_record(one))
        if done % (count // 10) < len(records):
            yield resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def main() -> int:
    """Print a table; the exit code says whether every bound holds."""
    boto3, package, cold = cpu_seconds(BOTO3, PACKAGE, COLD_START)
    package, cold = package - boto3, cold - boto3
    records = sample()
    started = time.process_time()
    list(detect(records, RECORDS))
    rate = RECORDS / (time.process_time() - started)
    memory = list(detect(records, MANY_RECORDS))
    growth = memory[-1] - memory[0]
    rows = [
        ("importing boto3", f"{boto3 * 1000:.0f} ms", "", True),
        ("importing the package, over boto3", f"{package * 1000:.0f} ms", "under 60 ms", package < 0.060),
        ("handler's cold start, over boto3", f"{cold * 1000:.0f} ms", "at most 350 ms", cold <= 0.350),
        ("the same, as a share of importing boto3", f"{cold / boto3:.2f}", "", True),
        ("parse and detect, one core", f"{rate:,.0f} records/s", "at least 20,000", rate >= 20_000),
        (f"peak memory growth, {MANY_RECORDS:,} records", f"{growth:,} KB", "at most 1,024 KB", growth <= 1024),
    ]
    for name, value, bound, holds in rows:
        print(f"{name:45} {value:>20}   {bound:18} {'' if not bound else 'ok' if holds else 'MISSED'}")
    return int(not all(holds for *_, holds in rows))


if __name__ == "__main__":
    sys.exit(main())
