"""What is done to a run that was refused."""

from flask import url_for

from console.web.actions.action import Done, Given, Question, collection_of, needed
from console.web.actions.on_executions import page_of
from console.web.site import site
from operate import asked_first
from operate.models import name_of
from operate.quarantine import Waiting
from operate.receipts import parse_receipt
from operate.wording import count_of, short_name


def waiting_run(given: Given) -> Waiting:
    """Raises RunNotFound: somebody retried or dropped it meanwhile; RunAmbiguous where the address names no receipt."""
    receipt = parse_receipt(given["receipt"]) if given.get("receipt") else None
    (found,) = site().stack.quarantine.find(needed(given, "run"), [collection_of(given)], receipt)
    return found


class Retry:
    def ask(self, given: Given) -> Question:
        return Question(asked_first.retry(waiting_run(given)), "Retry it", url_for("waiting.show"))

    def do(self, given: Given, reason: str) -> Done:
        name = name_of(site().stack.quarantine.retry(waiting_run(given)))
        return Done(f"{short_name(name)} tries run {given['run']} again.", page_of(name))


class RetryAll:
    """Of one reason where the address names one."""

    def ask(self, given: Given) -> Question:
        found = site().stack.quarantine.runs(reason=given.get("reason"))
        return Question(asked_first.retry_all(found), "Retry them", url_for("waiting.show"))

    def do(self, given: Given, reason: str) -> Done:
        found = site().stack.quarantine.runs(reason=given.get("reason"))
        started = site().stack.quarantine.retry_all(found)
        names = " and ".join(short_name(name_of(arn)) for arn in started.values())
        return Done(f"{names or 'Nothing'} tries {count_of(len(found), 'run')} again.", url_for("waiting.show"))


class Drop:
    def ask(self, given: Given) -> Question:
        return Question(asked_first.drop([waiting_run(given)]), "Drop it", url_for("waiting.show"))

    def do(self, given: Given, reason: str) -> Done:
        state = site().stack.quarantine.drop(waiting_run(given), reason)
        merged = " A later round had merged it after all." if state == "COMPLETED" else ""
        return Done(f"Run {given['run']} is dropped.{merged}", url_for("waiting.show"))


class DropAll:
    """Of one reason where the address names one."""

    def ask(self, given: Given) -> Question:
        found = site().stack.quarantine.runs(reason=given.get("reason"))
        return Question(asked_first.drop_all(found), "Drop them", url_for("waiting.show"))

    def do(self, given: Given, reason: str) -> Done:
        quarantine = site().stack.quarantine
        states = quarantine.drop_all(quarantine.runs(reason=given.get("reason")), reason)
        merged = states.count("COMPLETED")
        more = f" A later round had merged {merged:,} of them after all." if merged else ""
        dropped = "run is" if len(states) == 1 else "runs are"
        return Done(f"{len(states):,} {dropped} dropped.{more}", url_for("waiting.show"))
