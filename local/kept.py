"""What a stack keeps over its end, in one file: the items of its tables and the objects of its bucket.

moto has both in memory, so they are written when the stack stops and read when it starts; `efs/` beside the file is on
disk anyway. A stack that is killed writes nothing: the next one goes on from what the last whole stop left, and takes
the file system's side of it from the bucket. Not kept: the failure queue, and what Step Functions knows of executions.
"""

import json
import shutil
import zipfile
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from receipt_dynamo_stream.control.table import ControlTable
from receipt_dynamo_stream.grain import COLLECTIONS
from receipt_dynamo_stream.reconcile import reconcile

from local import names
from local.batches import put_items
from local.errors import KeptUnreadable
from operate.services import new_unique

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_s3 import S3Client

TABLES: Final = (names.RECEIPTS_TABLE, names.CONTROL_TABLE)
_ITEMS, _OBJECTS, _SAID = "items/", "objects/", "kept.json"
_CHUNK = 1 << 20

Item = Mapping[str, Any]


class Kept:
    """Of the stack whose folder this is."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._file = folder / "kept.zip"
        self._running = folder / "running"

    @property
    def saved(self) -> bool:
        """Whether a stack of this folder ever stopped as it should."""
        return self._file.is_file()

    @property
    def killed(self) -> bool:
        """Whether the last stack of this folder did not stop as it should: what it did since it started is lost."""
        return self._running.exists()

    def begin(self, efs: Path) -> None:
        """Say that a stack runs. What lies on the file system goes, unless it is what the file belongs to.

        Raises KeptUnreadable, and leaves all as it is.
        """
        if self.saved and not zipfile.is_zipfile(self._file):
            raise KeptUnreadable(f"{self._file} is no whole zip file: move {self._folder} away to begin anew")
        if (self.killed or not self.saved) and efs.exists():
            shutil.rmtree(efs)
            efs.mkdir()
        self._folder.mkdir(parents=True, exist_ok=True)
        self._running.touch()

    def load(self, dynamodb: "DynamoDBClient", s3: "S3Client", now: datetime) -> None:
        """Put into empty tables and an empty bucket what is kept. No execution of the stack that wrote it runs."""
        if not self.saved:
            return
        with zipfile.ZipFile(self._file) as kept:
            for table in TABLES:
                put_items(dynamodb, table, (ended(item, now) for item in _lines(kept, f"{_ITEMS}{table}")))
            for name in kept.namelist():
                if name.startswith(_OBJECTS):
                    s3.put_object(Bucket=names.BUCKET, Key=name.removeprefix(_OBJECTS), Body=kept.read(name))
            drained = json.loads(kept.read(_SAID))["drained"]
        if not drained:
            control = ControlTable(dynamodb, names.CONTROL_TABLE)
            reconcile(
                [control.pending(one) for name in COLLECTIONS for one in control.generations(name).read().active],
                receipts_table=names.RECEIPTS_TABLE,
                now=now.isoformat(),
                new_token=new_unique,
            )

    def save(self, dynamodb: "DynamoDBClient", s3: "S3Client", *, drained: bool) -> None:
        """Write all of it, all at once. drained: nothing that was written waits for the stream handler."""
        half_written = self._file.with_suffix(".tmp")
        with zipfile.ZipFile(half_written, "w") as kept:
            kept.writestr(_SAID, json.dumps({"drained": drained, "saved_at": datetime.now(UTC).isoformat()}))
            for table in TABLES:
                with kept.open(f"{_ITEMS}{table}", "w", force_zip64=True) as items:
                    for found in dynamodb.get_paginator("scan").paginate(TableName=table):
                        for item in found["Items"]:
                            items.write(json.dumps(item).encode() + b"\n")
            for page in s3.get_paginator("list_objects_v2").paginate(Bucket=names.BUCKET):
                for one in page.get("Contents", ()):
                    body = s3.get_object(Bucket=names.BUCKET, Key=one["Key"])["Body"]
                    with kept.open(f"{_OBJECTS}{one['Key']}", "w", force_zip64=True) as target:
                        shutil.copyfileobj(body, target, _CHUNK)
        half_written.replace(self._file)
        self._running.unlink(missing_ok=True)


def ended(item: Item, now: datetime) -> Item:
    """An item as it is once every execution has ended: no lease is held, and no row of the history runs."""
    key = str(item["PK"].get("S", ""))
    if item["SK"] == {"S": "HEAD"} and key.startswith("COLLECTION#"):
        return {name: value for name, value in item.items() if name not in ("holder", "rerun")}
    if key.startswith("EXECUTIONS#") and item.get("status") == {"S": "RUNNING"}:
        return {**item, "status": {"S": "ABORTED"}, "ended_at": {"S": now.isoformat()}}
    return item


def _lines(kept: zipfile.ZipFile, name: str) -> Iterator[Item]:
    with kept.open(name) as lines:
        yield from map(json.loads, lines)
