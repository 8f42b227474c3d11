import re

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from receipt_dynamo_stream.errors import KeyMalformed
from receipt_dynamo_stream.grain import grain_of
from receipt_dynamo_stream.keys import (
    ItemKey,
    ReceiptId,
    RecordId,
    line_record_id,
    parse_item_key,
    parse_record_id,
    record_id_of,
    word_record_id,
)
from receipt_dynamo_stream.sharding import shard_of

from .samples import IMAGE, RUN, SORT_KEYS

images = st.text(min_size=1, max_size=12).filter(lambda text: "#" not in text)
ids = st.integers(0, 10**9)

# The naive model: one regular expression per entity, as one would write them from the table in the documentation.
NUMBER = r"(?:\d{5}|[1-9]\d{5,17})"
MODEL = {
    "RECEIPT": rf"RECEIPT#{NUMBER}",
    "RECEIPT_LINE": rf"RECEIPT#{NUMBER}#LINE#{NUMBER}",
    "RECEIPT_WORD": rf"RECEIPT#{NUMBER}#LINE#{NUMBER}#WORD#{NUMBER}",
    "RECEIPT_WORD_LABEL": rf"RECEIPT#{NUMBER}#LINE#{NUMBER}#WORD#{NUMBER}#LABEL#.+",
    "RECEIPT_PLACE": rf"RECEIPT#{NUMBER}#PLACE",
    "RECEIPT_METADATA": rf"RECEIPT#{NUMBER}#METADATA",
    "RECEIPT_SECTION": rf"RECEIPT#{NUMBER}#SECTION#.+",
    "COMPACTION_RUN": rf"RECEIPT#{NUMBER}#COMPACTION_RUN#.+",
}


def model_type(sk: str) -> str | None:
    for entity_type, pattern in MODEL.items():
        if re.fullmatch(pattern, sk, re.ASCII | re.DOTALL):
            return entity_type
    return None


@pytest.mark.parametrize("entity_type", SORT_KEYS)
def test_every_entity_is_known_by_its_key(entity_type: str) -> None:
    key = parse_item_key(f"IMAGE#{IMAGE}", SORT_KEYS[entity_type])
    assert key.entity_type == entity_type
    assert key.receipt == ReceiptId(IMAGE, 1)


def test_a_key_gives_all_its_ids() -> None:
    label = parse_item_key("IMAGE#a", SORT_KEYS["RECEIPT_WORD_LABEL"])
    assert label == ItemKey("RECEIPT_WORD_LABEL", "a", 1, 2, 3, "GRAND_TOTAL")
    assert parse_item_key("IMAGE#a", SORT_KEYS["RECEIPT_SECTION"]).section_type == "HEADER"
    assert parse_item_key("IMAGE#a", SORT_KEYS["COMPACTION_RUN"]).run_id == RUN


@pytest.mark.parametrize(
    "label",
    [
        "PLACE_NAME",
        "PLACE",
        "METADATA",
        "SECTION",
        "COMPACTION_RUN",
        "WORD",
        "étiquette",
        "ITEM#1",
        "#",
        "a/b",
        "..",
        "\x00\n",
    ],
)
def test_a_label_named_like_another_entity_is_a_label(label: str) -> None:
    key = parse_item_key("IMAGE#a", f"RECEIPT#00001#LINE#00002#WORD#00003#LABEL#{label}")
    assert (key.entity_type, key.label) == ("RECEIPT_WORD_LABEL", label)


@pytest.mark.parametrize("name", ["ITEM#1", "#", "a/b", "COMPACTION_RUN#x"])
def test_all_after_the_kind_is_the_name(name: str) -> None:
    assert parse_item_key("IMAGE#a", f"RECEIPT#00001#SECTION#{name}").section_type == name
    assert parse_item_key("IMAGE#a", f"RECEIPT#00001#COMPACTION_RUN#{name}").run_id == name


@pytest.mark.parametrize(
    ("pk", "sk"),
    [
        ("IMAGE#a", "RECEIPT#1"),
        ("IMAGE#a", "RECEIPT#000001"),
        ("IMAGE#a", "RECEIPT#0000a"),
        ("IMAGE#a", "RECEIPT#٠٠٠٠١"),
        ("IMAGE#a", "RECEIPT#-0001"),
        ("IMAGE#a", "RECEIPT#" + "9" * 5000),
        ("IMAGE#a", "RECEIPT#00001#"),
        ("IMAGE#a", "RECEIPT#00001#LINE"),
        ("IMAGE#a", "RECEIPT#00001#LINE#00001#WORD#00001#LABEL#"),
        ("IMAGE#a", "RECEIPT#00001#LINE#00001#WORD#00001#LETTER#00001"),
        ("IMAGE#a", "RECEIPT#00001#PLACE#1"),
        ("IMAGE#a", "LINE#00001"),
        ("IMAGE#", "RECEIPT#00001"),
        ("IMAGE#a#b", "RECEIPT#00001"),
        ("JOB#a", "RECEIPT#00001"),
        ("", ""),
    ],
)
def test_a_key_of_another_shape_has_no_entity_type(pk: str, sk: str) -> None:
    key = parse_item_key(pk, sk)
    assert key == ItemKey()
    with pytest.raises(KeyMalformed):
        _ = key.receipt


segments = st.sampled_from(
    [
        "RECEIPT",
        "LINE",
        "WORD",
        "LABEL",
        "PLACE",
        "METADATA",
        "SECTION",
        "COMPACTION_RUN",
        "00001",
        "10000",
        "100000",
        "",
    ]
)


@given(st.lists(segments | st.text(max_size=6), max_size=9).map("#".join))
@example("RECEIPT#100000#PLACE")
def test_keys_are_classified_as_the_patterns_of_the_documentation_say(sk: str) -> None:
    assert parse_item_key("IMAGE#a", sk).entity_type == model_type(sk)


@given(images, ids)
def test_a_receipt_key_is_read_back(image: str, receipt_id: int) -> None:
    receipt = ReceiptId(image, receipt_id)
    assert ReceiptId.parse(receipt.key) == receipt
    assert receipt.key == f"{receipt.pk}#{receipt.sk}"
    assert parse_item_key(receipt.pk, receipt.sk).receipt == receipt


@given(images, ids, ids, st.none() | ids)
def test_a_record_id_is_read_back(image: str, receipt_id: int, line_id: int, word_id: int | None) -> None:
    receipt = ReceiptId(image, receipt_id)
    made = line_record_id(receipt, line_id) if word_id is None else word_record_id(receipt, line_id, word_id)
    found = parse_record_id(made)
    assert (found.receipt, found.line_id, found.word_id) == (receipt, line_id, word_id)


@given(images, ids, ids, ids)
def test_a_record_id_is_the_keys_of_the_item_that_the_record_stands_for(
    image: str, receipt_id: int, line: int, word: int
) -> None:
    receipt = ReceiptId(image, receipt_id)
    for grain, part in ((grain_of("lines"), (line,)), (grain_of("words"), (line, word))):
        made = record_id_of(grain, receipt, part)
        assert parse_record_id(made) == RecordId(receipt, grain, part)
        assert parse_item_key(receipt.pk, made.removeprefix(f"{receipt.pk}#")).entity_type == grain.entity_type


def test_record_ids_have_the_documented_spelling() -> None:
    receipt = ReceiptId("a", 1)
    assert line_record_id(receipt, 2) == "IMAGE#a#RECEIPT#00001#LINE#00002"
    assert word_record_id(ReceiptId("a", 100000), 2, 3) == "IMAGE#a#RECEIPT#100000#LINE#00002#WORD#00003"


@pytest.mark.parametrize(
    "text",
    ["", "a", "IMAGE#a#RECEIPT#00001", "IMAGE#a#RECEIPT#00001#LINE#2", "IMAGE#a#RECEIPT#00001#LINE#00001#WORD#x"],
)
def test_another_text_is_no_record_id(text: str) -> None:
    with pytest.raises(KeyMalformed):
        parse_record_id(text)
    with pytest.raises(ValueError, match="not a receipt key"):
        ReceiptId.parse(text + "#")


def test_receipts_sort_by_image_then_number() -> None:
    receipts = [ReceiptId("b", 1), ReceiptId("a", 100000), ReceiptId("a", 20000)]
    assert sorted(receipts) == [ReceiptId("a", 20000), ReceiptId("a", 100000), ReceiptId("b", 1)]


def test_the_shard_of_a_receipt_never_changes() -> None:
    # Written down once from the definition: published snapshots depend on these numbers.
    assert [shard_of(IMAGE, receipt_id, 8) for receipt_id in (1, 2, 3, 100000)] == [2, 2, 5, 2]
    assert shard_of(IMAGE, 1, 1) == 0


@given(images, ids, st.integers(1, 64))
def test_a_shard_is_the_digest_of_the_receipt_key_modulo_the_shards(image: str, receipt_id: int, shards: int) -> None:
    from hashlib import sha256

    digest = sha256(f"IMAGE#{image}#RECEIPT#{receipt_id:05d}".encode("utf-8", "surrogatepass")).hexdigest()
    assert shard_of(image, receipt_id, shards) == int(digest[:16], 16) % shards


def test_receipts_spread_over_all_shards() -> None:
    counts = [0] * 4
    for image in range(400):
        counts[shard_of(f"image-{image}", 1, 4)] += 1
    assert min(counts) > 60


def test_no_shards_is_an_error() -> None:
    with pytest.raises(ValueError, match="at least one shard"):
        shard_of("a", 1, 0)
