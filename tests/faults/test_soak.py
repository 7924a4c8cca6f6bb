"""The soak's parts: its plan, times, queues, faults, evidence and log, each of which can fail."""

import json
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from types import SimpleNamespace

import psutil
import pytest
from mypy_boto3_sqs import SQSClient

from lambda_src.core.contract import REQUIRED_VARIABLES, LogEvent, Status
from lambda_src.core.errors import PermanentFailure
from lambda_src.core.settings import Settings
from lambda_src.core.time_budget import CLOCK_SKEW_SECONDS, max_renewal_gap
from lambda_src.services.dynamodb import Update, serialize, updates
from lambda_src.services.dynamodb.items import key_attributes
from lambda_src.utils.context_processor import ContextParser
from local.dynamodb_proxy import ForwardedRequest
from local.emulator.function_logs import LogLine
from local.fakes import FaultKind
from local.fakes.aws import DEAD_LETTERS, create_queues
from local.lifecycle import wait_for
from local.vendors import FakeVendors
from tests.faults.rules import Location, Rule
from tests.faults.soak import plan
from tests.faults.soak.evidence import (
    AlarmFacts,
    Facts,
    FunctionLog,
    Write,
    applied_writes,
    asked_again,
    history_of,
    reconcile,
    silent_alarms,
)
from tests.faults.soak.faults import (
    FREEZE_SECONDS,
    GENERATING,
    LISTS,
    PROGRAM,
    SENDS,
    TABLE,
    FaultInjection,
    FunctionProcesses,
)
from tests.faults.soak.plan import MAX_MESSAGES, Arrival, Expected, Injection, Plan, ProcessFault
from tests.faults.soak.run import NotAtRestError, SoakQueues
from tests.support.aws_account import clients, mocked_account
from tests.support.fakes import ANSWER
from tests.support.records import HELD_LEASE, INTENT, LEDGER_RECORD, failure
from tests.support.runtime import KEY

PATIENCE_SECONDS = 60
NOW = 1_800_000_000.0
DRAWN = Plan.drawn(300, 5)
FIRST, SECOND = DRAWN.conversations[:2]
GIVEN = {str(name): "given" for name in REQUIRED_VARIABLES}
SETTINGS = Settings.from_environment(GIVEN | {str(k): v for k, v in plan.VARIABLES.items()})


def test_seed_repeats_its_plan() -> None:
    """The same seed draws the same plan, another seed another one."""
    assert Plan.drawn(300, 5) == DRAWN
    assert Plan.drawn(300, 6) != DRAWN


def test_plan_has_everything() -> None:
    """Some are refused, some share a recipient, some come twice; processes die and freeze."""
    assert set(Expected) == {conversation.expected for conversation in DRAWN.conversations}
    assert set(ProcessFault) == {injection.fault for injection in DRAWN.injections}
    recipients = {conversation.recipient for conversation in DRAWN.conversations}
    assert len(recipients) < 300 == len({c.conversation_id for c in DRAWN.conversations})
    again = [arrival.conversation for arrival in DRAWN.arrivals if arrival.is_duplicate]
    assert 300 + len(again) == len(DRAWN.arrivals)
    assert again


@pytest.mark.parametrize("expected", Expected)
def test_context_object_is_as_expected(expected: Expected) -> None:
    """Only a context object without consent is refused by the parser."""
    parse = ContextParser("whatsapp", lambda _: True)
    conversation = next(c for c in DRAWN.conversations if c.expected is expected)
    if expected is Expected.NO_CONSENT:
        with pytest.raises(PermanentFailure, match="comms_consent"):
            parse(conversation.body)
    else:
        parsed = parse(conversation.body)
        assert conversation.conversation_id == parsed.key.conversation_id
        assert conversation.conversation_id in json.dumps(parsed.prompt_context)


@pytest.mark.parametrize("messages", [0, MAX_MESSAGES + 1])
def test_impossible_number_is_refused(messages: int) -> None:
    """A soak has at least one message, and no more than there are test numbers."""
    with pytest.raises(ValueError, match=f"messages: {messages}"):
        Plan.drawn(messages, 5)


def test_times_obey_the_rules_for_deployments() -> None:
    """They are shorter, and a frozen worker goes on when another one may have its message."""
    times = SETTINGS.times
    assert max_renewal_gap(SETTINGS.heartbeat_interval_seconds) < SETTINGS.lease_seconds
    assert SETTINGS.lease_seconds + CLOCK_SKEW_SECONDS <= SETTINGS.heartbeat_visibility_seconds
    assert times.max_message_duration <= plan.FUNCTION_SECONDS <= plan.VISIBILITY_SECONDS
    assert times.reconciliation_attempts + 1 <= plan.MAX_RECEIVE_COUNT
    assert FREEZE_SECONDS > SETTINGS.heartbeat_visibility_seconds
    assert plan.FUNCTION_SECONDS > 2 * FREEZE_SECONDS


@pytest.fixture
def sqs() -> Iterator[SQSClient]:
    with mocked_account():
        yield clients().sqs


@pytest.fixture
def queue_url(sqs: SQSClient) -> str:
    """Create a queue whose messages are dead after one receive."""
    url = create_queues(sqs, max_receive_count=1)
    sqs.set_queue_attributes(QueueUrl=url, Attributes={"VisibilityTimeout": "0"})
    return url


@pytest.fixture
def queues(sqs: SQSClient, queue_url: str) -> SoakQueues:
    """Return that queue and the one behind it."""
    dead = sqs.get_queue_url(QueueName=DEAD_LETTERS)["QueueUrl"]
    return SoakQueues(sqs, queue_url, dead)


def _receive(sqs: SQSClient, queue_url: str, *, delete: bool) -> None:
    for message in sqs.receive_message(QueueUrl=queue_url, MaxNumberOfMessages=10)["Messages"]:
        if delete:
            sqs.delete_message(QueueUrl=queue_url, ReceiptHandle=message["ReceiptHandle"])
    if not delete:
        sqs.receive_message(QueueUrl=queue_url)


def _locations(queues: SoakQueues) -> dict[str, list[Location]]:
    return {id_: list(messages.values()) for id_, messages in queues.locations().items()}


def test_every_context_object_is_put_on_the_queue(queues: SoakQueues) -> None:
    """All arrive, also those that are not visible yet."""
    queues.put([Arrival(one, number) for number, one in enumerate(DRAWN.conversations[:25])])
    assert 25 == queues.count()


def test_deleted_dead_and_redriven_messages_are_distinguished(
    sqs: SQSClient, queue_url: str, queues: SoakQueues
) -> None:
    """Reading changes nothing; only the chosen conversations' messages are redriven."""
    queues.put([Arrival(FIRST, 0)])
    _receive(sqs, queue_url, delete=True)
    queues.put([Arrival(FIRST, 0), Arrival(SECOND, 0)])
    _receive(sqs, queue_url, delete=False)
    first, second = FIRST.conversation_id, SECOND.conversation_id
    expected = {first: [Location.DELETED, Location.DEAD], second: [Location.DEAD]}
    assert [expected, expected] == [_locations(queues), _locations(queues)]
    assert (1, 1) == (queues.redrive({second}), queues.count())
    _receive(sqs, queue_url, delete=True)
    assert {**expected, second: [Location.DELETED]} == _locations(queues)


def test_rest_is_when_nothing_was_on_the_queue_for_a_while(queues: SoakQueues) -> None:
    """An empty queue is at rest; one that stays full when the time is over is an error."""
    seen: list[int] = []
    queues.await_rest(quiet=0.01, timeout=60, tell=seen.append)
    assert {0} == set(seen)
    queues.put([Arrival(FIRST, 0)])
    with pytest.raises(NotAtRestError, match="1 messages"):
        queues.await_rest(quiet=0.01, timeout=0, tell=seen.append)


INJECTIONS = tuple(Injection(2, 0.0, ProcessFault.KILL, pick, lag=pick) for pick in (0.25, 0.5))
PLAN = DRAWN._replace(injections=INJECTIONS)


@dataclass
class FakeProcesses:
    """Remember what was injected."""

    picks: list[float] = field(default_factory=list)
    thawed: int = 0

    def inject(self, _: ProcessFault, pick: float) -> bool:
        """Remember it; no process is at work the first time."""
        self.picks.append(pick)
        return len(self.picks) > 1

    def thaw(self, *, frozen_for: float = 0) -> None:
        """Count thawing all of them."""
        self.thawed += not frozen_for


def _injection(vendors: FakeVendors, requests: list[int]) -> tuple[FaultInjection, FakeProcesses]:
    rules: list[object] = []
    proxy = SimpleNamespace(requests=requests, add_rule=rules.append, clear_faults=rules.clear)
    processes = FakeProcesses()
    return FaultInjection(PLAN, processes, vendors, proxy), processes  # type: ignore[arg-type]  # fakes


def test_injection_happens_after_so_much_work() -> None:
    """Each one happens when the table was called often enough since the one before."""
    vendors, requests = FakeVendors(), list[int]()
    injection, processes = _injection(vendors, requests)
    with injection.running():
        assert [] == processes.picks
        requests += [1, 2]
        assert wait_for(lambda: processes.picks == [0.25, 0.25], PATIENCE_SECONDS)
        assert 0.25 == vendors.twilio.settings.list_lag_seconds
        assert not injection.is_over
        requests += [3, 4]
        assert wait_for(lambda: injection.is_over, PATIENCE_SECONDS)
    assert [0.25, 0.25, 0.5] == processes.picks


def test_injection_leaves_nothing_behind() -> None:
    """At its end, also by an error, nothing is frozen, lags or fails, except what is refused."""
    vendors = FakeVendors()
    injection, processes = _injection(vendors, [])
    with suppress(KeyboardInterrupt), injection.running():
        assert 2 + len(SENDS) + len(LISTS) == len(vendors.twilio.pending_faults)
        assert 1 + len(GENERATING) == len(vendors.openai.pending_faults)
        raise KeyboardInterrupt
    assert (1, 0) == (processes.thawed, vendors.twilio.settings.list_lag_seconds)
    assert injection.is_over
    kinds = [rule.fault.kind for rule in vendors.twilio.pending_faults]
    (refused,) = vendors.openai.pending_faults
    assert [FaultKind.ERROR, FaultKind.CALLBACK_LOST] == kinds
    assert FaultKind.REFUSAL == refused.fault.kind


@pytest.mark.parametrize("probabilities", [SENDS, LISTS, GENERATING, TABLE])
def test_most_requests_succeed(probabilities: dict[object, float]) -> None:
    """Whatever may happen to a request, it is more likely to succeed."""
    assert sum(probabilities.values()) < 0.5


CONNECTS = """
import socket, sys
connection = socket.create_connection(("127.0.0.1", int(sys.argv[1])))
sys.stdin.read()
"""
WAITS = "import sys\nsys.stdin.read()\n"
STARTED = ((CONNECTS, PROGRAM), (CONNECTS, PROGRAM), (WAITS, PROGRAM), (CONNECTS, "other.py"))


@pytest.fixture
def processes() -> Iterator[FunctionProcesses]:
    """Run two working processes of a function, one that is starting, and another program."""
    with socket.create_server(("127.0.0.1", 0)) as server, ExitStack() as running:
        port = server.getsockname()[1]
        for text, program in STARTED:
            arguments = [sys.executable, "-c", text, str(port), program]
            process = subprocess.Popen(arguments, stdin=subprocess.PIPE)  # noqa: S603 - our own
            running.callback(process.communicate)
            running.callback(process.kill)
        for _ in range(3):
            running.enter_context(server.accept()[0])
        found = FunctionProcesses(os.getpid(), port)
        wait_for(lambda: len(found.at_work()) == 2, PATIENCE_SECONDS)
        yield found


def _is_stopped(process: psutil.Process) -> bool:
    return process.status() == psutil.STATUS_STOPPED


def test_kill_and_freeze_happen_to_working_processes_only(processes: FunctionProcesses) -> None:
    """A frozen process stands still and is not chosen again until it is thawed; none is left."""
    first, second = processes.at_work()
    assert second == processes.inject(ProcessFault.FREEZE, 0.99)
    assert wait_for(lambda: _is_stopped(second), PATIENCE_SECONDS)
    assert [first] == processes.at_work()
    processes.thaw(frozen_for=PATIENCE_SECONDS)
    assert _is_stopped(second)
    processes.thaw()
    assert wait_for(lambda: not _is_stopped(second), PATIENCE_SECONDS)
    assert second in processes.at_work()
    for process in (first, second):
        assert process == processes.inject(ProcessFault.KILL, 0)
        with suppress(psutil.NoSuchProcess):
            process.wait(PATIENCE_SECONDS)
    assert processes.inject(ProcessFault.KILL, 0) is None
    assert {ProcessFault.FREEZE: 1, ProcessFault.KILL: 2} == processes.injected


OWNER = HELD_LEASE.owner


def _forwarded(update: Update, status: int = 200) -> ForwardedRequest:
    parameters = {
        "Key": serialize(key_attributes(update.key)),
        "UpdateExpression": update.expression,
        "ExpressionAttributeValues": serialize(update.values),
    }
    return ForwardedRequest(NOW, "UpdateItem", parameters, status)


ACQUIRES, ANSWERS = {"from_expired": True}, {"has_answer": True}


@pytest.mark.parametrize(
    ("update", "status", "owner", "properties"),
    [
        (updates.take_over(HELD_LEASE, LEDGER_RECORD), Status.PROCESSING, OWNER, ACQUIRES),
        (updates.renew(HELD_LEASE, NOW), "", OWNER, {}),
        (updates.checkpoint_answer(HELD_LEASE, ANSWER), "", OWNER, ANSWERS),
        (updates.record_intent(HELD_LEASE, INTENT, ANSWER), Status.SENDING, OWNER, ANSWERS),
        (updates.record_failure(HELD_LEASE, failure(Status.RETRY)), Status.RETRY, OWNER, {}),
        (updates.count_lookup(KEY, LEDGER_RECORD), "", "", {}),
    ],
)
def test_update_is_read_for_what_it_is(
    update: Update, status: str, owner: str, properties: dict[str, bool]
) -> None:
    """Each update has the status that it sets, whose lease it requires, and the answer."""
    write = Write(NOW, status, owner, **properties)
    assert {KEY: [write]} == applied_writes([_forwarded(update)])


def test_first_record_is_an_acquisition_and_refused_writes_are_none() -> None:
    """The first record's owner has the lease; a refused write and a query change nothing."""
    item = {"conversation_status": Status.PROCESSING, "lease_owner": OWNER}
    put = {"Put": {"Item": serialize({**key_attributes(KEY), **item})}}
    created = {"TransactItems": [put, {"ConditionCheck": {}}]}
    requests = [
        ForwardedRequest(NOW, "TransactWriteItems", created, 200),
        _forwarded(updates.renew(HELD_LEASE, NOW), status=400),
        ForwardedRequest(NOW, "Query", {}, 200),
    ]
    assert {KEY: [Write(NOW, Status.PROCESSING, OWNER)]} == applied_writes(requests)


ACQUIRED = Write(1, Status.PROCESSING, "worker")
TAKEN_OVER = Write(2, Status.PROCESSING, "another", from_expired=True)
INTENDED = Write(3, Status.SENDING, "worker", has_answer=True)


def test_asking_again_counts_against_the_acquisitions_without_an_answer() -> None:
    """A worker that acquired the lease before the answer was stored may ask once."""
    stored = Write(3, "", "another", has_answer=True)
    writes = [ACQUIRED, TAKEN_OVER, stored, replace(ACQUIRED, at=4, owner="third")]
    assert [0, 1] == [asked_again(writes, asks) for asks in (2, 3)]
    assert 0 == asked_again([ACQUIRED, TAKEN_OVER], 3)


def test_worker_that_lost_the_lease_may_neither_write_nor_send() -> None:
    """The worker that took over may; recording the sid needs no lease."""
    intended = replace(INTENDED, owner="another")
    kept = [ACQUIRED, TAKEN_OVER, intended, Write(5, Status.SENT)]
    late = Write(3, Status.RETRY, "worker")
    for acts, writes, sends in (
        ([], kept, [4]),
        (["wrote retry"], [ACQUIRED, TAKEN_OVER, late], []),
        (["wrote retry"], [replace(late, owner="unknown")], []),
        (["sent while processing"], [ACQUIRED, TAKEN_OVER], [4]),
    ):
        assert acts == history_of(writes, 0, sends).acts_without_lease


def _record(status: Status, code: str = "", **values: object) -> dict[str, object]:
    return {"conversation_status": status, "failure": {"code": code}, **values}


DEAD = {"2": Location.DEAD}
SENT = Facts(
    key=KEY,
    sids=("SM1",),
    messages={"0": Location.DELETED, "1": Location.DELETED},
    record=_record(Status.SENT, message_sid="SM1"),
    writes=(ACQUIRED, INTENDED, Write(5, Status.SENT)),
    asks=1,
    sends=(4,),
)
REFUSED = replace(
    SENT,
    expected=Expected.UNREACHABLE,
    sids=(),
    messages=DEAD,
    record=_record(Status.FAILED, "twilio_21211"),
    writes=(ACQUIRED, INTENDED, Write(5, Status.FAILED, "worker")),
)
RETRIED = replace(REFUSED, record=_record(Status.RETRY, "x"))
RELEASED = replace(SENT, releases=1, sids=("SM1", "SM2"))
UNKNOWN = Facts(
    key=KEY,
    messages=DEAD,
    record=_record(Status.SEND_UNKNOWN, "not_found"),
    alarms=frozenset({LogEvent.SEND_OUTCOME_UNKNOWN}),
)


@pytest.mark.parametrize("facts", [SENT, REFUSED, RELEASED])
def test_what_ended_well_is_no_violation(facts: Facts) -> None:
    """Sent once, refused for good, or sent again after a release."""
    assert [] == reconcile([facts], is_final=True)


def test_unknown_send_is_no_violation_before_the_operator_has_decided() -> None:
    """It is correct with its alarm, until it should have been decided; it needs its own alarm."""
    assert [] == reconcile([UNKNOWN], is_final=False)
    (violation,) = reconcile([UNKNOWN], is_final=True)
    assert (Rule.SENT_IN_THE_END,) == violation.rules
    silent = replace(UNKNOWN, alarms=frozenset({LogEvent.VENDOR_ACCOUNT_REFUSED}))
    (violation,) = reconcile([silent], is_final=False)
    assert (Rule.RECORD_IS_TRUE,) == violation.rules


@pytest.mark.parametrize(
    ("facts", "rule"),
    [
        (replace(SENT, unacknowledged=("an-id",)), Rule.DELETED_ONLY_IF_SENT),
        (replace(RETRIED, expected=Expected.SENT), Rule.SENT_IN_THE_END),
        (replace(SENT, sids=("SM1", "SM2")), Rule.AT_MOST_ONCE),
        (replace(RELEASED, sids=("SM1", "SM2", "SM3")), Rule.AT_MOST_ONCE),
        (replace(SENT, record=_record(Status.SENT, message_sid="SM2")), Rule.RECORD_IS_TRUE),
        (replace(SENT, asks=2), Rule.AI_NOT_ASKED_AGAIN),
        (replace(SENT, writes=(ACQUIRED, TAKEN_OVER, INTENDED)), Rule.SILENT_WITHOUT_LEASE),
        (replace(SENT, writes=(ACQUIRED,)), Rule.SILENT_WITHOUT_LEASE),
    ],
)
def test_broken_rule_is_found(facts: Facts, rule: Rule) -> None:
    """Among others, the conversation that breaks a rule is named with its evidence."""
    other = replace(SENT, key=replace(KEY, conversation_id="other"))
    (violation,) = reconcile([other, facts], is_final=True)
    assert KEY.conversation_id == violation.subject
    assert rule in violation.rules


@pytest.mark.parametrize(
    "facts",
    [
        replace(SENT, record=_record(Status.SENDING)),
        replace(SENT, sids=(), messages=DEAD, record=_record(Status.PROCESSING)),
        Facts(key=KEY),
    ],
)
def test_unresolved_conversation_is_found(facts: Facts) -> None:
    """It has neither an end, nor an alarm, nor a reason."""
    (violation,) = reconcile([facts], is_final=True)
    assert violation.is_unresolved


@pytest.mark.parametrize(
    ("counted", "notified", "is_silent"),
    [(2, ("Alarm",), False), (1, ("Alarm",), True), (2, (), True)],
)
def test_silent_alarm_is_found(counted: int, notified: tuple[str, ...], is_silent: bool) -> None:
    """A line that is not counted, or whose alarm notifies nobody, is a violation."""
    facts = AlarmFacts(event="e", lines=2, counted=counted, notified=notified)
    assert is_silent == bool(silent_alarms([facts]))


def _line(event: str, at: float = NOW, stream: str = "a", **fields: str) -> LogLine:
    when = datetime.fromtimestamp(at, UTC).isoformat()
    return LogLine(0, json.dumps({"event": event, "timestamp": when, **fields}), stream)


def _alarm(conversation: str) -> LogLine:
    event = LogEvent.SEND_OUTCOME_UNKNOWN
    return _line(event, NOW, level="CRITICAL", conversation_id=conversation)


def test_alarm_counts_from_its_own_time_on() -> None:
    """An alarm that came after a moment does not count at that moment."""
    log = FunctionLog([_alarm(KEY.conversation_id), _alarm("another")])
    (before,), (after,) = log.completed([SENT], NOW - 1), log.completed([SENT])
    assert ([], [LogEvent.SEND_OUTCOME_UNKNOWN]) == (list(before.alarms), list(after.alarms))
    assert [2] == [len(lines) for lines in log.critical().values()]


def test_deleted_message_needs_a_line_that_says_why() -> None:
    """A deleted message that no delivery has acknowledged is reported."""
    messages = {"1": Location.DELETED, "3": Location.DELETED, **DEAD}
    lines = [
        _line(LogEvent.ALREADY_PROCESSED, sqs_message_id="1"),
        _line(LogEvent.BUSY_ELSEWHERE, sqs_message_id="3"),
    ]
    (facts,) = FunctionLog(lines).completed([replace(SENT, messages=messages)])
    assert ("3",) == facts.unacknowledged


def test_invocations_that_ended_with_their_process_are_counted() -> None:
    """A batch that was begun and not finished was interrupted, one not begun was cut short."""
    lines = [
        LogLine(0, "START", "whole"),
        _line(LogEvent.BATCH_RECEIVED, stream="whole"),
        _line(LogEvent.BATCH_FINISHED, stream="whole"),
        _line(LogEvent.BATCH_RECEIVED, stream="interrupted"),
        LogLine(0, "START", "cut short"),
    ]
    assert (1, 1) == FunctionLog(lines).interrupted()
