"""Deleting the objects of a deleted receipt, all versions of each, and keeping a copy of its deltas first."""

import tempfile
from collections.abc import Sequence
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING

from receipt_chroma.delta.archive import Files
from receipt_chroma.delta.read import ARROW_FILE, TAR_FILE, fetch_delta
from receipt_chroma.errors import DeltaRefused
from receipt_chroma.storage.files import write_atomically
from receipt_dynamo_stream.bucket import Bucket
from receipt_dynamo_stream.keys import ReceiptId
from receipt_dynamo_stream.retry import transient_errors

from operate.checked_deltas import Belongs, check_files
from operate.errors import EraseRefused
from operate.remains import BUCKET, Remnant
from operate.services import Services
from operate.stack import Stack

if TYPE_CHECKING:
    from mypy_boto3_s3.type_defs import ObjectIdentifierTypeDef

_OURS = ("plans", "reports", "poison")
_DELETE_BATCH = 1_000


def delete_objects(stack: Stack, receipt: ReceiptId, remnants: Sequence[Remnant], copies: Path) -> int:
    """Delete what is the receipt's alone, or the pipeline's and needed by nothing any more; how many objects and
    versions. A delta is copied into `copies` first. What others need is left: the search names it.

    Raises EraseRefused for what S3 does not delete, TransientServiceError.
    """
    bucket, deleted = Services(stack.connection).bucket, 0
    for one in sorted(remnants, key=lambda one: one.older is None):  # the newest of a key takes all others with it
        if one.where != BUCKET:
            continue
        kind, older = one.key.partition("/")[0], one.older
        if kind in _OURS:
            deleted += _delete(bucket, [one.key])
        elif kind == "snapshots":  # the newest of a key goes with expiry
            deleted += _delete(bucket, [one.key], older) if older else 0
        elif older:
            deleted += _delete_older_delta(bucket, receipt, one.key, older, copies)
        else:
            deleted += _delete_delta(bucket, receipt, one.key, copies)
    return deleted


def _delete_delta(bucket: Bucket, receipt: ReceiptId, key: str, copies: Path) -> int:
    whole = key.endswith((".arrow", ".tar.gz"))
    prefix = key if whole else key.rpartition("/")[0]
    try:
        form, files = fetch_delta(bucket, prefix)
    except DeltaRefused:
        return 0
    if not _keep(receipt, form, files, copies, prefix):
        return 0
    return _delete(bucket, [key] if whole else [f"{prefix}/{name}" for name in files])


def _delete_older_delta(bucket: Bucket, receipt: ReceiptId, key: str, version: str, copies: Path) -> int:
    form, name = ("arrow", ARROW_FILE) if key.endswith(".arrow") else ("tar", TAR_FILE)
    if not key.endswith((".arrow", ".tar.gz")):
        return 0
    with tempfile.TemporaryDirectory(prefix="erase-") as folder, transient_errors():
        file = Path(folder) / name
        bucket.s3.download_file(bucket.name, key, str(file), ExtraArgs={"VersionId": version})
        files = {name: file.read_bytes()}
    return _delete(bucket, [key], version) if _keep(receipt, form, files, copies, f"{key}/{version}") else 0


def _keep(receipt: ReceiptId, form: str, files: Files, copies: Path, place: str) -> bool:
    """Keep a copy of a delta; False, and nothing kept, where it has records of others, or is none."""
    if check_files(form, files, Belongs(receipt=receipt)).error is not None:
        return False
    folder = copies / sha256(place.encode()).hexdigest()[:16]
    for name, content in files.items():
        file = folder / name
        file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        write_atomically(file, content)
    return True


def _delete(bucket: Bucket, keys: Sequence[str], version: str | None = None) -> int:
    """All versions of these keys, or one."""
    found: list[ObjectIdentifierTypeDef] = []
    with transient_errors():
        for key in keys:
            for page in bucket.s3.get_paginator("list_object_versions").paginate(Bucket=bucket.name, Prefix=key):
                for there in (*page.get("Versions", ()), *page.get("DeleteMarkers", ())):
                    if there["Key"] == key and version in (None, there["VersionId"]):
                        found.append({"Key": key, "VersionId": there["VersionId"]})
        for start in range(0, len(found), _DELETE_BATCH):
            batch = found[start : start + _DELETE_BATCH]
            answer = bucket.s3.delete_objects(Bucket=bucket.name, Delete={"Objects": batch, "Quiet": True})
            for problem in answer.get("Errors", ()):
                raise EraseRefused(f"S3 does not delete {problem.get('Key')}: {problem.get('Message')}")
    return len(found)
