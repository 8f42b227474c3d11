"""What an operator can ask and do of one stack, by what it is about. Nothing here prints.

    stack = Stack(load_local())
    stack.collections.status("words")
    stack.executions.rerun("words-stream-1b0f2c3d")
    stack.versions.rollback("words", "41")

Errors that mean something to an operator are `operate.errors`; others are raised as boto3 raises them. What may be done
is decided here, what it will do is said by `operate.asked_first`; faces show both.
"""

import time
from collections.abc import Callable
from datetime import datetime

from operate.collections import Collections
from operate.connection import Connection
from operate.executions import Executions
from operate.history import History
from operate.quarantine import WaitingRuns
from operate.receipts import Receipts
from operate.renewing import Renewing
from operate.restoring import Restoring
from operate.services import Services, new_unique, utc_now
from operate.state_machine import StateMachine
from operate.stored import Stored
from operate.versions import Versions


class Stack:
    """Safe to share between threads; every answer is asked anew, and no client is made before the first question."""

    def __init__(
        self,
        connection: Connection,
        *,
        now: Callable[[], datetime] = utc_now,
        new_unique: Callable[[], str] = new_unique,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        services = Services(connection, now, new_unique, sleep)
        machine = StateMachine(services)
        self.connection = connection
        self.now, self.new_unique, self.sleep = now, new_unique, sleep
        self.stored = Stored(services)
        self.executions = Executions(services, machine, History(services, machine), self.stored)
        self.collections = Collections(services, self.stored, self.executions)
        self.versions = Versions(services, self.stored, self.collections, self.executions)
        self.restoring = Restoring(services, self.collections, self.stored)
        self.renewing = Renewing(services, self.stored, self.collections, self.executions)
        self.quarantine = WaitingRuns(services, self.executions)
        self.receipts = Receipts(services)
