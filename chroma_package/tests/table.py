"""A receipts table in memory: what producers and people do to it, in any order, and what is pending because of it."""

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any

from hypothesis import strategies as st
from receipt_chroma.records import Record, Vector
from receipt_dynamo_stream.facts import LabelFact, ReceiptFacts, RunFact, SectionFact
from receipt_dynamo_stream.keys import ReceiptId, line_record_id, word_record_id

from .samples import receipt
from .samples import vector as vector_of

LINES = (1, 2, 3)
WORDS = tuple((line, word) for line in LINES for word in (1, 2))
RECEIPTS = 2

Event = tuple[Any, ...]
"""(what, which receipt, and what it needs); see `Table.happen`."""

cached_vector = cache(vector_of)

_receipts = st.integers(0, RECEIPTS - 1)
_words = st.sampled_from([frozenset(WORDS), frozenset(WORDS[:4]), frozenset(WORDS[1:]), frozenset(WORDS[::2])])
_record = st.tuples(
    st.sampled_from(WORDS),
    st.integers(0, 3),
    st.sampled_from(["MILK", "EGGS", None]),
    st.sampled_from([None, "[1,2]", "[2,3,9]", "[]"]),
)
_records = st.lists(_record, min_size=2, max_size=6, unique_by=lambda one: one[0])
_label = st.tuples(
    st.sampled_from(WORDS), st.sampled_from(["DATE", "TAX"]), st.sampled_from(["VALID", "INVALID", "PENDING", ""])
)
_run = st.tuples(st.just("run"), _receipts, _records, st.sampled_from([0, 0, -1, -3, -5, -9]))  # days: some are late
_plan, _merge = st.tuples(st.just("plan"), st.integers(1, RECEIPTS)), st.tuples(st.just("merge"))
_place = st.none() | st.dictionaries(st.just("merchant_name"), st.sampled_from("AB"))
_CHANGES = (
    st.tuples(st.just("create"), _receipts, _words),
    _run,
    _run,
    st.tuples(st.just("repeat"), _receipts, st.integers(0, 3)),
    st.tuples(st.just("fail"), _receipts, st.integers(0, 3)),
    st.tuples(st.just("words"), _receipts, _words),
    st.tuples(st.just("label"), _receipts, _label),
    st.tuples(st.just("label"), _receipts, _label),
    st.tuples(st.just("unlabel"), _receipts, st.integers(0, 3)),
    st.tuples(st.just("place"), _receipts, _place),
    st.tuples(st.just("section"), _receipts, st.sampled_from(["HEADER", "ITEMS"]), st.sampled_from([(1, 2), (2, 3)])),
    st.tuples(st.just("delete"), _receipts, st.booleans()),
)
EVENTS = st.one_of(*_CHANGES, _plan, _plan, _plan, _merge, _merge, _merge)


def _after_a_beginning(events: st.SearchStrategy[Event]) -> st.SearchStrategy[list[Event]]:
    """Receipts with a run each, which most changes need, and then anything."""
    begin = st.tuples(*(st.tuples(st.just("create"), st.just(one), _words) for one in range(RECEIPTS)))
    runs = st.tuples(*(st.tuples(st.just("run"), st.just(one), _records, st.just(0)) for one in range(RECEIPTS)))
    rest = st.lists(events, min_size=4, max_size=24)
    return st.builds(lambda one, two, three: [*one, *two, *three], begin, runs, rest)


HISTORIES = _after_a_beginning(EVENTS)
"""Changes with plans and merges between them: a plan may wait while its receipts change, or be lost."""


@dataclass
class Row:
    """Everything below one receipt."""

    exists: bool = False
    added: str | None = None
    words: frozenset[tuple[int, int]] = frozenset()
    labels: dict[tuple[tuple[int, int], str], LabelFact] = field(default_factory=dict)
    sections: dict[str, SectionFact] = field(default_factory=dict)
    place: dict[str, str] | None = None
    runs: dict[str, RunFact] = field(default_factory=dict)


class Table:
    """The receipts, the deltas that their runs announced, and who is pending since which event."""

    def __init__(self, collection: str) -> None:
        self.collection = collection
        self.rows = {receipt(number): Row() for number in range(RECEIPTS)}
        self.deltas: dict[str, list[Record]] = {}
        self.pending: dict[ReceiptId, int] = {}
        self._events = 0

    def happen(self, event: Event) -> None:
        """One change of one receipt, which marks it pending; most need the receipt to be there."""
        self._events += 1
        what, number, *rest = event
        one = receipt(number)
        row = self.rows[one]
        if what == "create" and not row.exists:
            row.exists, row.added, row.words = True, self._time(), rest[0]
        elif what == "delete" and row.exists:
            self.rows[one] = Row(runs=row.runs if rest[0] else {})
        elif what == "run":  # also before its receipt, or its words, are there
            run_id = f"run-{self._events:03d}"
            row.runs[run_id] = RunFact(self._time(rest[1]), run_id, f"delta/{run_id}/", "PENDING")
            self.deltas[run_id] = self._records(one, rest[0])
        elif what in ("repeat", "fail") and row.runs:
            run_id = sorted(row.runs)[rest[0] % len(row.runs)]
            old = row.runs[run_id]
            if what == "fail":
                row.runs[run_id] = RunFact(old.created_at, run_id, old.delta_prefix, "FAILED")
            else:
                again = f"{run_id}-again"
                row.runs[again] = RunFact(self._time(), again, f"delta/{again}/", "PENDING")
                self.deltas[again] = self.deltas[run_id]
        elif row.exists and not self._edit(row, what, rest):
            return
        self.pending[one] = self._events

    def _edit(self, row: Row, what: str, rest: list[Any]) -> bool:
        if what == "words":
            row.words = rest[0]
        elif what == "label":
            word, name, status = rest[0]
            row.labels[word, name] = LabelFact(*word, name, status, "me", self._time())
        elif what == "unlabel" and row.labels:
            row.labels.pop(sorted(row.labels)[rest[0] % len(row.labels)])
        elif what == "place":
            row.place = rest[0]
        elif what == "section":
            row.sections[rest[0]] = SectionFact(rest[0], rest[1], "VALID", 0.5)
        else:
            return False
        return True

    def facts(self, one: ReceiptId) -> ReceiptFacts:
        """What a plan reads now."""
        row = self.rows[one]
        return ReceiptFacts(
            receipt=one,
            exists=row.exists,
            timestamp_added=row.added,
            lines=frozenset(line for line, _ in row.words),
            words=row.words,
            place=row.place,
            labels=tuple(sorted(row.labels.values())),
            sections=tuple(sorted(row.sections.values())),
            runs=tuple(sorted(row.runs.values())),
        )

    def settle(self, planned: Iterable[tuple[ReceiptFacts, int]]) -> None:
        """What was planned is merged: runs are COMPLETED, and who was not marked since is no longer pending."""
        for facts, token in planned:
            row = self.rows[facts.receipt]
            for run in facts.runs:
                now = row.runs.get(run.run_id)  # it may have been announced anew since it was planned
                if run.state == "PENDING" and now is not None and now.state == "PENDING":
                    row.runs[run.run_id] = replace(now, state="COMPLETED")
            if self.pending.get(facts.receipt) == token:
                del self.pending[facts.receipt]

    def _time(self, days: int = 0) -> str:
        return (datetime(2026, 1, 20, tzinfo=UTC) + timedelta(days=self._events + days)).isoformat()

    def _records(self, one: ReceiptId, given: list[Any]) -> list[Record]:
        records = {}
        for (line, word), seed, document, members in given:
            metadata: dict[str, Any] = {"text": str(seed), "label_status": "of the delta"}
            if self.collection == "words":
                record_id = word_record_id(one, line, word)
            else:
                record_id = line_record_id(one, line)
                metadata |= {} if members is None else {"row_line_ids": members}
            records[record_id] = Record(record_id, vector(seed), document, metadata)
        return list(records.values())


def vector(seed: int) -> Vector:
    """One of a few vectors, so that deltas often bring the same one again."""
    return cached_vector(seed + 1)
