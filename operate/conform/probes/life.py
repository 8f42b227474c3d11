"""The probe's generation, made for a report and removed after it: its items, objects, files and rows."""

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from receipt_dynamo_stream import names
from receipt_dynamo_stream.attributes import number, string
from receipt_dynamo_stream.conditions import query_all, update_if
from receipt_dynamo_stream.control.head import head_key
from receipt_dynamo_stream.keys import ReceiptId
from receipt_dynamo_stream.probe import PROBE_GENERATION, PROBE_IMAGES, PROBE_MODEL

from operate.conform.probes.collection import DIMENSION, WAIT_SECONDS, ProbeCollection, side_by_side
from operate.conform.probes.errors import ProbesTaken
from operate.conform.probes.instances import Instances
from operate.stack import Stack

GIVEN_UP_AFTER: Final = timedelta(hours=2)
"""A report that has held the generation for longer was killed: what it left is removed."""
_PARTITIONS: Final = (
    *("COLLECTION", "PENDING", "QUARANTINE", "NOTES", "VERSIONS_EXPIRED", "EXECUTIONS", "EXECUTIONS_IDLE"),
)


@contextmanager
def probe_collection(stack: Stack, instances: Instances) -> Iterator[ProbeCollection]:
    """The probe's generation, made and removed."""
    collection = ProbeCollection(stack, instances, f"{PROBE_IMAGES}{instances.folder}")
    begin(collection)
    try:
        yield collection
    finally:
        Removal(collection).whole()


def begin(collection: ProbeCollection) -> None:
    """Make HEAD. Raises ProbesTaken while another report has it; what a killed one left is removed first."""
    item = collection.services.dynamodb.get_item(
        TableName=collection.stack.connection.control_table, Key=head_key(PROBE_GENERATION), ConsistentRead=True
    ).get("Item")
    if item is not None:
        made = item.get("made_at", {}).get("S", "2026-01-01T00:00:00+00:00")
        if datetime.now(UTC) - datetime.fromisoformat(made) < GIVEN_UP_AFTER:
            raise ProbesTaken(f"another report of this stack began at {made}: wait for it, or for two hours")
        left = item.get("probe_image", {}).get("S", collection.image)
        Removal(ProbeCollection(collection.stack, collection.instances, left)).whole()
    Removal(collection).content()
    applied, _ = update_if(
        collection.services.dynamodb,
        table=collection.stack.connection.control_table,
        key=head_key(PROBE_GENERATION),
        condition="attribute_not_exists(PK)",
        UpdateExpression="SET model = :model, dimension = :dimension, shards = :one, made_at = :now,"
        " probe_image = :image",
        ExpressionAttributeValues={
            ":model": string(PROBE_MODEL),
            ":dimension": number(DIMENSION),
            ":one": number(1),
            ":now": string(collection.services.now().isoformat()),
            ":image": string(collection.image),
        },
    )
    if not applied:
        raise ProbesTaken("another report of this stack began just now: wait for it")


@dataclass(frozen=True)
class Removal:
    """Of a report's probe collection. May be repeated."""

    collection: ProbeCollection

    def whole(self) -> None:
        """Every item, object, file and row."""
        self.collection.change_head("SET paused = :why", why=string("removed by compaction conform"))
        for arn in self.collection.running():
            self.collection.services.stepfunctions.stop_execution(
                executionArn=arn, error="StoppedByOperator", cause="conform ends"
            )
        before = self._names()
        self._remove_items()
        self._wait_for_the_streams_last(before)
        self.collection.quiet()
        self.content()
        for _ in range(20):  # the last executions' ends are still being recorded
            if not self._remove_rows():
                return
            time.sleep(0.5)

    def content(self) -> None:
        """Objects and files: also what a fold left that was stopped, and went on past the end of its report."""
        self._remove_objects()
        self.collection.instances.remove("forget", folder=self.collection.image.removeprefix(PROBE_IMAGES))

    def _remove_items(self) -> None:
        """The last of an image to go is a receipt that is put for it: its removal is the stream's last word of it."""
        table, put, delete = self.collection.stack.connection.receipts_table, self.collection.put_item, self._delete
        found = {image: self._keys(table, f"IMAGE#{image}") for image in self.collection.images}
        lasts = [ReceiptId(one, 99_999) for one, keys in found.items() if keys or one == self.collection.image]
        keys = [key for keys in found.values() for key in keys if key["SK"] != string(lasts[0].sk)]
        side_by_side(lambda one: put(one, "", names.RECEIPT, timestamp_added="2026-01-01T00:00:00+00:00"), lasts)
        side_by_side(lambda key: delete(table, key), keys)
        side_by_side(lambda one: self.collection.delete_item(one, ""), lasts)

        def heard() -> bool:
            pending = self.collection.pending()
            return all(one in pending and "REMOVE RECEIPT" in pending[one].reasons for one in lasts)

        self.collection.until(heard, "the stream to hear of what was removed", WAIT_SECONDS + len(keys) / 100)

    def _delete(self, table: str, key: Mapping[str, Any]) -> None:
        self.collection.services.dynamodb.delete_item(TableName=table, Key=key)

    def _names(self) -> set[str]:
        answer = self.collection.services.stepfunctions.list_executions(
            stateMachineArn=self.collection.stack.connection.state_machine_arn, maxResults=100
        )
        return {row["name"] for row in answer["executions"] if row["name"].startswith(f"{PROBE_GENERATION}-stream-")}

    def _wait_for_the_streams_last(self, before: set[str]) -> None:
        """The stream marks first and starts then: an execution that comes when HEAD is gone would fail for want of it.
        It may also start none, where the holder was asked for another round."""
        ends = time.monotonic() + 5
        while not self._names() - before and time.monotonic() < ends:
            time.sleep(self.collection.look_seconds)

    def _remove_objects(self) -> None:
        bucket = self.collection.services.bucket
        prefixes = [f"{place}/{PROBE_GENERATION}/" for place in ("snapshots", "plans", "reports")]
        prefixes += [f"{one}/delta/{PROBE_IMAGES}" for one in ("words", "lines")]
        for prefix in prefixes:
            keys = [found.key for found in bucket.list(prefix)]
            if keys:
                bucket.delete_all(keys)

    def _remove_rows(self) -> int:
        table, removed = self.collection.stack.connection.control_table, 0
        for partition in _PARTITIONS:
            for key in self._keys(table, f"{partition}#{PROBE_GENERATION}"):
                self._delete(table, key)
                removed += 1
        return removed

    def _keys(self, table: str, partition: str) -> list[dict[str, Any]]:
        items = query_all(
            self.collection.services.dynamodb,
            TableName=table,
            KeyConditionExpression="PK = :pk",
            ExpressionAttributeValues={":pk": string(partition)},
        )
        return [{name: item[name] for name in ("PK", "SK")} for item in items]
