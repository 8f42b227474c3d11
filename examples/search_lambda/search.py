"""A search Lambda: nearest receipt records, from the snapshot that is published when the invocation begins."""

from __future__ import annotations

import os
from datetime import timedelta
from functools import cache
from typing import Any

from receipt_chroma import SnapshotReader

WAIT = timedelta(seconds=5)
CACHE = "/tmp/readers"
"""Lambda's own disk: private copies of the databases, and of a bucket's snapshots what came from there."""


@cache
def reader_of(collection: str) -> SnapshotReader:
    """One reader per collection and process: opening costs a copy of its databases, asking costs milliseconds."""
    return SnapshotReader(os.environ["SNAPSHOTS"], collection, cache_dir=CACHE)


def search(event: dict[str, Any], _context: Any) -> dict[str, Any]:
    """{collection, vector, model?, n_results?, where?, min_version?} -> {version, …_seconds, fallback_reason, hits}.

    model: that of the vector; WrongModel says which one serves. min_version: the version that a change is known to be
    in; the answer is of that version or a newer one. Raises NoSnapshotYet before the first publication,
    VersionNotServed when min_version does not come in time, QuestionInvalid for what has no answer.
    """
    reader = reader_of(event["collection"])
    reader.refresh(min_version=event.get("min_version"), timeout=WAIT)
    hits = reader.nearest(
        event["vector"], event.get("n_results", 10), where=event.get("where"), model=event.get("model")
    )
    return {
        "version": reader.version,
        "behind_seconds": reader.behind_seconds,
        "freshness_seconds": reader.freshness_seconds,
        "fallback_reason": reader.fallback_reason,
        "hits": [
            {"id": hit.id, "distance": hit.distance, "document": hit.document, "metadata": hit.metadata} for hit in hits
        ],
    }
