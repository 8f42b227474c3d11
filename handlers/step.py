"""What every Lambda of the pipeline does around its own work: log with fields, flush metrics, name transient errors."""

from __future__ import annotations

import json
import logging
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import cache, partial, wraps
from typing import TypeVar

from aws_lambda_powertools import Logger, Metrics, single_metric
from aws_lambda_powertools.metrics import MetricUnit
from aws_lambda_powertools.utilities.typing import LambdaContext as LambdaContext
from botocore.exceptions import ClientError
from receipt_dynamo_stream.errors import ServiceRefused
from receipt_dynamo_stream.invariants import Invariant, observed
from receipt_dynamo_stream.measuring import Unit
from receipt_dynamo_stream.retry import transient_errors

Event = Mapping[str, object]
In = TypeVar("In", bound=Event)
Out = TypeVar("Out", bound=Event)


LIBRARIES = ("receipt_chroma", "receipt_dynamo_stream")


@cache
def logger() -> Logger:
    """The function's structured logger (Powertools reads its own POWERTOOLS_ variables).

    What the packages log goes the same way: as JSON, with their fields and this invocation's. Lambda's own handler
    would write the message alone, and a newline in a run's id would begin a line of its own.
    """
    log = Logger(json_serializer=partial(json.dumps, default=str, separators=(",", ":")))  # ASCII: nothing in it acts
    for name in LIBRARIES:
        library = logging.getLogger(name)
        library.handlers, library.propagate = [log.registered_handler], False
        library.setLevel(log.log_level)
    return log


@cache
def metrics() -> Metrics:
    """The function's metrics, in Embedded Metric Format; flushed once per invocation by `step`."""
    return Metrics()


def measure(name: str, value: float, unit: Unit = "Count") -> None:
    """Add to a metric of this invocation; what rules are passed as `measure`."""
    metrics().add_metric(name=name, unit=MetricUnit(unit), value=value)


def flush(collected: Metrics) -> None:
    """Write the invocation's metrics; leave nothing for the next invocation of the same process."""
    if collected.metric_set:
        collected.flush_metrics()
    else:
        collected.clear_metrics()


@contextmanager
def invariants_measured() -> Iterator[None]:
    """Send how many times each invariant was checked in the block, and violated, also when it ends in an error.

    By invariant alone: a metric for each collection beside would be paid for and say no more, since the log names it.
    What is violated is also sent without the invariant's name, for the one alarm.
    """
    checked, violated = Counter[str](), Counter[str]()

    def count(invariant: Invariant, held: bool) -> None:
        checked[invariant] += 1
        violated[invariant] += not held

    try:
        with observed(count):
            yield
    finally:
        for invariant, times in checked.items():
            measure_apart("invariant_checked", times, invariant=invariant)
        for invariant, times in (+violated).items():
            measure_apart("invariant_violated", times, invariant=invariant)
            measure_apart("invariant_violated", times)


def measure_apart(name: str, value: float, **dimensions: str) -> None:
    """Send a metric by itself, with the service and these as its dimensions, and not those of the step's others."""
    with single_metric(name=name, unit=MetricUnit.Count, value=value) as metric:
        for dimension, text in dimensions.items():
            metric.add_dimension(name=dimension, value=str(text))


def execution_of(event: Event) -> str | None:
    """The name of the execution that an event belongs to, from whichever of its parts says it; None if none does."""
    if "execution_name" in event:
        return str(event["execution_name"])
    parts = str(event.get("plan_key", "")).split("/")
    if len(parts) == 4:  # plans/{collection}/{execution}/{round}-{attempt}.json.gz
        return parts[2]
    detail = event.get("detail")
    return str(detail["name"]) if isinstance(detail, dict) and "name" in detail else None


@contextmanager
def service_errors() -> Iterator[None]:
    """Raise TransientServiceError or ServiceRefused for what an AWS service answers in the block."""
    try:
        with transient_errors():
            yield
    except ClientError as error:
        raise ServiceRefused(f"{error}: look at the function's rights, its keys and what it names") from error


@contextmanager
def memory_errors() -> Iterator[None]:
    """Raise MemoryError for a library that cannot be loaded in the block because no memory is left for it.

    The dynamic loader says it in words alone, and Python calls it an ImportError, as it does a library that is missing.
    """
    try:
        yield
    except ImportError as error:
        if "failed to map segment" in str(error) or "annot allocate memory" in str(error):
            raise MemoryError(f"a library could not be loaded: {error}") from error
        raise


def step(handler: Callable[[In, LambdaContext], Out]) -> Callable[[In, LambdaContext], Out]:
    """Wrap a state's function. What it raises leaves as it is, but for what AWS answers: its passing errors become
    TransientServiceError, the name that the state machine retries, its refusals ServiceRefused. A library for which
    no memory was left is a MemoryError."""

    @wraps(handler)
    def wrapped(event: In, context: LambdaContext) -> Out:
        log = logger()
        log.inject_lambda_context(lambda _event, _context: None, clear_state=True)(event, context)
        log.append_keys(**{key: event[key] for key in ("collection", "round", "shard", "plan_key") if key in event})
        if (execution := execution_of(event)) is not None:
            log.append_keys(execution=execution)
        try:
            with service_errors(), memory_errors(), invariants_measured():
                result = handler(event, context)
        except Exception:
            log.exception("step failed")
            raise
        finally:
            flush(metrics())
        log.info("step done", extra={"result": {k: v for k, v in result.items() if not isinstance(v, list)}})
        return result

    return wrapped
