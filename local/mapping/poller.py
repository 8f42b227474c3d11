"""The stream mapping: it polls the receipts table's stream and invokes the stream handler.

Filters first and batches then, within a window: forty receipts' ordinary items made 80 executions the other way round,
and two this way. One thread per shard keeps the shard's order.
"""

import json
import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from botocore.exceptions import BotoCoreError, ClientError

from local.errors import InvokesRefused, StillRunning, TooManyRequests
from local.lambdas.invocation import InvocationResult
from local.mapping.delivery import Batch, Record, failure_message, judge
from local.mapping.filters import Pattern, check_pattern, matches
from local.mapping.stream_records import changes_something, lambda_record

if TYPE_CHECKING:
    from mypy_boto3_dynamodbstreams import DynamoDBStreamsClient

log = logging.getLogger(__name__)

_MAX_BACKOFF_SECONDS = 10.0


@dataclass(frozen=True)
class Mapping:
    """An event source mapping's settings; times in seconds."""

    stream_arn: str
    function_arn: str
    filters: Sequence[Pattern]
    batch_size: int
    window_seconds: float
    poll_seconds: float
    retry_attempts: int
    backoff_seconds: float
    bisect: bool


class Poller:
    """Polls every shard of the stream, from its beginning."""

    def __init__(
        self,
        mapping: Mapping,
        *,
        streams: "DynamoDBStreamsClient",
        invoke: Callable[[bytes], InvocationResult],
        discard: Callable[[str], None],
    ) -> None:
        for pattern in mapping.filters:
            check_pattern(pattern)
        shards = streams.describe_stream(StreamArn=mapping.stream_arn)["StreamDescription"]["Shards"]
        self._shards = [ShardPoller(mapping, shard["ShardId"], streams, invoke, discard) for shard in shards]

    def start(self) -> None:
        """Begin to poll."""
        for shard in self._shards:
            shard.start()

    def ask_to_stop(self) -> None:
        """Deliver nothing more, but for the batch that the handler has now."""
        for shard in self._shards:
            shard.ask_to_stop()

    def join(self) -> None:
        """Wait until the handler has answered and the polling has ended."""
        for shard in self._shards:
            shard.join()

    def stop(self) -> None:
        """Both in one."""
        self.ask_to_stop()
        self.join()

    def pause(self) -> None:
        """Poll nothing until `resume`; a delivery under way has ended when this returns."""
        for shard in self._shards:
            shard.pause()

    def resume(self) -> None:
        """Go on where it was."""
        for shard in self._shards:
            shard.resume()

    def wait_caught_up(self, timeout: float = 30) -> None:
        """Until everything written before this call has been delivered. Raises StillRunning."""
        deadline = time.monotonic() + timeout
        for shard in self._shards:
            if not shard.wait_caught_up(max(0.0, deadline - time.monotonic())):
                raise StillRunning(f"the stream is not drained after {timeout:g} seconds")


class ShardPoller:
    """One shard: read, filter, collect for a window, deliver, again."""

    def __init__(
        self,
        mapping: Mapping,
        shard_id: str,
        streams: "DynamoDBStreamsClient",
        invoke: Callable[[bytes], InvocationResult],
        discard: Callable[[str], None],
    ) -> None:
        self._mapping = mapping
        self._shard_id = shard_id
        self._streams = streams
        self._invoke = invoke
        self._discard = discard
        self._collected: deque[Record] = deque()
        self._flush_at = 0.0
        self._iterator: str | None = None
        self._last_read: str | None = None
        self._state = threading.Condition()
        self._stopping = False
        self._paused = False
        self._busy = False
        self._reads = 0
        self._caught_up_reads = 0
        self._thread = threading.Thread(target=self._run, name=f"poller-{shard_id}", daemon=True)

    def start(self) -> None:
        """Begin to poll."""
        self._thread.start()

    def ask_to_stop(self) -> None:
        """Make the thread end soon."""
        with self._state:
            self._stopping = True
            self._state.notify_all()

    def join(self) -> None:
        """Wait for the thread."""
        if self._thread.ident is not None:
            self._thread.join()

    def pause(self) -> None:
        """Wait for the poll under way, then poll no more."""
        with self._state:
            self._paused = True
            self._state.notify_all()
            self._state.wait_for(lambda: not self._busy)

    def resume(self) -> None:
        """Poll again."""
        with self._state:
            self._paused = False
            self._state.notify_all()

    def wait_caught_up(self, timeout: float) -> bool:
        """Whether, within that time, a read that began after this call found nothing and nothing was left over."""
        with self._state:
            after = self._reads
            return self._state.wait_for(lambda: self._caught_up_reads > after, timeout)

    def _run(self) -> None:
        while self._begin():
            try:
                more = self._poll()
            finally:
                self._end()
            if not more:
                until_flush = self._flush_at - time.monotonic() if self._collected else self._mapping.poll_seconds
                self._rest(min(self._mapping.poll_seconds, max(0.0, until_flush)))

    def _begin(self) -> bool:
        with self._state:
            self._state.wait_for(lambda: self._stopping or not self._paused)
            self._busy = not self._stopping
            return self._busy

    def _end(self) -> None:
        with self._state:
            self._busy = False
            self._state.notify_all()

    def _rest(self, seconds: float) -> None:
        with self._state:
            self._state.wait_for(lambda: self._stopping, seconds)

    def _poll(self) -> bool:
        """One read and what follows from it; whether there may be more to read at once."""
        with self._state:
            self._reads += 1
            this_read = self._reads
        try:
            records = self._read()
        except (BotoCoreError, ClientError):
            log.exception("shard %s could not be read", self._shard_id)
            self._iterator = None
            return False
        if not self._collected:
            self._flush_at = time.monotonic() + self._mapping.window_seconds
        self._collected.extend(record for record in records if matches(record, self._mapping.filters))
        while len(self._collected) >= self._mapping.batch_size or self._window_is_over():
            size = min(self._mapping.batch_size, len(self._collected))
            self._deliver(Batch(tuple(self._collected.popleft() for _ in range(size))))
        if not records and not self._collected:
            with self._state:
                self._caught_up_reads = this_read
                self._state.notify_all()
        return bool(records)

    def _window_is_over(self) -> bool:
        return bool(self._collected) and time.monotonic() >= self._flush_at

    def _read(self) -> list[Record]:
        if self._iterator is None:
            position: dict[str, Any] = (
                {"ShardIteratorType": "TRIM_HORIZON"}
                if self._last_read is None
                else {"ShardIteratorType": "AFTER_SEQUENCE_NUMBER", "SequenceNumber": self._last_read}
            )
            begun = self._streams.get_shard_iterator(
                StreamArn=self._mapping.stream_arn, ShardId=self._shard_id, **position
            )
            self._iterator = begun["ShardIterator"]
        answer = self._streams.get_records(ShardIterator=self._iterator, Limit=1000)
        self._iterator = answer.get("NextShardIterator")
        if answer["Records"]:
            self._last_read = answer["Records"][-1]["dynamodb"]["SequenceNumber"]
        return [
            lambda_record(record, self._mapping.stream_arn) for record in answer["Records"] if changes_something(record)
        ]

    def _deliver(self, batch: Batch) -> None:
        """Deliver until every record is done with: handled, or discarded after its attempts."""
        waiting = deque([batch])
        while waiting and not self._stopping:
            batch = waiting.popleft()
            if batch.failures:
                self._rest(min(_MAX_BACKOFF_SECONDS, self._mapping.backoff_seconds * 2 ** (batch.failures - 1)))
            try:
                result = self._invoke(json.dumps({"Records": batch.records}).encode())
            except (TooManyRequests, InvokesRefused) as error:
                log.warning("batch of %d waits: %s", len(batch.records), error)
                waiting.appendleft(batch)  # throttling costs no attempt
                self._rest(self._mapping.backoff_seconds)
                continue
            verdict = judge(batch, result, retry_attempts=self._mapping.retry_attempts, bisect=self._mapping.bisect)
            waiting.extendleft(reversed(verdict.again))
            if verdict.again:
                log.warning("batch of %d failed: %s", len(batch.records), result.payload[:1000])
            if verdict.discarded is not None:
                self._give_up(verdict.discarded, result)

    def _give_up(self, batch: Batch, result: InvocationResult) -> None:
        log.error(
            "%d records discarded after %d attempts: %s", len(batch.records), batch.failures, result.payload[:1000]
        )
        message = failure_message(
            batch,
            result=result,
            function_arn=self._mapping.function_arn,
            stream_arn=self._mapping.stream_arn,
            shard_id=self._shard_id,
            timestamp=datetime.now(UTC).isoformat(),
        )
        self._discard(json.dumps(message))
