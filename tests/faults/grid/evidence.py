"""What a world shows of its conversation, for the rules to judge."""

from collections.abc import Iterable, Iterator, Sequence

from lambda_src.core.contract import Status
from tests.faults.grid.calls import GENERATIONS, SEND
from tests.faults.grid.journal import Event, Happening, RecordState
from tests.faults.grid.world import World
from tests.faults.rules import Evidence, Place

ALARMS = frozenset({"final_db_update_failed", "send_outcome_unknown"})
"""Events of the lines that call a person about one conversation."""


def evidence_of(
    world: World,
    messages: Sequence[str],
    *,
    releases: int,
    is_over: bool,
    is_refused: bool,
    back_after: float | None,
) -> Evidence:
    """What the world shows now.

    Args:
        world: The world.
        messages: The ids of the queue messages that were about the conversation.
        releases: How often a person released it.
        is_over: Whether nothing will change by itself any more.
        is_refused: Whether what was asked for cannot be sent.
        back_after: Seconds after which a killed worker's message is to be seen again.
    """
    record, events = world.record, world.journal.events
    return Evidence(
        sids=tuple(message["sid"] for message in world.services.twilio.messages()),
        places=tuple(world.queue.place(message) for message in messages),
        status=record.status,
        recorded_sid=record.sid,
        is_alarmed=any(_is_alarm(line) for runner in world.runners for line in runner.lines()),
        releases=releases,
        asked_again=sum(_asks_again(event) for event in events),
        acts_without_lease=tuple(map(str, acts_without_lease(events))),
        is_over=is_over,
        is_refused=is_refused,
        back_after=back_after,
    )


def is_settled_somehow(evidence: Evidence, record: RecordState) -> bool:
    """Whether a conversation that is left alone ended so that nobody has to search for it.

    That is: recorded as sent, or alarmed, or among the dead letters with its reason in the record.
    """
    is_dead = set(evidence.places) <= {Place.DEAD, Place.DELETED} and bool(record.failure)
    return record.status == Status.SENT or evidence.is_alarmed or is_dead


def acts_without_lease(events: Iterable[Event]) -> Iterator[Event]:
    """What workers did after another worker had taken the conversation from them.

    Writes that were applied and messages that were accepted; the record of a sid is the truth,
    whoever writes it.
    """
    holder, holders = 0, set()
    for event in events:
        if event.what is not Happening.APPLIED:
            continue
        if event.after.owner != event.before.owner:
            holder = event.worker
            holders.add(holder)
        elif event.worker in holders - {holder} and _is_act(event):
            yield event


def _is_act(event: Event) -> bool:
    if event.call.kind == SEND:
        return event.status < 300
    records_a_sid = bool(event.after.sid and not event.before.sid)
    return event.before != event.after and not records_a_sid


def _asks_again(event: Event) -> bool:
    is_asked = event.call.kind in GENERATIONS and event.what is Happening.ARRIVED
    return is_asked and event.before.has_answer


def _is_alarm(line: dict[str, object]) -> bool:
    return line.get("level") == "CRITICAL" and line.get("event") in ALARMS
