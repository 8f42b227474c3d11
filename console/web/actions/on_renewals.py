"""What is done in a renewal: switching and switching back, now or when it is complete, and finishing."""

from flask import url_for

from console.web.actions.action import Done, Given, Question, collection_of, needed
from console.web.actions.on_executions import page_of
from console.web.site import site
from operate import renewal_questions
from operate.models import name_of
from operate.wording import short_name


def renewal_of(collection: str) -> str:
    return url_for("renewal.show", collection=collection)


class Switch:
    def ask(self, given: Given) -> Question:
        collection = collection_of(given)
        found, to = site().stack.renewing.to_switch(collection, needed(given, "generation"))
        return Question(renewal_questions.switch(found, to), f"Switch to {to.name}", renewal_of(collection))

    def do(self, given: Given, reason: str) -> Done:
        collection, generation = collection_of(given), needed(given, "generation")
        name = name_of(site().stack.renewing.switch(collection, generation))
        return Done(f"{short_name(name)} switches {collection} to {generation}.", page_of(name))


class SwitchWhenComplete:
    def ask(self, given: Given) -> Question:
        collection = collection_of(given)
        found = site().stack.renewing.stands(collection)
        asked = renewal_questions.switch_when_complete(found, found.of(needed(given, "generation")))
        return Question(asked, "Switch when complete", renewal_of(collection))

    def do(self, given: Given, reason: str) -> Done:
        collection, generation = collection_of(given), needed(given, "generation")
        site().stack.renewing.switch_when_complete(collection, generation)
        return Done(f"The schedule switches {collection} to {generation} when it is complete.", renewal_of(collection))


class Finish:
    def ask(self, given: Given) -> Question:
        collection = collection_of(given)
        found = site().stack.renewing.to_finish(collection)
        return Question(renewal_questions.finish(found), f"Keep only {found.serving}", renewal_of(collection))

    def do(self, given: Given, reason: str) -> Done:
        collection = collection_of(given)
        left = site().stack.renewing.finish(collection)
        return Done(f"Only {left.serving} of {collection} is kept up.", renewal_of(collection))
