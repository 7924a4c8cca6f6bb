"""Checks of the running channel: outcomes of messages under faults, invalid input, log privacy."""

import json
from collections.abc import Callable, Iterator
from typing import Any

from conformance.aws_account import FaultPoint
from conformance.runner import ChannelRunner, Outcome, running
from conformance.subject import Subject
from lambda_src.core import LogEvent, Status

PERSONAL_DATA = {
    "frontend_payload.company_data.api_key": "canary-of-the-routers-key",
    "frontend_payload.recipient_data.recipient_first_name": "Canarybird",
    "frontend_payload.recipient_data.recipient_last_name": "Canarysson",
    "frontend_payload.recipient_data.recipient_email": "canary@example.org",
    "frontend_payload.project_data": {"canary_field": "canary of the project"},
}
"""Personal data and secrets that no log line may contain."""
REFUSED_RECEIVES = 3
"""Number of deliveries of a message that is refused each time in the same way."""
_CANARIES = ("Canarybird", "Canarysson", "canary@example.org", "canary-of", "canary of", "canary:")


def check_send(subject: Subject) -> Iterator[str]:
    """Check that a valid context object becomes one message, and that the record says so."""
    with running(subject) as runner:
        outcome = runner.process()
    yield from _unless_sent(outcome, "a valid context object")
    field = subject.parts.addressing.recipient_field
    if outcome.record.get("primary_channel") != _recipient(subject, field):
        yield f"the record's key is not the recipient's {field}"
    if outcome.record.get("channel_method") != subject.name:
        yield "the record does not name its channel"
    if len(outcome.record.get("messages", [])) != 1:
        yield "the record's history is not the one message"


def check_aws_faults(subject: Subject) -> Iterator[str]:
    """Check that one message is sent and recorded whichever call to AWS fails."""
    with running(subject) as runner:
        runner.process()
        for call in dict.fromkeys(runner.account.calls.names):
            for point in FaultPoint:
                outcome = runner.process(fault=(call, point))
                yield from _unless_sent(outcome, f"{call} that fails {point.value}")


def check_reconciliation(subject: Subject) -> Iterator[str]:
    """Check that an accepted send with a lost response is not repeated, and is found if listed."""
    with running(subject) as runner:
        lose = runner.vendor.lose_next_response
        outcome = runner.process(prepare=lambda: lose(accepted=True))
    what = "an accepted send whose response is lost"
    if subject.parts.has_message_list:
        yield from _unless_sent(outcome, f"{what}, which `find` must find (has_message_list)")
    else:
        yield from _unless_unknown(outcome, what, accepted=1)


def check_unknown_send(subject: Subject) -> Iterator[str]:
    """Check that a send that the vendor never lists becomes unknown, with an alarm, once."""
    with running(subject) as runner:
        lose = runner.vendor.lose_next_response
        outcome = runner.process(prepare=lambda: lose(accepted=False))
    yield from _unless_unknown(outcome, "a send that the vendor does not list", accepted=0)


def check_rejection(subject: Subject) -> Iterator[str]:
    """Check that a message that the vendor rejects is a dead-letter message with its reason."""
    with running(subject) as runner:
        outcome = runner.process(prepare=runner.vendor.reject_next_send)
    what = outcome.describe("a message that the vendor rejects")
    if outcome.accepted:
        yield f"{what}: something is sent"
    if not outcome.is_dead:
        yield f"{what}: it is no dead-letter message"
    if outcome.status != Status.FAILED or "failure" not in outcome.record:
        yield f"{what}: the record says {outcome.status}, and not why"


def check_rate_limit(subject: Subject) -> Iterator[str]:
    """Check that a message that the vendor rate-limits is sent later, once."""
    with running(subject) as runner:
        outcome = runner.process(prepare=runner.vendor.rate_limit_next_send)
    yield from _unless_sent(outcome, "a message that the vendor rate-limits")


def check_invalid_input(subject: Subject) -> Iterator[str]:
    """Check that invalid input is rejected before any request, with the name of the problem."""
    name, field = subject.name, subject.parts.addressing.recipient_field
    credentials = f"company_data_payload.channel_config.{name}.{name}_credentials_id"
    required = (
        "conversation_data.conversation_id",
        f"frontend_payload.recipient_data.{field}",
        "frontend_payload.recipient_data.comms_consent",
        "frontend_payload.request_data.request_id",
        f"company_data_payload.ai_config.openai_config.{name}.api_key_reference",
        f"company_data_payload.channel_config.{name}.company_{name}_number",
        *((credentials,) if subject.parts.has_credentials else ()),
    )
    with running(subject, REFUSED_RECEIVES) as runner:
        for path in required:
            outcome = runner.process(_with(subject, {path: None}))
            yield from _unless_refused(runner, outcome, f"a context object without {path}", path)
        for body in ("", "no JSON", "[]"):
            yield from _unless_refused(runner, runner.process(body), f"the body {body!r}", "body")


def check_foreign_input(subject: Subject) -> Iterator[str]:
    """Check that a context object for another channel or with another's secret is rejected."""
    config = f"company_data_payload.channel_config.{subject.name}"
    foreign: dict[str, object] = {
        "frontend_payload.request_data.channel_method": "another",
        "company_data_payload.allowed_channels": ["another"],
        "frontend_payload.recipient_data.comms_consent": False,
    }
    if subject.parts.has_credentials:
        foreign[f"{config}.{subject.name}_credentials_id"] = "another/prefix/credentials"
    with running(subject, REFUSED_RECEIVES) as runner:
        for path, value in foreign.items():
            outcome = runner.process(_with(subject, {path: value}))
            what = f"a context object with another {path}"
            yield from _unless_refused(runner, outcome, what, path)


def check_log_privacy(subject: Subject) -> Iterator[str]:
    """Check that no log line contains personal data, message text or a secret."""
    name = subject.name
    sender = f"company_data_payload.channel_config.{name}.company_{name}_number"
    body = _with(subject, PERSONAL_DATA)
    invalid = _with(subject, PERSONAL_DATA | {sender: "canary: no sender"})
    with running(subject) as runner:
        vendor = runner.vendor
        cases: dict[str, Callable[[], Outcome]] = {
            "a sent message": lambda: runner.process(body),
            "a rejected message": lambda: runner.process(body, prepare=vendor.reject_next_send),
            "a message with a lost response": lambda: runner.process(
                body, prepare=lambda: vendor.lose_next_response(accepted=False)
            ),
            "an invalid context object": lambda: runner.process(invalid),
        }
        for what, process in cases.items():
            outcome = process()
            found = [value for value in _private(runner, outcome) if _is_logged(outcome, value)]
            if found:
                yield f"{what}: the log contains {len(found)} private values"


def _unless_sent(outcome: Outcome, what: str) -> Iterator[str]:
    what = outcome.describe(what)
    if len(outcome.accepted) != 1:
        yield f"{what}: the vendor accepted {len(outcome.accepted)} messages"
    if outcome.is_dead:
        yield f"{what}: it is a dead-letter message"
    if outcome.status != Status.SENT:
        yield f"{what}: the record says {outcome.status}"
    elif outcome.record.get("message_sid") not in outcome.accepted:
        yield f"{what}: the record's sid is not the vendor's"


def _unless_unknown(outcome: Outcome, what: str, *, accepted: int) -> Iterator[str]:
    what = outcome.describe(what)
    if len(outcome.accepted) != accepted:
        yield f"{what}: the vendor accepted {len(outcome.accepted)} messages"
    if outcome.status != Status.SEND_UNKNOWN:
        yield f"{what}: the record says {outcome.status}"
    if LogEvent.SEND_OUTCOME_UNKNOWN not in outcome.events("CRITICAL"):
        yield f"{what}: no CRITICAL line has the event {LogEvent.SEND_OUTCOME_UNKNOWN}"
    if not outcome.is_dead:
        yield f"{what}: it is no dead-letter message"


def _unless_refused(runner: ChannelRunner, outcome: Outcome, what: str, path: str) -> Iterator[str]:
    what = outcome.describe(what)
    if outcome.accepted or runner.openai.requests:
        yield f"{what}: a vendor gets a request"
    if not outcome.is_dead:
        yield f"{what}: it is no dead-letter message"
    if outcome.record and outcome.status != Status.FAILED:
        yield f"{what}: the record says {outcome.status}"
    if not any(path in line for line in outcome.lines):
        yield f"{what}: no log line names {path}"


def _private(runner: ChannelRunner, outcome: Outcome) -> Iterator[str]:
    subject = runner.subject
    yield _recipient(subject, subject.parts.addressing.recipient_field)
    yield from _CANARIES
    yield from runner.vendor.secret.values()
    yield from (str(message["content"]) for message in outcome.record.get("messages", []))


def _is_logged(outcome: Outcome, value: str) -> bool:
    escaped = json.dumps(value)[1:-1]
    return any(value in line or escaped in line for line in outcome.lines)


def _recipient(subject: Subject, field: str) -> str:
    return str(subject.context()["frontend_payload"]["recipient_data"][field])


def _with(subject: Subject, changes: dict[str, Any]) -> dict[str, Any]:
    # The valid context object with other values at these paths; None removes one.
    document = subject.context()
    for path, value in changes.items():
        *parents, name = path.split(".")
        part = document
        for parent in parents:
            part = part[parent]
        if value is None:
            del part[name]
        else:
            part[name] = value
    return document
