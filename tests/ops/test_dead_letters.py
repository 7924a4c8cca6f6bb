"""`dlq`: the rules for dead-letter messages, redrives and discards; `make drill` with thousands."""

import inspect
import io
import json
import os
import shlex
import signal
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import replace
from datetime import UTC, datetime
from itertools import count, cycle, islice
from threading import Event
from typing import Any

import pytest
import rich.console

from lambda_src.core.contract import REJECTED_BY_OPERATOR, Status
from lambda_src.core.errors import RejectedContext
from lambda_src.core.models import ContextObject
from local.fakes import Fault, Match
from ops import queues
from ops.commands import dlq
from ops.console import Console
from ops.conversations import ConversationRecord, ConversationRepository
from ops.delivery_events import EventKind, QueuedEvent
from ops.deployment import Deployment
from ops.dlq import runner
from ops.dlq.inspection import Inspection
from ops.dlq.policy import DiscardDecision, RedriveDecision, discard_decision, redrive_decision
from ops.errors import OperatorError
from ops.queues import ChannelQueue, QueueMessage, QueueScanner
from ops.session import Session
from tests.ops.conversation_states import DRAFT, FIXED_CAUSES, STATES
from tests.ops.operator_channel import OperatorChannel
from tests.ops.tool import check_call
from tests.support import contexts
from tests.support.callbacks import Callbacks
from tests.support.channel import CONVERSATION, RECIPIENT, context, recipient_data
from tests.support.clock import START
from tests.support.records import ledger_record

OTHER, OPTED_OUT = "+447700900222", "+447700900999"
ARRIVING = {state for state in STATES if STATES[state].arrives}
MESSAGES = int(os.environ.get("DEAD_LETTERS", "26"))
DROP = ("dlq", "drop", "--reason", "withdrawn by the tenant", "--yes")
REDRIVE = ("dlq", "redrive", "--yes", "--rate", "100000")
R, D = RedriveDecision, DiscardDecision
FIXED = ("twilio_21612", "not_found_at_vendor", "body_not_json", REJECTED_BY_OPERATOR)
VALID = contexts.parse(contexts.valid())
INVALID = RejectedContext("body_not_json", [], key=VALID.key)
FOREIGN = ConversationRecord({"conversation_status": "archived"}, None)


def _record(status: Status, code: str = "", lease_expires_at: float = START) -> ConversationRecord:
    ledger = ledger_record(status=status, failure_code=code, lease_expires_at=lease_expires_at)
    return ConversationRecord(FOREIGN.attributes, ledger)


@pytest.mark.parametrize(
    ("redrive", "discard", "record", "content"),
    [
        (R.EVENT, D.EVENT, None, QueuedEvent(EventKind.UNREADABLE)),
        (R.EVENT, D.EVENT, _record(Status.SENT), QueuedEvent(EventKind.LOOKUP, RECIPIENT, "id")),
        (R.REDRIVE, D.CLOSE, None, VALID),
        (R.REJECTED, D.CLOSE, None, INVALID),
        (R.REDRIVE, D.BUSY, _record(Status.PROCESSING, lease_expires_at=START + 1), VALID),
        (R.REDRIVE, D.CLOSE, _record(Status.PROCESSING), VALID),
        (R.REDRIVE, D.UNKNOWN, _record(Status.SENDING), VALID),
        (R.REDRIVE, D.CLOSE, _record(Status.RETRY, "openai_500"), VALID),
        (R.REMOVE, D.ANNOTATE, _record(Status.SENT), VALID),
        (R.FAILED, D.ANNOTATE, _record(Status.FAILED, "twilio_21211"), VALID),
        (R.RELEASE, D.ANNOTATE, _record(Status.FAILED, "twilio_21612"), VALID),
        (R.REJECTED, D.ANNOTATE, _record(Status.FAILED, "body_not_json"), INVALID),
        (R.UNKNOWN, D.UNKNOWN, _record(Status.SEND_UNKNOWN, "not_found_at_vendor"), VALID),
        (R.HELD, D.ANNOTATE, _record(Status.AWAITING_APPROVAL), VALID),
        (R.HELD, D.ANNOTATE, _record(Status.AWAITING_APPROVAL), INVALID),
        (R.REJECTED_BY_OPERATOR, D.ANNOTATE, _record(Status.FAILED, FIXED[-1]), VALID),
        (R.UNRECOGNIZED, D.ANNOTATE, FOREIGN, VALID),
    ],
)
def test_the_record_decides(
    redrive: RedriveDecision,
    discard: DiscardDecision,
    record: ConversationRecord | None,
    content: ContextObject | RejectedContext | QueuedEvent,
) -> None:
    """What may have been sent is neither sent again nor discarded, whatever is named as fixed."""
    inspection = Inspection(QueueMessage("id", "handle", "", "", START, START), content, record)
    assert redrive == redrive_decision(inspection, FIXED)
    assert discard == discard_decision(inspection, START)
    assert redrive.acts != str(redrive).startswith("stays")
    assert discard.acts != str(discard).startswith("stays")
    assert redrive.advice


def test_delivery_events_are_redriven(operator: OperatorChannel, callbacks: Callbacks) -> None:
    """Each is listed by its kind, and recorded by the events worker; another one is discarded."""
    sid = callbacks.send()
    callbacks.post(callbacks.request("undelivered", sid, ErrorCode="63049"))
    (event,) = callbacks.queued()
    callbacks.channel.sqs.delete_message(
        QueueUrl=callbacks.queue_url, ReceiptHandle=event["ReceiptHandle"]
    )
    lookup = {"lookup": {"primary_channel": RECIPIENT, "conversation_id": "erased"}}
    operator.dead_letter(event["Body"], json.dumps(lookup), "no JSON", events=True)

    found = operator.succeed("dlq", "list", "--events", "--messages")
    rows = {row["cause"]: row["conversation"] for row in found["messages"]}
    assert {"callback": CONVERSATION, "lookup": "erased", "unreadable": ""} == rows
    (shown,) = operator.succeed("dlq", "show", CONVERSATION, "--events")
    assert RECIPIENT[1:] not in json.dumps(shown)
    assert "has none" in operator.refused(*REDRIVE, "--events", "--fixed-cause", "callback")
    assert 1 == operator.succeed(*DROP, "--events", "--cause", "unreadable")["acted"]
    selected = ("--cause", "callback", "--reason", "the table is back")
    assert 1 == operator.succeed(*REDRIVE, "--events", *selected)["acted"]

    assert 0 == callbacks.work()
    assert ("undelivered", "63049") == callbacks.delivery()
    (entry,) = operator.channel.record(CONVERSATION)["operator_actions"]
    assert ("delivery event redriven", "the table is back") == (entry["what"], entry["why"])
    assert [json.dumps(lookup)] == operator.events()


def test_a_channel_without_delivery_events(
    operator: OperatorChannel, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its status has no events, and the option says what is off."""
    find = Deployment.find

    def without_events(*arguments: Any) -> Deployment:
        return replace(find(*arguments), events_queue_url="", events_dead_letter_queue_url="")

    monkeypatch.setattr(Deployment, "find", without_events)
    assert "delivery_webhook and delivery_sweep are off" in operator.refused(
        "dlq", "list", "--events"
    )
    assert operator.succeed("status")["events_waiting"] is None
    assert "events" not in operator.run("status").stdout


def test_a_fixed_rejection_gets_a_complete_record(operator: OperatorChannel) -> None:
    """A conversation rejected before its lease is released with all context attributes."""
    operator.channel.deliver(
        context(lambda d: recipient_data(d).update(comms_consent=False), conversation_id="refused")
    )
    assert "company_id" not in operator.channel.record("refused")
    operator.dead_letter(context(conversation_id="refused"))

    operator.succeed(*REDRIVE, "--mended", "consent_not_given")  # the former name of --fixed-cause
    operator.process_queue()

    record = operator.channel.record("refused")
    assert (Status.SENT, "demo-company") == (record["conversation_status"], record["company_id"])
    assert 1 == len(operator.channel.phone())
    assert "released" in record["operator_actions"][0]["what"]


def test_a_message_without_a_record_gets_one(operator: OperatorChannel) -> None:
    """Of three copies one is redriven, with an audit entry; the next run removes the others."""
    operator.dead_letter(*[context(conversation_id="copied")] * 3)
    redrive = (*REDRIVE, "--reason", "the function could not start")
    assert 1 == operator.succeed(*redrive)["acted"]
    created = operator.channel.record("copied")
    assert Status.RETRY == created["conversation_status"]
    assert "redriven_by_operator" == created["failure"]["code"]
    assert 1 == operator.process_queue()
    assert 2 == operator.succeed(*redrive)["acted"]
    assert [] == operator.dead_letters() == operator.queued()

    record = operator.channel.record("copied")
    assert (Status.SENT, "demo-company") == (record["conversation_status"], record["company_id"])
    assert {"the function could not start"} == {each["why"] for each in record["operator_actions"]}
    assert record["operator_actions"][0]["who"].startswith("arn:aws:")
    assert 1 == len(operator.channel.phone())


@pytest.mark.parametrize(
    ("option", "value"),
    [("--company", "demo-company"), ("--conversation", "chosen"), ("--cause", "no_record")],
)
def test_only_selected_are_redriven(operator: OperatorChannel, option: str, value: str) -> None:
    """The others stay and are visible again immediately."""
    chosen = context(conversation_id="chosen")
    other = operator.fail_permanently("other")
    operator.dead_letter(chosen, other, "no JSON")
    operator.succeed(*REDRIVE, option, value)
    assert [chosen] == operator.queued()
    assert {other, "no JSON"} == set(operator.dead_letters())


def test_the_limit_is_kept(operator: OperatorChannel) -> None:
    """It counts what is acted on, wherever that is in the queue; the others stay visible."""
    operator.dead_letter(*(context(conversation_id=f"c{number}") for number in range(15)))
    assert 4 == operator.succeed(*REDRIVE, "--limit", "4")["acted"]
    assert (4, 11) == (len(operator.queued()), len(operator.dead_letters()))
    for number in (14, 9):
        one = ("--conversation", f"c{number}", "--limit", "1")
        assert 1 == operator.succeed(*REDRIVE, *one)["acted"]
    assert 9 == len(operator.dead_letters())


def test_a_cause_that_persists_stops_the_redrive(operator: OperatorChannel) -> None:
    """Of each cause five are tried: the others follow if one is sent, and stay if none is."""
    refused, other = "+447700900111", OTHER
    for number in range(6):
        operator.dead_letter(operator.conversation("fixed", refused, f"fixed-{number}"))
        operator.dead_letter(operator.conversation("waiting", other, f"waiting-{number}"))
    twilio = operator.channel.twilio
    twilio.fail_next("21612", times=99, match=Match(method="POST", contains=refused[1:]))
    redrive = (*REDRIVE, "--fixed-cause", "twilio_21612")

    output = operator.refused(*redrive)
    assert "twilio_21612: of the first 5 none was sent: 5 with twilio_21612" in output
    sends = [request for request in twilio.requests if refused[1:] in str(request.body)]
    assert (5, 6) == (len(sends), len(operator.dead_letters()))
    twilio.clear_faults()
    operator.succeed(*redrive)
    operator.process_queue()
    assert [6, 6] == [len(twilio.inbox(number)) for number in (refused, other)]
    assert [] == operator.dead_letters()


def test_a_redrive_does_not_wait_forever(
    operator: OperatorChannel, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without any outcome the others stay, unless all are to be redriven at once."""
    monkeypatch.setattr(runner, "TRIAL_SECONDS", 0)
    monkeypatch.setattr(runner, "sleep", lambda _: None)
    operator.dead_letter(*(context(conversation_id=f"c{number}") for number in range(12)))
    assert "none of the first 5 has an outcome yet" in operator.refused(*REDRIVE)
    assert 7 == operator.succeed(*REDRIVE, "--no-trial")["acted"]


def test_messages_in_flight_are_reported(
    operator: OperatorChannel, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No command takes them for none; they are visible soon after the other command was killed."""
    passed, is_extended = [0.0], Event()
    monkeypatch.setattr("moto.sqs.models.unix_time", lambda: time.time() + passed[0])
    monkeypatch.setattr(
        "moto.sqs.models.unix_time_millis", lambda: (time.time() + passed[0]) * 1000
    )
    monkeypatch.setattr(queues, "EXTENSION_SECONDS", 0.01)
    change = QueueScanner._change_visibility

    def note_extension(self: QueueScanner, handles: Iterable[str], seconds: int) -> None:
        change(self, handles, seconds)
        is_extended.set()

    operator.dead_letter(*(context(conversation_id=f"c{number}") for number in range(3)))
    other = QueueScanner(operator.channel.sqs, operator.dead_letter_queue_url)
    with monkeypatch.context() as patch, other:
        assert 3 == len(next(other.batches()))
        passed[0] += 60
        patch.setattr(QueueScanner, "_change_visibility", note_extension)
        assert is_extended.wait(60)
        passed[0] += 60
        for command in (("dlq", "list"), REDRIVE, (*DROP, "--cause", "x"), ("dlq", "show", "c1")):
            assert "3 messages are in flight" in operator.refused(*command)
        document = json.loads(operator.run("dlq", "list", "--json").stdout)
    at = datetime.fromisoformat(document["visible_by"]).timestamp()
    assert (3, True) == (document["in_flight"], at <= time.time() + 90)

    killed = QueueScanner(operator.channel.sqs, operator.dead_letter_queue_url)
    assert 3 == len(next(killed.batches()))
    assert "in flight" in operator.refused("dlq", "list")
    passed[0] += 91
    assert 0 == operator.succeed("dlq", "list")["in_flight"]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_terminated_command_releases_what_it_holds(
    operator: OperatorChannel,
    monkeypatch: pytest.MonkeyPatch,
    request: pytest.FixtureRequest,
    number: signal.Signals,
) -> None:
    """It ends as after Ctrl-C, and the next one sees all messages."""
    operator.dead_letter(*(context(conversation_id=f"c{each}") for each in range(3)))
    before = signal.signal(number, signal.SIG_DFL)  # `nohup` ignores SIGHUP
    request.addfinalizer(lambda: signal.signal(number, before))
    with monkeypatch.context() as patch:
        patch.setattr(ConversationRepository, "read", lambda *_: os.kill(os.getpid(), number))
        assert "interrupted: nothing was changed" in operator.interrupted("dlq", "list")
    assert signal.SIG_DFL is signal.getsignal(number)
    assert 3 == operator.succeed("dlq", "list")["causes"][0]["messages"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((*REDRIVE, "--cause", "twilio_212111"), "did you mean twilio_21211?"),
        ((*REDRIVE, "--fixed-cause", "openai_500"), "there are: not_found_at_vendor, twilio_21211"),
        ((*DROP, "--company", "demo-compny"), "did you mean demo-company?"),
        ((*DROP, "--conversation", "faild", "--dry-run"), "did you mean failed?"),
        ((*DROP, "--message", "x"), "--message x: no dead-letter message has this value"),
        (REDRIVE, "nothing was changed: 2 messages stay"),
        ((*DROP, "--cause", "not_found_at_vendor"), "nothing was changed: 1 messages stay"),
    ],
)
def test_nothing_done_is_no_success(
    operator: OperatorChannel, arguments: tuple[str, ...], message: str
) -> None:
    """A value that no message has is refused with those that exist; so is a run without effect."""
    assert 0 == operator.succeed(*arguments)["acted"]  # of an empty queue nothing is to be done
    bodies = [operator.conversation(state) for state in ("failed", "unknown")]
    operator.dead_letter(*bodies)
    assert message in operator.refused(*arguments)
    assert set(bodies) == set(operator.dead_letters())


def test_what_is_advised_can_be_pasted(operator: OperatorChannel) -> None:
    """Each command is for the same deployment; for an opt-out it drops exactly these messages."""
    opted_out = ("untouched", "waiting", "failed")
    states = (*opted_out, "sent", "unknown", "held")
    bodies = {state: operator.conversation(state) for state in states}
    bodies |= {f"{state}-2": operator.conversation(state, OTHER, f"{state}-2") for state in states}
    operator.dead_letter("no JSON", *bodies.values())
    operator.succeed("suppression", "add", OTHER, "--reason", "by phone", "--yes")
    planned = operator.succeed("dlq", "redrive", "--dry-run")["planned"]
    assert 3 == sum(r["messages"] for r in planned if "opted out" in r["decision"])

    target = ("--env", "dev", "--channel", "whatsapp")
    causes = operator.succeed("dlq", "list", *target)["causes"]
    commands = [command for cause in causes for command in cause["commands"]]
    output = operator.run("dlq", "list", *target).stdout
    for command in commands:
        check_call(shlex.split(command)[3:])
        assert command.endswith(" ".join(target))
        assert command in output
    for command in commands:
        if "opted out" in command:
            operator.succeed(*shlex.split(command)[3:], "--yes")
    left = Counter(operator.dead_letters())
    assert not any(left[bodies[f"{state}-2"]] for state in opted_out)
    assert all(left[bodies[state]] for state in (*opted_out, "sent-2", "unknown-2", "held-2"))


def test_a_late_duplicate_of_a_discarded_message_is_not_sent(operator: OperatorChannel) -> None:
    """Its conversation is closed with the operator's reason."""
    body = operator.fail_temporarily("waited")
    operator.dead_letter(body)

    assert 1 == operator.succeed(*DROP, "--conversation", "waited")["acted"]
    record = operator.channel.record("waited")
    assert Status.FAILED == record["conversation_status"]
    assert "dropped_by_operator" == record["failure"]["code"]
    assert "withdrawn by the tenant" == record["operator_actions"][0]["why"]
    assert [body] == operator.channel.deliver(body)
    assert ([], []) == (operator.dead_letters(), operator.channel.phone())


def test_an_unreadable_message_is_recorded_by_its_id(operator: OperatorChannel) -> None:
    """A message that names no conversation gets a record of its own; former options work, too."""
    operator.dead_letter("no JSON")
    (row,) = operator.succeed("dlq", "list", "--letters")["messages"]
    operator.succeed(*DROP, "--letter", row["message_id"])

    record = operator.channel.record(row["message_id"], recipient="dead-letter")
    assert "withdrawn by the tenant" == record["operator_actions"][0]["why"]
    assert [] == operator.dead_letters()


class Killed(BaseException):
    """The process of a command has ended, without releasing anything."""


def _redrive() -> None:
    """Redrive as an operator of their own, who may work in another thread."""
    streams = [rich.console.Console(file=io.StringIO()) for _ in range(2)]
    console = Console(as_json=True, output=streams[0], errors=streams[1])
    session = Session("dev", "whatsapp", is_local=False, console=console)
    with suppress(OperatorError):  # another one was faster
        inspect.unwrap(dlq.redrive)(session, fixed_cause=FIXED_CAUSES[1::2], rate=1e5, yes=True)


@contextmanager
def _ending_at(number: int, end: type[BaseException]) -> Iterator[None]:
    """End commands at a redriven message: one call before, and one after it is queued."""
    send, calls = ChannelQueue.send, count()

    def send_or_end(self: ChannelQueue, *message: Any) -> str:
        call = next(calls)
        if call == number:
            raise end
        message_id = send(self, *message)
        if call == number + 1:
            raise end
        return message_id

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ChannelQueue, "send", send_or_end)
        if end is Killed:
            patch.setattr(QueueScanner, "__exit__", lambda self, *_: self._ended.set())
        yield


@pytest.mark.timeout(3600)
def test_many_messages_are_accounted_for(
    operator: OperatorChannel, callbacks: Callbacks, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two operators, a kill and an interruption later, each was sent once, or its record says why.

    All that remains then is decided as advised, and the status has nothing left to do.
    """
    passed = [0.0]
    # moto computes a calendar date for each message of a queue at each receive.
    monkeypatch.setattr("moto.sqs.models.unix_time", lambda: time.time() + passed[0])
    monkeypatch.setattr(
        "moto.sqs.models.unix_time_millis", lambda: (time.time() + passed[0]) * 1000
    )
    mixture = []  # kind, recipient and body; several conversations for each recipient
    for number, kind in enumerate(islice(cycle((*STATES, "opted out", "no JSON")), MESSAGES)):
        recipient = OPTED_OUT if kind == "opted out" else f"+447700900{number // 26 % 900:03}"
        state = "waiting" if kind == "opted out" else kind
        is_context = state in STATES
        body = operator.conversation(state, recipient, f"c-{number}") if is_context else kind
        mixture.append((kind, recipient, body))
        operator.dead_letter(*[body] * (STATES[state].copies if is_context else 1))
    operator.succeed("suppression", "add", OPTED_OUT, "--reason", "by phone", "--yes")
    for number in range(MESSAGES // 20):
        operator.channel.twilio.fail_next(Fault.undelivered(63041))
        operator.channel.deliver(context(conversation_id=f"undelivered-{number}"))
        operator.channel.set_fields(
            f"undelivered-{number}",
            delivery_status="undelivered",
            delivery_updated_at=datetime.now(UTC).isoformat(),
        )
    operator.dead_letter("no event", events=True)

    with _ending_at(MESSAGES // 6, Killed), pytest.raises(Killed):
        _redrive()
    assert 0 < operator.succeed("dlq", "list")["in_flight"]
    passed[0] += 91
    with _ending_at(MESSAGES // 6, KeyboardInterrupt):
        assert 130 == operator.run(*REDRIVE, *FIXED_CAUSES).exit_code
    for _ in range(2):
        with ThreadPoolExecutor() as pool:
            list(pool.map(lambda _: _redrive(), range(2)))
        operator.process_queue()

    # The recipients, because without them each decision reads the whole table.
    held, lost = (
        [(row["conversation"], "--recipient", row["recipient"], "--yes") for row in rows]
        for rows in (
            operator.succeed(group, "list", "--show-personal-data")
            for group in ("approvals", "unknown")
        )
    )
    for number, arguments in enumerate(held):
        decision = ("approve", "reject")[number % 2]
        operator.succeed("approvals", decision, *arguments, "--draft", DRAFT)
    for arguments in lost:
        operator.succeed("unknown", "resolve", *arguments, "--not-sent")
    for option in ((), ("--events",)):
        while causes := operator.succeed("dlq", "list", *option)["causes"]:
            is_fixed = causes[0]["cause"] in FIXED_CAUSES
            advised = causes[0]["commands"][0 if is_fixed else -1]
            operator.run(*shlex.split(advised)[3:], "--yes")
            operator.process_queue()
    assert 0 == callbacks.work()

    kinds = Counter(kind for kind, *_ in mixture)
    assert (kinds["held"], 0) == (len(held), len(operator.queued()))
    sent = {to: len(operator.channel.twilio.inbox(to)) for _, to, _ in mixture}
    arriving = Counter(to for kind, to, _ in mixture if kind in {*ARRIVING, "unknown", "held"})
    assert all(number <= arriving[to] for to, number in sent.items())
    assert sum(arriving.values()) - len(held) // 2 == sum(sent.values())
    rows = operator.succeed("conversation", "list", "--limit", "10000")
    unsent = {"failed", "declined", "opted out", "no JSON"}
    failed = sum(kinds[kind] for kind in unsent) + len(held) // 2
    assert failed == sum(row["status"] == Status.FAILED for row in rows)
    assert len(mixture) + MESSAGES // 20 == len(rows)
    assert {Status.SENT, Status.FAILED} == {row["status"] for row in rows}
    undelivered = operator.succeed("conversation", "undelivered")["causes"]
    assert MESSAGES // 20 == sum(cause["messages"] for cause in undelivered)
    assert [] == operator.succeed("status")["next"] == operator.events()
