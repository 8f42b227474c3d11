"""A history is made once a process; who asks for it again gets a copy of what it left in tables, bucket and folder."""

import itertools
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from receipt_dynamo_stream.bucket import Bucket

from .version_histories import History

_KNOWS = ("pointers", "versions", "shards_now", "bound")


@dataclass(frozen=True)
class KeptHistory:
    """What a history left, and what it knows of it: no test has touched either."""

    efs: Path
    objects: dict[str, bytes]
    items: dict[str, list[dict[str, Any]]]
    known: dict[str, Any]
    number: int

    @classmethod
    def of(cls, history: History, folder: Path) -> Self:
        """`folder` is where its files stay."""
        shutil.copytree(history.efs, folder / "efs")
        bucket, number = Bucket(history.s3, history.bucket), next(iter(history._numbers))
        objects = {one.key: bucket.read(one.key) for one in bucket.list("")}
        items = {}
        for table in ("receipts", "control"):
            pages = history.dynamodb.get_paginator("scan").paginate(TableName=f"{history.bucket}-{table}")
            items[table] = [item for page in pages for item in page["Items"]]
        known = {name: _copied(getattr(history, name)) for name in _KNOWS}
        return cls(folder / "efs", objects, items, known, number)

    def put_into(self, history: History) -> History:
        """An empty history becomes this one."""
        shutil.copytree(self.efs, history.efs, dirs_exist_ok=True)
        for key, content in self.objects.items():
            history.s3.put_object(Bucket=history.bucket, Key=key, Body=content)
        for table, items in self.items.items():
            for start in range(0, len(items), 25):
                requests = [{"PutRequest": {"Item": item}} for item in items[start : start + 25]]
                history.dynamodb.batch_write_item(RequestItems={f"{history.bucket}-{table}": requests})
        for name, value in self.known.items():
            setattr(history, name, _copied(value))
        history._numbers = itertools.count(self.number + 1)
        return history


def _copied(value: Any) -> Any:
    """Dictionaries and lists anew; pointers and bounds do not change."""
    if isinstance(value, dict):
        return {key: _copied(inner) for key, inner in value.items()}
    return list(value) if isinstance(value, list) else value
