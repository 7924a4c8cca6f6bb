"""What nobody foresaw is told, counted and recorded with the step at which it happened."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import pytest

from lambda_src.core.contract import Status
from lambda_src.core.errors import CredentialsRefused, Step
from lambda_src.core.metric_names import Kind
from tests.unit import contexts
from tests.unit.contexts import body, without
from tests.unit.fakes.clock import START
from tests.unit.fakes.conversations import Record
from tests.unit.fakes.faults import Fault, Unforeseen
from tests.unit.fakes.world import KEY, World
from tests.unit.fakes.writer import ANSWER
from tests.unit.log_lines import LogLines
from tests.unit.samples import INTENT


@dataclass(frozen=True)
class Case:
    """A step at which something happens that nobody foresaw, and what the record then says."""

    step: Step
    go_wrong: Callable[[World], None]
    status: Status | None = Status.RETRY
    text: str = body(contexts.valid())
    receive_count: int = 1


def open_send(world: World) -> None:
    """Let a send be open, and the look for it fail."""
    world.conversations.records[KEY] = Record(
        KEY, Status.SENDING, START, owner="another", answer=ANSWER, intent=INTENT
    )
    world.clock.advance(world.timing.send_span)
    world.sender.fail_listing(Unforeseen())


def unfit_answer(world: World) -> None:
    """Let the AI answer with variables that are no texts."""
    no_texts: Any = dict.fromkeys(ANSWER.variables)
    world.writer.answer = replace(ANSWER, variables=no_texts)


def refuse_credentials(world: World) -> None:
    """Let the vendor refuse the credentials, and the reading of fresh ones fail."""
    world.sender.fail(CredentialsRefused("twilio_20003", Step.SEND))
    world.sender.during = lambda: world.secrets.fail("credentials", Unforeseen())


CASES = [
    Case(Step.CLAIM, lambda world: world.conversations.fail("create", Fault.UNFORESEEN), None),
    Case(Step.SECRETS, lambda world: world.secrets.fail("credentials", Unforeseen())),
    Case(Step.SECRETS, lambda world: world.secrets.fail("openai_key", Unforeseen())),
    Case(Step.AI, lambda world: world.writer.fail(Unforeseen())),
    Case(Step.COMPOSE, unfit_answer),
    Case(Step.SEND, lambda world: world.conversations.fail("begin_send", Fault.UNFORESEEN)),
    Case(Step.SEND, refuse_credentials),
    Case(Step.SETTLE, open_send, Status.SENDING, receive_count=2),
    Case(
        Step.RECORD,
        lambda world: world.conversations.fail("record_rejection", Fault.UNFORESEEN),
        None,
        body(without("metadata")),
    ),
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.step)
def test_its_line_tells_the_step_and_the_place(
    world: World, log_lines: LogLines, case: Case
) -> None:
    """One line at ERROR has the step, the error's type and the code's lines, never its text."""
    case.go_wrong(world)

    world.batch().handle([world.delivery(case.text, receive_count=case.receive_count)])

    line = log_lines.of("unexpected_error")
    assert ("ERROR", case.step) == (line["level"], line["failure_step"])
    assert line["error_type"]
    assert line["frames"]
    assert str(Unforeseen()) not in log_lines.text


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.step)
def test_it_is_counted_and_recorded_at_its_step(world: World, case: Case) -> None:
    """The metric and, where the conversation is ours, the record name the same step."""
    case.go_wrong(world)

    world.batch().handle([world.delivery(case.text, receive_count=case.receive_count)])

    assert {(case.step, Kind.TRANSIENT): 1} == world.metrics.failures
    record = world.conversations.records.get(KEY)
    assert case.status is (record.status if record else None)
    if record and record.failure:
        assert ("unexpected_error", case.step) == (record.failure.code, record.failure.step)


def test_at_the_send_nobody_knows_whether_it_went_out(world: World, log_lines: LogLines) -> None:
    """There the outcome is unknown, and its line tells the place all the same."""
    world.sender.fail(Unforeseen())

    world.batch().handle([world.delivery(body(contexts.valid()))])

    line = log_lines.of("send_outcome_pending")
    assert ("unexpected_error", "send") == (line["failure_code"], line["failure_step"])
    assert "Unforeseen" == line["error_type"]
    assert str(Unforeseen()) not in log_lines.text
