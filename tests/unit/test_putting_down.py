"""Putting a message down: its record says why, unless the record is not ours to write."""

import logging

import pytest

from lambda_src.core.contract import LogEvent, Status
from lambda_src.core.errors import (
    LeaseLost,
    PermanentFailure,
    ProcessingError,
    Step,
    TransientFailure,
)
from lambda_src.core.send_errors import SendOutcomeUnknown
from tests.unit import contexts
from tests.unit.fakes.clock import START
from tests.unit.fakes.faults import Fault, Unforeseen
from tests.unit.fakes.world import KEY, World
from tests.unit.samples import CLAIM

REFUSAL = PermanentFailure("consent_not_given", Step.PARSE, "comms_consent: expected true")


@pytest.fixture
def retry() -> TransientFailure:
    """A failure that nobody was told of yet."""
    return TransientFailure("openai_500", Step.AI, "a passing fault")


@pytest.fixture
def claimed(world: World) -> World:
    """A conversation that `CLAIM` holds."""
    world.conversations.create(contexts.parse(contexts.valid()), CLAIM)
    return world


def put_down(world: World, error: Exception) -> ProcessingError:
    """Let the error happen; return what is raised in its stead."""
    with (
        pytest.raises(ProcessingError) as raised,
        world.putting_down.on_failure(CLAIM, world.delivery()),
    ):
        raise error
    return raised.value


def events(caplog: pytest.LogCaptureFixture) -> list[str]:
    """The events that were logged."""
    return [str(vars(record)["event"]) for record in caplog.records]


def test_work_that_succeeds_writes_nothing(claimed: World) -> None:
    """Without a failure nothing is put down."""
    with claimed.putting_down.on_failure(CLAIM, claimed.delivery()):
        pass
    assert ["create"] == claimed.conversations.writes


def test_a_failure_is_recorded_with_code_step_and_time(
    claimed: World, retry: TransientFailure
) -> None:
    """The record says what went wrong, where and when; the error goes on."""
    claimed.clock.advance(7)
    assert retry is put_down(claimed, retry)
    recorded = claimed.record.failure
    assert recorded
    assert (Status.RETRY, "openai_500", "ai", "a passing fault", START + 7) == (
        recorded.status,
        recorded.code,
        recorded.step,
        recorded.detail,
        recorded.at,
    )


@pytest.mark.parametrize(
    "error", [LeaseLost("lease_lost", Step.AI), SendOutcomeUnknown("twilio_500", Step.SEND)]
)
def test_an_error_without_a_status_leaves_the_record_alone(
    claimed: World, error: ProcessingError
) -> None:
    """A lost lease and an unknown outcome say nothing that the record does not say better."""
    assert error is put_down(claimed, error)
    assert ["create"] == claimed.conversations.writes


def test_the_unforeseen_before_the_send_is_transient(claimed: World) -> None:
    """Nothing was sent for certain: it is tried again, with the error's kind and not its text."""
    error = put_down(claimed, Unforeseen())
    assert isinstance(error, TransientFailure)
    assert ("unexpected_error", "Unforeseen") == (error.code, error.detail)
    assert Status.RETRY is claimed.record.status


@pytest.mark.parametrize("fault", [Fault.UNAVAILABLE, Fault.REFUSED])
def test_a_failure_that_cannot_be_recorded_still_is_that_failure(
    claimed: World, retry: TransientFailure, fault: Fault, caplog: pytest.LogCaptureFixture
) -> None:
    """The message fails as it did, and the log tells that its record does not say so."""
    claimed.conversations.fail("record_failure", fault, 10_000)
    assert retry is put_down(claimed, retry)
    assert ["openai_500", LogEvent.STATUS_WRITE_FAILED] == events(caplog)


def test_anothers_record_does_not_get_our_reason(
    claimed: World, retry: TransientFailure, caplog: pytest.LogCaptureFixture
) -> None:
    """Where another worker took over, his record stays as it is."""
    claimed.conversations.alter(KEY, owner="other")
    assert retry is put_down(claimed, retry)
    assert Status.PROCESSING is claimed.record.status
    assert ["openai_500", LogEvent.LEASE_LOST] == events(caplog)


def test_a_rejection_makes_a_record(world: World) -> None:
    """A message that was refused before its claim has a record that says why."""
    world.putting_down.reject(KEY, REFUSAL, "request-1", START)
    assert (Status.FAILED, "request-1") == (world.record.status, world.record.request_id)


def test_a_rejection_touches_no_record_of_an_earlier_message(claimed: World) -> None:
    """A conversation that runs already is not spoilt by a message that was refused."""
    claimed.putting_down.reject(KEY, REFUSAL, None, START)
    assert Status.PROCESSING is claimed.record.status


def test_a_rejection_that_cannot_be_recorded_is_logged(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    """The table is away: the message still fails, and the log tells both."""
    caplog.set_level(logging.ERROR)
    world.conversations.fail("record_rejection", Fault.UNAVAILABLE)
    world.putting_down.reject(KEY, REFUSAL, None, START)
    assert [LogEvent.STATUS_WRITE_FAILED] == events(caplog)
