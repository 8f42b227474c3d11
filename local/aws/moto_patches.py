"""The few places where moto is changed, each for a reason that a test shows.

They touch private parts of moto, so they work with the pinned version only: `apply` refuses another one by name. To
raise the pin, run the tests of this module with the new version and change TESTED_VERSION.
"""

import copy
import threading
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any, Concatenate, ParamSpec, TypeVar
from unittest.mock import patch

from local.aws.moto_executions import (
    Original,
    Tell,
    end_at_once,
    forget_old_executions,
    keep_first_ending,
    keep_request_id,
    make_client_once,
    parse_once,
    parse_path_once,
    pass_reason_on,
    tell_nobody,
    tell_of_start,
)
from local.errors import UnsupportedMoto

if TYPE_CHECKING:
    from botocore.model import Shape
    from moto.core.serialize import BaseJSONSerializer
    from moto.dynamodb.models import DynamoDBBackend
    from moto.dynamodb.models.dynamo_type import DynamoType, Item
    from moto.dynamodb.models.table import StreamShard, Table
    from moto.dynamodbstreams.models import DynamoDBStreamsBackend

P = ParamSpec("P")
T = TypeVar("T")

TESTED_VERSION = "5.2.5"
KEPT_ITERATORS = 1000
KEPT_RECORDS = 1000
KEPT_OPEN = 1000

_TABLE_REQUESTS = ("get_item", "put_item", "delete_item", "query", "scan", "transact_write_items")
_SCALARS = frozenset({"S", "N", "BOOL", "NULL"})


class MotoPatches:
    """All patches together: applied once, and taken back."""

    def __init__(self) -> None:
        self._patches: list[Any] = []

    def apply(self, tell: Tell = tell_nobody) -> None:
        """Raises UnsupportedMoto, before anything is touched."""
        import moto

        check_version(moto.__version__)
        for target, name, replace in _targets(tell):
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


def _targets(tell: Tell = tell_nobody) -> list[tuple[Any, str, Callable[[Any], Any]]]:
    from moto.core.common_models import BaseModel
    from moto.core.serialize import BaseJSONSerializer
    from moto.dynamodb.models import DynamoDBBackend
    from moto.dynamodb.models.dynamo_type import Item
    from moto.dynamodb.models.table import StreamShard, Table
    from moto.dynamodbstreams.models import DynamoDBStreamsBackend
    from moto.stepfunctions.parser.asl.component.common.path import result_path
    from moto.stepfunctions.parser.asl.component.state.exec.state_task import lambda_eval_utils
    from moto.stepfunctions.parser.asl.component.state.exec.state_task.service import state_task_service_dynamodb
    from moto.stepfunctions.parser.asl.parse.asl_parser import AmazonStateLanguageParser
    from moto.stepfunctions.parser.asl.utils import json_path
    from moto.stepfunctions.parser.backend.execution import BaseExecutionWorkerCommunication, Execution
    from moto.stepfunctions.parser.models import StepFunctionsParserBackend
    from moto.stepfunctions.responses import StepFunctionResponse

    return [
        (Table, "query", narrow_to_partition),
        (Item, "project", project_by_name),
        *((DynamoDBBackend, name, one_at_a_time) for name in _TABLE_REQUESTS),
        (DynamoDBBackend, "update_item", update_a_copy),
        (BaseModel, "__new__", track_what_is_disposed),
        (DynamoDBStreamsBackend, "get_records", forget_old_iterators),
        (StreamShard, "get", begin_at_first_kept),
        (Execution, "start", partial(tell_of_start, tell=tell)),
        (Execution, "stop", partial(end_at_once, tell=tell)),
        (StepFunctionResponse, "stop_execution", pass_reason_on),
        (BaseExecutionWorkerCommunication, "terminated", partial(keep_first_ending, tell=tell)),
        (StepFunctionsParserBackend, "start_execution", forget_old_executions),
        (lambda_eval_utils, "select_from_typed_dict", keep_request_id),
        (AmazonStateLanguageParser, "parse", parse_once),
        *((module, "boto_client_for", make_client_once) for module in (lambda_eval_utils, state_task_service_dynamodb)),
        *((module, "parse", parse_path_once) for module in (json_path, result_path)),
        (BaseJSONSerializer, "_serialize_type_structure", copy_scalars),
    ]


def narrow_to_partition(original: Original) -> Any:
    """`Table.query` sorts and filters the whole table; a query without index needs its own partition only.

    A receipt's 127 items took 133 ms alone and 790 ms among 25,000 others.
    """

    def query(self: "Table", hash_key: "DynamoType | None", *args: Any, **kwargs: Any) -> Any:
        if hash_key is None or _index_name(args, kwargs) is not None or not self.has_range_key:
            return original(self, hash_key, *args, **kwargs)
        partition = _view_of(self, hash_key)
        return original(partition, hash_key, *args, **kwargs)

    return query


def _index_name(args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    position = 6  # of index_name, after self and hash_key
    return kwargs.get("index_name", args[position] if len(args) > position else None)


def _view_of(table: "Table", hash_key: "DynamoType") -> "Table":
    """The table with nothing but one partition in it. `items` maps partition key -> sort key -> item."""
    view = object.__new__(type(table))
    view.__dict__ = {**table.__dict__, "items": {hash_key: table.items.get(hash_key, {})}}
    return view


def project_by_name(original: Original) -> Any:
    """moto turns a whole item into plain Python once for each attribute of a projection, and back: 18 times for the
    facts of a plan, a third of its time. A projection of whole attributes needs no turning."""

    def project(self: "Item", expressions: list[list[str]]) -> Any:
        if any(len(path) != 1 or "[" in path[0] for path in expressions):
            return original(self, expressions)
        view = object.__new__(type(self))
        view.hash_key, view.range_key, view.attrs = self.hash_key, self.range_key, type(self.attrs)()
        for (name,) in expressions:
            if name in self.attrs:
                view.attrs[name] = self.attrs[name]
        return view

    return project


def one_at_a_time(original: Callable[P, T]) -> Callable[P, T]:
    """Requests to DynamoDB's tables, one after another. moto checks a condition and then writes, with nothing to keep
    another thread from coming in between; a query can meet a table that changes while it looks.

    The lock is the backend's and not the request's, so that what a test puts in front of it may make requests itself.
    """

    def request(*args: P.args, **kwargs: P.kwargs) -> T:
        with _requests:
            return original(*args, **kwargs)

    return request


def update_a_copy(original: "Callable[Concatenate[DynamoDBBackend, str, dict[str, Any], P], T]") -> Any:
    """moto updates an item in place, under the eyes of those who have just read it and are writing their answer."""

    def update_item(
        self: "DynamoDBBackend", table_name: str, key: dict[str, Any], *args: P.args, **kwargs: P.kwargs
    ) -> T:
        with _requests:
            _renew(self.get_table(table_name), key)
            return original(self, table_name, key, *args, **kwargs)

    return update_item


def _renew(table: "Table", key: dict[str, Any]) -> None:
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


def forget_old_iterators(original: "Callable[Concatenate[DynamoDBStreamsBackend, P], T]") -> Any:
    """Every GetRecords leaves a shard iterator behind, and a poller asks four times a second: keep the newest."""

    def get_records(self: "DynamoDBStreamsBackend", *args: P.args, **kwargs: P.kwargs) -> T:
        read = next(
            (self.shard_iterators.get(each) for each in (*args, *kwargs.values()) if isinstance(each, str)), None
        )
        if read is not None:
            forget_read_records(read.stream_shard, read.sequence_number)
        result = original(self, *args, **kwargs)
        iterators = self.shard_iterators
        for old in list(iterators)[:-KEPT_ITERATORS]:
            del iterators[old]
        return result

    return get_records


def forget_read_records(shard: "StreamShard", sequence_number: int) -> None:
    """A stream keeps every record with both images for ever, not for a day. Forget those that a reader is long past.
    Their places stay: moto counts them."""
    records: list[Any] = shard.items
    first = getattr(shard, "first_kept", 0)
    now = max(first, sequence_number - shard.starting_sequence_number - KEPT_RECORDS)
    records[first:now] = [None] * (now - first)
    shard.first_kept = now  # ours


def begin_at_first_kept(original: "Callable[[StreamShard, int, int], list[dict[str, Any]]]") -> Any:
    """TRIM_HORIZON is the oldest record that is still there."""

    def get(self: "StreamShard", start: int, quantity: int) -> list[dict[str, Any]]:
        return original(self, max(start, self.starting_sequence_number + getattr(self, "first_kept", 0)), quantity)

    return get


def track_what_is_disposed(_original: Original) -> Any:
    """moto keeps a list of all items, objects and iterators that there ever were, for its reset to close files of some.
    Keep those that have any, and are open still."""

    def new(cls: Any, *_args: object, **_kwargs: object) -> Any:
        instance = object.__new__(cls)
        if hasattr(cls, "dispose"):
            tracked = cls.instances_tracked
            tracked.append(instance)
            if len(tracked) % KEPT_OPEN == 0:
                tracked[:] = [one for one in tracked if not getattr(one, "disposed", False)]
        return instance

    return staticmethod(new)


def copy_scalars(original: Original) -> Any:
    """moto looks for each of the ten types of an attribute value under several spellings. A scalar has one, and it is
    there in the form that is sent: copying it takes a quarter off what this process computes in a burst of writes."""

    def serialize(
        self: "BaseJSONSerializer", serialized: dict[str, Any], value: object, shape: "Shape", key: str
    ) -> None:
        if shape.name == "AttributeValue" and key and isinstance(value, dict) and value.keys() <= _SCALARS:
            serialized[self.get_serialized_name(shape, key)] = dict(value)
        else:
            original(self, serialized, value, shape, key)

    return serialize


_requests = threading.RLock()
