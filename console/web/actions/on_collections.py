"""What is done to a collection as a whole."""

from flask import url_for

from console.web.actions.action import Done, Given, Question, collection_of
from console.web.actions.on_executions import page_of
from console.web.site import site
from operate import asked_first
from operate.models import name_of
from operate.wording import short_name


def snapshots_of(collection: str) -> str:
    return url_for("snapshots.show", collection=collection)


class Pause:
    def ask(self, given: Given) -> Question:
        collection = collection_of(given)
        return Question(asked_first.pause(collection), "Pause it", snapshots_of(collection))

    def do(self, given: Given, reason: str) -> Done:
        collection = collection_of(given)
        already = site().stack.collections.pause(collection, reason)
        notice = f"{collection} was paused already: {already}" if already else f"{collection} is paused."
        return Done(notice, snapshots_of(collection))


class Resume:
    def ask(self, given: Given) -> Question:
        collection = collection_of(given)
        return Question(asked_first.resume(collection), "Resume it", snapshots_of(collection))

    def do(self, given: Given, reason: str) -> Done:
        collection = collection_of(given)
        done = site().stack.collections.resume(collection)
        if done.arn is None:
            return Done(f"{collection} was not paused.", snapshots_of(collection))
        name = name_of(done.arn)
        return Done(f"Resumed: {done.receipts:,} receipts are marked, {short_name(name)} merges them.", page_of(name))


class Reconcile:
    def ask(self, given: Given) -> Question:
        asked = asked_first.reconcile(collection_of(given))
        return Question(asked, "Mark every receipt", url_for("waiting.show"))

    def do(self, given: Given, reason: str) -> Done:
        collection = collection_of(given)
        marked = site().stack.collections.reconcile([collection])
        return Done(f"{marked:,} receipts of {collection} are pending now.", url_for("waiting.show"))


class Restore:
    def ask(self, given: Given) -> Question:
        collection = collection_of(given)
        return Question(asked_first.restore(collection), "Restore it", snapshots_of(collection))

    def do(self, given: Given, reason: str) -> Done:
        collection = collection_of(given)
        name = name_of(site().stack.versions.restore(collection))
        return Done(f"{short_name(name)} compares what readers of {collection} see with HEAD.", page_of(name))


class Expire:
    """Dry unless the address says `apply=1`: the page of the dry execution links to that."""

    def ask(self, given: Given) -> Question:
        collection, applied = collection_of(given), given.get("apply") == "1"
        asked = asked_first.expire(collection, apply=applied)
        return Question(asked, "Delete it" if applied else "Show what would go", snapshots_of(collection))

    def do(self, given: Given, reason: str) -> Done:
        collection, applied = collection_of(given), given.get("apply") == "1"
        name = name_of(site().stack.versions.expire(collection, apply=applied))
        return Done(f"{short_name(name)} expires{'' if applied else ', dry'}.", page_of(name))
