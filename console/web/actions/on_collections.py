"""What is done to a collection as a whole."""

from flask import url_for

from console.web.actions.action import Done, Given, Question, collection_of
from console.web.actions.on_executions import name_of, page_of
from console.web.site import site
from operate.wording import short_name


def snapshots_of(collection: str) -> str:
    return url_for("snapshots.show", collection=collection)


class Pause:
    def ask(self, given: Given) -> Question:
        collection = collection_of(given)
        return Question(
            title=f"Pause {collection}",
            says=(
                "Nothing of it is published until it is resumed; a round that runs now ends without a version.",
                "Changes keep collecting, and readers keep what they have.",
            ),
            button="Pause it",
            back=snapshots_of(collection),
            reason="Why it is paused",
        )

    def do(self, given: Given, reason: str) -> Done:
        collection = collection_of(given)
        already = site().api.pause(collection, reason)
        notice = f"{collection} was paused already: {already}" if already else f"{collection} is paused."
        return Done(notice, snapshots_of(collection))


class Resume:
    def ask(self, given: Given) -> Question:
        collection = collection_of(given)
        return Question(
            title=f"Resume {collection}",
            says=(
                "Every receipt is marked pending, so that all that happened is derived again; that takes a while.",
                "Then the pause ends and an execution starts. After a rollback this publishes the present facts again.",
            ),
            button="Resume it",
            back=snapshots_of(collection),
        )

    def do(self, given: Given, reason: str) -> Done:
        collection = collection_of(given)
        done = site().api.resume(collection)
        if done.arn is None:
            return Done(f"{collection} was not paused.", snapshots_of(collection))
        name = name_of(done.arn)
        return Done(f"Resumed: {done.receipts:,} receipts are marked, {short_name(name)} merges them.", page_of(name))


class Reconcile:
    def ask(self, given: Given) -> Question:
        collection = collection_of(given)
        return Question(
            title=f"Reconcile {collection}",
            says=(
                "Every receipt is marked pending, so that all its records are derived again from the table.",
                "This heals lost stream records; what is right already is not written again. It reads the whole table.",
            ),
            button="Mark every receipt",
            back=url_for("waiting.show"),
        )

    def do(self, given: Given, reason: str) -> Done:
        collection = collection_of(given)
        marked = site().api.reconcile([collection])
        return Done(f"{marked:,} receipts of {collection} are pending now.", url_for("waiting.show"))


class Expire:
    """Dry unless the address says `apply=1`: the page of the dry execution links to that."""

    def ask(self, given: Given) -> Question:
        collection, applied = collection_of(given), given.get("apply") == "1"
        return Question(
            title=f"Expire what no retained version of {collection} needs" + ("" if applied else ": dry run"),
            says=(
                "An execution takes the lease and "
                + ("deletes" if applied else "says, and deletes nothing of,")
                + " what no retained, pinned or current version names.",
                "Then it goes on as a normal compaction.",
            ),
            button="Delete it" if applied else "Show what would go",
            back=snapshots_of(collection),
            grave=applied,
        )

    def do(self, given: Given, reason: str) -> Done:
        collection, applied = collection_of(given), given.get("apply") == "1"
        name = name_of(site().api.start(collection, "expire", apply=applied))
        return Done(f"{short_name(name)} expires{'' if applied else ', dry'}.", page_of(name))
