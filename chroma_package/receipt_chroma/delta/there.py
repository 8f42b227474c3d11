"""Whether a delta is there, told by heads and a listing: nothing of its content is fetched."""

from receipt_dynamo_stream.bucket import Bucket
from receipt_dynamo_stream.retry import transient_errors

from receipt_chroma.delta.objects import NOT_THERE, loose_names
from receipt_chroma.delta.read import ARROW_FILE, TAR_FILE
from receipt_chroma.errors import DeltaTooLarge
from receipt_chroma.shard.sqlite_files import SQLITE_FILE

_ARCHIVES = frozenset({"DEEP_ARCHIVE", "GLACIER"})


def delta_is_there(bucket: Bucket, prefix: str) -> bool:
    """Whether read_delta would find something at a prefix that S3 gives: not if it is gone, or archived.

    One to three requests. Raises TransientServiceError, and other errors of AWS as they are.
    """
    prefix = prefix.rstrip("/")
    if not prefix or not bucket.name:
        return False
    if prefix.endswith((".arrow", ".tar.gz")):
        return _is_given(bucket, prefix)
    if any(_is_given(bucket, f"{prefix}/{name}") for name in (ARROW_FILE, TAR_FILE)):
        return True
    try:
        names = loose_names(bucket, f"{prefix}/")
    except DeltaTooLarge:  # it is there, and will be refused as that
        return True
    return any(name.rpartition("/")[2] == SQLITE_FILE for name in names)


def _is_given(bucket: Bucket, key: str) -> bool:
    from botocore.exceptions import ClientError, ParamValidationError

    with transient_errors():
        try:
            found = bucket.s3.head_object(Bucket=bucket.name, Key=key)
        except ParamValidationError:
            return False
        except ClientError as error:
            if error.response.get("Error", {}).get("Code") in NOT_THERE:
                return False
            raise
    restored = 'ongoing-request="false"' in found.get("Restore", "")
    return restored or found.get("StorageClass") not in _ARCHIVES
