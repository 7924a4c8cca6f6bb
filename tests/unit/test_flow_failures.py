"""The flow where a vendor or the table fails: what the record says, and how often was sent."""

from dataclasses import dataclass

import pytest

from lambda_src.core.contract import Status
from lambda_src.core.errors import (
    AccountRefused,
    CredentialsRefused,
    LedgerUnavailable,
    PermanentFailure,
    ProcessingError,
    RateLimited,
    ReceivesUsedUp,
    Step,
    TransientFailure,
)
from lambda_src.core.flow import Outcome
from lambda_src.core.send_errors import FinalUpdateFailed, SendDeclaredUnknown, SendOutcomeUnknown
from tests.unit import contexts
from tests.unit.fakes.faults import Fault, Unforeseen
from tests.unit.fakes.world import World


@dataclass(frozen=True)
class Case:
    """An error where it happens, and what must come of it."""

    error: Exception
    raised: type[ProcessingError]
    status: Status
    code: str | None
    times: int = 1


AI = [
    Case(TransientFailure("openai_500", Step.AI), TransientFailure, Status.RETRY, "openai_500"),
    Case(RateLimited("openai_429", Step.AI), RateLimited, Status.RETRY, "openai_429"),
    Case(
        AccountRefused("openai_insufficient_quota", Step.AI),
        AccountRefused,
        Status.RETRY,
        "openai_insufficient_quota",
    ),
    Case(
        CredentialsRefused("openai_401", Step.AI), CredentialsRefused, Status.RETRY, "openai_401", 2
    ),
    Case(
        PermanentFailure("ai_answer_refused", Step.AI),
        PermanentFailure,
        Status.FAILED,
        "ai_answer_refused",
    ),
    Case(Unforeseen(), TransientFailure, Status.RETRY, "unexpected_error"),
]
SEND = [
    Case(
        TransientFailure("twilio_unreachable", Step.SEND),
        TransientFailure,
        Status.RETRY,
        "twilio_unreachable",
    ),
    Case(RateLimited("twilio_20429", Step.SEND), RateLimited, Status.RETRY, "twilio_20429"),
    Case(AccountRefused("twilio_20005", Step.SEND), AccountRefused, Status.RETRY, "twilio_20005"),
    Case(
        CredentialsRefused("twilio_20003", Step.SEND),
        CredentialsRefused,
        Status.RETRY,
        "twilio_20003",
        2,
    ),
    Case(
        PermanentFailure("twilio_21211", Step.SEND), PermanentFailure, Status.FAILED, "twilio_21211"
    ),
    Case(SendOutcomeUnknown("twilio_500", Step.SEND), SendOutcomeUnknown, Status.SENDING, None),
    Case(Unforeseen(), SendOutcomeUnknown, Status.SENDING, None),
]


def name(case: Case) -> str:
    """What a case is called in the test's name."""
    return type(case.error).__name__


def recorded(world: World) -> tuple[Status, str | None]:
    """The record's status, and why."""
    return world.record.status, world.record.failure.code if world.record.failure else None


@pytest.mark.parametrize("case", AI, ids=name)
def test_an_error_of_the_ai_is_recorded_and_nothing_sent(world: World, case: Case) -> None:
    """Each class of error before the send leaves its status and its code, and tries no send."""
    world.writer.fail(case.error, case.times)
    with pytest.raises(case.raised):
        world.process()
    assert (case.status, case.code) == recorded(world)
    assert 0 == world.sender.tries


@pytest.mark.parametrize("case", SEND, ids=name)
def test_an_error_of_the_vendor_is_recorded(world: World, case: Case) -> None:
    """Each class of error at the send leaves its status, and no second try but a fresh secret's."""
    world.sender.fail(case.error, case.times)
    with pytest.raises(case.raised):
        world.process()
    assert (case.status, case.code) == recorded(world)
    assert (case.times, []) == (world.sender.tries, world.sender.sent)


@pytest.mark.parametrize("case", [*AI, *SEND], ids=name)
def test_a_failure_never_quotes_what_caused_it(world: World, case: Case) -> None:
    """An unforeseen error's text may hold anything: neither record nor error repeats it."""
    world.writer.fail(case.error, case.times) if case in AI else world.sender.fail(case.error, 2)
    with pytest.raises(ProcessingError) as failed:
        world.process()
    told = f"{failed.value} {failed.value.fields} {world.record.failure}"
    assert not [secret for secret in ("+1555", "sk-", "Amara") if secret in told]


def test_an_answer_is_not_paid_for_twice(world: World) -> None:
    """After a send that was refused for now, the next delivery sends the answer of the first."""
    world.sender.fail(RateLimited("twilio_20429", Step.SEND))
    with pytest.raises(RateLimited):
        world.process()
    assert Outcome.SENT is world.process(receive_count=2)
    assert (1, 1) == (len(world.writer.billed), len(world.sender.sent))


def test_a_changed_token_is_read_again_and_sent_with(world: World) -> None:
    """Twilio credentials that were changed at the vendor cost one try, and no delivery."""
    world.process()
    world.sender.auth_token = "token-2"
    secrets = world.secrets.twilio_credentials.stored
    secrets[contexts.TWILIO_SECRET] = type(secrets[contexts.TWILIO_SECRET])("AC1", "token-2", "HX1")
    other = contexts.changed("conversation_data.conversation_id", "conversation-2")
    assert Outcome.SENT is world.process(contexts.parse(other))
    assert [contexts.TWILIO_SECRET] == world.secrets.fresh_reads
    assert (3, 2) == (world.sender.tries, len(world.sender.sent))


def test_a_fresh_secret_that_cannot_be_read_leaves_retry(world: World) -> None:
    """A refused send whose secret cannot be read anew is still certainly not sent."""

    def lock_the_secrets() -> None:
        world.secrets.fail("credentials", TransientFailure("secrets_unavailable", Step.SECRETS))

    world.sender.during = lock_the_secrets
    world.sender.fail(CredentialsRefused("twilio_20003", Step.SEND))
    with pytest.raises(TransientFailure):
        world.process()
    assert (Status.RETRY, "secrets_unavailable") == recorded(world)


@pytest.mark.parametrize("case", SEND[-2:], ids=name)
def test_an_unknown_outcome_is_looked_for_after_its_deadline(world: World, case: Case) -> None:
    """The next delivery comes when the sender has given up for certain."""
    world.sender.during = lambda: world.clock.advance(10)
    world.sender.fail(case.error)
    with pytest.raises(SendOutcomeUnknown) as unknown:
        world.process()
    assert world.timing.send_span - 10 == unknown.value.again_in


def test_an_unknown_outcome_past_its_deadline_is_looked_for_at_once(world: World) -> None:
    """A send that took longer than it should asks for no delay below zero."""
    world.sender.during = lambda: world.clock.advance(100)
    world.sender.fail(SendOutcomeUnknown("twilio_500", Step.SEND))
    with pytest.raises(SendOutcomeUnknown) as unknown:
        world.process()
    assert 0 == unknown.value.again_in


def test_the_last_delivery_never_sends(world: World) -> None:
    """No delivery would be left to settle its outcome: nobody is asked, and nothing goes out."""
    with pytest.raises(ReceivesUsedUp):
        world.process(receive_count=world.queue.receives_allowed)
    assert (Status.RETRY, "receives_used_up") == recorded(world)
    assert ([], 0) == (world.writer.billed, world.sender.tries)


def test_the_last_delivery_keeps_the_reason_of_the_one_before(world: World) -> None:
    """The record of a message that ends as a dead letter still tells why."""
    world.sender.fail(TransientFailure("twilio_20429", Step.SEND))
    with pytest.raises(TransientFailure):
        world.process()
    with pytest.raises(ReceivesUsedUp):
        world.process(receive_count=world.queue.receives_allowed)
    assert world.record.failure
    assert "the last failure was twilio_20429" == world.record.failure.detail


def test_a_final_write_that_fails_leaves_the_send_to_be_settled(world: World) -> None:
    """The message is out: its record stays `sending`, and the next delivery finds the sid."""
    world.conversations.fail("record_sent", Fault.REFUSED)
    with pytest.raises(FinalUpdateFailed):
        world.process()
    assert Status.SENDING is world.record.status
    world.clock.advance(world.timing.send_span)
    assert Outcome.SETTLED is world.process(receive_count=2)
    assert (Status.SENT, world.sender.sent[0].sid) == (world.record.status, world.record.sid)
    assert (1, 1) == (world.sender.tries, len(world.writer.billed))


@pytest.mark.parametrize("fault", [Fault.UNAVAILABLE, Fault.ANSWER_LOST, Fault.REFUSED])
def test_an_intent_without_an_answer_sends_nothing(world: World, fault: Fault) -> None:
    """Whether the intent stands or not, nothing goes out, and the record says retry."""
    world.conversations.fail("begin_send", fault)
    with pytest.raises(TransientFailure):
        world.process()
    assert (Status.RETRY, 0) == (world.record.status, world.sender.tries)


def test_an_intent_is_taken_back_when_the_table_answers_again(world: World) -> None:
    """An outage that begins with the intent and passes leaves nothing unsent."""
    world.conversations.fail("begin_send", Fault.ANSWER_LOST)
    world.conversations.fail("record_failure", Fault.UNAVAILABLE, 3)
    with pytest.raises(LedgerUnavailable):
        world.process()
    assert Status.RETRY is world.record.status
    assert Outcome.SENT is world.process(receive_count=2)


def test_an_intent_that_could_not_be_taken_back_is_settled_and_not_sent(world: World) -> None:
    """A record left `sending` by a lost answer is never sent by guess."""
    world.conversations.fail("begin_send", Fault.ANSWER_LOST)
    world.conversations.fail("record_failure", Fault.UNAVAILABLE, 10_000)
    with pytest.raises(LedgerUnavailable):
        world.process()
    world.clock.advance(world.timing.send_span)
    world.begin_invocation()
    with pytest.raises(SendDeclaredUnknown):
        world.process(receive_count=world.queue.receives_allowed)
    assert (Status.SEND_UNKNOWN, 0) == (world.record.status, world.sender.tries)


@pytest.mark.parametrize("fault", [Fault.UNAVAILABLE, Fault.ANSWER_LOST, Fault.REFUSED])
def test_a_claim_without_an_answer_asks_nobody(world: World, fault: Fault) -> None:
    """Without a claim there is no work."""
    world.conversations.fail("create", fault)
    with pytest.raises(TransientFailure):
        world.process()
    assert ([], 0) == (world.writer.billed, world.sender.tries)


def test_a_record_too_large_is_recorded_without_its_content(world: World) -> None:
    """What the table cannot hold is refused like a context object that is not valid."""
    world.conversations.fail("create", Fault.TOO_LARGE)
    with pytest.raises(PermanentFailure):
        world.process()
    assert (Status.FAILED, "record_too_large") == recorded(world)
    assert {} == world.record.attributes
    assert [] == world.writer.billed
