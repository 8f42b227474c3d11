"""A second, naive answer to what a receipt's records should be; written from the rules, without the package's code.

Records are plain dicts here: id -> (vector, document, metadata).
"""

import json
from datetime import UTC, datetime
from typing import Any

Naive = dict[str, tuple[Any, str | None, dict[str, Any]]]

PLACE_KEYS = ["merchant_name", "merchant_category", "phone_number", "place_id", "address"]
LABEL_KEYS = ["valid_labels_array", "invalid_labels_array", "label_status"]
OF_FACTS = {
    "words": [*PLACE_KEYS, *LABEL_KEYS, "label_proposed_by", "label_validated_at"],
    "lines": [*PLACE_KEYS, *LABEL_KEYS, "row_line_ids", "section_label"],
}


def moment(text: str) -> float:
    if text == "":
        return -1e18
    parsed = datetime.fromisoformat(text)
    return (parsed if parsed.tzinfo else parsed.replace(tzinfo=UTC)).timestamp()


def naive_wanted(deltas: list[tuple[Any, Naive | None]], facts: Any, collection: str, existing: Naive) -> Naive:
    """`deltas`: (run, records by id), None for a delta that is gone from a COMPLETED run."""
    if not facts.exists:
        return {}
    usable = []
    for run, records in deltas:
        if run.state == "FAILED":
            continue
        if facts.timestamp_added and moment(run.created_at) < moment(facts.timestamp_added):
            continue
        usable.append((moment(run.created_at), run.run_id, records))
    usable.sort(key=lambda one: one[:2])

    vectors: Naive = {}
    for _, _, records in usable:
        # A delta that is gone may have brought, or replaced, anything that the snapshot has.
        vectors = {**vectors, **(existing if records is None else records)}

    wanted: Naive = {}
    for record_id, (vector, document, own) in vectors.items():
        parts = record_id.split("#")
        line = int(parts[5])
        if collection == "words":
            if (line, int(parts[7])) not in facts.words:
                continue
            decided = of_word(facts, line, int(parts[7]))
        else:
            if line not in facts.lines:
                continue
            decided = of_row(facts, line, own.get("row_line_ids"))
        kept = {key: value for key, value in own.items() if key not in OF_FACTS[collection]}
        decided |= of_place(facts)
        wanted[record_id] = (vector, document, kept | {k: v for k, v in decided.items() if v not in (None, "", [])})
    return wanted


def of_place(facts: Any) -> dict[str, Any]:
    found = {}
    for key in PLACE_KEYS:
        if facts.place is not None:
            found[key] = facts.place.get("formatted_address" if key == "address" else key)
        elif facts.metadata is not None:
            found[key] = facts.metadata.get("canonical_" + key)
            if not found[key]:
                found[key] = facts.metadata.get(key)
    return found


def status_of(statuses: list[str]) -> str:
    if "VALID" in statuses:
        return "validated"
    if "PENDING" in statuses:
        return "auto_suggested"
    return "unvalidated"


def of_word(facts: Any, line: int, word: int) -> dict[str, Any]:
    labels = [label for label in facts.labels if (label.line_id, label.word_id) == (line, word)]
    found: dict[str, Any] = {
        "valid_labels_array": sorted({label.label for label in labels if label.status == "VALID"}),
        "invalid_labels_array": sorted({label.label for label in labels if label.status == "INVALID"}),
        "label_status": status_of([label.status for label in labels]),
    }
    newest_first = sorted(labels, key=lambda label: (moment(label.timestamp_added), label.label), reverse=True)
    for label in [label for label in newest_first if label.status == "PENDING"][:1]:
        found["label_proposed_by"] = label.proposed_by
    for label in [label for label in newest_first if label.status == "VALID"][:1]:
        found["label_validated_at"] = label.timestamp_added
    return found


def of_row(facts: Any, primary: int, members_text: str | None) -> dict[str, Any]:
    said = json.loads(members_text) if members_text else []
    if primary not in said:
        said.append(primary)  # a row is keyed by its leftmost line
    members = sorted({line for line in said if line in facts.lines})
    labels = [
        label for label in facts.labels if label.line_id in members and (label.line_id, label.word_id) in facts.words
    ]
    valid = {label.label for label in labels if label.status == "VALID"}
    invalid = {label.label for label in labels if label.status == "INVALID"}
    return {
        "row_line_ids": "[" + ",".join(str(line) for line in members) + "]",
        "valid_labels_array": sorted(valid),
        "invalid_labels_array": sorted(invalid - valid),
        "label_status": status_of([label.status for label in labels]),
        "section_label": winner([vote for vote in (vote_of(facts, line) for line in members) if vote]),
    }


def vote_of(facts: Any, line: int) -> str | None:
    best: list[str] = []
    best_rank: tuple[int, float] | None = None
    for section in facts.sections:
        if section.status == "INVALID" or line not in section.line_ids:
            continue
        rank = ({"VALID": 2, "PENDING": 1}.get(section.status, 0), section.confidence)
        if best_rank is None or rank > best_rank:
            best, best_rank = [section.section_type], rank
        elif rank == best_rank:
            best.append(section.section_type)
    return best[0] if len(best) == 1 else None


def winner(votes: list[str]) -> str | None:
    counts = sorted(((votes.count(kind), kind) for kind in set(votes)), reverse=True)
    if not counts or (len(counts) > 1 and counts[0][0] == counts[1][0]):
        return None
    return counts[0][1]
