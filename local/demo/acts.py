"""The demo: the whole machine on sample receipts, in six acts, each of which checks what it claims."""

from __future__ import annotations

import random
from contextlib import ExitStack
from datetime import timedelta

from local.demo.acts_burst import become_visible, write_a_burst
from local.demo.acts_changes import change_what_is_there, refuse_a_corrupt_delta
from local.demo.acts_closing import answer_queries, judge
from local.demo.acts_takeover import take_over_from_a_frozen_merge
from local.demo.progress import DemoProgress, QuietProgress
from local.demo.result import DemoFailed, DemoResult, DemoSettings
from local.demo.samples.producer import COLLECTIONS, Producer, utc_now
from local.demo.samples.receipts import sample_receipts
from local.demo.stage import Stage
from local.demo.watcher import Watcher
from local.lambdas.memory import few_arenas
from local.settings import StackSettings
from local.stack import LocalStack

__all__ = ["ACTS", "DemoFailed", "DemoProgress", "DemoResult", "DemoSettings", "QuietProgress", "run_demo"]

ACTS = (
    write_a_burst,
    become_visible,
    change_what_is_there,
    refuse_a_corrupt_delta,
    take_over_from_a_frozen_merge,
    answer_queries,
)
_EXTRAS = 4
_MERGE_WORKERS = 2  # one may be frozen while the other goes on; more would take 300 MB each
_WARM = (
    *("StreamHandler", "PlanCompaction", "DownloadSnapshot", "MergeDeltas", "ValidateShard"),
    *("WriteManifest", "SwapPointer", "SettleChanges", "ExpireSnapshots", "RecordExecution"),
)
"""Started while the receipts are written: every act needs them."""
_ADDED_BEFORE = timedelta(minutes=10)


def run_demo(settings: DemoSettings, progress: DemoProgress) -> DemoResult:
    """Run all acts on a stack of their own in `settings.folder`, which is emptied first and keeps `efs/` and `logs/`.

    Raises DemoFailed when an act does not hold; a snapshot that differs from the independent model gives a result
    that is not `ok`. Either way everything that was started is stopped.
    """
    few_arenas()
    rng = random.Random(settings.seed)  # noqa: S311 -- sample data
    receipts = sample_receipts(rng, settings.receipts + _EXTRAS, utc_now() - _ADDED_BEFORE)
    with ExitStack() as closing:
        stack = LocalStack(settings.folder, _stack_settings(settings), fresh=True)
        with progress.waiting("starting DynamoDB, S3, SQS, Step Functions and the workers on this machine"):
            closing.enter_context(stack)
            stack.workers.warm(_WARM)
        stage = Stage(
            settings=settings,
            progress=progress,
            stack=stack,
            producer=_producer(stack, settings, rng),
            rng=rng,
            receipts=receipts[: settings.receipts],
            extras=receipts[settings.receipts :],
            watchers={},
            closing=closing,
        )
        for collection in COLLECTIONS:
            watcher = stage.watchers[collection] = Watcher(stage.efs, collection, stage.reader_cache)
            watcher.start()
            closing.callback(watcher.stop)
        for act in ACTS:
            act(stage)
        return judge(stage)


def _stack_settings(settings: DemoSettings) -> StackSettings:
    return StackSettings(
        shards=settings.shards,
        schedule_seconds=settings.schedule_seconds,
        merge_workers=_MERGE_WORKERS,
    )


def _producer(stack: LocalStack, settings: DemoSettings, rng: random.Random) -> Producer:
    return Producer(
        dynamodb=stack.client("dynamodb"),
        s3=stack.client("s3"),
        table=stack.connection.receipts_table,
        bucket=stack.connection.bucket,
        dimension=settings.dimension,
        rng=rng,
    )
