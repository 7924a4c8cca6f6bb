"""The demonstration's scenarios: delivery, faults, bad input, delivery status, a held draft."""

import json
import re
import shlex
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

from lambda_src.core import PHONE, LogEvent, RecordKey, Status
from lambda_src.core.contract import DeliveryStatus
from lambda_src.services.dynamodb import suppression_key
from local import paths
from local.channel import channel_for
from local.cloud import LocalCloud
from local.contexts import example
from local.deployment import ENVIRONMENT
from local.dynamodb_proxy import DynamoDBError, Parameters
from local.emulator.alerts import Alert, LogLineAlarm, alarms_on_line
from local.emulator.function_logs import LogLine
from local.fakes import Fault, FaultKind, InboxMessage, Match, SentCallback
from local.lifecycle import wait_for
from local.message_tracker import MessageState, MessageStatus, MessageTracker
from local.screen import Screen
from local.vendors import FakeVendors
from stacks.channels import CHANNELS

TIMEOUT_SECONDS = 90
"""How long a scenario waits for something that should take seconds."""

CONVERSATION = "demo-company#spring-intake#"
DELIVERY_RECIPIENT = "+447700900101"
FAILED_UPDATE_RECIPIENT = "+447700900102"
BAD_INPUT_RECIPIENT = "+447700900103"
READ_RECIPIENT = "+447700900104"
UNDELIVERED_RECIPIENT = "+447700900105"
PROVEN_RECIPIENT = "+447700900106"
LOST_RECIPIENT = "+447700900107"
DRAFT_RECIPIENT = "+447700900108"
BOUNCING_RECIPIENT = "bounce@simulator.amazonses.com"
COMPLAINING_RECIPIENT = "complaint@simulator.amazonses.com"
UNDELIVERED_SERIES = "+44770090011"
"""What the numbers of the further undelivered messages begin with."""
UNDELIVERED_MESSAGES = 6
"""Enough for the alarm on the share of undelivered messages, with the messages of the others."""
SHARE_ALARM = "UndeliveredShare"
INVENTED_PRICE = "£99"
INVENTED_TEXT = f"This is Tom Reed from Harbour Logistics. Pay {INVENTED_PRICE} to keep your place."
APPROVED_TEXT = "This is Tom Reed from Harbour Logistics. Your application has arrived."
DELIVERED_AND_READ = (DeliveryStatus.DELIVERED, DeliveryStatus.READ)
UNDELIVERED_CODE = 63049
"""Meta did not deliver a marketing message, as none to a US number since April 2025."""
DEAD_LETTER_METRIC = "AWS/SQS/ApproximateNumberOfMessagesVisible"
CALLBACK_STEP = "Twilio → callback → API → receiver → queue → worker → record"
EMAIL_STEP = "SES → topic → queue → worker → record"
LOOKUP_STEP = "scheduled job → index → queue → worker → Twilio → record"
WRONG_FIELDS = ("company_name", "project_status", "allowed_channels", "company_whatsapp_number")
"""The fields that are missing or wrong in the example `bad-several-problems`."""

_SID = re.compile("(SM|MM)[0-9a-f]{32}")


class Checks:
    """Checks claims, shows the results and collects the claims that do not hold.

    Args:
        screen: where each claim is shown.

    Attributes:
        failed: the claims that did not hold, in the order of checking.
        count: the number of claims that were checked.
    """

    def __init__(self, screen: Screen) -> None:
        self._screen = screen
        self.failed: list[str] = []
        self.count = 0

    def check(self, claim: str, condition: Callable[[], object]) -> None:
        """Check a claim.

        Args:
            claim: one sentence that can be understood without the code.
            condition: returns something true if the claim holds; if it reads a missing value
                (KeyError and the like), the claim does not hold.
        """
        try:
            holds = bool(condition())
        except (LookupError, TypeError, AttributeError):
            holds = False
        self.count += 1
        if not holds:
            self.failed.append(claim)
        self._screen.verdict(claim, holds=holds)


@dataclass(frozen=True)
class Scenario:
    """What every scenario uses.

    Attributes:
        cloud: a running local cloud.
        vendors: its OpenAI and Twilio.
        screen: where scenarios are shown.
        checks: checks their claims.
    """

    cloud: LocalCloud
    vendors: FakeVendors
    screen: Screen
    checks: Checks

    def send(self, name: str, *, conversation: str, recipient: str = "") -> MessageTracker:
        """Send an example context object, to its own recipient or another one, and show that."""
        body = example(name, conversation_id=f"{CONVERSATION}{conversation}", recipient=recipient)
        channel = channel_for(body, self.cloud.channels)
        queue = channel.resources.queue_url.rpartition("/")[2]
        self.screen.say(f"examples/contexts/{name}.json → {queue} ({len(body):,} bytes)", "dim")
        return MessageTracker.send(channel, body)

    def follow(
        self,
        tracker: MessageTracker,
        step: str,
        until: Callable[[MessageStatus], bool] = lambda _: False,
    ) -> MessageStatus:
        """Wait until a message's status is final or `until` returns true.

        Args:
            tracker: the message's.
            step: shown while waiting.
            until: ends the wait before the final status.

        Returns:
            The last status.
        """
        with self.screen.step(step):
            for status in tracker.poll(TIMEOUT_SECONDS):
                if until(status):
                    break
        return status

    def wait_for_reports(
        self, tracker: MessageTracker, *statuses: DeliveryStatus, step: str = CALLBACK_STEP
    ) -> dict[str, Any]:
        """Wait until the vendor has reported these statuses, in any order.

        Returns:
            The conversation's record, also if that took too long.
        """

        def are_recorded() -> bool:
            return set(statuses) <= set(_reported(tracker.status().record))

        with self.screen.step(step):
            wait_for(are_recorded, TIMEOUT_SECONDS)
        record = tracker.status().record
        self.screen.record(record)
        return record

    def callbacks(self, sid: str) -> list[SentCallback]:
        """Return the status callbacks about one message that were sent so far."""
        return [each for each in self.vendors.twilio.callbacks() if each.sid == sid]

    def inbox(self, address: str) -> list[InboxMessage]:
        """Return the messages of a recipient."""
        return self.vendors.inbox.messages(address) if self.vendors.inbox else []

    def wait_for_alert(self, metric: str, step: str) -> Alert | None:
        """Wait for the notification of an alarm on a metric, and show it.

        Args:
            metric: namespace and name, joined by a slash.
            step: shown while waiting.

        Returns:
            The notification; None if none was received in time.
        """
        with self.screen.step(step):
            alert = wait_for(lambda: self.cloud.alerts.alarm_on(metric), TIMEOUT_SECONDS)
        self.show_alert(alert)
        return alert

    def show_alert(self, alert: Alert | None) -> None:
        """Show the notification of an alarm, if there is one."""
        if alert:
            self.screen.say(f"notification  {alert.subject}", "magenta")
            self.screen.say(alert.description, "dim")


def delivery(scenario: Scenario) -> None:
    """Send a valid context object on each channel, and show the message and the record."""
    scenario.screen.heading("1 · A context object becomes a message, on each channel")
    vendors = {channel.name: channel.vendor for channel in CHANNELS}
    for name in scenario.cloud.channels:
        _deliver(name, vendors[name], scenario)


def _deliver(name: str, vendor: str, scenario: Scenario) -> None:
    screen, check = scenario.screen, scenario.checks.check
    deployed, before = scenario.cloud.channels[name], time.time()
    recipient = DELIVERY_RECIPIENT if deployed.addressing.recipient is PHONE else ""
    tracker = scenario.send(name, conversation=f"delivery-{name}", recipient=recipient)
    status = scenario.follow(tracker, f"queue → mapping → function → OpenAI → {vendor} → recipient")
    address, record = tracker.key.primary_channel if tracker.key else "", status.record
    messages = [message for message in scenario.inbox(address) if message.at >= before]
    screen.inbox(address, messages)
    screen.record(record)
    if failure := status.failure:
        screen.say(f"it failed, {failure.code} at {failure.step}: {status.reason}", "red")

    check("the function logged that the message was sent", lambda: _is_sent(status))
    check("the recipient has exactly one message", lambda: len(messages) == 1)
    check("it addresses the recipient by name", lambda: "Amara" in messages[0].body)
    check(
        f"the record's status is {Status.SENT}, with the message's sid",
        lambda: _is_recorded_as_sent(record, messages[0].sid),
    )
    check("the dead-letter queue is empty", lambda: not deployed.dead_letters())


def failed_update(scenario: Scenario) -> None:
    """Let the final update fail, then show the alarm and the recovery by redelivery."""
    scenario.screen.heading("2 · The final update fails: an alarm, and recovery by redelivery")
    tracker = _send_with_failed_update(scenario)
    line = next(iter(scenario.cloud.channel.log_of(tracker.message_id)), {})
    _check_failure(scenario, tracker, line)
    _check_alarm(scenario, line)
    _check_recovery(scenario, tracker, line)


def writes_message_sid(parameters: Parameters) -> bool:
    """Return whether an UpdateItem request writes a message's sid: only the final update does."""
    values = parameters.get("ExpressionAttributeValues", {}).values()
    return any(_SID.fullmatch(value.get("S", "")) for value in values)


def _send_with_failed_update(scenario: Scenario) -> MessageTracker:
    proxy = scenario.cloud.dynamodb_proxy
    proxy.fail("UpdateItem", DynamoDBError.ACCESS_DENIED, writes_message_sid)
    scenario.screen.say("from now on, DynamoDB denies every update that records a sid", "yellow")
    _lose_callbacks(scenario, FAILED_UPDATE_RECIPIENT)
    tracker = scenario.send(
        "whatsapp", conversation="failed-update", recipient=FAILED_UPDATE_RECIPIENT
    )
    scenario.follow(
        tracker, "the message is sent, the final update fails", lambda status: bool(status.failure)
    )
    proxy.clear_faults()
    scenario.screen.say("DynamoDB accepts every request again", "yellow")
    return tracker


def _lose_callbacks(scenario: Scenario, number: str) -> None:
    lost = Fault.callback_lost()
    twilio = scenario.vendors.twilio
    twilio.add_rule(twilio.rule(lost, match=Match(contains=number), times=None))
    scenario.screen.say("Twilio's status callbacks about this message are lost", "yellow")


def _check_failure(scenario: Scenario, tracker: MessageTracker, line: dict[str, Any]) -> None:
    check, messages = scenario.checks.check, scenario.inbox(FAILED_UPDATE_RECIPIENT)
    text = json.dumps(line)
    scenario.screen.log_line(line)
    check("the final update failed", lambda: scenario.cloud.dynamodb_proxy.failed_count)
    check(
        f"the function logged one CRITICAL line, {LogEvent.FINAL_DB_UPDATE_FAILED}",
        lambda: (line["level"], line["event"]) == ("CRITICAL", LogEvent.FINAL_DB_UPDATE_FAILED),
    )
    check(
        "it contains the sid of the message on the phone",
        lambda: line["message_sid"] in [message.sid for message in messages],
    )
    check(
        "it contains neither the phone number nor the message's text",
        lambda: FAILED_UPDATE_RECIPIENT not in text and messages[0].body not in text,
    )
    check(
        f"the record's status is still {Status.SENDING}",
        lambda: tracker.status().record["conversation_status"] == Status.SENDING,
    )


def _check_alarm(scenario: Scenario, line: dict[str, Any]) -> None:
    check, say = scenario.checks.check, scenario.screen.say
    step = "log line → metric filter → metric → alarm → topic → subscriber"
    alerts = [scenario.wait_for_alert(alarm.full_metric, step) for alarm in _alarms(scenario, line)]
    alarms = _alarms(scenario, line)
    for alarm in alarms:
        say(f"filter        {alarm.metric_filter}  {alarm.pattern}")
        say(f"metric        {alarm.namespace} {alarm.metric}")
        say(f"alarm         {alarm.alarm}  {alarm.state}", "magenta")
    check("the line matches exactly one metric filter with an alarm", lambda: len(alarms) == 1)
    check("the alarm is in state ALARM", lambda: alarms[0].state == "ALARM")
    check("the topic's subscriber was notified of that alarm", lambda: alerts[0])


def _alarms(scenario: Scenario, line: dict[str, Any]) -> list[LogLineAlarm]:
    cloud = scenario.cloud
    return alarms_on_line(cloud.aws, cloud.resources.log_group, json.dumps(line))


def _check_recovery(scenario: Scenario, tracker: MessageTracker, line: dict[str, Any]) -> None:
    check = scenario.checks.check
    status = scenario.follow(
        tracker, "redelivery after the lease: lookup at Twilio, no second send"
    )
    messages = scenario.inbox(FAILED_UPDATE_RECIPIENT)
    scenario.screen.inbox(FAILED_UPDATE_RECIPIENT, messages)
    scenario.screen.record(status.record)
    check("the redelivery succeeds", lambda: _is_sent(status))
    check(
        f"the record's status is {Status.SENT}, with the sid in that line",
        lambda: _is_recorded_as_sent(status.record, line["message_sid"]),
    )
    check("the phone still shows exactly one message", lambda: len(messages) == 1)
    check(
        "the message is not in the dead-letter queue",
        lambda: tracker.message_id not in scenario.cloud.channel.dead_letters(),
    )


def bad_input(scenario: Scenario) -> None:
    """Send two invalid context objects, with and without a key for a record."""
    scenario.screen.heading("3 · Bad input moves to the dead-letter queue, with the reason")
    requests_before = _request_counts(scenario)
    _send_with_key(scenario)
    _send_without_key(scenario)
    step = "dead-letter queue → metric → alarm → topic → subscriber"
    alert = scenario.wait_for_alert(DEAD_LETTER_METRIC, step)
    check = scenario.checks.check
    check("no vendor received a request", lambda: _request_counts(scenario) == requests_before)
    check("the topic's subscriber was notified of the dead letters", lambda: alert)
    check("the phone shows no message", lambda: not scenario.inbox(BAD_INPUT_RECIPIENT))


def _send_with_key(scenario: Scenario) -> None:
    status = _send_invalid(scenario, "bad-several-problems")
    scenario.screen.record(status.record)
    check, record = scenario.checks.check, status.record
    check("it is in the dead-letter queue", lambda: _is_dead_letter(status))
    check(
        f"its record's status is {Status.FAILED}, with every problem",
        lambda: (
            record["conversation_status"] == Status.FAILED
            and all(field in record["failure"]["detail"] for field in WRONG_FIELDS)
        ),
    )


def _send_without_key(scenario: Scenario) -> None:
    status = _send_invalid(scenario, "bad-no-key")
    scenario.screen.say(f"log  {status.reason}", "dim")
    check = scenario.checks.check
    check(
        "without a conversation id, it is in the dead-letter queue, too",
        lambda: _is_dead_letter(status),
    )
    check(
        "it has no record; the log contains the reason",
        lambda: not status.record and "conversation_data" in status.reason,
    )


def _send_invalid(scenario: Scenario, name: str) -> MessageStatus:
    tracker = scenario.send(name, conversation="bad-input", recipient=BAD_INPUT_RECIPIENT)
    return scenario.follow(tracker, "rejected at each delivery, until the queue's maximum")


def delivery_status(scenario: Scenario) -> None:
    """Show what became of messages: read, not delivered, proven sent, and found by a lookup."""
    scenario.screen.heading("4 · Twilio reports what became of each message")
    _show_read(scenario)
    _show_undelivered(scenario)
    _show_alarm_on_share(scenario)
    _show_proven(scenario)
    _show_lookup(scenario)


def _show_read(scenario: Scenario) -> None:
    match = Match(contains=READ_RECIPIENT, predicate=lambda each: "read" in each.body.values())
    scenario.vendors.twilio.fail_next(Fault.callback_forged(), match=match)
    scenario.screen.say("a forged callback reports that this message failed", "yellow")
    tracker = scenario.send("whatsapp", conversation="read", recipient=READ_RECIPIENT)
    record = scenario.wait_for_reports(tracker, *DELIVERED_AND_READ)
    callbacks = scenario.callbacks(record.get("message_sid", ""))
    check = scenario.checks.check
    check(
        "the message was delivered, then read, and its record says so",
        lambda: (
            record["delivery_status"] == DeliveryStatus.READ
            and {*DELIVERED_AND_READ} <= {*_reported(record)}
        ),
    )
    check(
        "the deployed endpoint took each of Twilio's callbacks",
        lambda: (
            callbacks and all(set(each.responses) == {HTTPStatus.NO_CONTENT} for each in callbacks)
        ),
    )
    check(
        "the forged callback changed nothing",
        lambda: (
            FaultKind.CALLBACK_FORGED in {each.fault for each in callbacks}
            and "failed" not in _reported(record)
        ),
    )
    check(
        "no log line on its way contains the phone number",
        lambda: not any(READ_RECIPIENT in line.text for line in _delivery_log(scenario)),
    )


def _show_undelivered(scenario: Scenario) -> None:
    fault, match = Fault.undelivered(UNDELIVERED_CODE), Match(contains=UNDELIVERED_RECIPIENT)
    scenario.vendors.twilio.fail_next(fault, match=match)
    scenario.screen.say("Twilio accepts the next message, and cannot deliver it", "yellow")
    tracker = scenario.send("whatsapp", conversation="undelivered", recipient=UNDELIVERED_RECIPIENT)
    record = scenario.wait_for_reports(tracker, DeliveryStatus.UNDELIVERED)
    check = scenario.checks.check
    check("the phone shows no message", lambda: not scenario.inbox(UNDELIVERED_RECIPIENT))
    check(
        f"the record says {DeliveryStatus.UNDELIVERED}, with Twilio's code {UNDELIVERED_CODE}",
        lambda: (
            (record["delivery_status"], str(record["delivery_error_code"]))
            == (DeliveryStatus.UNDELIVERED, str(UNDELIVERED_CODE))
        ),
    )
    check(
        f"its status is still {Status.SENT}: the message is not sent again",
        lambda: record["conversation_status"] == Status.SENT,
    )


def _show_alarm_on_share(scenario: Scenario) -> None:
    fault, match = Fault.undelivered(UNDELIVERED_CODE), Match(contains=UNDELIVERED_SERIES)
    twilio, screen = scenario.vendors.twilio, scenario.screen
    twilio.add_rule(twilio.rule(fault, match=match, times=None))
    screen.say(f"nor can it deliver the next {UNDELIVERED_MESSAGES}", "yellow")
    for number in range(UNDELIVERED_MESSAGES):
        conversation, recipient = f"undelivered-{number}", f"{UNDELIVERED_SERIES}{number}"
        scenario.cloud.channel.send(
            example("whatsapp", conversation_id=conversation, recipient=recipient)
        )
    with screen.step("share of undelivered messages in an hour → alarm → topic → subscriber"):
        alert = wait_for(lambda: scenario.cloud.alerts.alarm_named(SHARE_ALARM), TIMEOUT_SECONDS)
    scenario.show_alert(alert)
    scenario.checks.check(
        "the topic's subscriber was notified of the share of undelivered messages", lambda: alert
    )


def _show_lookup(scenario: Scenario) -> None:
    _lose_callbacks(scenario, LOST_RECIPIENT)
    tracker = scenario.send("whatsapp", conversation="lost", recipient=LOST_RECIPIENT)
    scenario.follow(tracker, "queue → mapping → function → OpenAI → Twilio → phone")
    check, record = scenario.checks.check, tracker.status().record
    check(
        f"without callbacks the record's delivery status stays {DeliveryStatus.QUEUED}",
        lambda: record["delivery_status"] == DeliveryStatus.QUEUED,
    )
    scenario.screen.say("an hour passes: the scheduled job runs with a lookup due", "yellow")
    with scenario.screen.step(LOOKUP_STEP):
        scenario.cloud.channel.request_lookups()
        wait_for(lambda: _is_looked_up(tracker.status().record), TIMEOUT_SECONDS)
    found = tracker.status().record
    scenario.screen.record(found)
    check("a lookup at Twilio found that it was delivered", lambda: _is_looked_up(found))


def _is_looked_up(record: dict[str, Any]) -> bool:
    return record.get("delivery_status") in DELIVERED_AND_READ


def _show_proven(scenario: Scenario) -> None:
    fault, match = Fault.reset(effect_applied=True), Match(contains=PROVEN_RECIPIENT)
    scenario.vendors.twilio.fail_next(fault, match=match)
    scenario.screen.say("Twilio sends the next message, but its response is lost", "yellow")
    tracker = scenario.send("whatsapp", conversation="proven", recipient=PROVEN_RECIPIENT)
    record = scenario.wait_for_reports(tracker, *DELIVERED_AND_READ)
    messages = scenario.inbox(PROVEN_RECIPIENT)
    check = scenario.checks.check
    check("the phone shows exactly one message", lambda: len(messages) == 1)
    check(
        f"a callback proved the send: the status is {Status.SENT}, with the sid",
        lambda: _is_recorded_as_sent(record, messages[0].sid),
    )


def bounces(scenario: Scenario) -> None:
    """Show an e-mail that bounces, and one after which the recipient complains."""
    scenario.screen.heading("5 · Amazon SES reports a bounce and a complaint")
    bounced = scenario.send("email", conversation="bounce", recipient=BOUNCING_RECIPIENT)
    complained = scenario.send("email", conversation="complaint", recipient=COMPLAINING_RECIPIENT)
    record = scenario.wait_for_reports(bounced, DeliveryStatus.UNDELIVERED, step=EMAIL_STEP)
    check, email = scenario.checks.check, scenario.cloud.channels["email"]
    check(
        "the record of the e-mail that bounced says so; it is not sent again",
        lambda: (
            (record["conversation_status"], record["delivery_status"])
            == (Status.SENT, DeliveryStatus.UNDELIVERED)
        ),
    )
    suppression = RecordKey(**suppression_key("email", COMPLAINING_RECIPIENT))
    with scenario.screen.step(EMAIL_STEP):
        wait_for(lambda: email.record(suppression), TIMEOUT_SECONDS)
    next_one = scenario.send("email", conversation="next", recipient=COMPLAINING_RECIPIENT)
    status = scenario.follow(
        next_one, "the next e-mail is refused", lambda each: bool(each.failure)
    )
    messages = scenario.inbox(COMPLAINING_RECIPIENT)
    check(
        "after the complaint, the next e-mail to that recipient is not sent",
        lambda: (
            complained.status().state is MessageState.SENT
            and (status.failure.code if status.failure else "", len(messages))
            == ("recipient_suppressed", 1)
        ),
    )


def held_draft(scenario: Scenario) -> None:
    """Show a draft with an invented price that is held, and the text that an operator sends."""
    screen, check = scenario.screen, scenario.checks.check
    screen.heading("6 · A draft that fails its checks waits for an operator")
    invented = Fault.wrong_output(json.dumps({"1": "Amara", "2": INVENTED_TEXT}))
    match = Match(method="POST", paths=("/v1/responses",), contains="Amara")
    scenario.vendors.openai.fail_next(invented, times=2, match=match)
    screen.say(f"the AI writes, twice: {INVENTED_TEXT}", "yellow")
    tracker = scenario.send("whatsapp", conversation="draft", recipient=DRAFT_RECIPIENT)
    record = scenario.follow(tracker, "queue → mapping → function → OpenAI → checks → hold").record
    screen.record(record)
    for problem in record.get("draft", {}).get("problems", ()):
        screen.say(problem, "dim")
    check(
        f"the record's status is {Status.AWAITING_APPROVAL}; the problem names the price",
        lambda: (
            record["conversation_status"] == Status.AWAITING_APPROVAL
            and INVENTED_PRICE in record["draft"]["problems"][0]
        ),
    )
    check("nothing was sent to the phone", lambda: not scenario.inbox(DRAFT_RECIPIENT))
    decided = _edit_draft(scenario, record)
    with screen.step("approval → record → queue → function → Twilio → phone"):
        wait_for(lambda: scenario.inbox(DRAFT_RECIPIENT), TIMEOUT_SECONDS)
    messages = scenario.inbox(DRAFT_RECIPIENT)
    screen.inbox(DRAFT_RECIPIENT, messages)
    check("the operator's command succeeded", lambda: decided == 0)
    check(
        "the phone shows exactly one message, with the operator's text",
        lambda: len(messages) == 1 and APPROVED_TEXT in messages[0].body,
    )
    check(
        "the record says who approved it, and that the text was edited",
        lambda: (
            tracker.status().record["written_by"].items() >= {"edited": True, "requests": 2}.items()
        ),
    )


def _edit_draft(scenario: Scenario, record: dict[str, Any]) -> int:
    """Let an operator send another text by the command that operators use; return its exit code."""
    arguments = [
        *("approvals", "edit", f"{CONVERSATION}draft", "--recipient", DRAFT_RECIPIENT),
        *("--draft", record.get("draft_id", ""), "--variable", f"2={APPROVED_TEXT}", "--yes"),
    ]
    scenario.screen.say(f"python -m ops {shlex.join(arguments)}", "dim")
    done = subprocess.run(  # noqa: S603 - our own command, no shell
        [sys.executable, "-m", "ops", *arguments, "--env", ENVIRONMENT],
        cwd=paths.ROOT,
        env=scenario.cloud.aws.command_environment(),
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        scenario.screen.say(done.stderr, "red")
    return done.returncode


def _reported(record: dict[str, Any]) -> list[str]:
    return [report["status"] for report in record.get("delivery_events", [])]


def _delivery_log(scenario: Scenario) -> list[LogLine]:
    return [line for each in scenario.cloud.channels.values() for line in each.delivery_log()]


def _request_counts(scenario: Scenario) -> tuple[int, int]:
    return len(scenario.vendors.openai.requests), len(scenario.vendors.twilio.requests)


def _is_sent(status: MessageStatus) -> bool:
    return status.state is MessageState.SENT


def _is_dead_letter(status: MessageStatus) -> bool:
    return status.state is MessageState.DEAD_LETTER


def _is_recorded_as_sent(record: dict[str, Any], sid: str) -> bool:
    return (record["conversation_status"], record["message_sid"]) == (Status.SENT, sid)
