"""A delta's objects in S3: which format lies at a prefix, and its bytes.

Only content is an answer here: a missing object is "not there", while denied access, throttling and timeouts raise.
"""

from collections.abc import Iterator

from receipt_dynamo_stream.bucket import Bucket
from receipt_dynamo_stream.retry import transient_errors

from receipt_chroma.delta.archive import Files, gather
from receipt_chroma.delta.bounds import MAX_DELTA_BYTES, MAX_FILES
from receipt_chroma.errors import DeltaMissing, DeltaNotGiven, DeltaTooLarge
from receipt_chroma.shard.sqlite_files import SQLITE_FILE

NOT_THERE = frozenset(
    {
        "404",
        "InvalidBucketName",
        "InvalidURI",
        "KeyTooLongError",
        "MethodNotAllowed",  # a delete marker
        "NoSuchBucket",
        "NoSuchKey",
        "NoSuchVersion",
    }
)
_NOT_GIVEN = {
    "InvalidObjectState": "is archived: a lifecycle rule moved it to a storage class that must be restored first",
    "ObjectNotInActiveTierError": "is archived: it must be restored first",
    "InvalidRequest": "is encrypted with a key that only its writer has (SSE-C)",
}
"""What S3 says of an object that lies there and is not given, whoever asks."""


class LargerThanAsked(Exception):
    """A delta has more bytes than were asked for: nothing is wrong with it."""


def read_object(bucket: Bucket, key: str, most: int = MAX_DELTA_BYTES) -> bytes | None:
    """The bytes of an object, or None when it is not there (a name that cannot exist included).

    Raises LargerThanAsked beyond `most`, DeltaTooLarge beyond MAX_DELTA_BYTES, DeltaNotGiven, TransientServiceError,
    and others as they are: missing rights, a key of KMS that is disabled and the like are no property of this object.
    """
    from botocore.exceptions import ClientError, ParamValidationError

    with transient_errors():
        try:
            answer = bucket.s3.get_object(Bucket=bucket.name, Key=key)
        except ParamValidationError:
            return None
        except ClientError as error:
            code = error.response.get("Error", {}).get("Code", "")
            if code in NOT_THERE:
                return None
            if code in _NOT_GIVEN:
                raise DeltaNotGiven(f"s3://{bucket.name}/{key} {_NOT_GIVEN[code]}; write it anew ({error})") from error
            raise
        with answer["Body"] as body:
            if answer["ContentLength"] > MAX_DELTA_BYTES:
                raise DeltaTooLarge(
                    f"s3://{bucket.name}/{key} has {answer['ContentLength']} bytes, more than {MAX_DELTA_BYTES}"
                )
            if answer["ContentLength"] > most:
                raise LargerThanAsked
            content: bytes = body.read()
    return content


def fetch_loose_directory(bucket: Bucket, prefix: str, most: int = MAX_DELTA_BYTES) -> Files:
    """The files of a Chroma directory that lies as loose objects under a prefix.

    Raises DeltaMissing when there is none, LargerThanAsked beyond `most`, and as gather.
    """
    names = loose_names(bucket, prefix)
    if not any(name.rpartition("/")[2] == SQLITE_FILE for name in names):
        raise DeltaMissing(f"s3://{bucket.name}/{prefix} has no delta.arrow, no delta.tar.gz and no {SQLITE_FILE}")
    return gather(_objects(bucket, prefix, names, most), f"s3://{bucket.name}/{prefix}")


def _objects(bucket: Bucket, prefix: str, names: list[str], most: int) -> Iterator[tuple[str, bytes]]:
    """The objects of these names. Raises LargerThanAsked once they are more than `most` together."""
    size = 0
    for name in names:
        content = read_object(bucket, prefix + name, most)
        if content is None:
            raise DeltaMissing(f"s3://{bucket.name}/{prefix}{name} went away while the delta was read")
        yield name, content
        size += len(content)
        if most < size <= MAX_DELTA_BYTES:
            raise LargerThanAsked


def loose_names(bucket: Bucket, prefix: str) -> list[str]:
    """The names of the objects below a prefix, relative to it. Raises DeltaTooLarge for more than a delta may have."""
    from botocore.exceptions import ClientError, ParamValidationError

    names: list[str] = []
    with transient_errors():
        try:
            for page in bucket.s3.get_paginator("list_objects_v2").paginate(Bucket=bucket.name, Prefix=prefix):
                names += [entry["Key"].removeprefix(prefix) for entry in page.get("Contents", ())]
                if len(names) > MAX_FILES:
                    raise DeltaTooLarge(f"s3://{bucket.name}/{prefix} has more than {MAX_FILES} objects")
        except ParamValidationError:
            return []
        except ClientError as error:
            if error.response.get("Error", {}).get("Code") in NOT_THERE:
                return []
            raise
    return [name for name in names if name and not name.endswith("/")]
