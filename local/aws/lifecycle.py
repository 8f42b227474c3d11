"""What the bucket's lifecycle does on AWS: plans and reports go after a time. moto keeps rules and objects alike."""

import logging
import threading
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from botocore.exceptions import ClientError

from local import names

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

log = logging.getLogger(__name__)

PREFIXES = ("plans/", "reports/", "poison/")
_EVERY_SECONDS = 60.0


class Lifecycle:
    """Deletes what is older than `kept`, once a minute."""

    def __init__(self, s3: "S3Client", kept: timedelta) -> None:
        self._s3 = s3
        self._kept = kept
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, name="lifecycle", daemon=True)

    def start(self) -> None:
        """Begin to count the first minute."""
        self._thread.start()

    def stop(self) -> None:
        """Delete nothing from now on."""
        self._stopped.set()
        if self._thread.ident is not None:
            self._thread.join()

    def delete_old(self, now: datetime) -> int:
        """Delete what is old by now; how many objects."""
        old = [
            one["Key"]
            for prefix in PREFIXES
            for page in self._s3.get_paginator("list_objects_v2").paginate(Bucket=names.BUCKET, Prefix=prefix)
            for one in page.get("Contents", ())
            if now - one["LastModified"] > self._kept
        ]
        for key in old:
            self._s3.delete_object(Bucket=names.BUCKET, Key=key)
        return len(old)

    def _run(self) -> None:
        while not self._stopped.wait(_EVERY_SECONDS):
            try:
                self.delete_old(datetime.now(UTC))
            except ClientError:
                log.exception("old objects could not be deleted")
