"""What must hold of every message, whatever goes wrong on its way."""

from collections.abc import Callable, Iterator
from typing import Any

from conformance.bench import Bench, Ending, bench
from conformance.boundaries import Moment
from conformance.subject import Subject, Vendor
from lambda_src.core.contract import LogEvent, Status


def sends_and_records(subject: Subject) -> Iterator[str]:
    """A good context object becomes one message, and its record says so."""
    with bench(subject) as at_work:
        end = at_work.end_of(at_work.body())
    yield from _unless_sent(end, "a good context object")
    addressing, recipient = subject.parts.addressing, _recipient(subject.context())
    if end.record.get("primary_channel") != recipient[addressing.recipient_field]:
        yield f"the record's key is not the recipient's {addressing.recipient_field}"
    if end.record.get("channel_method") != subject.name:
        yield "the record does not name its channel"
    if len(end.record.get("messages", [])) != 1:
        yield "the record's history is not the one message"


def keeps_the_ledgers_rules(subject: Subject) -> Iterator[str]:
    """Whichever call to AWS fails, before or after its effect, one message is sent and recorded."""
    with bench(subject) as at_work:
        at_work.end_of(at_work.body())
        calls = tuple(dict.fromkeys(at_work.account.boundaries.calls))
        for call in calls:
            for moment in Moment:
                end = at_work.end_of(at_work.body(), fails=(call, moment))
                yield from _unless_sent(end, f"{call} that fails {moment.value}")


def settles_what_was_accepted(subject: Subject) -> Iterator[str]:
    """A send whose answer is lost is found at the vendor, and recorded without a second one."""
    with bench(subject) as at_work:
        at_work.end_of(at_work.body())
        end = _with_lost_answer(at_work, accepted=True)
    yield from _unless_sent(end, "a send whose answer is lost")


def calls_a_person_for_what_it_cannot_settle(subject: Subject) -> Iterator[str]:
    """A send that the vendor never lists is declared unknown, with an alarm, and not repeated."""
    with bench(subject) as at_work:
        at_work.end_of(at_work.body())
        end = _with_lost_answer(at_work, accepted=False)
    what = "a send that the vendor does not list"
    if end.accepted:
        yield f"{what}: it is sent again"
    if end.status != Status.SEND_UNKNOWN:
        yield f"{what}: the record says {end.status}"
    if LogEvent.SEND_OUTCOME_UNKNOWN not in end.events("CRITICAL"):
        yield f"{what}: no line of {LogEvent.SEND_OUTCOME_UNKNOWN} calls a person"
    if not end.is_dead:
        yield f"{what}: it is no dead letter"


def ends_what_is_refused(subject: Subject) -> Iterator[str]:
    """A message that the vendor refuses for good is a dead letter, whose record says why."""
    with bench(subject) as at_work:
        end = _with(at_work, lambda vendor: vendor.refuse_the_next())
    yield from _unless_refused(end, "a message that the vendor refuses")


def waits_for_a_busy_vendor(subject: Subject) -> Iterator[str]:
    """A vendor that has too much to do gets the message later, once."""
    with bench(subject) as at_work:
        end = _with(at_work, lambda vendor: vendor.be_busy_at_the_next())
    yield from _unless_sent(end, "a message that a busy vendor turns away")


def _with_lost_answer(at_work: Bench, *, accepted: bool) -> Ending:
    return _with(at_work, lambda vendor: vendor.lose_the_next_answer(accepted=accepted))


def _with(at_work: Bench, prepare: Callable[[Vendor], object]) -> Ending:
    return at_work.end_of(at_work.body(), prepare=lambda: prepare(at_work.vendor))


def _unless_sent(end: Ending, what: str) -> Iterator[str]:
    if len(end.accepted) != 1:
        yield f"{what}: the vendor accepted {len(end.accepted)} messages"
    if end.is_dead:
        yield f"{what}: it is a dead letter"
    if end.status != Status.SENT:
        yield f"{what}: the record says {end.status}"
    elif end.record.get("message_sid") not in end.accepted:
        yield f"{what}: the record's sid is not the vendor's"


def _unless_refused(end: Ending, what: str) -> Iterator[str]:
    if end.accepted:
        yield f"{what}: something is sent"
    if not end.is_dead:
        yield f"{what}: it is no dead letter"
    if end.status != Status.FAILED or "failure" not in end.record:
        yield f"{what}: the record says {end.status}, and not why"


def _recipient(context: dict[str, Any]) -> dict[str, Any]:
    recipient: dict[str, Any] = context["frontend_payload"]["recipient_data"]
    return recipient
