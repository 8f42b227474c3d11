"""A bucket: objects that are read whole, written whole or once, and hashed while they are fetched.

Every method raises TransientServiceError for what may work later, and other errors of AWS as they are.
"""

import logging
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Final

from receipt_dynamo_stream.errors import ObjectMissing, TransientServiceError
from receipt_dynamo_stream.retry import transient_errors

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_s3.type_defs import ErrorTypeDef, GetObjectOutputTypeDef, ObjectIdentifierTypeDef

SINGLE_PUT_BYTES: Final = 100 << 20
"""Larger files are uploaded in parts."""

_CHUNK = 1 << 20
_DELETE_BATCH = 1_000
_NOT_THERE = frozenset({"NoSuchKey", "404"})
_ANOTHER_ONE = frozenset({"PreconditionFailed", "412", "ConditionalRequestConflict"})

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class ListedObject:
    """An object as a listing shows it; written_at has a time zone."""

    key: str
    size: int
    written_at: datetime


@dataclass(frozen=True, slots=True)
class Bucket:
    """A bucket by its name, and the S3 client to reach it with. Making one asks AWS nothing."""

    s3: "S3Client"
    name: str

    def find(self, key: str) -> bytes | None:
        """The bytes of an object; None when it is not there."""
        with transient_errors():
            found = self._get(key)
            if found is None:
                return None
            body = found["Body"]
            content: bytes = body.read()
        return content

    def find_tagged(self, key: str) -> tuple[bytes, str] | None:
        """The bytes of an object and its ETag, for put_over; None when it is not there."""
        with transient_errors():
            found = self._get(key)
            if found is None:
                return None
            body = found["Body"]
            return body.read(), found["ETag"]

    def read(self, key: str, missing: type[ObjectMissing] = ObjectMissing) -> bytes:
        """The bytes of an object. Raises `missing` when it is not there."""
        content = self.find(key)
        if content is None:
            raise missing(self.name, key)
        return content

    def fetch(self, key: str, target: Path) -> tuple[int, str] | None:
        """Bring an object into a file, which is on disk when this returns; its size and sha256 in hex.

        None when it is not there; the file is empty then.
        """
        digest, size = sha256(), 0
        with transient_errors(), target.open("wb") as writer:
            answer = self._get(key)
            if answer is None:
                return None
            for chunk in answer["Body"].iter_chunks(_CHUNK):
                digest.update(chunk)
                writer.write(chunk)
                size += len(chunk)
            writer.flush()
            os.fsync(writer.fileno())
        return size, digest.hexdigest()

    def put(self, key: str, content: bytes) -> None:
        """Write an object whole."""
        with transient_errors():
            self.s3.put_object(Bucket=self.name, Key=key, Body=content)

    def put_over(self, key: str, content: bytes, tag: str | None) -> bool:
        """Write an object over the one with this ETag, or with None where there is none.

        False, and nothing written, when another one is there by now, or somebody writes at this moment.
        """
        from botocore.exceptions import ClientError

        with transient_errors():
            try:
                if tag is None:
                    self.s3.put_object(Bucket=self.name, Key=key, Body=content, IfNoneMatch="*")
                else:
                    self.s3.put_object(Bucket=self.name, Key=key, Body=content, IfMatch=tag)
                return True
            except ClientError as error:
                if error.response.get("Error", {}).get("Code") not in _ANOTHER_ONE | _NOT_THERE:
                    raise
        return False

    def put_file(self, key: str, source: Path) -> None:
        """Upload a file: one PUT where its size allows."""
        with transient_errors():
            if source.stat().st_size > SINGLE_PUT_BYTES:
                self.s3.upload_file(str(source), self.name, key)
                return
            with source.open("rb") as body:
                self.s3.put_object(Bucket=self.name, Key=key, Body=body)

    def put_once(self, key: str, content: bytes) -> bool:
        """Write an object where there is none; one with the same bytes is accepted, so this may run twice.

        False, and nothing written, when there is another one.
        """
        from botocore.exceptions import ClientError

        with transient_errors():
            try:
                self.s3.put_object(Bucket=self.name, Key=key, Body=content, IfNoneMatch="*")
                return True
            except ClientError as error:
                code = error.response.get("Error", {}).get("Code")
                if code == "ConditionalRequestConflict":  # a twin writes at this moment
                    raise TransientServiceError(f"s3://{self.name}/{key}: {error}") from error
                if code not in _ANOTHER_ONE:
                    raise
        if self.find(key) != content:
            return False
        logger.info("an object was written before", extra={"key": key})
        return True

    def delete_all(self, keys: Sequence[str]) -> "list[ErrorTypeDef]":
        """Delete objects, those that are gone already too; returns what S3 says of each that it did not delete."""
        problems: list[ErrorTypeDef] = []
        for start in range(0, len(keys), _DELETE_BATCH):
            batch: list[ObjectIdentifierTypeDef] = [{"Key": key} for key in keys[start : start + _DELETE_BATCH]]
            with transient_errors():
                answer = self.s3.delete_objects(Bucket=self.name, Delete={"Objects": batch, "Quiet": True})
            problems += answer.get("Errors", ())
        return problems

    def list(self, prefix: str) -> Iterator[ListedObject]:
        """Every object whose key begins with the prefix, in order of the keys."""
        with transient_errors():
            for page in self.s3.get_paginator("list_objects_v2").paginate(Bucket=self.name, Prefix=prefix):
                for found in page.get("Contents", ()):
                    yield ListedObject(found["Key"], found["Size"], found["LastModified"])

    def _get(self, key: str) -> "GetObjectOutputTypeDef | None":
        from botocore.exceptions import ClientError

        try:
            return self.s3.get_object(Bucket=self.name, Key=key)
        except ClientError as error:
            if error.response.get("Error", {}).get("Code") in _NOT_THERE:
                return None
            raise
