"""The command of a renewal: how it stands, beginning it, switching and switching back, finishing it."""

from argparse import Namespace
from collections.abc import Callable

from rich.text import Text

from console.cli.commands import follow, print_json, report, stack_of, waiting
from console.cli.confirm import confirm, require_answer
from console.cli.progress import Progress, stderr_console, stdout_console
from console.cli.render_renewal import renewal_plan_table, renewal_tables, what_next
from operate import renewal_questions
from operate.errors import UsageError
from operate.models import name_of
from operate.stack import Stack
from operate.wording import count_of


def renew(arguments: Namespace) -> int:
    """Raises UsageError, GenerationUnready, CollectionNotFound, SnapshotNotFound, Declined, ExecutionFailed."""
    asked: dict[str, Callable[[Namespace, Stack], int]] = {}
    if arguments.model is not None or arguments.dimension is not None or arguments.shards is not None or arguments.plan:
        if arguments.model is None or arguments.dimension is None:
            raise UsageError("a renewal is begun with --model NAME and --dimension D, both of the new vectors")
        asked["--model"] = _begin
    if arguments.switch is not None:
        asked["--switch"] = _switch
    if arguments.finish:
        asked["--finish"] = _finish
    if arguments.switch_when_complete and not asked:
        asked["--switch-when-complete"] = _switch_when_complete
    if len(asked) > 1 or (arguments.switch_when_complete and asked.keys() & {"--switch", "--finish"}):
        raise UsageError("one thing at a time: begin with --model, --switch, --switch-when-complete, or --finish")
    return next(iter(asked.values()), _show)(arguments, stack_of(arguments))


def _show(arguments: Namespace, stack: Stack) -> int:
    with waiting("comparing the generations"):
        found = stack.renewing.stands(arguments.collection)
    if arguments.json:
        print_json(found.to_json())
        return 0
    stdout = stdout_console()
    for table in renewal_tables(found):
        stdout.print(table)
    for sentence in what_next(found):
        stdout.print(Text(sentence))
    return 0


def _begin(arguments: Namespace, stack: Stack) -> int:
    """Its plan, and unless that is all, the question and the generation."""
    if not arguments.plan:
        require_answer(arguments)
    with waiting("reading what serves"):
        plan = stack.renewing.to_begin(
            arguments.collection, model=arguments.model, dimension=arguments.dimension, shards=arguments.shards
        )
    stdout = stdout_console()
    if not arguments.json:
        stdout.print(renewal_plan_table(plan))
    if arguments.plan:
        if arguments.json:
            print_json({"plan": plan.to_json()})
        return 0
    confirm(arguments, renewal_questions.renew(plan))
    with Progress(stderr_console()).counting("marking", plan.receipts, "receipt") as progress:
        begun = stack.renewing.begin(plan, progress)
    if arguments.switch_when_complete:
        stack.renewing.switch_when_complete(arguments.collection, begun.generation)
    if arguments.json:
        more = {"receipts": begun.receipts, "execution": stack.executions.describe(begun.arn).to_json()}
        print_json({"generation": begun.generation, **more, "plan": plan.to_json()})
        return 0
    stdout.print(Text(f"{begun.generation} is kept up; {count_of(begun.receipts, 'receipt')} marked in it."))
    stdout.print(Text(f"started {name_of(begun.arn)}"))
    stdout.print(Text(f"Announce runs of the model {plan.model}; `compaction renew {plan.collection}` shows how far."))
    return 0


def _switch(arguments: Namespace, stack: Stack) -> int:
    require_answer(arguments)
    with waiting("comparing the generations"):
        found, to = stack.renewing.to_switch(arguments.collection, arguments.switch or None)
    confirm(arguments, renewal_questions.switch(found, to))
    execution = follow(stack, stack.renewing.switch(arguments.collection, to.name), wait=True)
    code = report(stack, execution, as_json=arguments.json, more={"before": found.to_json(), "generation": to.name})
    if not arguments.json:
        stdout_console().print(f"Readers of {arguments.collection} follow {to.name} with their next refresh.")
        stdout_console().print(f"The way back: `compaction renew {arguments.collection} --switch {found.serving}`.")
    return code


def _switch_when_complete(arguments: Namespace, stack: Stack) -> int:
    """It needs an answer as a switch does: nobody is asked when it comes."""
    require_answer(arguments)
    with waiting("comparing the generations"):
        found = stack.renewing.stands(arguments.collection)
        to = stack.renewing.awaited(found)
    confirm(arguments, renewal_questions.switch_when_complete(found, to))
    stack.renewing.switch_when_complete(arguments.collection, to.name)
    if arguments.json:
        print_json(stack.renewing.stands(arguments.collection).to_json())
        return 0
    stdout_console().print(f"The schedule switches {arguments.collection} to {to.name} as soon as it is complete.")
    return 0


def _finish(arguments: Namespace, stack: Stack) -> int:
    require_answer(arguments)
    with waiting("comparing the generations"):
        found = stack.renewing.to_finish(arguments.collection)
    confirm(arguments, renewal_questions.finish(found))
    left = stack.renewing.finish(arguments.collection)
    if arguments.json:
        print_json({**left.to_json(), "left": found.beside})
        return 0
    stdout_console().print(f"Only {left.serving} is kept up; the files of {found.beside} stay.")
    return 0
