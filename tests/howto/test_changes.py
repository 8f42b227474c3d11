"""The pages of those who change the code: each has a diff, which fits what stands there and does what the page says."""

import json
import re
from pathlib import Path

import pytest

from .pages import HOWTO, PACKAGES, Desk, changed_by, checkout, commands

KEY, ENTITY, COLLECTION = "new-metadata-key", "new-entity", "third-collection"


def desk_for(page: str, folder: Path) -> Desk:
    """A copy of the packages, and of whatever else the page's diff changes."""
    return checkout(folder, (*PACKAGES, *changed_by(f"{page}.diff")))


def listed(page: str) -> set[str]:
    """The files that a page says are changed: by their whole names, in its table or its numbered steps."""
    text = (HOWTO / f"{page}.md").read_text()
    steps = re.findall(r"^(?:\d\. |\| (?=`))(.*?)(?=^\S|^$)", text, re.MULTILINE | re.DOTALL)
    return set(re.findall(r"`((?:[\w-]+/)+[\w.-]+\.(?:py|json|md))`", "\n".join(steps)))


@pytest.mark.parametrize("page", [KEY, ENTITY, COLLECTION])
def test_a_page_names_every_file_that_its_diff_changes_and_no_other(page: str) -> None:
    assert listed(page) == changed_by(f"{page}.diff")


def test_the_new_key_has_its_rule_and_its_test(tmp_path: Path) -> None:
    desk = desk_for(KEY, tmp_path)
    tests, _red, rule, green = [line for line in commands(f"{KEY}.md") if "git apply" in line or "pytest" in line]
    desk.type(tests)
    desk.type(rule)
    assert "1 passed" in desk.type(green)


@pytest.mark.parametrize(
    ("page", "row"),
    [
        (ENTITY, "| RECEIPT_SUMMARY | change | `grand_total` | change | lines, words |"),
        (COLLECTION, "| change | lines, sections |"),
    ],
)
def test_the_diff_of_a_page_applies_and_the_table_of_changes_has_it(page: str, row: str, tmp_path: Path) -> None:
    desk = desk_for(page, tmp_path)
    applied, table, *_ = commands(f"{page}.md")
    desk.type(applied)
    assert row in desk.type(table)


def test_a_run_has_the_same_attributes_for_the_third_collection_as_for_the_others(tmp_path: Path) -> None:
    desk = desk_for(COLLECTION, tmp_path)
    desk.type(commands(f"{COLLECTION}.md")[0])
    schema = json.loads((tmp_path / "stream_package/receipt_dynamo_stream/compaction_run.schema.json").read_text())
    of = {
        collection: {
            name.removeprefix(collection) for name in schema["properties"] if name.startswith(f"{collection}_")
        }
        for collection in ("words", "sections")
    }
    assert of["words"] == of["sections"]
