"""Starting, repeating, resuming and stopping executions."""

from flask import abort, url_for

from console.web.actions.action import Done, Given, Question, collection_of, needed
from console.web.site import site
from operate.models import Execution
from operate.wording import short_name

ASKED_ELSEWHERE = ("rollback", "expire")
"""Modes whose own question says more than a re-run's would."""


def page_of(name: str) -> str:
    return url_for("execution.show", name=name)


def name_of(arn: str) -> str:
    return arn.rpartition(":")[2]


def old_execution(given: Given) -> Execution:
    """The execution that the address names. Raises ExecutionNotFound."""
    return site().api.described(needed(given, "execution")).execution


class Start:
    def ask(self, given: Given) -> Question:
        collection = collection_of(given)
        return Question(
            title=f"Start a compaction of {collection}",
            says=(
                "A new execution merges what is pending and publishes a new version, if anything changes.",
                "If one runs already, it is asked for another round, and the new one ends as coalesced.",
            ),
            button="Start it",
            back=url_for("start.form", collection=collection),
        )

    def do(self, given: Given, reason: str) -> Done:
        name = name_of(site().api.start(collection_of(given)))
        return Done(f"Started {short_name(name)}.", page_of(name))


class Rerun:
    def ask(self, given: Given) -> Question:
        old = old_execution(given)
        self._refuse(old)
        return Question(
            title=f"Re-run {short_name(old.name)}",
            says=(
                f"A new execution starts with the same input: {old.mode or 'compact'} of {old.collection}.",
                "It reads everything anew, so it is safe at any time; what is merged already is not written again.",
            ),
            button="Re-run it",
            back=page_of(old.name),
        )

    def do(self, given: Given, reason: str) -> Done:
        old = old_execution(given)
        self._refuse(old)
        name = name_of(site().api.rerun(old.arn))
        return Done(f"{short_name(name)} is the re-run of {short_name(old.name)}.", page_of(name))

    def _refuse(self, old: Execution) -> None:
        if old.mode in ASKED_ELSEWHERE:
            abort(
                409, f"This execution is of mode {old.mode}: the page of its snapshots does that, and says more first."
            )


class Redrive:
    def ask(self, given: Given) -> Question:
        old = old_execution(given)
        return Question(
            title=f"Redrive {short_name(old.name)}",
            says=(
                "The same execution goes on from the state that failed, with the input that state had.",
                "If another one has taken its lease since, it ends as fenced; a re-run does not depend on that.",
            ),
            button="Redrive it",
            back=page_of(old.name),
        )

    def do(self, given: Given, reason: str) -> Done:
        name = needed(given, "execution")
        site().api.redrive(name)
        return Done(f"{short_name(name)} goes on.", page_of(name))


class Stop:
    def ask(self, given: Given) -> Question:
        old = old_execution(given)
        return Question(
            title=f"Stop {short_name(old.name)}",
            says=(
                "The execution ends as aborted. A function that it called may go on for minutes, and changes nothing.",
                "Nothing is lost and nothing needs cleaning up: the next execution takes its lease over.",
            ),
            button="Stop it",
            back=page_of(old.name),
            reason="Why it is stopped",
        )

    def do(self, given: Given, reason: str) -> Done:
        name = needed(given, "execution")
        site().api.stop(name, reason)
        return Done(f"{short_name(name)} is stopped.", page_of(name))
