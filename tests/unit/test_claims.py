"""Claiming a conversation: one worker at a time, and nobody after the message was sent."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from lambda_src.core.contract import Status
from lambda_src.core.errors import (
    AlreadyEnded,
    BusyElsewhere,
    LeaseLost,
    LedgerUnavailable,
    PermanentFailure,
    RecordForeign,
    TransientFailure,
)
from lambda_src.core.ledger import Claim, Entry, Intent
from tests.unit import contexts
from tests.unit.fakes.clock import START
from tests.unit.fakes.conversations import Record
from tests.unit.fakes.faults import Fault
from tests.unit.fakes.world import KEY, LEASE, World
from tests.unit.fakes.writer import ANSWER
from tests.unit.samples import INTENT, failure

CONTEXT = contexts.parse(contexts.valid())
OTHERS = Record(KEY, Status.PROCESSING, START - 100, owner="other", attempt=3)


def put(world: World, **changes: object) -> None:
    """Let another worker's record stand in the table."""
    world.conversations.records[KEY] = OTHERS
    world.conversations.alter(KEY, **changes)


def take(world: World) -> Claim | Entry:
    """Claim the conversation as `mine`."""
    return world.claims.take(CONTEXT, "mine", START)


def held(world: World) -> Claim:
    """A claim on the conversation that nobody else wants."""
    taken = take(world)
    assert isinstance(taken, Claim)
    return taken


def test_a_new_conversation_is_claimed(world: World) -> None:
    """The first one to come makes the record and holds it for a lease."""
    assert Claim(KEY, "mine", 1, START + LEASE, START, asked_at=START) == take(world)
    assert ["create"] == world.conversations.writes


def test_a_first_write_that_the_sdk_repeats_is_recognised(world: World) -> None:
    """A record found there is one's own if the owner is: the claim stands."""
    world.conversations.fail("create", Fault.REPEATED)
    assert Claim(KEY, "mine", 1, START + LEASE, START, asked_at=START) == take(world)


def test_a_first_write_without_an_answer_is_no_claim(world: World) -> None:
    """Whether it stands or not: who was not answered does not go on."""
    world.conversations.fail("create", Fault.ANSWER_LOST)
    with pytest.raises(LedgerUnavailable):
        take(world)
    world.clock.advance(10)
    with pytest.raises(BusyElsewhere) as busy:
        world.claims.take(CONTEXT, "next delivery", START)
    assert LEASE - 10 == busy.value.again_in


def test_a_retry_is_taken_over_with_its_answer(world: World) -> None:
    """The next attempt begins where the last one ended."""
    put(world, status=Status.RETRY, answer=ANSWER, failure=failure(Status.RETRY))
    expected = Claim(KEY, "mine", 4, START + LEASE, START, ANSWER, "openai_500", START)
    assert expected == take(world)
    kept = failure(Status.RETRY)
    assert (Status.PROCESSING, kept) == (world.record.status, world.record.failure)


def test_a_lapsed_lease_is_taken_over(world: World) -> None:
    """A worker that crashed keeps nobody waiting longer than its lease."""
    put(world, lease_expires_at=START)
    taken = take(world)
    assert isinstance(taken, Claim)
    assert ("mine", 4) == (taken.owner, taken.attempt) == (world.record.owner, world.record.attempt)


def test_a_live_lease_is_respected(world: World) -> None:
    """Another worker's message comes back about when its lease ends."""
    put(world, lease_expires_at=START + 42.5)
    with pytest.raises(BusyElsewhere) as busy:
        take(world)
    assert 42.5 == busy.value.again_in
    assert "other" == world.record.owner


@pytest.mark.parametrize("status", [Status.SENT, Status.SENDING])
def test_a_send_is_handed_back_as_it_is(world: World, status: Status) -> None:
    """A conversation whose message is sent or under way is not claimed."""
    put(world, status=status, sid="SM1", intent=INTENT)
    found = take(world)
    assert isinstance(found, Entry)
    assert (status, "SM1", INTENT) == (found.status, found.sid, found.intent)
    assert [] == world.conversations.writes


@pytest.mark.parametrize(
    ("status", "code"),
    [(Status.FAILED, "already_failed"), (Status.SEND_UNKNOWN, "already_send_unknown")],
)
def test_an_ended_conversation_is_given_up(world: World, status: Status, code: str) -> None:
    """What failed, or is for a person to decide, is not tried again."""
    put(world, status=status)
    with pytest.raises(AlreadyEnded) as ended:
        take(world)
    assert code == ended.value.code


def test_a_takeover_that_the_sdk_repeats_is_recognised(world: World) -> None:
    """The repeated write finds the new owner, oneself, and the claim stands."""
    put(world, status=Status.RETRY, answer=ANSWER)
    world.conversations.fail("take_over", Fault.REPEATED)
    assert Claim(KEY, "mine", 4, START + LEASE, START, ANSWER, asked_at=START) == take(world)
    assert 4 == world.record.attempt


def test_a_lost_race_for_a_retry_waits_for_the_winner(world: World) -> None:
    """Of two workers that saw the same record, one holds it."""
    put(world, status=Status.RETRY)
    world.conversations.before["take_over"] = lambda: put(
        world, owner="winner", attempt=4, lease_expires_at=START + LEASE
    )
    with pytest.raises(BusyElsewhere):
        take(world)
    assert "winner" == world.record.owner


def test_a_lost_race_may_end_with_the_message_sent(world: World) -> None:
    """The winner may have been so quick that there is nothing left to do."""
    put(world, status=Status.RETRY)
    world.conversations.before["take_over"] = lambda: put(world, status=Status.SENT, sid="SM1")
    found = take(world)
    assert isinstance(found, Entry)
    assert Status.SENT is found.status


def test_a_race_that_does_not_end_is_given_up_for_now(world: World) -> None:
    """A record that changes at every look is left for the next delivery."""
    put(world, status=Status.RETRY)

    def change_again() -> None:
        world.conversations.alter(KEY, attempt=world.record.attempt + 1)
        world.conversations.before["take_over"] = change_again

    world.conversations.before["take_over"] = change_again
    with pytest.raises(TransientFailure) as contended:
        take(world)
    assert "claim_contended" == contended.value.code


def test_a_record_that_vanishes_is_left_for_the_next_delivery(world: World) -> None:
    """A record deleted between two writes is no ground to go on."""
    put(world, status=Status.RETRY)
    world.conversations.before["take_over"] = world.conversations.records.clear
    with pytest.raises(TransientFailure, match="claim_contended"):
        take(world)


def test_a_record_too_large_is_a_permanent_failure(world: World) -> None:
    """What the table cannot hold is not tried again."""
    world.conversations.fail("create", Fault.TOO_LARGE)
    with pytest.raises(PermanentFailure):
        take(world)


def test_renewing_counts_from_now(world: World) -> None:
    """A lease lasts its full length from each renewal on."""
    claim = held(world)
    world.clock.advance(50)
    world.claims.renew(claim)
    assert START + 50 + LEASE == world.record.lease_expires_at


CLAIMED_WRITES = {
    "renew": lambda world, claim: world.claims.renew(claim),
    "announce": lambda world, claim: world.claims.announce(claim, INTENT, ANSWER),
    "keep_answer": lambda world, claim: world.claims.keep_answer(claim, ANSWER),
}


@pytest.mark.parametrize("write", CLAIMED_WRITES.values(), ids=CLAIMED_WRITES)
@pytest.mark.parametrize("status", [Status.PROCESSING, Status.SENDING, Status.SENT])
def test_a_lost_lease_is_noticed_by_every_write(
    world: World, write: Callable[[World, Claim], None], status: Status
) -> None:
    """Once another worker holds the conversation, nothing of ours is written."""
    claim = held(world)
    put(world, status=status)
    with pytest.raises(LeaseLost):
        write(world, claim)
    assert replace(OTHERS, status=status) == world.record


def test_an_intent_after_the_lease_is_none(world: World) -> None:
    """A lease that lapsed sends nothing, although nobody took over."""
    claim = held(world)
    late = Intent(START + LEASE, START + LEASE + 15)
    with pytest.raises(LeaseLost):
        world.claims.announce(claim, late, ANSWER)
    assert Status.PROCESSING is world.record.status


def test_an_intent_that_the_sdk_repeats_is_recognised(world: World) -> None:
    """Finding oneself `sending` already is the announcement's own doing."""
    claim = held(world)
    world.conversations.fail("begin_send", Fault.REPEATED)
    world.claims.announce(claim, INTENT, ANSWER)
    assert (Status.SENDING, INTENT, ANSWER) == (
        world.record.status,
        world.record.intent,
        world.record.answer,
    )


def test_an_intent_without_an_answer_is_not_acted_upon(world: World) -> None:
    """Whether it stands or not: who was not answered does not send."""
    claim = held(world)
    world.conversations.fail("begin_send", Fault.ANSWER_LOST)
    with pytest.raises(LedgerUnavailable):
        world.claims.announce(claim, INTENT, ANSWER)


def test_a_kept_answer_is_kept_twice_as_once(world: World) -> None:
    """A checkpoint that the SDK repeats is still one's own."""
    claim = held(world)
    world.conversations.fail("store_answer", Fault.REPEATED)
    world.claims.keep_answer(claim, ANSWER)
    assert ANSWER == world.record.answer


@pytest.mark.parametrize("status", Status)
def test_a_conversation_on_another_channel_is_left_alone(world: World, status: Status) -> None:
    """One id on two channels: what the other one sent, or will settle, is not this one's."""
    put(world, status=status, attributes={"channel_method": "sms"})
    before = world.conversations.records[KEY]
    with pytest.raises(RecordForeign) as foreign:
        take(world)
    assert "record_of_another_channel" == foreign.value.code
    assert before == world.conversations.records[KEY]
