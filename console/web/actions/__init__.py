"""What a person can do from a page, by name: the question that is asked first, and the doing."""

from console.web.actions.action import Action, Done, Question
from console.web.actions.on_collections import Expire, Pause, Reconcile, Restore, Resume
from console.web.actions.on_executions import Redrive, Rerun, Start, Stop
from console.web.actions.on_quarantine import Drop, DropAll, Retry, RetryAll
from console.web.actions.on_renewals import Finish, Switch, SwitchWhenComplete
from console.web.actions.on_versions import Pin, Reshard, Rollback, Unpin, Verify

ACTIONS: dict[str, Action] = {
    type(action).__name__.lower(): action
    for action in (
        *(Start(), Rerun(), Redrive(), Stop()),
        *(Pause(), Resume(), Reconcile(), Restore(), Expire()),
        *(Verify(), Rollback(), Reshard(), Pin(), Unpin()),
        *(Switch(), SwitchWhenComplete(), Finish()),
        *(Retry(), RetryAll(), Drop(), DropAll()),
    )
}

__all__ = ["ACTIONS", "Action", "Done", "Question"]
