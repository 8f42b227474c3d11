"""Starting, repeating, resuming and stopping executions."""

from flask import abort, url_for

from console.web.actions.action import Done, Given, Question, collection_of, needed
from console.web.site import site
from operate import asked_first
from operate.errors import RerunRefused
from operate.models import Execution, name_of
from operate.wording import short_name


def page_of(name: str) -> str:
    return url_for("execution.show", name=name)


class Start:
    def ask(self, given: Given) -> Question:
        collection = collection_of(given)
        return Question(asked_first.start(collection), "Start it", url_for("start.form", collection=collection))

    def do(self, given: Given, reason: str) -> Done:
        name = name_of(site().stack.executions.start(collection_of(given)))
        return Done(f"Started {short_name(name)}.", page_of(name))


class Rerun:
    def ask(self, given: Given) -> Question:
        old = self._old(given)
        return Question(asked_first.rerun(old), "Re-run it", page_of(old.name))

    def do(self, given: Given, reason: str) -> Done:
        old = self._old(given)
        name = name_of(site().stack.executions.rerun(old.arn))
        return Done(f"{short_name(name)} is the re-run of {short_name(old.name)}.", page_of(name))

    def _old(self, given: Given) -> Execution:
        try:
            return site().stack.executions.to_rerun(needed(given, "execution"))
        except RerunRefused as error:
            abort(
                409, f"{error.name} is of mode {error.mode}: the page of its snapshots does that, and says more first."
            )


class Redrive:
    def ask(self, given: Given) -> Question:
        old = site().stack.executions.to_redrive(needed(given, "execution"))
        return Question(asked_first.redrive(old), "Redrive it", page_of(old.name))

    def do(self, given: Given, reason: str) -> Done:
        name = needed(given, "execution")
        site().stack.executions.redrive(name)
        return Done(f"{short_name(name)} goes on.", page_of(name))


class Stop:
    def ask(self, given: Given) -> Question:
        running = site().stack.executions.to_stop(needed(given, "execution"))
        return Question(asked_first.stop(running), "Stop it", page_of(running.name))

    def do(self, given: Given, reason: str) -> Done:
        name = needed(given, "execution")
        site().stack.executions.stop(name, reason)
        return Done(f"{short_name(name)} is stopped.", page_of(name))
