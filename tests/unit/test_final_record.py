"""The final write: tried while time allows, then one error that carries what should have been."""

from logging import CRITICAL

import pytest

from lambda_src.core.contract import LogEvent, Status
from lambda_src.core.send_errors import FinalUpdateFailed
from lambda_src.core.timing import AWS_CALL_SECONDS, RETURN_SECONDS
from tests.unit import contexts
from tests.unit.fakes.clock import START
from tests.unit.fakes.conversations import Record
from tests.unit.fakes.faults import Fault
from tests.unit.fakes.world import KEY, World
from tests.unit.fakes.writer import ANSWER
from tests.unit.samples import SENT


@pytest.fixture
def sending(world: World) -> World:
    """A conversation whose message is out."""
    world.conversations.records[KEY] = Record(KEY, Status.SENDING, START, owner="o", answer=ANSWER)
    return world


def write(world: World) -> None:
    """Record the sent message."""
    world.final_record.write(KEY, SENT, world.time_left)


def failure_of(world: World) -> FinalUpdateFailed:
    """The error of a final write that cannot be made."""
    with pytest.raises(FinalUpdateFailed) as failed:
        write(world)
    return failed.value


def test_a_sent_message_is_recorded_at_once(sending: World) -> None:
    """One write, without waiting."""
    write(sending)
    assert (Status.SENT, SENT, START) == (
        sending.record.status,
        sending.record.sent,
        sending.clock(),
    )


@pytest.mark.parametrize("times", [1, 4])
def test_an_unavailable_table_is_asked_again(sending: World, times: int) -> None:
    """The write is repeated, with waits between, until it stands."""
    sending.conversations.fail("record_sent", Fault.UNAVAILABLE, times)
    write(sending)
    assert Status.SENT is sending.record.status
    assert sending.clock() > START


@pytest.mark.parametrize("fault", [Fault.REPEATED, Fault.ANSWER_LOST])
def test_a_write_that_stands_already_is_fine(sending: World, fault: Fault) -> None:
    """Finding one's own sid is success, whoever repeated the write."""
    sending.conversations.fail("record_sent", fault)
    write(sending)
    assert ("SM1", ["record_sent"]) == (sending.record.sid, sending.conversations.writes)


def test_an_unknown_send_gets_its_sid_after_all(sending: World) -> None:
    """A record given up as `send_unknown` is repaired by the sid."""
    sending.conversations.alter(KEY, status=Status.SEND_UNKNOWN)
    write(sending)
    assert Status.SENT is sending.record.status


def test_a_table_that_stays_away_is_given_up_while_time_is_left(sending: World) -> None:
    """The last try ends before the function does, so that the alarm gets out."""
    sending.conversations.fail("record_sent", Fault.UNAVAILABLE, 10_000)
    assert "ledger_unavailable" == failure_of(sending).code
    assert 0 <= sending.time_left() - AWS_CALL_SECONDS - RETURN_SECONDS < 10


def test_a_table_that_refuses_is_not_asked_again(sending: World) -> None:
    """A call that is wrong stays wrong."""
    sending.conversations.fail("record_sent", Fault.REFUSED)
    assert "ledger_refused" == failure_of(sending).code
    assert START == sending.clock()


def test_an_unforeseen_error_is_critical_as_well(sending: World) -> None:
    """Whatever keeps the sid out of the record calls a person."""
    sending.conversations.fail("record_sent", Fault.UNFORESEEN)
    assert "unexpected_error" == failure_of(sending).code


@pytest.mark.parametrize(
    "changes",
    [{"status": Status.RETRY}, {"status": Status.SENT, "sid": "SM2"}],
    ids=["not sending", "another sid"],
)
def test_a_record_in_another_state_is_not_overwritten(
    sending: World, changes: dict[str, object]
) -> None:
    """Another state, or another sid, is for a person to look at."""
    sending.conversations.alter(KEY, **changes)
    assert "record_not_sending" == failure_of(sending).code
    assert [] == sending.conversations.writes


def test_a_record_that_is_gone_is_critical(world: World) -> None:
    """No record at all cannot take the sid."""
    assert "record_not_sending" == failure_of(world).code


def test_the_error_carries_what_should_have_been_written(sending: World) -> None:
    """Ids, tokens and duration, so that a person can repair the record by hand."""
    sending.conversations.fail("record_sent", Fault.REFUSED)
    expected = {
        "conversation_status": "initial_message_sent",
        "message_sid": "SM1",
        "thread_id": "conv_1",
        "message_id": "resp_1",
        "prompt_tokens": 120,
        "completion_tokens": 40,
        "total_tokens": 160,
        "initial_processing_time_ms": 1000,
    }
    assert expected == failure_of(sending).fields


def test_the_error_is_the_alarms_line(sending: World) -> None:
    """Level and event are what the metric filter looks for."""
    sending.conversations.fail("record_sent", Fault.REFUSED)
    error = failure_of(sending)
    assert (CRITICAL, LogEvent.FINAL_DB_UPDATE_FAILED) == (error.log_level, error.event)


def test_the_error_tells_neither_text_nor_number(sending: World) -> None:
    """What was written to whom stays out of the log."""
    sending.conversations.fail("record_sent", Fault.UNFORESEEN)
    error = failure_of(sending)
    told = f"{error} {error.fields}"
    for private in (contexts.RECIPIENT, contexts.SENDER, *ANSWER.variables.values()):
        assert private not in told
