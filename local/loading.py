"""Receipts of one's own: a file of words becomes items of the receipts table, two deltas and a run for each receipt.

A row has `receipt` (a name, a name and a number like `scan-7/2`, or a key), `line`, `word` and `text`, and may have
`vector`. A row without a word is the whole line: its text and vector, in place of the words put together.
"""

import csv
import json
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from receipt_chroma import announce_run
from receipt_chroma.delta.bounds import MAX_DELTA_BYTES, MAX_RECORDS, MAX_TEXT_BYTES
from receipt_dynamo_stream import names
from receipt_dynamo_stream.bucket import Bucket
from receipt_dynamo_stream.errors import KeyMalformed
from receipt_dynamo_stream.keys import ReceiptId, line_record_id, parse_item_key, word_record_id

from local.batches import put_items
from local.errors import LoadRefused

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

    from operate.contents.embedder import Embedder

COLUMNS: Final = ("receipt", "line", "word", "text")
JSON_LINES: Final = (".jsonl", ".ndjson", ".json")


@dataclass(frozen=True)
class Row:
    """One word as a file has it, or a whole line (word None)."""

    receipt: ReceiptId
    line: int
    word: int | None
    text: str
    vector: tuple[float, ...] | None


@dataclass(frozen=True)
class Loaded:
    """What was written."""

    receipts: int
    lines: int
    words: int


def read_rows(paths: Sequence[Path]) -> list[Row]:
    """The rows of CSV files and JSON lines. Raises LoadRefused with file and line."""
    rows: dict[tuple[ReceiptId, int, int | None], Row] = {}
    for path in paths:
        for number, given in _given(path):
            try:
                row = _row(given)
            except (KeyMalformed, TypeError, ValueError) as error:
                raise LoadRefused(f"{path}:{number}: {error}") from error
            if (row.receipt, row.line, row.word) in rows:
                raise LoadRefused(f"{path}:{number}: this line and word of {row.receipt.key} are there twice")
            rows[row.receipt, row.line, row.word] = row
    if not rows:
        raise LoadRefused(f"{', '.join(map(str, paths))}: there is no row to load")
    if len({row.vector is None for row in rows.values()}) > 1:
        raise LoadRefused("some rows have a vector and some have none: give all or none, one model makes a collection")
    if len(lengths := {len(row.vector or ()) for row in rows.values()}) > 1:
        raise LoadRefused(f"there are vectors of {sorted(lengths)[:5]} floats: one model makes a collection")
    for (receipt, _), count in Counter((row.receipt, row.word is None) for row in rows.values()).items():
        if count > MAX_RECORDS:
            raise LoadRefused(f"{receipt.key} has {count} rows: {MAX_RECORDS} is the most of a receipt")
    return list(rows.values())


def load(
    rows: Iterable[Row],
    *,
    dynamodb: "DynamoDBClient",
    table: str,
    bucket: Bucket,
    embedder: "Embedder",
    now: str,
    new_run_id: Callable[[], str],
    done: Callable[[int], None] = lambda _count: None,
) -> Loaded:
    """Write each receipt as a producer does: its items, both deltas, the run. The embedder is for rows without vectors.

    A receipt that is there gets this run too; what the table and earlier runs have of it beside these rows stays.
    """
    receipts: dict[ReceiptId, list[Row]] = {}
    for row in rows:
        receipts.setdefault(row.receipt, []).append(row)
    lines_written = words_written = 0
    for count, (receipt, own) in enumerate(receipts.items(), 1):
        words = sorted((row for row in own if row.word is not None), key=lambda row: (row.line, row.word or 0))
        lines = _lines(own, words)
        of_words = _records([(word_record_id(receipt, row.line, row.word or 0), row) for row in words], embedder)
        of_lines = _records([(line_record_id(receipt, row.line), row) for row in lines], embedder)
        _put_receipt(dynamodb, table, _item(receipt, "", names.RECEIPT, timestamp_added=now))
        put_items(dynamodb, table, _items(receipt, lines, words))
        announce_run(
            *(dynamodb, table, bucket, receipt), run_id=new_run_id(), created_at=now, lines=of_lines, words=of_words
        )
        lines_written, words_written = lines_written + len(of_lines), words_written + len(of_words)
        done(count)
    return Loaded(len(receipts), lines_written, words_written)


def _put_receipt(dynamodb: "DynamoDBClient", table: str, item: dict[str, Any]) -> None:
    """Unless it is there: another `timestamp_added` would make an earlier receipt's of all its runs."""
    try:
        dynamodb.put_item(TableName=table, Item=item, ConditionExpression="attribute_not_exists(PK)")
    except dynamodb.exceptions.ConditionalCheckFailedException:
        return


def _given(path: Path) -> Iterator[tuple[int, Mapping[str, Any]]]:
    csv.field_size_limit(MAX_DELTA_BYTES)  # a vector as JSON may be longer than the module's own bound
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            if path.suffix.lower() == ".csv":
                reader = csv.DictReader(file)
                missing = [name for name in COLUMNS if name not in (reader.fieldnames or ())]
                if missing:
                    raise LoadRefused(f"{path} has no column {', '.join(missing)}: its first line names the columns")
                for given in reader:
                    if None in given:  # where DictReader puts what is too much
                        raise LoadRefused(
                            f"{path}:{reader.line_num}: more values than columns: quote a text that has a comma in it"
                        )
                    yield reader.line_num, given
            elif path.suffix.lower() in JSON_LINES:
                for number, line in enumerate(file, 1):
                    if line.strip():
                        yield number, _object(path, number, line)
            else:
                raise LoadRefused(f"{path} is neither .csv nor {' nor '.join(JSON_LINES)}")
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise LoadRefused(f"{path} cannot be read: {error}") from error


def _object(path: Path, number: int, line: str) -> Mapping[str, Any]:
    try:
        value = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise LoadRefused(f"{path}:{number}: no JSON: {error}") from error
    if not isinstance(value, dict):
        raise LoadRefused(f"{path}:{number}: a JSON object a line is meant")
    return value


def _row(given: Mapping[str, Any]) -> Row:
    text, word = given.get("text"), given.get("word")
    if not isinstance(text, str) or not text:
        raise ValueError("text is missing")
    if len(text.encode()) > MAX_TEXT_BYTES:
        raise ValueError(f"the text has more than {MAX_TEXT_BYTES} bytes")
    return Row(
        receipt=_receipt(given.get("receipt")),
        line=_number("line", given.get("line")),
        word=None if word in (None, "") else _number("word", word),
        text=text,
        vector=_vector(given.get("vector")),
    )


def _vector(given: object) -> tuple[float, ...] | None:
    """As a delta takes it: finite as float32, and not all zeros."""
    if given is None or given == "":
        return None
    try:
        value = json.loads(given) if isinstance(given, str) else given
        vector = tuple(map(float, value)) if isinstance(value, list) else ()
    except (TypeError, ValueError, RecursionError) as error:
        raise ValueError(f"vector is no JSON array of floats: {error}") from error
    with np.errstate(over="ignore"):
        as_float32 = np.array(vector, dtype=np.float32)
    if not as_float32.any() or not np.isfinite(as_float32).all():
        raise ValueError("vector is no JSON array of floats that are finite and not all zeros")
    return vector


def _receipt(given: object) -> ReceiptId:
    """`scan-7` is the first receipt of the image of that name, `scan-7/2` its second."""
    text = str(given) if given is not None else ""
    text.encode()  # raises for half a character
    if "#" in text:
        return ReceiptId.parse(text)
    name, slash, number = text.rpartition("/")
    receipt = ReceiptId(name, _number("the receipt's number", number)) if slash else ReceiptId(text, 1)
    if parse_item_key(receipt.pk, receipt.sk).entity_type != names.RECEIPT:
        raise ValueError(f"receipt {text!r} is no name: a text, a text and a number like scan-7/2, or a key")
    return receipt


def _number(what: str, given: object) -> int:
    text = str(given) if given is not None else ""
    if not text.isascii() or not text.isdigit() or len(text) > 9:
        raise ValueError(f"{what} {text!r} is no whole number")
    return int(text)


def _lines(own: Sequence[Row], words: Sequence[Row]) -> list[Row]:
    """One row for each line: as it was given, else its words in their order, which have no vector together."""
    given = {row.line: row for row in own if row.word is None}
    texts: dict[int, list[str]] = {}
    for row in words:
        texts.setdefault(row.line, []).append(row.text)
    receipt, by_vector = own[0].receipt, own[0].vector is not None
    put_together = {
        line: Row(receipt, line, None, " ".join(some), () if by_vector else None) for line, some in texts.items()
    }
    return [row for _, row in sorted({**put_together, **given}.items())]


def _records(rows: Sequence[tuple[str, Row]], embedder: "Embedder") -> list[dict[str, Any]]:
    """Rows of a delta; a line that was put together of words with vectors has none itself, and no record."""
    texts = [row.text for _, row in rows if row.vector is None]
    made = iter(embedder.embed(texts, None) if texts else ())
    return [
        {"id": name, "embedding": next(made) if row.vector is None else row.vector, "document": row.text}
        for name, row in rows
        if row.vector != ()
    ]


def _items(receipt: ReceiptId, lines: Sequence[Row], words: Sequence[Row]) -> Iterator[dict[str, Any]]:
    for row in lines:
        yield _item(receipt, f"#LINE#{row.line:05d}", names.RECEIPT_LINE, text=row.text)
    for row in words:
        yield _item(receipt, f"#LINE#{row.line:05d}#WORD#{row.word:05d}", names.RECEIPT_WORD, text=row.text)


def _item(receipt: ReceiptId, rest: str, entity_type: str, **texts: str) -> dict[str, Any]:
    keys = {"PK": receipt.pk, "SK": receipt.sk + rest, "TYPE": entity_type}
    return {name: {"S": value} for name, value in (keys | texts).items()}
