"""The few places where moto is changed, each for a reason that a test shows.

They touch private parts of moto, so they work with the pinned version only: `apply` refuses another one by name. To
raise the pin, run the tests of this module with the new version and change TESTED_VERSION.
"""

import copy
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any
from unittest.mock import patch

from local.errors import UnsupportedMoto

TESTED_VERSION = "5.2.5"
KEPT_ITERATORS = 1000
KEPT_EXECUTIONS = 2000
_STARTING_SECONDS = 2.0

_TABLE_REQUESTS = ("get_item", "put_item", "delete_item", "query", "scan", "transact_write_items")
_SCALARS = frozenset({"S", "N", "BOOL", "NULL"})

FINAL = ("SUCCEEDED", "FAILED", "TIMED_OUT", "ABORTED")


class MotoPatches:
    """All patches together: applied once, and taken back."""

    def __init__(self) -> None:
        self._patches: list[Any] = []

    def apply(self) -> None:
        """Raises UnsupportedMoto, before anything is touched."""
        import moto

        check_version(moto.__version__)
        for target, name, replace in _targets():
            replacement = patch.object(target, name, replace(getattr(target, name)))
            replacement.start()
            self._patches.append(replacement)

    def remove(self) -> None:
        """moto is as it came."""
        while self._patches:
            self._patches.pop().stop()


def check_version(version: str) -> None:
    """Raise UnsupportedMoto unless this is the version the patches were tested with."""
    if version != TESTED_VERSION:
        raise UnsupportedMoto(f"moto {version} is installed; the local stack patches private parts of {TESTED_VERSION}")


def _targets() -> list[tuple[Any, str, Callable[[Any], Any]]]:
    from moto.core.serialize import BaseJSONSerializer
    from moto.dynamodb.models import DynamoDBBackend
    from moto.dynamodb.models.dynamo_type import Item
    from moto.dynamodb.models.table import Table
    from moto.dynamodbstreams.models import DynamoDBStreamsBackend
    from moto.stepfunctions.parser.asl.parse.asl_parser import AmazonStateLanguageParser
    from moto.stepfunctions.parser.backend.execution import BaseExecutionWorkerCommunication, Execution
    from moto.stepfunctions.parser.models import StepFunctionsParserBackend

    return [
        (Table, "query", narrow_to_partition),
        (Item, "project", project_by_name),
        *((DynamoDBBackend, name, one_at_a_time) for name in _TABLE_REQUESTS),
        (DynamoDBBackend, "update_item", update_a_copy),
        (DynamoDBStreamsBackend, "get_records", forget_old_iterators),
        (Execution, "stop", end_at_once),
        (BaseExecutionWorkerCommunication, "terminated", keep_first_ending),
        (StepFunctionsParserBackend, "start_execution", forget_old_executions),
        (AmazonStateLanguageParser, "parse", parse_once),
        (BaseJSONSerializer, "_serialize_type_structure", copy_scalars),
    ]


def narrow_to_partition(original: Any) -> Any:
    """`Table.query` sorts and filters the whole table; a query without index needs its own partition only.

    A receipt's 127 items took 133 ms alone and 790 ms among 25,000 others.
    """

    def query(self: Any, hash_key: Any, *args: Any, **kwargs: Any) -> Any:
        if hash_key is None or _index_name(args, kwargs) is not None or not self.has_range_key:
            return original(self, hash_key, *args, **kwargs)
        partition = _view_of(self, hash_key)
        return original(partition, hash_key, *args, **kwargs)

    return query


def _index_name(args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    position = 6  # of index_name, after self and hash_key
    return kwargs.get("index_name", args[position] if len(args) > position else None)


def _view_of(table: Any, hash_key: Any) -> Any:
    """The table with nothing but one partition in it. `items` maps partition key -> sort key -> item."""
    view = object.__new__(type(table))
    view.__dict__ = {**table.__dict__, "items": {hash_key: table.items.get(hash_key, {})}}
    return view


def project_by_name(original: Any) -> Any:
    """moto turns a whole item into plain Python once for each attribute of a projection, and back: 18 times for the
    facts of a plan, a third of its time. A projection of whole attributes needs no turning."""

    def project(self: Any, expressions: list[list[str]]) -> Any:
        if any(len(path) != 1 or "[" in path[0] for path in expressions):
            return original(self, expressions)
        view = object.__new__(type(self))
        view.hash_key, view.range_key, view.attrs = self.hash_key, self.range_key, type(self.attrs)()
        for (name,) in expressions:
            if name in self.attrs:
                view.attrs[name] = self.attrs[name]
        return view

    return project


def one_at_a_time(original: Any) -> Any:
    """Requests to DynamoDB's tables, one after another. moto checks a condition and then writes, with nothing to keep
    another thread from coming in between; a query can meet a table that changes while it looks.

    The lock is the backend's and not the request's, so that what a test puts in front of it may make requests itself.
    """

    def request(self: Any, *args: Any, **kwargs: Any) -> Any:
        with _requests:
            return original(self, *args, **kwargs)

    return request


def update_a_copy(original: Any) -> Any:
    """moto updates an item in place, under the eyes of those who have just read it and are writing their answer."""

    def update_item(self: Any, table_name: str, key: dict[str, Any], *args: Any, **kwargs: Any) -> Any:
        with _requests:
            _renew(self.get_table(table_name), key)
            return original(self, table_name, key, *args, **kwargs)

    return update_item


def _renew(table: Any, key: dict[str, Any]) -> None:
    """Put a copy of the item in its place, if it is there and its key is whole."""
    from moto.dynamodb.models.dynamo_type import DynamoType

    names = [name for name in (table.hash_key_attr, table.range_key_attr) if name is not None]
    if set(names) != set(key):
        return
    values = [DynamoType(key[name]) for name in names]
    item = table.get_item(*values)
    if item is None:
        return
    place = table.items[values[0]] if len(values) == 2 else table.items
    place[values[-1]] = copy.deepcopy(item)


def forget_old_iterators(original: Any) -> Any:
    """Every GetRecords leaves a shard iterator behind, and a poller asks four times a second: keep the newest."""

    def get_records(self: Any, *args: Any, **kwargs: Any) -> Any:
        result = original(self, *args, **kwargs)
        iterators = self.shard_iterators
        for old in list(iterators)[:-KEPT_ITERATORS]:
            del iterators[old]
        return result

    return get_records


def end_at_once(original: Any) -> Any:
    """StopExecution makes an execution ABORTED there and then, as on AWS, whatever its Lambdas still do.

    moto leaves it RUNNING until the Lambda returns; nobody could take over from an execution whose worker is frozen.
    """

    def stop(self: Any, stop_date: Any, error: str | None, cause: str | None) -> None:
        _wait_until_started(self)
        with _ending:
            if self.exec_status.value in FINAL:
                return
            original(self, stop_date, error, cause)
            self.exec_status = type(self.exec_status).ABORTED
            self.stop_date, self.error, self.cause = datetime.now(UTC), error or None, cause or None

    return stop


def keep_first_ending(original: Any) -> Any:
    """What an execution ended as stays, also when its threads come to another end later (in a Map they do: FAILED)."""

    def terminated(self: Any) -> None:
        with _ending:
            if self.execution.exec_status.value not in FINAL:
                original(self)

    return terminated


def forget_old_executions(original: Any) -> Any:
    """Every execution keeps its history and its threads' objects for ever, and the schedule starts one after the other.
    Keep the newest that have ended, and all that run."""

    def start_execution(self: Any, state_machine_arn: str, *args: Any, **kwargs: Any) -> Any:
        execution = original(self, state_machine_arn, *args, **kwargs)
        with _ending:
            executions = self.describe_state_machine(state_machine_arn).executions
            old = executions[:-KEPT_EXECUTIONS]
            executions[: len(old)] = [each for each in old if each.status not in FINAL]
            interpreter_threads()
        return execution

    return start_execution


def parse_once(original: Any) -> Any:
    """moto parses the state machine anew for every execution, 0.2 to 0.4 s of computing time for ours; a copy of the
    parsed one takes 10 ms. A copy, so that an execution shares with no other what may hold state while it runs."""

    @lru_cache(maxsize=4)
    def parsed(definition: str) -> Any:
        return original(definition)

    def parse(definition: str) -> Any:
        program, tree = parsed(definition)
        return copy.deepcopy(program), tree

    return staticmethod(parse)


def copy_scalars(original: Any) -> Any:
    """moto looks for each of the ten types of an attribute value under several spellings. A scalar has one, and it is
    there in the form that is sent: copying it takes a quarter off what this process computes in a burst of writes."""

    def serialize(self: Any, serialized: Any, value: Any, shape: Any, key: str) -> None:
        if shape.name == "AttributeValue" and key and isinstance(value, dict) and value.keys() <= _SCALARS:
            serialized[self.get_serialized_name(shape, key)] = dict(value)
        else:
            original(self, serialized, value, shape, key)

    return serialize


def interpreter_threads() -> list[threading.Thread]:
    """The threads of executions that still run, however little; moto's list of those that ended is cut on the way."""
    from moto.stepfunctions.parser.utils import TMP_THREADS

    TMP_THREADS[:] = [thread for thread in TMP_THREADS if thread.ident is None or thread.is_alive()]
    return list(TMP_THREADS)


_requests = threading.RLock()
_ending = threading.Lock()


def _wait_until_started(execution: Any) -> None:
    """An execution is RUNNING some milliseconds before its interpreter can be told to stop."""
    deadline = time.monotonic() + _STARTING_SECONDS
    while time.monotonic() < deadline:
        environment = execution.exec_worker.env
        if environment is not None and environment.program_state() is not None:
            return
        time.sleep(0.005)
