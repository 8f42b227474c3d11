"""The watch: many tabs ask, a service is asked once, and less often while AWS throttles."""

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from botocore.exceptions import ClientError
from receipt_dynamo_stream.retry import transient_errors

from console.web.watch import KEPT, Watch


class Clock:
    """A clock that stands still until it is told otherwise."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


class Service:
    """Answers with the number of the call, or throttles."""

    def __init__(self) -> None:
        self.calls = 0
        self.error: str | None = None

    def __call__(self) -> int:
        self.calls += 1
        if self.error:
            raise ClientError({"Error": {"Code": self.error, "Message": "no"}}, "ListExecutions")
        return self.calls


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def watch(clock: Clock) -> Watch:
    return Watch(clock)


def test_an_answer_is_kept_for_its_time_and_then_asked_anew(watch: Watch, clock: Clock) -> None:
    service = Service()
    assert [watch.get("a", 2, service).value for _ in range(3)] == [1, 1, 1]
    clock.now += 2
    assert watch.get("a", 2, service).value == 2
    assert watch.get("b", 2, service).value == 3


def test_the_age_of_an_answer_is_told(watch: Watch, clock: Clock) -> None:
    service = Service()
    watch.get("a", 5, service)
    clock.now += 3
    assert watch.get("a", 5, service).age == 3


def test_many_at_once_make_one_call(watch: Watch) -> None:
    inside, go = threading.Event(), threading.Event()
    calls = []

    def slow() -> int:
        calls.append(1)
        inside.set()
        go.wait(10)
        return 7

    with ThreadPoolExecutor(8) as pool:
        first = pool.submit(watch.get, "a", 60, slow)
        assert inside.wait(10)
        others = [pool.submit(watch.get, "a", 60, slow) for _ in range(7)]
        go.set()
        assert {one.result().value for one in (first, *others)} == {7}
    assert len(calls) == 1


def test_who_has_an_older_answer_does_not_wait_for_a_slow_call(watch: Watch, clock: Clock) -> None:
    inside, go = threading.Event(), threading.Event()
    watch.get("a", 1, lambda: "old")
    clock.now += 5

    def slow() -> str:
        inside.set()
        go.wait(10)
        return "new"

    with ThreadPoolExecutor(1) as pool:
        asking = pool.submit(watch.get, "a", 1, slow)
        assert inside.wait(10)
        assert watch.get("a", 1, slow).value == "old"
        go.set()
        assert asking.result().value == "new"


def test_throttling_shows_what_was_known_and_asks_ever_less_often(watch: Watch, clock: Clock) -> None:
    service = Service()
    watch.get("a", 1, service)
    service.error = "ThrottlingException"
    pauses = []
    for _ in range(7):
        clock.now += 61
        seen = watch.get("a", 1, service)
        assert seen.value == 1
        assert seen.problem is not None
        pauses.append(float(seen.problem.split(" in ")[1].removesuffix(" s")))
        calls = service.calls
        watch.get("a", 1, service)
        assert service.calls == calls, "it asked while it should be silent"
    assert pauses == [2, 4, 8, 16, 32, 60, 60]
    service.error = None
    clock.now += 61
    recovered = watch.get("a", 1, service)
    assert (recovered.value, recovered.problem) == (service.calls, None)


def test_throttling_silences_all_questions_that_have_an_answer(watch: Watch, clock: Clock) -> None:
    throttled, other = Service(), Service()
    watch.get("a", 1, throttled)
    watch.get("b", 1, other)
    throttled.error = "TooManyRequestsException"
    clock.now += 5
    watch.get("a", 1, throttled)
    watch.get("b", 1, other)
    assert other.calls == 1


def test_a_service_that_one_of_our_own_errors_tells_of_is_throttled_too(watch: Watch, clock: Clock) -> None:
    """A manifest is read by a function that says `try again` in its own words."""
    watch.get("a", 1, lambda: "old")
    clock.now += 5

    def read() -> str:
        with transient_errors():
            raise ClientError({"Error": {"Code": "SlowDown", "Message": "no"}}, "GetObject")

    seen = watch.get("a", 1, read)
    assert seen.value == "old"
    assert seen.problem is not None


def test_throttling_without_an_older_answer_is_raised(watch: Watch) -> None:
    service = Service()
    service.error = "ThrottlingException"
    with pytest.raises(ClientError):
        watch.get("a", 1, service)


def test_other_errors_are_raised_even_with_an_older_answer(watch: Watch, clock: Clock) -> None:
    service = Service()
    watch.get("a", 1, service)
    service.error = "AccessDeniedException"
    clock.now += 2
    with pytest.raises(ClientError, match="AccessDenied"):
        watch.get("a", 1, service)


def test_forgetting_asks_anew(watch: Watch) -> None:
    service = Service()
    watch.get("a", 60, service)
    watch.forget()
    assert watch.get("a", 60, service).value == 2


def test_it_keeps_the_answers_that_were_asked_for_last(watch: Watch) -> None:
    service = Service()
    for number in range(KEPT + 1):
        watch.get(number, 60, service)
    watch.get(KEPT, 60, service)
    assert service.calls == KEPT + 1
    watch.get(0, 60, service)
    assert service.calls == KEPT + 2
