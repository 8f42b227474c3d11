"""Counts of what happens to receipts, by minute: changes by entity and event, words added, labels by outcome.

The counter keeps only the counts, so it may run for ever; a record that comes twice is counted once while it is among
the last `remember` ids.

    python analytics_counter.py records.jsonl
"""

import json
import sys
from collections import Counter, OrderedDict
from collections.abc import Iterable, Mapping
from typing import Any

from receipt_dynamo_stream import StreamRecordError, WordLabel, detect_change, parse_stream_record


class AnalyticsCounter:
    """Counts stream records. counts: (minute, name) -> number, where minute is like "2026-07-28T12:00"."""

    def __init__(self, remember: int = 10_000) -> None:
        self.counts: Counter[tuple[str, str]] = Counter()
        self._seen: OrderedDict[str, None] = OrderedDict()
        self._remember = remember

    def add(self, records: Iterable[Mapping[str, Any]]) -> None:
        """Count records; what cannot be read is counted as `unreadable`."""
        for raw in records:
            try:
                record = parse_stream_record(raw)
            except StreamRecordError:
                self.counts["", "unreadable"] += 1
                continue
            if self._is_repeated(record.record_id):
                continue
            minute = (record.timestamp or "")[:16]
            change = detect_change(record)
            self.counts[minute, "changes" if change else "of no matter"] += 1
            if change is None:
                continue
            self.counts[minute, change.reason] += 1
            if isinstance(record.new, WordLabel) and "validation_status" in change.fields:
                self.counts[minute, f"label {record.new.validation_status or 'without status'}"] += 1

    def rows(self) -> list[tuple[str, str, int]]:
        """(minute, name, number), in order."""
        return sorted((minute, name, number) for (minute, name), number in self.counts.items())

    def _is_repeated(self, record_id: str) -> bool:
        if record_id in self._seen:
            return True
        self._seen[record_id] = None
        if len(self._seen) > self._remember:
            self._seen.popitem(last=False)
        return False


def main() -> None:
    """Count the file named on the command line, or standard input."""
    counter = AnalyticsCounter()
    with open(sys.argv[1], encoding="utf-8") if len(sys.argv) > 1 else sys.stdin as lines:  # noqa: PTH123
        for line in lines:
            value = json.loads(line)
            counter.add(value.get("Records", [value]))
    for minute, name, number in counter.rows():
        print(f"{minute:16}  {number:8}  {name}")


if __name__ == "__main__":
    main()
