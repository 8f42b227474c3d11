"""The README's table of entity x event -> changes -> collections, made from the rules themselves."""

from receipt_dynamo_stream import names
from receipt_dynamo_stream.changes import COLLECTIONS_OF, RELEVANT_FIELDS


def change_table() -> str:
    """A Markdown table: which event of which entity is a change, of which fields, for which collections.

    `python -m receipt_dynamo_stream.tables` prints it; a test holds the README to it.
    """
    rows = [
        "| Entity | INSERT | MODIFY, when one of these differs | REMOVE | Collections |",
        "|---|---|---|---|---|",
    ]
    for entity_type in names.ENTITY_TYPES:
        fields = ", ".join(f"`{field}`" for field in RELEVANT_FIELDS[entity_type]) or "never"
        collections = ", ".join(sorted(COLLECTIONS_OF[entity_type]))
        rows.append(f"| {entity_type} | change | {fields} | change | {collections} |")
    rows.append("| any other item | no change | never | no change | none |")
    return "\n".join(rows)


if __name__ == "__main__":
    print(change_table())
