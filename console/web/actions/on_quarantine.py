"""What is done to a run that was refused."""

from flask import url_for

from console.web.actions.action import Done, Given, Question, collection_of, needed
from console.web.actions.on_executions import name_of, page_of
from console.web.site import site
from operate.operator_api import Waiting
from operate.wording import short_name


def waiting_run(given: Given) -> Waiting:
    """Raises RunNotFound: somebody retried or dropped it meanwhile."""
    (found,) = site().api.find_quarantined(needed(given, "run"), [collection_of(given)])
    return found


class Retry:
    def ask(self, given: Given) -> Question:
        collection, run = waiting_run(given)
        return Question(
            title=f"Retry run {run.run_id}",
            says=(
                f"It was refused in {collection} as {run.error}: {run.message}",
                "Its receipt is marked again and an execution starts. If its delta is still bad it comes back here.",
            ),
            button="Retry it",
            back=url_for("waiting.show"),
        )

    def do(self, given: Given, reason: str) -> Done:
        name = name_of(site().api.retry(waiting_run(given)))
        return Done(f"{short_name(name)} tries run {given['run']} again.", page_of(name))


class Drop:
    def ask(self, given: Given) -> Question:
        collection, run = waiting_run(given)
        return Question(
            title=f"Drop run {run.run_id}",
            says=(
                f"It was refused in {collection} as {run.error}: {run.message}",
                "It is given up for good: it stays FAILED, with your reason in its error. Its delta is not deleted.",
            ),
            button="Drop it",
            back=url_for("waiting.show"),
            reason="Why it is given up",
            grave=True,
        )

    def do(self, given: Given, reason: str) -> Done:
        state = site().api.drop(waiting_run(given), reason)
        merged = " A later round had merged it after all." if state == "COMPLETED" else ""
        return Done(f"Run {given['run']} is dropped.{merged}", url_for("waiting.show"))
