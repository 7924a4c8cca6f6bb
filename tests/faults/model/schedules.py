"""Schedules as text: a line of steps that people can read, keep and replay.

A schedule may begin with its settings: `begin`, the queue's maximum receives, and (0 or 1) whether
no two texts are the same, the AI takes longer than a lease, and late effects come last; then, if
they are not 0, a value of `Callbacks`, and whether failed checks are only reported.
"""

# ruff: noqa: E501 - a table's rows are long

import re
from collections.abc import Iterable
from enum import IntEnum, StrEnum
from typing import NamedTuple

_NUMBER = re.compile(r"-?\d+")


class Callbacks(IntEnum):
    """What becomes of callbacks: all that no step posts are lost, or they arrive."""

    LOST = 0
    ARRIVE = 1
    NOT_REQUESTED = 2


class Step(NamedTuple):
    """One decision: an action of the model and its arguments."""

    action: str
    arguments: tuple[int | str, ...] = ()

    def __str__(self) -> str:
        return " ".join((self.action, *map(str, self.arguments)))


Schedule = tuple[Step, ...]


def written(steps: Iterable[Step]) -> str:
    return "; ".join(map(str, steps))


def without_callbacks(schedule: Schedule) -> Schedule:
    """Return the same schedule, but that no send requests callbacks."""
    (_, settings), *steps = schedule
    return (Step("begin", (*settings[:4], Callbacks.NOT_REQUESTED.value, *settings[5:])), *steps)


def read(text: str) -> Schedule:
    """Return the steps of a schedule; line breaks count as blanks."""
    parts = [step.split() for step in text.split(";") if step.strip()]
    return tuple(Step(action, tuple(map(_argument, rest))) for action, *rest in parts)


def _argument(text: str) -> int | str:
    return int(text) if _NUMBER.fullmatch(text) else text


DELIVERED = "arrive 0; deliver 1"
FAILING_SEND = f"{DELIVERED}; fail_at 0 sender.send"
UNRECORDED = f"{DELIVERED}; fail_at 0 store.record_sent ledger_refused"
UNLISTED = f"begin 10 0 0 1; lag; {FAILING_SEND} accepted-answer-lost"
LAST_LOOKUP = f"begin 2 0 0 0; {FAILING_SEND} never-arrived; finish 0; wait_for_queue; deliver 1"
TWO_AT_THE_AI = "arrive 0; arrive 0; deliver 1; run_to 0 before:generator.generate"
INTENT_RECORDED = f"begin 2 0 0 0; {DELIVERED}; run_to 0 after:store.record_intent"
OPTED_OUT = f"{FAILING_SEND} twilio_21610; finish 0; arrive 1"
WORKED = "work 1; work_on"
POSTED = f"post -1 0; {WORKED}"
DELIVERY_ENDED = f"{DELIVERED}; finish 0; report 0 delivered"
DRAFT_HELD = f"write_badly 2 0; {DELIVERED}; finish 0"
SHOWN = f"{DRAFT_HELD}; show 0 0"
NOT_HANDED_OFF = "fail_at 0 hand_off.put hand_off_unavailable; finish 0; wait_for_queue; deliver 1"
HELD_DEAD = f"begin 2 0 0 0; write_badly 2 0; {DELIVERED}; {NOT_HANDED_OFF}; {NOT_HANDED_OFF}"
APPROVED_UNQUEUED = f"{SHOWN}; decide 0 approve 1"
KILLED_AT_THE_AI = f"{DELIVERED}; kill_at 0 before:generator.generate"


class Situation(StrEnum):
    """A situation that random schedules must reach, and a schedule that reaches it."""

    schedule: str

    def __new__(cls, text: str, schedule: str) -> "Situation":
        """Make a member whose value is its text."""
        member = str.__new__(cls, text)
        member._value_, member.schedule = text, schedule
        return member

    # fmt: off
    SENT = "sent and recorded by one worker", f"{DELIVERED}; finish 0"
    RETRIED = "acquired again after a temporary failure", f"{DELIVERED}; fail_at 0 generator.generate openai_500"
    TAKEN_OVER = "taken over after a lease had expired", KILLED_AT_THE_AI
    FENCED_OFF = "a worker that lost its lease was refused a write", f"{TWO_AT_THE_AI}; wait 95; redeliver 0; finish -1; finish 0"
    LEASE_HELD = "a duplicate while another worker held the lease", f"{TWO_AT_THE_AI}; deliver 1; finish -1"
    SENT_ALREADY = "a duplicate after the message was sent", f"{DELIVERED}; finish 0; duplicate 0; finish 0"
    LEASE_EXPIRED = "a lease expired before the intent was recorded", f"{DELIVERED}; run_to 0 after:generator.generate; wait 95; finish 0"
    STALLED = "a worker delayed after its intent did not send", f"{INTENT_RECORDED}; wait 5; finish 0"
    RENEWED = "a lease was renewed by a heartbeat", f"begin 10 0 1 0; {DELIVERED}; finish 0"
    REPEATED = "a write whose answer was lost was repeated by the SDK", f"{DELIVERED}; fail_at 0 store.create repeated-by-sdk"
    APPLIED_LATE = "a write was applied after its caller had given up", f"{DELIVERED}; fail_at 0 store.create applied-late"
    ACCEPTED_LATE = "a message was accepted after its sender had given up", f"{FAILING_SEND} accepted-late; finish 0; apply_late 0"
    KILLED_BEFORE_SEND = "killed between the intent and the send", f"{DELIVERED}; kill_at 0 before:sender.send"
    KILLED_AFTER_SEND = "killed between the send and its record", f"{DELIVERED}; kill_at 0 after:sender.send"
    KILLED_MARKING_UNKNOWN = "killed while marking a send as unknown", f"{LAST_LOOKUP}; kill_at 0 after:store.mark_unknown"
    RAN_TOO_LONG = "a worker went on after its invocation had timed out", f"{INTENT_RECORDED}; wait 400; finish 0"
    UNRECORDED = "sent, but the record could not be written", UNRECORDED
    RECONCILED = "an unknown send was found at the vendor and recorded", f"{FAILING_SEND} accepted-answer-lost"
    NOT_LISTED = "the vendor's list lagged behind a message that it had accepted", UNLISTED
    SAME_TEXT = "the vendor listed messages of the same text of other conversations", f"arrive 1; {FAILING_SEND} accepted-answer-lost"
    MARKED_UNKNOWN = "a send was marked unknown", f"{FAILING_SEND} never-arrived"
    RECORDED_BY_OPERATOR = "an operator found the sid and recorded it", UNLISTED
    RELEASED = "an operator released an unknown send", f"{FAILING_SEND} never-arrived"
    FIXED = "an operator fixed the cause of a failure and released the message", f"{DELIVERED}; fail_at 0 secrets.credentials secret_malformed"
    LAST_RECEIVE = "the last receive only reconciled", f"begin 2 0 0 0; {KILLED_AT_THE_AI}"
    DEAD_LETTER = "a message went to the dead-letter queue", f"{DELIVERED}; fail_at 0 generator.generate openai_400"
    REDRIVEN = "a dead-letter message was redriven", f"begin 2 0 0 0; {DELIVERED}; kill 0"
    REFUSED = "refused for good", f"{FAILING_SEND} twilio_21211"
    SUPPRESSED = "a recipient who had opted out was refused", OPTED_OUT
    ANSWER_REUSED = "a stored answer was sent by a later delivery", f"{FAILING_SEND} twilio_20429"
    SECRET_READ_AGAIN = "a refused secret was read again", f"{FAILING_SEND} twilio_20003"
    SEVERAL_IN_A_BATCH = "several messages in one batch", "arrive 0; arrive 2; deliver 2"
    BATCH_TIMED_OUT = "a batch returned while a message was still in progress", f"{DELIVERED}; run_to 0 before:generator.generate; wait 400; advance 0 0 1"
    HEARTBEAT_HUNG = "a heartbeat hung past the end of its batch", f"{DELIVERED}; advance 0 0 1; hang 0"
    PROVEN = "a callback recorded a send with an unknown outcome", f"{FAILING_SEND} accepted-answer-lost; finish 0; report 0 sent; {POSTED}"
    PROVEN_EARLY = "a callback came before the answer to its send", f"{DELIVERED}; run_to 0 after:sender.send; report 0 sent; {POSTED}; finish 0"
    PROVEN_UNKNOWN = "a callback recorded a send that had been marked unknown", f"begin 2 0 0 1; lag; {FAILING_SEND} accepted-answer-lost; finish 0; wait_for_queue; deliver 1; finish 0; report 0 sent; {POSTED}"
    CALLBACK_REPEATED = "a callback came more than once", f"{DELIVERY_ENDED}; post 0 1; work 1; work_on; {POSTED}"
    CALLBACK_REORDERED = "a callback came after a later one", f"{DELIVERED}; finish 0; report 0 sent; report 0 delivered; {POSTED}; {POSTED}"
    FORGED = "a forged callback was dropped", f"{DELIVERED}; finish 0; forge 0 0 failed; work 1; work_on"
    FOREIGN = "another tenant's callback was dropped", f"{FAILING_SEND} never-arrived; forge 0 1 read; work 1; work_on"
    EVENT_RACED = "a record changed while a callback about it was recorded", f"{DELIVERY_ENDED}; post 0 1; work 1; work_to before:store.record_delivery; {POSTED}"
    EVENT_RETRIED = "a callback was delivered again after a temporary failure", f"{DELIVERY_ENDED}; post 0 0; work 1; work_fail store.record_delivery answer-lost; work_on"
    OPTED_OUT_LATE = "a callback suppressed a recipient who had opted out", f"{DELIVERED}; finish 0; report 0 opted_out; {POSTED}; arrive 1"
    LOOKED_UP = "a lookup found what no callback had reported", f"{DELIVERED}; finish 0; report 0 delivered; wait 3700; schedule; work 1; work_on"
    ASKED_TWICE = "the AI was asked a second time, since its answer failed its checks", f"write_badly 1 0; {DELIVERED}"
    SECOND_LATER = "a later delivery made the second request", f"write_badly 1 0; {DELIVERED}; kill_at 0 after:store.reject_draft"
    HELD = "a draft was held that failed its checks", DRAFT_HELD
    REVIEWED = "a draft was held for a review", "arrive 3; deliver 1; finish 0"
    OLD_HELD = "an unchecked answer of version 1.x failed its checks and was held", "old_record 0 1"
    TEMPLATE_CHANGED = "an approved draft was held again, since its template had changed", f"{SHOWN}; change_template; decide 0 approve 0"
    HANDED_OFF_AGAIN = "a duplicate of a held message was handed off", f"{DRAFT_HELD}; duplicate 0; finish 0"
    HAND_OFF_FAILED = "the hand-off queue did not take a copy", f"write_badly 2 0; {DELIVERED}; fail_at 0 hand_off.put hand_off_unavailable"
    COPY_EXPIRED = "copies on the hand-off queue expired", f"{DRAFT_HELD}; expire"
    APPROVED = "an operator approved a draft", f"{SHOWN}; decide 0 approve 0"
    EDITED = "an operator approved another text", f"{SHOWN}; decide 0 edit_badly 0"
    ONLY_EDITED = "an operator could not approve an empty draft", f"write_badly 2 1; {DELIVERED}; finish 0; show 0 0; decide 0 approve 0"
    REJECTED = "an operator rejected a draft", f"{SHOWN}; decide 0 reject 0"
    DECIDED_LATE = "a decision was refused, since another one had been made", f"{SHOWN}; show 1 0; decide 1 edit 0; decide 0 reject 0"
    QUEUED_AGAIN = "an operator repeated an approval that had been interrupted", f"{APPROVED_UNQUEUED}; repeat 0"
    QUEUED_BY_JOB = "the scheduled job queued an approved message", f"{APPROVED_UNQUEUED}; wait 601; queue_approved 0"
    REJECTED_STAYS = "a redrive left the dead letter of a rejected draft", f"begin 2 0 0 0; {SHOWN}; decide 0 reject 0; arrive 0"
    HELD_REMOVED = "a redrive removed the dead letter of a held draft", f"{HELD_DEAD}; operator 0"
    # fmt: on
