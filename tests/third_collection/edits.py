"""The edits that add the collection `sections`: per file, what stands there and what comes in its place.

A record stands for a RECEIPT_SECTION item, and has the section's own `validation_status` as `section_status`.
"""

from pathlib import Path

LIGHT, HEAVY = "stream_package/receipt_dynamo_stream", "chroma_package/receipt_chroma"

GRAIN = """    "sections": Grain(
        names.RECEIPT_SECTION,
        one="section",
        sort_key="SECTION#{}",
        touched_by=_OF_EVERY | {names.RECEIPT_SECTION},
    ),
"""

METADATA = """
    def _of_section(self, record_id: RecordId, _metadata: Metadata) -> Metadata:
        statuses = {(section.section_type,): section.status for section in self._facts.sections}
        return {"section_status": status} if (status := statuses[record_id.part]) else {}
"""

RULE = '    names.RECEIPT_SECTION: _Rule(_OF_PLACE | {"section_status"}, DerivedMetadata._of_section),\n'

STATE = """,
                {
                  "Variable": "$.collection",
                  "StringEquals": "sections"
                }"""

AFTER_WORDS = """                  "Variable": "$.collection",
                  "StringEquals": "words"
                }"""

RUN_ATTRIBUTES = {
    "delta_prefix": "prefix",
    "state": "state",
    "merged_vectors": "number",
    "version": "number_or_null",
    **dict.fromkeys(("started_at", "finished_at", "error"), "text_or_null"),
    **dict.fromkeys(("note", "settled_by"), "text"),
}
MESSAGE_PROPERTY = '        "sections_delta_prefix": {"type": ["string", "null"]},\n'
RUN_PROPERTIES = "".join(
    f'    "sections_{name}": {{"$ref": "#/$defs/{kind}"}},\n' for name, kind in RUN_ATTRIBUTES.items()
)


def before(anchor: str, added: str) -> tuple[str, str]:
    return anchor, added + anchor


def after(anchor: str, added: str) -> tuple[str, str]:
    return anchor, anchor + added


EDITS: dict[str, tuple[tuple[str, str], ...]] = {
    f"{LIGHT}/grain.py": (before("}\n\nCOLLECTIONS: Final", GRAIN),),
    f"{HEAVY}/derived.py": (
        before("\n\n@dataclass(frozen=True, slots=True)\nclass _Rule:", METADATA),
        before('}\n"""By the type of the items', RULE),
    ),
    "state_machines/compaction.asl.json": (
        after(AFTER_WORDS, STATE),
        after(r"\"lines\" or \"words\"", r" or \"sections\""),
    ),
    f"{LIGHT}/compaction_run.schema.json": (
        before('"created_at"],', '"sections_delta_prefix", '),
        before('    "created_at": {', RUN_PROPERTIES),
    ),
    f"{LIGHT}/stream_message.schema.json": (
        after('{"enum": ["lines", "words"', ', "sections"'),
        before('        "delta_s3_prefix": {', MESSAGE_PROPERTY),
        before('"delta_s3_prefix"]', '"sections_delta_prefix", '),
    ),
}


def apply(folder: Path) -> None:
    """Make the edits in a copy of the repository."""
    for name, edits in EDITS.items():
        text = (folder / name).read_text()
        for old, new in edits:
            assert text.count(old) == 1, f"{name}: {old!r} is there {text.count(old)} times"
            text = text.replace(old, new)
        (folder / name).write_text(text)
