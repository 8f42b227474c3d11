"""An audit log of the receipts table: one line of JSON for every change that matters, with its values.

As a Lambda on the table's stream (view type NEW_AND_OLD_IMAGES, ReportBatchItemFailures), the lines go to CloudWatch
Logs. From a terminal it reads a file of stream records, one JSON record or one Lambda event a line:

    python audit_log.py records.jsonl
"""

import json
import sys
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from receipt_dynamo_stream import StreamRecordError, build_message, detect_change, parse_stream_record


def audit_lines(records: Iterable[Mapping[str, Any]]) -> Iterator[str]:
    """A line for every relevant change, and one for every record that cannot be read: an audit leaves nothing out."""
    for raw in records:
        try:
            record = parse_stream_record(raw)
        except StreamRecordError as error:
            yield json.dumps({"unreadable": error.record_id, "problem": error.problem})
            continue
        change = detect_change(record)
        if change is not None:
            yield build_message(record, change).to_json()


def audit_log(event: Mapping[str, Any], context: Any) -> dict[str, Any]:  # noqa: ARG001 -- a Lambda handler has two
    """The Lambda handler. Nothing here can fail for a passing reason, so no record is ever asked for again."""
    for line in audit_lines(event["Records"]):
        print(line)
    return {"batchItemFailures": []}


def main() -> None:
    """Read the file named on the command line, or standard input."""
    with open(sys.argv[1], encoding="utf-8") if len(sys.argv) > 1 else sys.stdin as lines:  # noqa: PTH123
        for line in lines:
            value = json.loads(line)
            for written in audit_lines(value.get("Records", [value])):
                print(written)


if __name__ == "__main__":
    main()
