"""A good shard, damaged in every way that a check has a name for."""

import pickle
import shutil
import sqlite3
from collections import defaultdict
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import chromadb
import numpy as np
import pytest
from chromadb.config import Settings
from receipt_chroma.digests import add_digests
from receipt_chroma.errors import ShardInvalid
from receipt_chroma.records import Record, content_of, metadata_bytes, record_hash
from receipt_chroma.shard import checks as shard_checks
from receipt_chroma.shard.checks import Expected, check_directory
from receipt_chroma.shard.chroma_dir import ChromaDir
from receipt_chroma.shard.hnsw_files import Header, read_elements, read_header, read_labels, rows_by_id
from receipt_chroma.shard.index import write_index
from receipt_chroma.shard.sqlite_files import compact_sqlite, read_sqlite, read_texts
from receipt_dynamo_stream.round.plan import Plan
from receipt_dynamo_stream.round.report import ShardReport
from receipt_dynamo_stream.sharding import shard_of

from .chroma_files import chroma_directory
from .samples import DIMENSION, RECEIPT, facts, receipt, row, run, vector, word
from .world import World

WORDS = [(line, number) for line in range(1, 6) for number in range(1, 9)]
RECORDS = [word(line, number) for line, number in WORDS]


def index(folder: Path, records: list[Record]) -> None:
    """Index a directory as a merge does."""
    of_receipt: dict[str, list[Record]] = defaultdict(list)
    for record in records:
        of_receipt[record.id.partition("#LINE#")[0]].append(record)
    rows = {}
    for part in folder.glob("*/index_metadata.pickle"):
        rows = rows_by_id(read_labels(part.parent), read_elements(part.parent, read_header(part.parent)))
    write_index(folder, [content_of(*one) for one in of_receipt.items()], rows)


def expected_of(records: list[Record], /, **changes: Any) -> Expected:
    good = Expected(
        collection="words",
        shard=0,
        shards=1,
        records=len(records),
        tombstones=0,
        digest=add_digests(*(record_hash(record) for record in records)),
        dimension=DIMENSION if records else None,
    )
    return replace(good, **changes)


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = chroma_directory(tmp_path_factory.mktemp("good") / "shard", RECORDS, sync_threshold=1)
    index(folder, RECORDS)
    compact_sqlite(folder)
    return folder


@pytest.fixture
def shard(original: Path, tmp_path: Path) -> Path:
    """A private copy of a good shard of 40 records."""
    return Path(shutil.copytree(original, tmp_path / "shard"))


def segment(shard: Path) -> Path:
    (found,) = (path.parent for path in shard.glob("*/header.bin"))
    return found


def test_a_good_shard_is_valid(shard: Path) -> None:
    check_directory(shard, expected_of(RECORDS), full=True)


def test_a_good_shard_is_valid_by_sample(shard: Path) -> None:
    check_directory(shard, expected_of(RECORDS, digest="not computed"), full=False)


def sql(shard: Path, *statements: str) -> None:
    with closing(sqlite3.connect(shard / "chroma.sqlite3")) as connection, connection:
        for statement in statements:
            connection.execute(statement)


def cut(name: str, keep: float = 0.5) -> Callable[[Path], None]:
    def damage(shard: Path) -> None:
        (path,) = shard.rglob(name)
        path.write_bytes(path.read_bytes()[: int(path.stat().st_size * keep)])

    return damage


def drop(name: str) -> Callable[[Path], None]:
    def damage(shard: Path) -> None:
        (path,) = shard.rglob(name)
        path.unlink()

    return damage


def overwrite(name: str, offset: int, content: bytes) -> Callable[[Path], None]:
    def damage(shard: Path) -> None:
        (path,) = shard.rglob(name)
        data = bytearray(path.read_bytes())
        data[offset : offset + len(content)] = content
        path.write_bytes(data)

    return damage


def page_of_nonsense(shard: Path) -> None:
    path = shard / "chroma.sqlite3"
    data = bytearray(path.read_bytes())
    for start in range(4096, len(data), 4096):
        data[start : start + 64] = b"\xa5" * 64
    path.write_bytes(data)


def edit_vectors(change: Callable[[np.ndarray], None]) -> Callable[[Path], None]:
    def damage(shard: Path) -> None:
        header: Header = read_header(segment(shard))
        path = segment(shard) / "data_level0.bin"
        data = np.fromfile(path, np.uint8)
        rows = data[: header.elements * header.element_size].reshape(header.elements, header.element_size)
        vectors = rows[:, header.vector_offset : header.label_offset].copy().view("<f4")
        change(vectors)
        rows[:, header.vector_offset : header.label_offset] = vectors.view(np.uint8)
        data.tofile(path)

    return damage


def swap_two(vectors: np.ndarray) -> None:
    vectors[[0, 1]] = vectors[[1, 0]]


def spoil(value: float) -> Callable[[np.ndarray], None]:
    def change(vectors: np.ndarray) -> None:
        vectors[3] = value

    return change


def edit_pickle(change: Callable[[dict[str, Any]], Any]) -> Callable[[Path], None]:
    def damage(shard: Path) -> None:
        path = segment(shard) / "index_metadata.pickle"
        content = pickle.loads(path.read_bytes())
        change(content)
        path.write_bytes(pickle.dumps(content))

    return damage


def forget_one(content: dict[str, Any]) -> None:
    label = content["id_to_label"].pop(RECORDS[0].id)
    del content["label_to_id"][label]


def exchange_two(content: dict[str, Any]) -> None:
    one, two = RECORDS[0].id, RECORDS[1].id
    labels = content["id_to_label"]
    labels[one], labels[two] = labels[two], labels[one]
    content["label_to_id"] = {label: name for name, label in labels.items()}


def one_way(content: dict[str, Any]) -> None:
    del content["label_to_id"][content["id_to_label"][RECORDS[0].id]]


def mark_one_deleted(shard: Path) -> None:
    header = read_header(segment(shard))
    overwrite("data_level0.bin", header.element_size * 5 + 2, b"\x01")(shard)


def empty_links(shard: Path) -> None:
    header = read_header(segment(shard))
    for element in range(header.elements):
        overwrite("data_level0.bin", header.element_size * element, b"\0\0")(shard)


class Hostile:
    def __reduce__(self) -> tuple[Any, ...]:
        return (pytest.fail, ("a pickle was executed",))


def hostile_pickle(shard: Path) -> None:
    (segment(shard) / "index_metadata.pickle").write_bytes(pickle.dumps(Hostile()))


def two_collections(shard: Path) -> None:
    client = chromadb.PersistentClient(path=str(shard), settings=Settings(anonymized_telemetry=False))
    client.create_collection("more", embedding_function=None)
    client.close()


FILE_DAMAGES: dict[str, tuple[str, Callable[[Path], None]]] = {
    "no database": ("sqlite_damaged", drop("chroma.sqlite3")),
    "a short database": ("sqlite_damaged", cut("chroma.sqlite3")),
    "an empty database": ("sqlite_damaged", cut("chroma.sqlite3", 0)),
    "no database at all in the file": ("sqlite_damaged", overwrite("chroma.sqlite3", 0, b"x" * 100)),
    "pages of nonsense": ("sqlite_damaged", page_of_nonsense),
    "a collection without a segment": (
        "sqlite_damaged",
        lambda shard: sql(shard, "DELETE FROM segments WHERE scope = 'VECTOR'"),
    ),
    "another collection name": ("collection_name", lambda shard: sql(shard, "UPDATE collections SET name = 'other'")),
    "two collections": ("collection_name", two_collections),
    "no index": ("index_missing", lambda shard: shutil.rmtree(segment(shard))),
    "no header": ("index_header", drop("header.bin")),
    "a short header": ("index_header", cut("header.bin")),
    "a header of another format": ("index_header", overwrite("header.bin", 0, b"\x02")),
    "a header with more elements than room": ("index_header", overwrite("header.bin", 20, b"\xff\xff")),
    "a header with other elements": ("index_size", overwrite("header.bin", 20, b"\x10")),
    "no vectors": ("index_size", drop("data_level0.bin")),
    "short vectors": ("index_size", cut("data_level0.bin")),
    "no lengths": ("index_size", drop("length.bin")),
    "short lengths": ("index_size", cut("length.bin")),
    "no links": ("index_size", drop("link_lists.bin")),
    "short links": ("index_size", cut("link_lists.bin")),
    "longer links": ("index_size", lambda shard: overwrite("link_lists.bin", 10**6, b"\0" * 8)(shard)),
    "no pickle": ("index_pickle", drop("index_metadata.pickle")),
    "a short pickle": ("index_pickle", cut("index_metadata.pickle")),
    "a pickle that runs code": ("index_pickle", hostile_pickle),
    "a pickle that maps one way": ("index_pickle", edit_pickle(one_way)),
    "a pickle without its maps": ("index_pickle", edit_pickle(dict.clear)),
    "vectors still queued": ("queue", lambda shard: sql(shard, "UPDATE max_seq_id SET seq_id = seq_id - 1")),
    "a record missing in the pickle": ("labels", edit_pickle(forget_one)),
    "a record missing in SQLite": (
        "labels",
        lambda shard: sql(shard, f"DELETE FROM embeddings WHERE embedding_id = '{RECORDS[0].id}'"),
    ),
    "a record twice in SQLite": (
        "labels",
        lambda shard: sql(
            shard,
            "INSERT INTO embeddings (segment_id, embedding_id, seq_id)"
            f" SELECT segment_id, '{word(9, 9).id}', seq_id FROM embeddings LIMIT 1",
        ),
    ),
    "a record of another segment": (
        "labels",
        lambda shard: sql(
            shard,
            "INSERT INTO embeddings (segment_id, embedding_id, seq_id)"
            " SELECT 'another', embedding_id, seq_id FROM embeddings LIMIT 1",
        ),
    ),
    "a record missing in the index": ("labels", mark_one_deleted),
    "another label": (
        "labels",
        lambda shard: overwrite("data_level0.bin", read_header(segment(shard)).label_offset, b"\xff")(shard),
    ),
    "a vector of zeros": ("vector", edit_vectors(spoil(0.0))),
    "a vector with NaN": ("vector", edit_vectors(spoil(float("nan")))),
    "a vector with infinity": ("vector", edit_vectors(spoil(float("inf")))),
    "two vectors exchanged": ("digest", edit_vectors(swap_two)),
    "two labels exchanged": ("digest", edit_pickle(exchange_two)),
    "another document": (
        "digest",
        lambda shard: sql(
            shard,
            "UPDATE embedding_metadata SET string_value = 'EGGS' WHERE key = 'chroma:document' AND id = 7",
        ),
    ),
    "another metadata value": (
        "digest",
        lambda shard: sql(shard, "UPDATE embedding_metadata SET string_value = 'EGGS' WHERE key = 'text' AND id = 7"),
    ),
    "a metadata key less": (
        "digest",
        lambda shard: sql(shard, "DELETE FROM embedding_metadata WHERE key = 'text' AND id = 7"),
    ),
    "no index of receipts": ("receipts", drop("receipts.json")),
    "a garbled index of receipts": ("receipts", overwrite("receipts.json", 0, b"J")),
    "another digest in the index": ("receipts", overwrite("receipts.json", -12, b"0123")),
    "an index without a receipt": ("receipts", lambda shard: (shard / "receipts.json").write_bytes(b"[\n\n]\n")),
    "no vector rows": ("receipts", drop("vector_rows.bin")),
    "other vector rows": ("receipts", overwrite("vector_rows.bin", 0, b"\x07")),
    "too few vector rows": ("receipts", cut("vector_rows.bin")),
    "a graph that leads nowhere": ("self_query", empty_links),
}


@pytest.mark.parametrize("name", FILE_DAMAGES)
def test_damage_is_refused_with_a_name(shard: Path, name: str) -> None:
    problem, damage = FILE_DAMAGES[name]
    damage(shard)
    with pytest.raises(ShardInvalid) as refused:
        check_directory(shard, expected_of(RECORDS), full=True)
    assert refused.value.problem == problem, str(refused.value)


@pytest.mark.parametrize("name", FILE_DAMAGES)
def test_damage_to_a_shard_too_large_for_chromadb_to_read_whole_is_refused_with_the_same_name(
    shard: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shard_checks, "CHROMADB_READ_RECORDS", 0)
    test_damage_is_refused_with_a_name(shard, name)


def test_the_tables_give_the_texts_that_chromadb_gives(tmp_path: Path) -> None:
    records = [
        word(
            1,
            1,
            n=1,
            truth=True,
            x=0.1 + 0.2,
            y=0.9802897264899629,
            names=["b", "a", "b"],
            numbers=[3, 1],
            flags=[False],
        ),
        word(1, 2, document=None, floats=[0.1 + 0.2, 1.0], one=1.0, nothing=0, no=False, empty="", umlaut="ä\0"),
        replace(word(1, 3), metadata={}, document=""),
        replace(word(1, 4), metadata={}, document=None),
        word(1, 5, names=["last"]),
    ]
    folder = made(tmp_path / "shard", records)
    with ChromaDir.open(folder, "words") as directory:
        expected = {
            name: (document, metadata_bytes(metadata)) for name, document, metadata in directory.texts(directory.ids())
        }
    found = read_texts(folder, read_sqlite(folder, "words"))
    assert {name: (document, metadata_bytes(metadata)) for name, document, metadata in found} == expected
    assert len(expected) == 5


def test_a_sample_that_chromadb_gives_otherwise_than_the_tables_is_unreadable(
    shard: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shard_checks, "CHROMADB_READ_RECORDS", 0)
    monkeypatch.setattr(
        shard_checks, "read_texts", lambda *_: ((name, "EGGS", data) for name, _, data in read_texts(*_))
    )
    with pytest.raises(ShardInvalid, match="otherwise than its files"):
        check_directory(shard, expected_of(RECORDS), full=True)


def test_a_database_is_made_compact_where_that_pays_and_else_left_alone(shard: Path) -> None:
    database = shard / "chroma.sqlite3"
    before = database.read_bytes()
    compact_sqlite(shard)
    assert database.read_bytes() == before
    sql(shard, "CREATE TABLE waste (content BLOB)", "INSERT INTO waste VALUES (zeroblob(1000000))", "DROP TABLE waste")
    wasteful = database.stat().st_size
    compact_sqlite(shard)
    assert database.stat().st_size < wasteful - 900_000
    assert {path.name for path in shard.iterdir() if path.is_file()} == {
        *("chroma.sqlite3", "receipts.json", "vector_rows.bin")
    }
    check_directory(shard, expected_of(RECORDS), full=True)


@pytest.mark.parametrize(
    ("problem", "changes"),
    [
        ("records", {"records": 39}),
        ("tombstones", {"tombstones": 1}),
        ("dimension", {"dimension": 7}),
        ("dimension", {"dimension": None}),
        ("digest", {"digest": "0" * 64}),
        ("collection_name", {"collection": "lines"}),
        ("foreign", {"shards": 2, "shard": 1 - shard_of(RECEIPT.image_id, 1, 2)}),
    ],
)
def test_another_report_is_refused_with_a_name(shard: Path, problem: str, changes: dict[str, Any]) -> None:
    with pytest.raises(ShardInvalid) as refused:
        check_directory(shard, expected_of(RECORDS, **changes), full=True)
    assert refused.value.problem == problem


def made(folder: Path, records: list[Record], **options: Any) -> Path:
    chroma_directory(folder, records, **{"sync_threshold": 1, **options})
    index(folder, records)
    return folder


@pytest.mark.parametrize("bad", [replace(word(1, 1), id="milk"), row(1)], ids=["malformed", "other collection"])
def test_an_id_that_does_not_belong_is_foreign(tmp_path: Path, bad: Record) -> None:
    records = [*RECORDS[1:4], bad]
    with pytest.raises(ShardInvalid, match="foreign"):
        check_directory(made(tmp_path / "shard", records), expected_of(records), full=True)


@pytest.mark.parametrize("space", ["cosine", "ip"])
def test_another_space_is_refused(tmp_path: Path, space: str) -> None:
    with pytest.raises(ShardInvalid, match="space"):
        check_directory(made(tmp_path / "shard", RECORDS[:4], space=space), expected_of(RECORDS[:4]), full=True)


@pytest.mark.filterwarnings("ignore:legacy embedding function config:DeprecationWarning")
def test_vectors_that_are_only_queued_are_refused_and_valid_once_flushed(tmp_path: Path) -> None:
    folder = made(tmp_path / "shard", RECORDS[:4], sync_threshold=1000)
    with pytest.raises(ShardInvalid, match="queue"):
        check_directory(shutil.copytree(folder, tmp_path / "copy"), expected_of(RECORDS[:4]), full=True)
    with ChromaDir.open_for_writing(folder, "words"):
        pass
    index(folder, RECORDS[:4])
    check_directory(folder, expected_of(RECORDS[:4]), full=True)


def test_a_directory_without_any_record_and_without_an_index_is_valid(tmp_path: Path) -> None:
    check_directory(made(tmp_path / "shard", []), expected_of([]), full=True)


def test_many_records_with_one_vector_do_not_fail_the_self_query(tmp_path: Path) -> None:
    same = [replace(record, embedding=vector(1)) for record in RECORDS]
    check_directory(made(tmp_path / "shard", same), expected_of(same), full=True)


def test_a_deleted_record_leaves_a_tombstone_that_is_counted(shard: Path) -> None:
    with ChromaDir.open_for_writing(shard, "words") as directory:
        directory.delete([RECORDS[0].id])
    index(shard, RECORDS[1:])
    check_directory(shard, expected_of(RECORDS[1:], tombstones=1), full=True)
    assert RECORDS[0].id not in read_labels(segment(shard))


@dataclass
class Staged:
    """A staged shard and what is needed to validate it."""

    world: World
    plan: Plan
    report: ShardReport

    @property
    def folder(self) -> Path:
        assert self.report.staged is not None
        return self.world.folder / self.report.staged.path

    def validate(self, **options: Any) -> Any:
        return self.world.validate(self.plan, self.report, **options)


@pytest.fixture
def staged(world: World) -> Staged:
    world.upload(run(1), RECORDS)
    plan = world.plan(facts(WORDS, runs=[run(1)]))
    return Staged(world, plan, world.merge(plan))


def test_a_staged_shard_is_valid_from_its_files_alone_and_stays_untouched(staged: Staged) -> None:
    before = {path: path.read_bytes() for path in staged.folder.rglob("*") if path.is_file()}
    proof = staged.validate()
    assert (proof.records, proof.full) == (40, True)
    assert "digest" in proof.checks
    assert {path: path.read_bytes() for path in staged.folder.rglob("*") if path.is_file()} == before
    assert list(staged.world.work.iterdir()) == []


def test_above_the_setting_a_sample_is_read_and_said_to_be_one(staged: Staged) -> None:
    proof = staged.validate(full_read_records=39)
    assert not proof.full
    assert "digest" not in proof.checks


def test_an_unchanged_shard_is_valid_by_itself(staged: Staged) -> None:
    assert staged.world.validate(staged.plan, replace(staged.report, staged=None, changed=False)).records == 0


def test_what_was_renamed_into_place_already_is_validated_there(staged: Staged) -> None:
    staged.world.write_manifest(staged.plan, [staged.report])
    assert not staged.folder.exists()
    assert staged.validate().records == 40


STAGED_FILES = (
    *("chroma.sqlite3", "header.bin", "data_level0.bin", "length.bin", "link_lists.bin"),
    *("index_metadata.pickle", "receipts.json", "vector_rows.bin"),
)


@pytest.mark.parametrize("name", STAGED_FILES)
@pytest.mark.parametrize("damage", ["cut", "flip", "drop"])
def test_every_damaged_file_is_refused(staged: Staged, name: str, damage: str) -> None:
    (path,) = staged.folder.rglob(name)
    if damage == "drop":
        path.unlink()
    else:
        content = bytearray(path.read_bytes())
        content[-1] ^= 1
        path.write_bytes(content if damage == "flip" else content[:-1])
    with pytest.raises(ShardInvalid, match="file_sha256" if damage == "flip" else "files"):
        staged.validate()


def test_a_file_too_many_is_refused(staged: Staged) -> None:
    (staged.folder / "chroma.sqlite3-journal").write_bytes(b"x")
    with pytest.raises(ShardInvalid, match="files"):
        staged.validate()


def test_a_staged_shard_that_is_gone_is_refused(staged: Staged) -> None:
    shutil.rmtree(staged.folder)
    with pytest.raises(ShardInvalid, match="files"):
        staged.validate()


@pytest.mark.parametrize("how", ["missing", "shorter", "extra"])
def test_a_durable_copy_that_is_not_whole_is_refused(staged: Staged, how: str) -> None:
    s3, bucket = staged.world.s3, staged.world.bucket
    assert staged.report.staged is not None
    key = f"snapshots/words/shards/0000/{staged.report.staged.shard_version}/"
    if how == "missing":
        s3.delete_object(Bucket=bucket, Key=key + "chroma.sqlite3")
    else:
        s3.put_object(Bucket=bucket, Key=key + ("chroma.sqlite3" if how == "shorter" else "more"), Body=b"x")
    with pytest.raises(ShardInvalid, match="objects"):
        staged.validate()


def test_a_report_of_another_shard_is_refused(staged: Staged) -> None:
    plan = replace(staged.plan, shards=2)
    report = replace(staged.report, shard=1 - shard_of(receipt(0).image_id, 1, 2))
    with pytest.raises(ShardInvalid):
        staged.world.validate(plan, report)
