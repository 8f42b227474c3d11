"""A small stack in moto: the real tables' shapes, and a state machine that does what its input says."""

import json
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from hashlib import sha256
from typing import Any

from receipt_chroma.snapshot.manifest import Manifest, ManifestShard
from receipt_chroma.storage.tree import RECEIPTS_FILE, object_key
from receipt_dynamo_stream.control.head import Head
from receipt_dynamo_stream.control.notes import NotedReceipt, NotedRun
from receipt_dynamo_stream.control.quarantine import Quarantine
from receipt_dynamo_stream.control.table import ControlTable
from receipt_dynamo_stream.control.versions import VersionRow
from receipt_dynamo_stream.keys import ReceiptId
from receipt_dynamo_stream.round.report import FileEntry
from receipt_dynamo_stream.runs import settle_order

from operate.connection import Connection

REGION = "us-east-1"
MACHINE = f"arn:aws:states:{REGION}:123456789012:stateMachine:compaction"

EXPIRED = {
    **{"fenced": False, "expired": 2, "manifests": 1, "shards": 3, "segments": 5, "staging": 0, "bytes": 12_345_678},
    **{"archived": 7, "unremovable": 1, "named": ["staging/x: Device or resource busy"], "more": True},
}


def _is(collection: str) -> dict[str, str]:
    return {"Variable": "$.collection", "StringEquals": collection}


def _ends(**result: Any) -> dict[str, Any]:
    return {"Type": "Pass", "Result": {"result": result}, "End": True}


TOY_MACHINE: dict[str, Any] = {
    "StartAt": "What",
    "States": {
        "What": {
            "Type": "Choice",
            "Choices": [
                {
                    "And": [{"Variable": "$.toy", "IsPresent": True}, {"Variable": "$.toy", "StringEquals": toy}],
                    "Next": toy,
                }
                for toy in ("Fenced", "Crash", "Hold")
            ]
            + [
                {"Variable": "$.mode", "StringEquals": "plan", "Next": "Plan"},
                {"Variable": "$.mode", "StringEquals": "expire", "Next": "expire"},
                {"Variable": "$.mode", "StringEquals": "restore", "Next": "restore"},
                *(
                    {"And": [{"Variable": "$.mode", "StringEquals": mode}, _is(collection)], "Next": mode + collection}
                    for mode in ("rollback", "verify", "reshard")
                    for collection in ("lines", "words")
                ),
                {"Variable": "$.collection", "StringEquals": "words", "Next": "Publish"},
            ],
            "Default": "Nothing",
        },
        "Publish": {
            "Type": "Pass",
            "Result": {"result": {"outcome": "published", "version": 3, "records": 7}},
            "End": True,
        },
        "Nothing": {"Type": "Pass", "Result": {"outcome": "nothing_pending"}, "ResultPath": "$.result", "End": True},
        "Plan": {
            "Type": "Pass",
            "Result": {
                "result": {
                    "outcome": "planned",
                    "plan_key": None,
                    "receipts": 0,
                    "more": False,
                    "wait_seconds": 0,
                    "base_version": 3,
                    "version": 4,
                    "snapshot_id": "0000000004-0000000000-0",
                    "shards": [],
                }
            },
            "End": True,
        },
        "rollbackwords": _ends(
            outcome="rolled_back", version=4, snapshot_id="0000000004-0000000009-0", records=5, to="whatever"
        ),
        "rollbacklines": {"Type": "Fail", "Error": "RollbackRefused", "Cause": "It is EXPIRED."},
        "verifywords": _ends(
            outcome="verified", version=3, snapshot_id="it", records=1812, shards=4, checks=["sha256", "labels"]
        ),
        "verifylines": {"Type": "Fail", "Error": "ShardInvalid", "Cause": "labels: 3 are missing"},
        "reshardwords": _ends(outcome="resharded", version=4, snapshot_id="it", records=30, shards=4),
        "reshardlines": _ends(outcome="reshard_lost"),
        "expire": {
            "Type": "Choice",
            "Choices": [
                {
                    "And": [{"Variable": "$.apply", "BooleanEquals": apply}, _is(collection)],
                    "Next": f"{name}{collection}",
                }
                for apply, name in ((True, "apply"), (False, "dry"))
                for collection in ("lines", "words")
            ],
            "Default": "Crash",
        },
        "drywords": {
            "Type": "Pass",
            "Result": {"dry_run": True, **EXPIRED},
            "ResultPath": "$.expired",
            "Next": "Nothing",
        },
        "applywords": {
            "Type": "Pass",
            "Result": {"dry_run": False, **EXPIRED},
            "ResultPath": "$.expired",
            "Next": "Nothing",
        },
        "restore": _ends(outcome="restored", version=2, moved=True, found="CURRENT is gone", files=3, bytes=2_000),
        "drylines": _ends(outcome="paused"),
        "applylines": {
            "Type": "Pass",
            "Result": {"dry_run": False, **EXPIRED, "fenced": True},
            "ResultPath": "$.expired",
            "Next": "Nothing",
        },
        "Fenced": {"Type": "Fail", "Error": "Fenced", "Cause": "A newer execution took the lease."},
        "Crash": {"Type": "Fail", "Error": "Runtime.ExitError", "Cause": "The worker\nended [bold]early[/bold]."},
        "Hold": {"Type": "Wait", "Seconds": 1, "Next": "Nothing"},
    },
}


def toy_manifest(
    collection: str, snapshot_id: str, *shards: ManifestShard, dimension: int | None = None, plan_key: str = ""
) -> Manifest:
    """A manifest of these shards, made by nobody."""
    return Manifest(
        collection=collection,
        version=int(snapshot_id.split("-")[0]),
        snapshot_id=snapshot_id,
        parent=None,
        dimension=dimension,
        space="l2",
        chromadb_version="1",
        shard_count=len(shards),
        records=sum(shard.records for shard in shards),
        digest="0" * 64,
        shards=shards,
        plan_key=plan_key,
        execution="",
        trigger="stream",
        created_at="2026-07-28T12:00:00+00:00",
    )


class ToyStack:
    """What a test puts into the stack, and what it looks at behind the console's back."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        self.sfn = connection.client("stepfunctions")
        self.dynamodb = connection.client("dynamodb")
        self.s3 = connection.client("s3")
        self._names = 0
        self._rounds = 0

    @property
    def control(self) -> ControlTable:
        """The control table as the package has it."""
        return ControlTable(self.dynamodb, self.connection.control_table)

    def create(self) -> None:
        for table in (self.connection.receipts_table, self.connection.control_table):
            self.create_table(table)
        self.s3.create_bucket(Bucket=self.connection.bucket)
        self.create_machine()

    def create_machine(self) -> None:
        """The state machine alone."""
        self.sfn.create_state_machine(
            name="compaction", definition=json.dumps(TOY_MACHINE), roleArn="arn:aws:iam::123456789012:role/toy"
        )

    def create_table(self, name: str) -> None:
        """A table with the keys of both."""
        self.dynamodb.create_table(
            TableName=name,
            KeySchema=[{"AttributeName": "PK", "KeyType": "HASH"}, {"AttributeName": "SK", "KeyType": "RANGE"}],
            AttributeDefinitions=[{"AttributeName": key, "AttributeType": "S"} for key in ("PK", "SK")],
            BillingMode="PAY_PER_REQUEST",
        )

    def start(self, collection: str, *, trigger: str = "stream", name: str | None = None, **given: str) -> str:
        """Start an execution as the stream handler does, and wait until it ended; returns its name."""
        name = name or f"{collection}-{trigger}-{self._next():032x}"
        arn = self.sfn.start_execution(
            stateMachineArn=MACHINE,
            name=name,
            input=json.dumps({"collection": collection, "mode": "compact", "trigger": trigger, **given}),
        )["executionArn"]
        while given.get("toy") != "Hold" and self.sfn.describe_execution(executionArn=arn)["status"] == "RUNNING":
            pass
        return name

    def head(self, collection: str, **values: str | int) -> None:
        """Write HEAD as the state machine does."""
        item = {"PK": {"S": f"COLLECTION#{collection}"}, "SK": {"S": "HEAD"}}
        for key, value in values.items():
            item[key] = {"N": str(value)} if isinstance(value, int) else {"S": value}
        self.dynamodb.put_item(TableName=self.connection.control_table, Item=item)

    def receipt(self, image_id: str, receipt_id: int) -> None:
        """A RECEIPT item in the receipts table."""
        item = {"PK": {"S": f"IMAGE#{image_id}"}, "SK": {"S": f"RECEIPT#{receipt_id:05d}"}, "TYPE": {"S": "RECEIPT"}}
        self.dynamodb.put_item(TableName=self.connection.receipts_table, Item=item)

    def pending(self, collection: str) -> list[str]:
        """The images whose receipts are pending."""
        pending = self.control.pending(collection).read()
        return sorted(one.receipt.image_id for one in pending)

    def publish(
        self, collection: str, version: int, *, records: int, receipts: Sequence[str] = (), **head: str | int
    ) -> None:
        """A pointer and the manifest that it names; of its one shard only the list of receipts is there."""
        snapshot_id = f"{version:010d}-{version:010d}-0"
        path = f"shards/0000/{snapshot_id}-attempt"
        listed = "".join(f"{r}\n" for r in receipts).encode()
        entry = FileEntry(RECEIPTS_FILE, len(listed), sha256(listed).hexdigest())
        shards = (ManifestShard(0, path, (entry,), records=records), ManifestShard(1))
        manifest = toy_manifest(collection, snapshot_id, *shards, dimension=8)
        self.s3.put_object(
            Bucket=self.connection.bucket, Key=object_key(collection, f"{path}/{RECEIPTS_FILE}"), Body=listed
        )
        self.put_manifest(manifest)
        self.head(
            collection,
            **{
                "version": version,
                "projected_version": version,
                "fence": version,
                "shards": 1,
                **manifest.pointer.to_json(),
                "committed_at": "2026-07-28T12:00:00+00:00",
                **head,
            },
        )

    def repoint(self, collection: str, head: Head, content: bytes) -> None:
        """Other bytes as the current manifest, and HEAD says so."""
        assert head.pointer is not None
        self.s3.put_object(Bucket=self.connection.bucket, Key=head.pointer.manifest_key, Body=content)
        pointer = replace(head.pointer, manifest_sha256=sha256(content).hexdigest())
        paused = {"paused": head.paused} if head.paused else {}
        self.head(collection, fence=head.fence, projected_version=head.version, **pointer.to_json(), **paused)

    def put_manifest(self, manifest: Manifest) -> None:
        """A manifest on S3."""
        self.s3.put_object(Bucket=self.connection.bucket, Key=manifest.pointer.manifest_key, Body=manifest.encode())

    def version(
        self, collection: str, version: int, *, parent: int | None, fence: int | None = None, committed: bool = True
    ) -> str:
        """A VERSION row with ten records a version, by an execution of the stream; its snapshot id."""
        snapshot_id = f"{version:010d}-{fence or version:010d}-0"
        row = VersionRow(
            snapshot_id=snapshot_id,
            parent=parent and f"{parent:010d}-{parent:010d}-0",
            manifest_key=f"snapshots/{collection}/manifests/{snapshot_id}.json",
            manifest_sha256="0" * 64,
            execution=f"arn:aws:states:us-east-1:1:execution:compaction:{collection}-stream-{version:032x}",
            trigger="stream",
            created_at="2026-07-28T12:00:00+00:00",
            records=10 * version,
            bytes=1_000_000,
            counts={"added": 12, "removed": 2, "replaced": 0, "updated": 0, "unchanged": 5},
        )
        assert self.control.versions(collection).put_candidate(row)
        if committed:
            self.control.versions(collection).mark_committed(snapshot_id, committed_at="2026-07-28T12:01:00+00:00")
        return snapshot_id

    def published(self, collection: str, versions: int) -> list[str]:
        """That many versions, each the parent of the next, the last one current; their snapshot ids, oldest first."""
        self.publish(collection, versions, records=10 * versions)
        return [self.version(collection, n, parent=n - 1 or None) for n in range(1, versions + 1)]

    def quarantine(self, collection: str, run_id: str, image_id: str = "aaaa", error: str = "DeltaCorrupt") -> None:
        """A refused run: its item, FAILED, and its place in quarantine."""
        receipt, message = ReceiptId(image_id, 1), "the footer is cut off"
        item = {
            "PK": {"S": receipt.pk},
            "SK": {"S": f"{receipt.sk}#COMPACTION_RUN#{run_id}"},
            **{f"{collection}_state": {"S": "FAILED"}, f"{collection}_error": {"S": f"{error}: {message}"}},
        }
        self.dynamodb.put_item(TableName=self.connection.receipts_table, Item=item)
        now = "2026-07-28T12:00:00+00:00"
        self._rounds += 1
        order = settle_order(1, self._rounds)
        self.quarantine_of(collection).put(run_id, receipt, error, message, now, order=order)

    def note(
        self, collection: str, run_id: str, note: str, message: str, *, more: int = 0, image_id: str = "aaaa"
    ) -> None:
        """A run of which there is something to know, as it is listed; `more` of its receipt are only counted."""
        run = NotedRun(run_id, note, message, "2026-07-28T12:00:00+00:00")
        self.control.notes(collection).write(
            NotedReceipt(ReceiptId(image_id, 1), (run,), more), order=settle_order(1, self._rounds)
        )

    def quarantine_of(self, collection: str) -> Quarantine:
        return self.control.quarantine(collection)

    def run(self, run_id: str, collection: str, image_id: str = "aaaa") -> tuple[str, str | None]:
        """State and error of a run."""
        key = {"PK": {"S": f"IMAGE#{image_id}"}, "SK": {"S": f"RECEIPT#00001#COMPACTION_RUN#{run_id}"}}
        item = self.dynamodb.get_item(TableName=self.connection.receipts_table, Key=key)["Item"]
        return item[f"{collection}_state"]["S"], item[f"{collection}_error"].get("S")

    def executions(self) -> list[dict[str, Any]]:
        """The inputs of all executions, oldest first, once none runs."""
        until(lambda: all(one["status"] != "RUNNING" for one in self._listed()), "every execution to end")
        listed = self._listed()
        described = [self.sfn.describe_execution(executionArn=one["executionArn"]) for one in reversed(listed)]
        return [json.loads(one["input"]) for one in described]

    def _listed(self) -> list[dict[str, Any]]:
        return list(self.sfn.list_executions(stateMachineArn=MACHINE)["executions"])

    def _next(self) -> int:
        self._names += 1
        return self._names << 96  # the beginning of the name differs, as it does in a random one


def until(condition: Callable[[], bool], what: str, seconds: float = 30) -> None:
    """Look every 10 ms until the condition is true: moto, in a process of its own, needs the processor too."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, f"waited {seconds} s for {what}"
        time.sleep(0.01)


def toy_connection(endpoint_url: str) -> Connection:
    return Connection(
        region=REGION,
        endpoint_url=endpoint_url,
        state_machine_arn=MACHINE,
        receipts_table="receipts",
        control_table="control",
        bucket="snapshots",
        efs_root=None,
        failure_queue_url=None,
    )
