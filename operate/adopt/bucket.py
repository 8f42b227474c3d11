"""What a bucket does that a pipeline must not be surprised by: rules that take deltas, and places that are taken."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from receipt_dynamo_stream.bucket import Bucket
from receipt_dynamo_stream.grain import COLLECTIONS
from receipt_dynamo_stream.retry import transient_errors
from receipt_dynamo_stream.runs import PIPELINE_PREFIXES

_KEPT: Final = (*(f"{collection}/delta/" for collection in COLLECTIONS), "snapshots/")
"""Where objects lie for as long as something names them."""
_OWN: Final = (*PIPELINE_PREFIXES, "poison/")
_ARCHIVES: Final = ("DEEP_ARCHIVE", "GLACIER")


@dataclass(frozen=True)
class BucketSigns:
    """troubles: what must change before records are safe there. notes: what could not be found out."""

    troubles: tuple[str, ...]
    notes: tuple[str, ...] = ()


def look_at_bucket(bucket: Bucket, *, deployed: bool) -> BucketSigns:
    """The bucket's lifecycle rules; and before a stack is deployed onto it, whether the places are free that it takes.

    Raises TransientServiceError, and others of AWS as they are, but for a missing right to read the rules.
    """
    from botocore.exceptions import ClientError

    taken = () if deployed else tuple(_taken(bucket))
    with transient_errors():
        try:
            rules: Any = bucket.s3.get_bucket_lifecycle_configuration(Bucket=bucket.name).get("Rules", ())
        except ClientError as error:
            code = error.response.get("Error", {}).get("Code")
            if code == "NoSuchLifecycleConfiguration":
                return BucketSigns(taken)
            if code != "AccessDenied":
                raise
            note = f"the lifecycle rules of {bucket.name} were not read: that takes s3:GetLifecycleConfiguration"
            return BucketSigns(taken, (note,))
    return BucketSigns((*taken, *(told for rule in rules for told in _takes(bucket.name, rule))))


def _taken(bucket: Bucket) -> Iterator[str]:
    for prefix in _OWN:
        if next(bucket.list(prefix), None) is not None:
            yield (
                f"{bucket.name} has objects below {prefix}, which a stack takes for its own; of snapshots/ it deletes"
                " what no version names. One bucket is for one stack: move them, or deploy onto another bucket"
            )


def _takes(bucket: str, rule: Mapping[str, Any]) -> Iterator[str]:
    """What a rule does to objects that are still named; our objects have no tags."""
    which = rule.get("Filter") or {}
    both = which.get("And") or {}
    prefix = rule.get("Prefix") or which.get("Prefix") or both.get("Prefix") or ""
    expires = rule.get("Expiration") or {}
    archives = any(one.get("StorageClass") in _ARCHIVES for one in rule.get("Transitions", ()))
    if rule.get("Status") != "Enabled" or "Tag" in which or both.get("Tags"):
        return
    what = "expires" if "Days" in expires or "Date" in expires else "archives" if archives else None
    for kept in _KEPT:
        if what and (kept.startswith(prefix) or prefix.startswith(kept)):
            yield (
                f"the lifecycle rule {rule.get('ID', 'without a name')} of {bucket} {what} what lies below {kept}:"
                " leave these out of it, a rebuild from nothing needs every delta whose run is there"
            )
