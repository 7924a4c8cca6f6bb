"""Reconciling a send with an unknown outcome: found, looked up again or marked; never resent."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from lambda_src.core import errors
from lambda_src.core.contract import Status, Step
from lambda_src.core.models import Outcome
from lambda_src.core.time_budget import CLOCK_SKEW_SECONDS
from tests.support import contexts
from tests.support.clock import START
from tests.support.fakes import ANSWER, Fault, UnexpectedTestError
from tests.support.logs import LogLines
from tests.support.runtime import KEY, TIMES, FakeRuntime

LAST = 10
"""The receive count of the final delivery."""
SEND_DURATION = TIMES.max_send_duration
APART = SEND_DURATION + 1
"""Seconds between two intents after which the first send is certainly over."""


def _pending(runtime: FakeRuntime, receive_count: int = 2) -> errors.SendOutcomePending:
    with pytest.raises(errors.SendOutcomePending) as raised:
        runtime.process(receive_count=receive_count)
    return raised.value


def _marked_unknown(runtime: FakeRuntime, receive_count: int = LAST) -> errors.SendDeclaredUnknown:
    with pytest.raises(errors.SendDeclaredUnknown) as raised:
        runtime.process(receive_count=receive_count)
    return raised.value


def _redeliver(runtime: FakeRuntime, error: errors.SendOutcomePending) -> None:
    assert error.retry_in is not None
    runtime.clock.advance(error.retry_in)
    runtime.begin_invocation()


def test_a_message_found_at_the_vendor_is_recorded(unresolved: FakeRuntime) -> None:
    """Its sid is recorded with the times of the send, and nothing is sent or billed again."""
    unresolved.clock.advance(3600)
    unresolved.begin_invocation()
    assert Outcome.SETTLED is unresolved.process(receive_count=2)
    record = unresolved.record
    assert (Status.SENT, unresolved.sender.sent[0].sid) == (record.status, record.vendor_id)
    assert (1, 1) == (unresolved.sender.attempts, len(unresolved.generator.billed))
    sent = record.sent
    assert sent
    assert (START + 2, 2000) == (sent.sent_at, sent.processing_time_ms)
    assert unresolved.clock() == sent.recorded_at


def test_the_final_delivery_looks_up_at_once(unresolved: FakeRuntime) -> None:
    """No delivery follows: what it does not find is marked unknown, whatever the deadline."""
    unresolved.clock.advance(-SEND_DURATION + 5)
    unresolved.sender.is_listing = False
    assert {"looks": 0} == _marked_unknown(unresolved).fields
    assert Status.SEND_UNKNOWN is unresolved.record.status


def test_a_message_listed_late_is_found_by_a_later_lookup(unresolved: FakeRuntime) -> None:
    """The list lagged; a duplicate's delivery does not shorten the schedule."""
    unresolved.sender.is_listing = False
    _pending(unresolved)
    unresolved.sender.is_listing = True
    unresolved.clock.advance(5)
    error = _pending(unresolved, 3)
    expected = ("not_yet_looked_for", 10.0, 1)
    assert expected == (error.code, error.retry_in, unresolved.record.lookups)
    _redeliver(unresolved, error)
    assert Outcome.SETTLED is unresolved.process(receive_count=4)


def test_a_lookup_that_cannot_finish_is_not_started(unresolved: FakeRuntime) -> None:
    """The message comes back at once, and no lookup counts; a final delivery marks it unknown."""
    unresolved.deadline = unresolved.clock() + unresolved.times.lookup_reserve - 0.1
    with pytest.raises(errors.TransientFailure) as late:
        unresolved.process(receive_count=2)
    assert ("out_of_time", 0) == (late.value.code, late.value.retry_in)
    assert (Status.SENDING, 0) == (unresolved.record.status, unresolved.record.lookups)
    _marked_unknown(unresolved)


@pytest.mark.parametrize("receive_count", [2, LAST])
def test_without_a_list_nothing_is_looked_up(unresolved: FakeRuntime, receive_count: int) -> None:
    """The first delivery after the sender's deadline marks the send, without secret or vendor."""
    unresolved.has_message_list = False
    unresolved.clock.advance(-5)
    assert 5 == _pending(unresolved).retry_in
    unresolved.clock.advance(5)
    unresolved.secrets.fail("credentials", UnexpectedTestError())
    unknown = _marked_unknown(unresolved, receive_count)
    assert ("no_message_list", {"looks": 0}) == (unknown.code, unknown.fields)
    assert Status.SEND_UNKNOWN is unresolved.record.status


UNREACHABLE = errors.TransientFailure("twilio_unreachable", Step.SETTLE)
REFUSED = errors.TransientFailure("twilio_20005", Step.SETTLE, alarm=True)
MALFORMED = errors.PermanentFailure("secret_malformed", Step.SECRETS)


@pytest.mark.parametrize(
    ("arrange", "raised"),
    [
        (lambda r: r.sender.fail_lookup(UNREACHABLE), errors.TransientFailure),
        (lambda r: r.sender.fail_lookup(REFUSED), errors.TransientFailure),
        (lambda r: r.sender.fail_lookup(UnexpectedTestError()), UnexpectedTestError),
        (lambda r: r.store.fail("related_records", Fault.UNAVAILABLE), errors.LedgerUnavailable),
        (lambda r: r.secrets.fail("credentials", MALFORMED), errors.SendOutcomePending),
    ],
    ids=["unreachable", "refused", "unexpected", "related records", "invalid secret"],
)
def test_a_lookup_without_a_result_does_not_count(
    unresolved: FakeRuntime, arrange: Callable[[FakeRuntime], object], raised: type[Exception]
) -> None:
    """It is repeated with backoff; on the final delivery the send is marked unknown."""
    arrange(unresolved)
    with pytest.raises(raised) as error:
        unresolved.process(receive_count=2)
    assert getattr(error.value, "retry_in", None) is None
    assert (Status.SENDING, 0) == (unresolved.record.status, unresolved.record.lookups)
    arrange(unresolved)
    _marked_unknown(unresolved)


def test_refused_credentials_are_read_again_for_a_lookup(unresolved: FakeRuntime) -> None:
    """They may have been rotated since the send."""
    unresolved.sender.fail_lookup(errors.CredentialsRefused("twilio_20003", Step.SETTLE))
    assert Outcome.SETTLED is unresolved.process(receive_count=2)
    assert [contexts.TWILIO_SECRET] == unresolved.secrets.fresh_reads


@pytest.mark.parametrize(("write", "receive_count"), [("count_lookup", 2), ("mark_unknown", LAST)])
def test_a_message_recorded_elsewhere_is_settled(
    unresolved: FakeRuntime, write: str, receive_count: int
) -> None:
    """Another delivery found the sid first: no alarm."""
    unresolved.sender.is_listing = False
    unresolved.store.before[write] = lambda: unresolved.store.alter(
        KEY, status=Status.SENT, vendor_id="SM1"
    )
    assert Outcome.SETTLED is unresolved.process(receive_count=receive_count)


def test_a_lookup_that_is_not_recorded_does_not_count(unresolved: FakeRuntime) -> None:
    """The next delivery looks up as if there had been none."""
    unresolved.sender.is_listing = False
    unresolved.store.fail("count_lookup", Fault.UNAVAILABLE)
    with pytest.raises(errors.LedgerUnavailable):
        unresolved.process(receive_count=2)
    assert 15.0 == _pending(unresolved, 3).retry_in


@pytest.mark.parametrize(
    ("fault", "code"),
    [
        (Fault.UNAVAILABLE, "ledger_unavailable"),
        (Fault.REFUSED, "ledger_refused"),
        (Fault.UNEXPECTED, "UnexpectedTestError"),
    ],
)
def test_an_unknown_send_that_cannot_be_recorded_raises_the_alarm(
    unresolved: FakeRuntime, log_lines: LogLines, fault: Fault, code: str
) -> None:
    """The record stays `sending`, which is never sent again either, and the log says so."""
    unresolved.sender.is_listing = False
    unresolved.store.fail("mark_unknown", fault)
    _marked_unknown(unresolved)
    assert Status.SENDING is unresolved.record.status
    assert "CRITICAL" == log_lines.of("send_outcome_unknown")["level"]
    line = log_lines.of("status_write_failed")
    assert ("ERROR", code) == (line["level"], line["failure_code"])


def test_without_the_queues_limit_there_is_no_final_delivery(unresolved: FakeRuntime) -> None:
    """The schedule ends the lookups."""
    unresolved.queue.error = errors.TransientFailure("queue_unavailable", Step.SETTLE)
    unresolved.sender.is_listing = False
    assert "not_listed_yet" == _pending(unresolved, LAST).code


# --- matching


@pytest.mark.parametrize(("early", "is_found"), [(CLOCK_SKEW_SECONDS, True), (5.0, False)])
def test_a_message_from_before_the_intent_is_not_taken(
    unresolved: FakeRuntime, early: float, is_found: bool
) -> None:
    """Except for the difference that there may be between the clocks."""
    intent, (sent,) = unresolved.record.intent, unresolved.sender.sent
    assert intent
    unresolved.sender.sent[0] = replace(sent, at=intent.at - early)
    if is_found:
        assert Outcome.SETTLED is unresolved.process(receive_count=2)
    else:
        assert "not_listed_yet" == _pending(unresolved).code


def add_other(runtime: FakeRuntime, **changes: object) -> None:
    """Add another conversation with the same recipient and text, also unresolved."""
    key = replace(KEY, conversation_id="other")
    runtime.store.records[key] = replace(runtime.record, key=key, **changes)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "changes",
    [{"status": Status.SENDING}, {"status": Status.SEND_UNKNOWN}, {"vendor_id": f"SM{1:032d}"}],
    ids=["wanted by another", "unknown for another", "recorded by another"],
)
def test_a_message_that_may_be_anothers_is_not_taken(
    unresolved: FakeRuntime, changes: dict[str, object]
) -> None:
    """The same text to the same person; between two conversations an operator decides."""
    add_other(unresolved, **changes)
    assert "not_listed_yet" == _pending(unresolved).code


@pytest.mark.parametrize(("others_head_start", "place"), [(-APART, 0), (APART, 1)])
def test_one_message_for_each_conversation_is_assigned_in_order(
    unresolved: FakeRuntime, others_head_start: float, place: int
) -> None:
    """Two conversations of the same text and two messages: each takes its own.

    The table may return the variables of each in another order.
    """
    _add_sent_twin(unresolved, others_head_start)
    assert Outcome.SETTLED is unresolved.process(receive_count=2)
    assert unresolved.sender.sent[place].sid == unresolved.record.vendor_id


@pytest.mark.parametrize("others_head_start", [-APART + 1, 0, APART - 1])
def test_messages_that_may_have_been_sent_in_any_order_are_not_assigned(
    unresolved: FakeRuntime, others_head_start: float
) -> None:
    """A worker may have been delayed after its intent, and clocks differ: an operator decides."""
    _add_sent_twin(unresolved, others_head_start)
    assert "not_listed_yet" == _pending(unresolved).code


def _add_sent_twin(runtime: FakeRuntime, head_start: float) -> None:
    """Add another conversation of the same text, whose message was sent as well."""
    intent = runtime.record.intent
    assert intent
    times = {name: getattr(intent, name) - head_start for name in ("at", "deadline")}
    answer = replace(ANSWER, variables=dict(reversed([*ANSWER.variables.items()])))
    add_other(runtime, intent=replace(intent, **times), answer=answer)
    runtime.sender.sent.append(replace(runtime.sender.sent[0], sid="SM2"))


def test_conversations_of_another_channel_or_text_do_not_matter(unresolved: FakeRuntime) -> None:
    """Their messages are in another list, or are not mistaken for this one."""
    answer = unresolved.record.answer
    assert answer
    add_other(unresolved, answer=replace(answer, variables={"1": "Bo", "2": "Else."}))
    assert Outcome.SETTLED is unresolved.process(receive_count=2)

    unresolved.store.alter(KEY, status=Status.SENDING, vendor_id="", answer=answer)
    add_other(unresolved, attributes={"channel_method": "sms"})
    assert Outcome.SETTLED is unresolved.process(receive_count=2)


def test_an_ambiguous_message_waits_for_the_other_conversation(unresolved: FakeRuntime) -> None:
    """Another conversation's values contain ours: once it is resolved, ours is matched."""
    answer = unresolved.record.answer
    assert answer
    more = {name: f"{text} More." for name, text in answer.variables.items()}
    add_other(unresolved, answer=replace(answer, variables=more))
    error = _pending(unresolved)
    assert "not_listed_yet" == error.code

    other = replace(KEY, conversation_id="other")
    unresolved.store.alter(other, status=Status.SENT, vendor_id="SM of the other")
    _redeliver(unresolved, error)
    assert Outcome.SETTLED is unresolved.process(receive_count=3)
