"""What is done to one published version."""

from flask import abort, url_for

from console.web.actions.action import Done, Given, Question, collection_of, needed
from console.web.actions.on_executions import page_of
from console.web.site import site
from operate import asked_first
from operate.lineage import Version
from operate.models import name_of
from operate.resharding import ReshardPlan
from operate.wording import short_name


def page_of_version(collection: str, version: Version) -> str:
    return url_for("snapshots.version", collection=collection, version=version.version)


def version_of(given: Given) -> tuple[str, Version]:
    """Raises VersionNotFound or VersionRefused."""
    collection = collection_of(given)
    return collection, site().stack.versions.find(collection, needed(given, "version"))


class Verify:
    def ask(self, given: Given) -> Question:
        collection, version = version_of(given)
        asked = asked_first.verify(collection, version)
        return Question(asked, "Verify it", page_of_version(collection, version))

    def do(self, given: Given, reason: str) -> Done:
        collection, version = version_of(given)
        name = name_of(site().stack.versions.verify(collection, version.snapshot_id))
        return Done(f"{short_name(name)} verifies version {version.version}.", page_of(name))


class Rollback:
    def ask(self, given: Given) -> Question:
        collection = collection_of(given)
        current, target = site().stack.versions.to_roll_back(collection, needed(given, "version"))
        asked = asked_first.rollback(collection, current, target)
        return Question(asked, "Roll back", page_of_version(collection, target))

    def do(self, given: Given, reason: str) -> Done:
        collection, version = version_of(given)
        name = name_of(site().stack.versions.rollback(collection, version.snapshot_id))
        return Done(f"{short_name(name)} rolls back to version {version.version}.", page_of(name))


class Reshard:
    """The question is the plan: what it takes comes before the button."""

    def ask(self, given: Given) -> Question:
        collection, plan = self._plan(given)
        return Question(asked_first.reshard(plan), "Re-shard it", url_for("snapshots.show", collection=collection))

    def do(self, given: Given, reason: str) -> Done:
        collection, plan = self._plan(given)
        name = name_of(site().stack.versions.reshard(collection, plan.into))
        return Done(f"{short_name(name)} re-shards {collection} into {plan.into}.", page_of(name))

    def _plan(self, given: Given) -> tuple[str, ReshardPlan]:
        collection, shards = collection_of(given), needed(given, "shards")
        if not shards.isdecimal():
            abort(400, f"How many shards? A number, not {shards}.")
        return collection, site().stack.versions.to_reshard(collection, int(shards))


class Pin:
    def ask(self, given: Given) -> Question:
        collection, version = version_of(given)
        return Question(asked_first.pin(collection, version), "Pin it", page_of_version(collection, version))

    def do(self, given: Given, reason: str) -> Done:
        collection, version = version_of(given)
        site().stack.versions.pin(collection, version.snapshot_id, reason)
        return Done(f"Version {version.version} is pinned.", page_of_version(collection, version))


class Unpin:
    def ask(self, given: Given) -> Question:
        collection, version = version_of(given)
        return Question(asked_first.unpin(collection, version), "Unpin it", page_of_version(collection, version))

    def do(self, given: Given, reason: str) -> Done:
        collection, version = version_of(given)
        site().stack.versions.unpin(collection, version.snapshot_id)
        return Done(f"Version {version.version} is not pinned any more.", page_of_version(collection, version))
