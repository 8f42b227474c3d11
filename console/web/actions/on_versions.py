"""What is done to one published version."""

from flask import url_for

from console.web.actions.action import Done, Given, Question, collection_of, needed
from console.web.actions.on_executions import name_of, page_of
from console.web.site import site
from operate.lineage import Version
from operate.wording import short_name


def page_of_version(collection: str, version: Version) -> str:
    return url_for("snapshots.version", collection=collection, version=version.version)


def version_of(given: Given) -> tuple[str, Version]:
    """Raises VersionNotFound or VersionRefused."""
    collection = collection_of(given)
    return collection, site().api.version(collection, needed(given, "version"))


class Verify:
    def ask(self, given: Given) -> Question:
        collection, version = version_of(given)
        return Question(
            title=f"Verify version {version.version} of {collection}",
            says=(
                "An execution proves every file and every record of it again. It takes no lease and changes nothing.",
            ),
            button="Verify it",
            back=page_of_version(collection, version),
        )

    def do(self, given: Given, reason: str) -> Done:
        collection, version = version_of(given)
        name = name_of(site().api.start(collection, "verify", snapshot_id=version.snapshot_id))
        return Done(f"{short_name(name)} verifies version {version.version}.", page_of(name))


class Rollback:
    def ask(self, given: Given) -> Question:
        collection, version = version_of(given)
        current = site().api.version(collection, None)
        return Question(
            title=f"Roll {collection} back to version {version.version}",
            says=(
                f"Its {version.records:,} records are published again as version {current.version + 1};"
                f" the current version {current.version} has {current.records:,}.",
                f"{collection} stays paused afterwards: changes collect, nothing else is published until you resume.",
                "Resuming derives everything again from the table, so nothing is lost.",
            ),
            button="Roll back",
            back=page_of_version(collection, version),
            grave=True,
        )

    def do(self, given: Given, reason: str) -> Done:
        collection, version = version_of(given)
        name = name_of(site().api.start(collection, "rollback", snapshot_id=version.snapshot_id))
        return Done(f"{short_name(name)} rolls back to version {version.version}.", page_of(name))


class Pin:
    def ask(self, given: Given) -> Question:
        collection, version = version_of(given)
        return Question(
            title=f"Pin version {version.version} of {collection}",
            says=("It is kept whatever its age, until it is unpinned.",),
            button="Pin it",
            back=page_of_version(collection, version),
            reason="Why it is kept",
        )

    def do(self, given: Given, reason: str) -> Done:
        collection, version = version_of(given)
        site().api.pin(collection, version.snapshot_id, reason)
        return Done(f"Version {version.version} is pinned.", page_of_version(collection, version))


class Unpin:
    def ask(self, given: Given) -> Question:
        collection, version = version_of(given)
        return Question(
            title=f"Unpin version {version.version} of {collection}",
            says=("Expiry may take it when it is old enough.",),
            button="Unpin it",
            back=page_of_version(collection, version),
        )

    def do(self, given: Given, reason: str) -> Done:
        collection, version = version_of(given)
        site().api.unpin(collection, version.snapshot_id)
        return Done(f"Version {version.version} is not pinned any more.", page_of_version(collection, version))
