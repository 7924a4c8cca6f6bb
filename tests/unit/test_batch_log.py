"""What a batch logs: events, levels and ids, and nothing personal."""

from collections.abc import Callable
from dataclasses import dataclass

import pytest

from lambda_src.core.contract import Status
from lambda_src.core.errors import (
    AccountRefused,
    PermanentFailure,
    RateLimited,
    Step,
    TransientFailure,
)
from lambda_src.core.send_errors import SendOutcomeUnknown
from tests.unit import contexts
from tests.unit.contexts import body, changed, without
from tests.unit.fakes.clock import START
from tests.unit.fakes.conversations import Record
from tests.unit.fakes.faults import Fault, Unforeseen
from tests.unit.fakes.world import KEY, World
from tests.unit.fakes.writer import ANSWER
from tests.unit.log_lines import LogLines

PRIVATE = (
    contexts.RECIPIENT,
    contexts.SENDER,
    "amara@example.org",
    "Amara",
    "Okafor",
    "Tom Reed",
    "Operative",
    "router-key-1",
    "sk-1",
    "token-1",
    "canary",
    *ANSWER.variables.values(),
)


@dataclass(frozen=True)
class Case:
    """Something that goes wrong, and the line that tells it."""

    event: str
    level: str
    go_wrong: Callable[[World], None]
    text: str = body(contexts.valid())
    receive_count: int = 1


UNSETTLED = Record(KEY, Status.SENDING, START, owner="another")

CASES = [
    Case("body_not_json", "ERROR", lambda _: None, "canary {"),
    Case("body_not_object", "ERROR", lambda _: None, '["canary"]'),
    Case("context_invalid", "ERROR", lambda _: None, body(without("metadata"))),
    Case(
        "phone_not_e164",
        "ERROR",
        lambda _: None,
        body(changed("frontend_payload.recipient_data.recipient_tel", "canary")),
    ),
    Case(
        "secret_missing",
        "ERROR",
        lambda world: world.secrets.twilio_credentials.stored.clear(),
    ),
    Case(
        "openai_500",
        "WARNING",
        lambda world: world.writer.fail(TransientFailure("openai_500", Step.AI)),
    ),
    Case(
        "twilio_20429",
        "WARNING",
        lambda world: world.sender.fail(RateLimited("twilio_20429", Step.SEND)),
    ),
    Case(
        "twilio_21610",
        "ERROR",
        lambda world: world.sender.fail(PermanentFailure("twilio_21610", Step.SEND)),
    ),
    Case(
        "vendor_account_refused",
        "CRITICAL",
        lambda world: world.writer.fail(AccountRefused("openai_insufficient_quota", Step.AI)),
    ),
    Case(
        "vendor_account_refused",
        "CRITICAL",
        lambda world: world.sender.fail(PermanentFailure("twilio_63007", Step.SEND, alarm=True)),
    ),
    Case(
        "send_outcome_pending",
        "ERROR",
        lambda world: world.sender.fail(SendOutcomeUnknown("twilio_500", Step.SEND)),
    ),
    Case(
        "send_outcome_unknown",
        "CRITICAL",
        lambda world: world.conversations.records.update({KEY: UNSETTLED}),
        receive_count=10,
    ),
    Case("receives_used_up", "ERROR", lambda _: None, receive_count=10),
    Case(
        "final_db_update_failed",
        "CRITICAL",
        lambda world: world.conversations.fail("record_sent", Fault.REFUSED),
    ),
    Case(
        "unexpected_error",
        "ERROR",
        lambda world: world.conversations.fail("create", Fault.UNFORESEEN),
    ),
]


def handle(world: World, text: str, receive_count: int = 1) -> None:
    """Work on a batch of one message."""
    world.batch().handle([world.delivery(text, receive_count=receive_count)])


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.event)
def test_each_failure_has_its_event_and_level(
    world: World, log_lines: LogLines, case: Case
) -> None:
    """One line tells a failure, between the batch's first and last line."""
    case.go_wrong(world)
    handle(world, case.text, case.receive_count)
    assert ["batch_received", case.event, "batch_finished"] == log_lines.events
    assert case.level == log_lines.of(case.event)["level"]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.event)
def test_each_failures_line_names_its_message(
    world: World, log_lines: LogLines, case: Case
) -> None:
    """Every failure can be traced to its queue message, and its conversation where it is known."""
    case.go_wrong(world)
    handle(world, case.text, case.receive_count)
    line = log_lines.of(case.event)
    assert "message-1" == line["sqs_message_id"]
    if case.text.startswith("{"):
        expected = (contexts.CONVERSATION, "request-1")
        assert expected == (line["conversation_id"], line["request_id"])


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.event)
def test_no_failure_logs_anything_personal(world: World, log_lines: LogLines, case: Case) -> None:
    """No number, name, address, text or secret, whatever went wrong."""
    case.go_wrong(world)
    handle(world, case.text, case.receive_count)
    assert not [private for private in PRIVATE if private in log_lines.text]


def test_a_send_is_logged_with_its_sid(world: World, log_lines: LogLines) -> None:
    """The line of success carries all four ids at the top level."""
    handle(world, body(contexts.valid()))
    line = log_lines.of("message_sent")
    expected = ("INFO", contexts.CONVERSATION, "request-1", "message-1", world.record.sid)
    names = ("level", "conversation_id", "request_id", "sqs_message_id", "message_sid")
    assert expected == tuple(line[name] for name in names)


def test_a_send_logs_nothing_personal(world: World, log_lines: LogLines) -> None:
    """Nor does success tell who was written to, and what."""
    document = contexts.complete()
    del document["company_data_payload"]["ai_config"]["openai_config"]["whatsapp"]["assistant"]
    handle(world, body(document))
    assert "message_sent" in log_lines.events
    assert not [private for private in PRIVATE if private in log_lines.text]


def test_a_failures_line_tells_code_step_and_receive_count(
    world: World, log_lines: LogLines
) -> None:
    """What a person needs to know stands in fields of its own."""
    world.sender.fail(RateLimited("twilio_20429", Step.SEND))
    handle(world, body(contexts.valid()), receive_count=3)
    line = log_lines.of("twilio_20429")
    assert ("twilio_20429", "send", 3) == (
        line["failure_code"],
        line["failure_step"],
        line["receive_count"],
    )


def test_a_message_already_sent_is_a_warning(world: World, log_lines: LogLines) -> None:
    """A second delivery of a sent message warns, and is acknowledged."""
    handle(world, body(contexts.valid()))
    handle(world, body(contexts.valid()), receive_count=2)
    assert "WARNING" == log_lines.of("already_processed")["level"]


def test_an_unexpected_error_tells_its_place_and_not_its_text(
    world: World, log_lines: LogLines
) -> None:
    """The type and the code's lines are told; the text may quote anything."""
    world.conversations.fail("create", Fault.UNFORESEEN)
    handle(world, body(contexts.valid()))
    line = log_lines.of("unexpected_error")
    assert "Unforeseen" == line["error_type"]
    assert any(frame.startswith("take:") for frame in line["frames"])
    assert str(Unforeseen()) not in log_lines.text


def test_the_batchs_last_line_counts_its_failures(world: World, log_lines: LogLines) -> None:
    """How many came, and how many must come again."""
    deliveries = [
        world.delivery(body(contexts.valid()), message_id="good"),
        world.delivery("", message_id="bad"),
    ]
    world.batch().handle(deliveries)
    line = log_lines.of("batch_finished")
    assert (2, 1) == (line["messages"], line["failed"])


def test_a_settled_send_is_logged_with_its_sid(world: World, log_lines: LogLines) -> None:
    """A repaired record names the sid that was found, and after how many looks."""
    world.sender.lose_answer()
    handle(world, body(contexts.valid()))
    world.clock.advance(world.timing.send_span)
    handle(world, body(contexts.valid()), receive_count=2)
    line = log_lines.of("send_settled")
    assert (world.record.sid, 0) == (line["message_sid"], line["looks"])
