"""The promise: at most once automatically, never silently lost, every unknown send alarmed.

Whatever goes wrong, in whatever order: a message is delivered until it is acknowledged or ends as a
dead letter, as SQS does it, and then phone, record and log must agree.
"""

from collections.abc import Callable
from dataclasses import dataclass

from hypothesis import given, settings
from hypothesis import strategies as st

from lambda_src.core.contract import Status
from lambda_src.core.errors import (
    CredentialsRefused,
    PermanentFailure,
    RateLimited,
    SendOutcomeUnknown,
    Step,
    TransientFailure,
)
from tests.unit import contexts
from tests.unit.fakes.conversations import Record
from tests.unit.fakes.faults import Fault, Unforeseen
from tests.unit.fakes.world import KEY, World
from tests.unit.log_lines import configured

VISIBILITY = 90.0
"""Seconds after which the message of a function that died is shown again."""
WRITES = ("create", "take_over", "store_answer", "begin_send", "record_sent", "record_failure")
SETTLING = ("count_look", "declare_unknown", "recorded_sids")
FAULTS = (Fault.UNAVAILABLE, Fault.REFUSED, Fault.ANSWER_LOST, Fault.REPEATED, Fault.UNFORESEEN)


class Died(BaseException):
    """The function's process is gone, in the middle of its work."""


def die() -> None:
    """End as a process does that runs out of memory."""
    raise Died


@dataclass(frozen=True)
class Trouble:
    """Something that goes wrong, once."""

    name: str
    make: Callable[[World], object]

    def __repr__(self) -> str:
        return self.name


def table_fails(call: str, fault: Fault) -> Trouble:
    """A write to the table goes wrong."""
    return Trouble(f"{call} {fault.name}", lambda world: world.conversations.fail(call, fault))


def dies_before(call: str) -> Trouble:
    """The function dies just before a write to the table."""
    return Trouble(
        f"dies before {call}", lambda world: world.conversations.before.update({call: die})
    )


def ai_fails(error: Exception) -> Trouble:
    """The AI does not write."""
    return Trouble(f"AI: {error!r}", lambda world: world.writer.fail(error))


def send_fails(error: Exception) -> Trouble:
    """The vendor does not accept."""
    return Trouble(f"send: {error!r}", lambda world: world.sender.fail(error))


def listing_fails(error: Exception) -> Trouble:
    """The vendor does not list."""
    return Trouble(f"list: {error!r}", lambda world: world.sender.fail_listing(error))


def stall(world: World) -> None:
    """Let the worker be held up between its intent and its send."""
    world.conversations.before["begin_send"] = lambda: world.clock.advance(20)


TROUBLES = [
    *(table_fails(call, fault) for call in WRITES for fault in FAULTS),
    *(table_fails(call, Fault.UNAVAILABLE) for call in SETTLING),
    *(dies_before(call) for call in WRITES),
    ai_fails(TransientFailure("openai_500", Step.AI)),
    ai_fails(Unforeseen()),
    send_fails(TransientFailure("twilio_unreachable", Step.SEND)),
    send_fails(RateLimited("twilio_20429", Step.SEND)),
    send_fails(CredentialsRefused("twilio_20003", Step.SEND)),
    send_fails(PermanentFailure("twilio_21211", Step.SEND)),
    send_fails(SendOutcomeUnknown("twilio_500", Step.SEND)),
    send_fails(Unforeseen()),
    listing_fails(TransientFailure("twilio_503", Step.SETTLE)),
    listing_fails(Unforeseen()),
    Trouble("accepted, answer lost", lambda world: world.sender.lose_answer()),
    Trouble("list lags", lambda world: setattr(world.sender, "is_listing", False)),
    Trouble("stalls", stall),
]
CERTAINLY_NOT_SENT = {Status.RETRY, Status.FAILED}


@dataclass(frozen=True)
class End:
    """How a message ended."""

    is_acknowledged: bool
    sids: list[str]
    record: Record | None
    levels: set[str]


def live_through(world: World, troubles: list[Trouble]) -> End:
    """Deliver a valid message until it is acknowledged or dead, through all the trouble."""
    for trouble in troubles:
        trouble.make(world)
    with configured() as lines:
        counts = range(1, world.queue.receives_allowed + 1)
        is_acknowledged = any(is_deleted_after(world, count) for count in counts)
        return End(
            is_acknowledged,
            [accepted.sid for accepted in world.sender.sent],
            world.conversations.records.get(KEY),
            {line["level"] for line in lines.all},
        )


def is_deleted_after(world: World, receive_count: int) -> bool:
    """Deliver once, and wait until SQS would deliver again."""
    world.begin_invocation()
    delivery = world.delivery(contexts.body(contexts.valid()), receive_count=receive_count)
    try:
        failed = world.batch(1).handle([delivery])
    except Died:
        failed = [delivery.message_id]
    world.clock.advance(world.queue.shown_again.get(delivery.receipt_handle, VISIBILITY))
    return not failed


some_trouble = st.lists(st.sampled_from(TROUBLES), max_size=5)


@settings(max_examples=100)
@given(some_trouble)
def test_phone_record_and_log_agree(troubles: list[Trouble]) -> None:
    """Sent at most once; deleted only if sent; a record never lies; the unknown calls a person."""
    end = live_through(World(), troubles)
    assert len(end.sids) <= 1
    if end.is_acknowledged:
        assert end.record
        assert (Status.SENT, end.sids) == (end.record.status, [end.record.sid])
    elif end.sids:
        assert "CRITICAL" in end.levels
    if end.record and end.record.status in CERTAINLY_NOT_SENT:
        assert [] == end.sids
    if end.record and end.record.status is Status.SENT:
        assert end.sids == [end.record.sid]


def test_without_trouble_the_first_delivery_is_the_last() -> None:
    """A clean run is acknowledged at once, and logs nothing that anybody need look at."""
    world = World()
    end = live_through(world, [])
    assert (True, 1, {"INFO"}) == (end.is_acknowledged, len(end.sids), end.levels)


def test_every_single_trouble_is_outlived() -> None:
    """One thing going wrong never costs a message, unless it was refused or stays unknown."""
    lost = {t.name for t in TROUBLES if not live_through(World(), [t]).is_acknowledged}
    expected = {
        "send: PermanentFailure('twilio_21211 at send')",
        "send: SendOutcomeUnknown('twilio_500 at send')",
        f"send: {Unforeseen()!r}",
    }
    assert expected == lost
