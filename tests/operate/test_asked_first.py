"""What is asked before an action: every action has its words, and those that are hard to take back are marked."""

from collections.abc import Callable
from datetime import UTC, datetime

import pytest
from receipt_chroma.readiness import Readiness
from receipt_chroma.snapshot.manifest import ManifestShard
from receipt_dynamo_stream.control.quarantine import QuarantinedRun
from receipt_dynamo_stream.keys import ReceiptId

from operate import asked_first, renewal_questions
from operate.asked_first import AskedFirst
from operate.lineage import Version
from operate.models import ASKED_BY_THEMSELVES, Execution
from operate.renewal_plan import plan_renewal
from operate.renewing import GenerationNow, Renewal
from operate.resharding import plan_reshard

from ..toy_stack.toy import toy_manifest

NOW = datetime(2026, 7, 28, 12, tzinfo=UTC)
OLD = Execution("arn:x:words-stream-1", "words-stream-1", "failed", NOW, NOW, "words", "stream", mode="compact")
RUN = QuarantinedRun("run-1", ReceiptId("image", 7), "DeltaCorrupt", "the footer is cut off", NOW.isoformat())


def version(number: int, records: int) -> Version:
    row = {"snapshot_id": str(number), "state": "committed", "published": True, "readers": False, "pinned": None}
    made = {"bytes": 1, "counts": {}, "made_at": NOW, "execution": "e", "trigger": "stream", "parent": None}
    return Version(version=number, records=records, plan_key="", **row, **made)


SERVING = toy_manifest("words", "0000000003-0000000003-0", ManifestShard(0, records=70_035))
PLAN = plan_reshard(SERVING, 4)
ANOTHER = {"collection": "words", "generation": "words-2", "model": "model-b", "dimension": 3072, "shards": 2}
RENEWAL_PLAN = plan_renewal(SERVING, receipts=805, **ANOTHER)  # type: ignore[arg-type]
FIRST = GenerationNow("words", "", 1536, True, 41, 70_035, 0, 0, None)
SECOND = GenerationNow("words-2", "model-b", 3072, False, 7, 69_000, 3, 1, None)
RENEWAL = Renewal(
    *("words", "words", "words-2", (FIRST, SECOND)),
    Readiness(receipts=805, records=70_035, ready=800, ready_records=69_000, examples=("IMAGE#x#RECEIPT#00001",)),
    *(None, None),
)
EVERY: dict[str, tuple[Callable[[], AskedFirst], bool]] = {
    "start": (lambda: asked_first.start("words"), False),
    "rerun": (lambda: asked_first.rerun(OLD), False),
    "redrive": (lambda: asked_first.redrive(OLD), False),
    "stop": (lambda: asked_first.stop(OLD), False),
    "pause": (lambda: asked_first.pause("words"), False),
    "resume": (lambda: asked_first.resume("words"), False),
    "reconcile": (lambda: asked_first.reconcile("words"), False),
    "restore": (lambda: asked_first.restore("words"), False),
    "verify": (lambda: asked_first.verify("words", version(3, 30)), False),
    "rollback": (lambda: asked_first.rollback("words", version(1_000, 30), version(3, 20_000)), True),
    "reshard": (lambda: asked_first.reshard(PLAN), False),
    "renew": (lambda: renewal_questions.renew(RENEWAL_PLAN), True),
    "switch": (lambda: renewal_questions.switch(RENEWAL, SECOND), True),
    "switch when complete": (lambda: renewal_questions.switch_when_complete(RENEWAL, SECOND), False),
    "finish": (lambda: renewal_questions.finish(RENEWAL), True),
    "pin": (lambda: asked_first.pin("words", version(3, 30)), False),
    "unpin": (lambda: asked_first.unpin("words", version(3, 30)), False),
    "expire": (lambda: asked_first.expire("words", apply=True), True),
    "expire, dry": (lambda: asked_first.expire("words", apply=False), False),
    "retry": (lambda: asked_first.retry(("words", RUN)), False),
    "drop": (lambda: asked_first.drop([("lines", RUN), ("words", RUN)]), True),
    "drop all": (lambda: asked_first.drop_all([("lines", RUN), ("words", RUN)]), True),
}


def test_who_gives_up_older_versions_is_told_that_there_is_no_way_back() -> None:
    assert (
        "No version before 3 can be rolled back to afterwards."
        in asked_first.expire("words", apply=True, before="3").says
    )


@pytest.mark.parametrize("action", EVERY)
def test_an_action_says_in_whole_sentences_what_it_does_and_is_grave_when_it_is_hard_to_take_back(action: str) -> None:
    ask, grave = EVERY[action]
    asked = ask()
    assert asked.grave == grave
    assert not asked.title.endswith(("?", "."))
    assert asked.says
    assert all(sentence.endswith(".") or RUN.message in sentence for sentence in asked.says)


def test_the_modes_that_no_rerun_repeats_are_those_whose_own_question_is_grave() -> None:
    of_no_mode = {"drop", "drop all", "renew", "finish"}
    assert {mode for mode in EVERY if EVERY[mode][1]} - of_no_mode == set(ASKED_BY_THEMSELVES)


def test_a_rollback_says_what_is_published_as_what() -> None:
    says = " ".join(EVERY["rollback"][0]().says)
    assert "Its 20,000 records are published again as version 1001" in says
    assert "stays paused" in says


def test_a_reshard_says_time_bytes_cost_memory_and_who_refreshes_before_anything() -> None:
    says = " ".join(EVERY["reshard"][0]().says)
    for part in ("70,035 records of version 3", "4 new bases", "to EFS and as much to S3", " min", "$", "of memory"):
        assert part in says
    assert "Every reader opens the new shards with its next refresh" in says


def test_a_renewal_says_runs_vectors_storage_and_that_readers_go_on_before_anything() -> None:
    says = " ".join(EVERY["renew"][0]().says)
    for part in ("vectors of 3072 numbers", "805 runs", "70,035 records", "861 MB of vectors", "4 rounds", "$"):
        assert part in says
    assert "Readers go on with words until the switch" in says


def test_a_switch_says_first_what_is_missing_waits_and_was_refused() -> None:
    says = EVERY["switch"][0]().says
    assert says[0].startswith("5 receipts lack records in words-2, such as IMAGE#x#RECEIPT#00001")
    assert says[1:3] == ("3 receipts of words-2 wait for a round.", "1 run of words-2 in quarantine.")
    assert "vectors of 3072 numbers of the model model-b" in says[3]


def test_a_run_that_waits_in_two_collections_is_dropped_from_both() -> None:
    says = EVERY["drop"][0]().says
    assert [word in says[n] for n, word in enumerate(("lines", "words"))] == [True, True]
    assert RUN.receipt.key in says[0]
