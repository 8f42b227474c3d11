"""Keys of the receipts table and ids of Chroma records: one place that formats them, one that parses them.

Ids are zero-padded to five digits and may be longer (receipt 100000 is `RECEIPT#100000`). Keys are parsed by
their segments, never by substring: `…#LABEL#PLACE_NAME` is a label, and `RECEIPT#10000` is not a prefix of anything.
A name at the end may hold any character: all after `#LABEL#`, `#SECTION#` or `#COMPACTION_RUN#` is the name. An image
id may hold any but `#`, and has at most IMAGE_ID_BYTES.
"""

from dataclasses import dataclass
from typing import Final

from receipt_dynamo_stream import names
from receipt_dynamo_stream.errors import KeyMalformed
from receipt_dynamo_stream.grain import GRAINS, Grain

Part = tuple[int | str, ...]
"""What tells an item from its receipt's others of the same type: (line_id,), (line_id, word_id), (section_type,)."""

IMAGE_ID_BYTES: Final = 900
"""A receipt's key is the sort key of its pending item, which holds 1,024 bytes; partition keys hold 2,048. An item with
a longer id is none of ours: its mark would be refused for ever, and hold the stream up."""


@dataclass(frozen=True, order=True, slots=True)
class ReceiptId:
    """One receipt of one image."""

    image_id: str
    receipt_id: int

    @property
    def pk(self) -> str:
        """Partition key of every item of the receipt."""
        return f"IMAGE#{self.image_id}"

    @property
    def sk(self) -> str:
        """Sort key of the RECEIPT item; the receipt's other items begin with it and a `#`."""
        return f"RECEIPT#{self.receipt_id:05d}"

    @property
    def key(self) -> str:
        """`IMAGE#{image_id}#RECEIPT#{receipt_id:05d}`, the receipt's name in the control table and in record ids."""
        return f"IMAGE#{self.image_id}#RECEIPT#{self.receipt_id:05d}"

    @classmethod
    def parse(cls, key: str) -> "ReceiptId":
        """Read what `key` wrote. Raises KeyMalformed."""
        segments = key.split("#")
        if len(segments) == 4 and segments[0] == "IMAGE" and segments[1] and segments[2] == "RECEIPT":
            number = _number(segments[3])
            if number is not None:
                return cls(segments[1], number)
        raise KeyMalformed(f"{key!r} is not a receipt key (IMAGE#image#RECEIPT#00001)")


@dataclass(frozen=True, slots=True)
class RecordId:
    """What a record id names: the item of its receipt that the record stands for (see grain.py).

    A RECEIPT_LINE stands for the visual row whose leftmost line it is.
    """

    receipt: ReceiptId
    grain: Grain
    part: Part

    @property
    def line_id(self) -> int | None:
        """Of a line or a word; None of any other record."""
        return self._number(0) if self.grain.entity_type in (names.RECEIPT_LINE, names.RECEIPT_WORD) else None

    @property
    def word_id(self) -> int | None:
        """Of a word; None of any other record."""
        return self._number(1) if self.grain.entity_type == names.RECEIPT_WORD else None

    def _number(self, place: int) -> int | None:
        found = self.part[place]
        return found if isinstance(found, int) else None


@dataclass(frozen=True, slots=True)
class ItemKey:
    """What the two keys of a table item say; entity_type is None for a shape that is none of ours."""

    entity_type: str | None = None
    image_id: str | None = None
    receipt_id: int | None = None
    line_id: int | None = None
    word_id: int | None = None
    label: str | None = None
    section_type: str | None = None
    run_id: str | None = None

    @property
    def receipt(self) -> ReceiptId:
        """The receipt that the item belongs to. Raises KeyMalformed for a shape that is none of ours."""
        if self.image_id is None or self.receipt_id is None:
            raise KeyMalformed("the key names no receipt")
        return ReceiptId(self.image_id, self.receipt_id)

    @property
    def part(self) -> Part:
        """What tells the item from its receipt's others of the same type."""
        ids = (self.line_id, self.word_id, self.label, self.section_type, self.run_id)
        return tuple(one for one in ids if one is not None)


def record_id_of(grain: Grain, receipt: ReceiptId, part: Part) -> str:
    """Record id of that part of a receipt."""
    return f"{receipt.key}#{grain.sort_key.format(*part)}"


def line_record_id(receipt: ReceiptId, line_id: int) -> str:
    """Record id of a visual row in the lines collection; line_id is its leftmost line."""
    return f"{receipt.key}#LINE#{line_id:05d}"


def word_record_id(receipt: ReceiptId, line_id: int, word_id: int) -> str:
    """Record id of a word in the words collection."""
    return f"{receipt.key}#LINE#{line_id:05d}#WORD#{word_id:05d}"


def parse_record_id(record_id: str) -> RecordId:
    """Read what record_id_of wrote, of any grain. Raises KeyMalformed (a ValueError)."""
    segments = record_id.split("#", 2)
    if len(segments) == 3:
        item = parse_item_key("#".join(segments[:2]), segments[2])
        if (grain := GRAINS.get(item.entity_type or "")) is not None:
            return RecordId(item.receipt, grain, item.part)
    raise KeyMalformed(f"{record_id!r} is not a record id (IMAGE#image#RECEIPT#00001#LINE#00001[#WORD#00001])")


_UNKNOWN_KEY = ItemKey()


def parse_item_key(pk: str, sk: str) -> ItemKey:
    """Classify a table item by the segments of its keys; anything else gives an ItemKey without entity_type."""
    head = pk.split("#")
    if len(head) != 2 or head[0] != "IMAGE" or not 0 < len(head[1].encode("utf-8", "surrogatepass")) <= IMAGE_ID_BYTES:
        return _UNKNOWN_KEY
    image_id = head[1]
    segments = sk.split("#")
    count = len(segments)
    if count < 2 or segments[0] != "RECEIPT" or (receipt_id := _number(segments[1])) is None:
        return _UNKNOWN_KEY
    if count == 2:
        return ItemKey(names.RECEIPT, image_id, receipt_id)
    kind = segments[2]
    if kind == "LINE" and count > 3:
        return _line_key(image_id, receipt_id, segments)
    if count == 3 and kind == "PLACE":
        return ItemKey(names.RECEIPT_PLACE, image_id, receipt_id)
    if count == 3 and kind == "METADATA":
        return ItemKey(names.RECEIPT_METADATA, image_id, receipt_id)
    name = "#".join(segments[3:])
    if name and kind == "SECTION":
        return ItemKey(names.RECEIPT_SECTION, image_id, receipt_id, section_type=name)
    if name and kind == "COMPACTION_RUN":
        return ItemKey(names.COMPACTION_RUN, image_id, receipt_id, run_id=name)
    return _UNKNOWN_KEY


def _line_key(image_id: str, receipt_id: int, segments: list[str]) -> ItemKey:
    line_id = _number(segments[3])
    if line_id is None:
        return _UNKNOWN_KEY
    if len(segments) == 4:
        return ItemKey(names.RECEIPT_LINE, image_id, receipt_id, line_id)
    if len(segments) == 5:
        return _UNKNOWN_KEY
    word_id = _number(segments[5])
    if segments[4] != "WORD" or word_id is None:
        return _UNKNOWN_KEY
    if len(segments) == 6:
        return ItemKey(names.RECEIPT_WORD, image_id, receipt_id, line_id, word_id)
    label = "#".join(segments[7:])
    if segments[6] != "LABEL" or not label:
        return _UNKNOWN_KEY
    return ItemKey(names.RECEIPT_WORD_LABEL, image_id, receipt_id, line_id, word_id, label=label)


def _number(text: str) -> int | None:
    # Only the canonical spelling: RECEIPT#1 and RECEIPT#00001 are different items for DynamoDB. The bound keeps int()
    # away from digit bombs; isascii keeps other scripts' digits out.
    length = len(text)
    if length < 5 or length > 18 or not (text.isascii() and text.isdigit()) or (length > 5 and text[0] == "0"):
        return None
    return int(text)
