"""A failure is told once, and before the record says what nobody asks about any more."""

from collections.abc import Callable
from dataclasses import dataclass

import pytest

from lambda_src.core.contract import Status
from lambda_src.core.errors import PermanentFailure, Step
from tests.unit import contexts
from tests.unit.fakes.clock import START
from tests.unit.fakes.conversations import Record
from tests.unit.fakes.faults import Fault
from tests.unit.fakes.world import KEY, World
from tests.unit.log_lines import LogLines

LAST = 10


def stay_unsettled(world: World) -> None:
    """A send was announced, and nothing is known of it."""
    world.conversations.records[KEY] = Record(KEY, Status.SENDING, START, owner="another")


def refuse_for_good(world: World) -> None:
    """The vendor refuses the message, in a way that a person must mend."""
    world.sender.fail(PermanentFailure("twilio_63007", Step.SEND, alarm=True))


@dataclass(frozen=True)
class End:
    """How a conversation ends, what write says so, and the line that calls a person."""

    write: str
    event: str
    go_wrong: Callable[[World], None]
    receive_count: int


ENDS = [
    End("declare_unknown", "send_outcome_unknown", stay_unsettled, LAST),
    End("record_failure", "vendor_account_refused", refuse_for_good, 1),
]


def handle(world: World, receive_count: int) -> None:
    """Work on a batch of one message."""
    body = contexts.body(contexts.valid())
    world.batch().handle([world.delivery(body, receive_count=receive_count)])


@pytest.mark.parametrize("end", ENDS, ids=lambda end: end.event)
def test_a_person_is_called_before_the_record_ends(
    world: World, log_lines: LogLines, end: End
) -> None:
    """A function killed just after that write has called already: no later delivery would."""
    told: list[str] = []
    end.go_wrong(world)
    world.conversations.before[end.write] = lambda: told.extend(log_lines.events)
    handle(world, end.receive_count)
    assert end.event in told
    assert "CRITICAL" == log_lines.of(end.event)["level"]


def test_an_unknown_send_that_cannot_be_recorded_says_so(world: World, log_lines: LogLines) -> None:
    """The person is called all the same, and the log tells that the record stays `sending`."""
    stay_unsettled(world)
    world.conversations.fail("declare_unknown", Fault.UNAVAILABLE)
    handle(world, LAST)
    assert "CRITICAL" == log_lines.of("send_outcome_unknown")["level"]
    line = log_lines.of("status_write_failed")
    assert ("ERROR", "ledger_unavailable") == (line["level"], line["failure_code"])
