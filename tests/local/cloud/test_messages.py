"""Messages through the deployed event source mapping and function, from queue to notification."""

import json
from collections.abc import Mapping

from lambda_src.core.contract import LogEvent, Metric, Status
from local.cloud import LocalCloud
from local.emulator.alerts import Alert, alarms_on_line
from local.lifecycle import wait_for
from local.message_tracker import MessageState, MessageStatus, MessageTracker
from local.vendors import FakeVendors
from tests.local.cloud.messages import (
    METRIC_FILTERS,
    TIMEOUT_SECONDS,
    FailedUpdate,
    each_channel,
    recipient,
    several_waits,
    wait_until,
)
from tests.support.metrics import metric_sum

pytestmark = several_waits
Trackers = Mapping[str, MessageTracker]


def _status_and_sid(status: MessageStatus) -> tuple[object, object]:
    return status.record["conversation_status"], status.record["message_sid"]


@each_channel
def test_a_context_object_becomes_a_message(
    channel: str, trackers: Trackers, fakes: FakeVendors
) -> None:
    """A valid context object results in one message on the phone and a complete record."""
    number = recipient("good", channel)
    status = wait_until(MessageState.SENT, trackers[number])
    (message,) = fakes.twilio.inbox(number)
    assert message.body
    sender = {"whatsapp": "whatsapp:+15550100001", "sms": "+15550100001"}[channel]
    assert sender == message.sender
    expected = {
        "conversation_status": Status.SENT,
        "message_sid": message.sid,
        "primary_channel": number,
        "channel_method": channel,
        "company_name": "Harbour Logistics",
        "recipient_first_name": "Amara",
        "router_version": "2.4.0",
    }
    assert expected == {name: status.record.get(name) for name in expected}
    assert ["assistant"] == [entry["role"] for entry in status.record["messages"]]


def test_free_text_is_sent_without_a_template(trackers: Trackers, fakes: FakeVendors) -> None:
    """If a tenant's secret names no template, the assistant's text is sent."""
    status = wait_until(MessageState.SENT, trackers[recipient("free text")])
    (message,) = fakes.twilio.inbox(recipient("free text"))
    assert message.body == status.record["messages"][0]["content"]


@each_channel
def test_a_send_without_response_is_reconciled(
    channel: str, trackers: Trackers, fakes: FakeVendors
) -> None:
    """A message whose response was lost is found at the vendor, recorded, and not sent again."""
    status = wait_until(MessageState.SENT, trackers[recipient("unanswered", channel)])
    (message,) = fakes.twilio.inbox(recipient("unanswered", channel))
    assert (Status.SENT, message.sid) == _status_and_sid(status)


@each_channel
def test_a_temporary_vendor_failure_is_retried(
    channel: str, trackers: Trackers, fakes: FakeVendors
) -> None:
    """A message whose AI request failed with status 503 is sent by a later delivery, once."""
    status = wait_until(MessageState.SENT, trackers[recipient("overloaded", channel)])
    (message,) = fakes.twilio.inbox(recipient("overloaded", channel))
    assert 2 == status.deliveries
    assert (Status.SENT, message.sid) == _status_and_sid(status)


@each_channel
def test_bad_input_moves_to_the_dead_letter_queue(
    channel: str, trackers: Trackers, fakes: FakeVendors
) -> None:
    """An invalid context object becomes a dead letter, and its record contains the reason."""
    status = wait_until(MessageState.DEAD_LETTER, trackers[recipient("bad", channel)])
    assert Status.FAILED == status.record["conversation_status"]
    assert "company_data_payload.company_name" in status.record["failure"]["detail"]
    assert [] == fakes.twilio.inbox(recipient("bad", channel))


def test_a_body_without_a_key_moves_there_too(cloud: LocalCloud) -> None:
    """A body that is not JSON becomes a dead letter, and the log contains the reason."""
    tracker = MessageTracker.send(cloud.channel, "not JSON")
    status = wait_until(MessageState.DEAD_LETTER, tracker)
    assert {} == status.record
    assert "JSON" in status.reason
    assert "not JSON" == cloud.channel.dead_letters()[tracker.message_id]


def test_the_functions_metrics_reach_cloudwatch(trackers: Trackers, cloud: LocalCloud) -> None:
    """The metrics that the deployed function logs are in the namespace of its template."""

    def total(metric: Metric) -> float:
        return metric_sum(cloud.aws, "AIComms/WhatsAppProcessor/Dev", metric)

    wait_until(MessageState.SENT, trackers[recipient("good")])
    assert wait_for(lambda: total(Metric.MESSAGES_SENT), TIMEOUT_SECONDS)
    assert total(Metric.MESSAGES_RECEIVED) >= total(Metric.MESSAGES_SENT)
    assert total(Metric.PROMPT_TOKENS) > 0


@each_channel
def test_a_failed_final_update_raises_an_alarm_and_is_repaired(
    channel: str,
    failed_updates: Mapping[str, FailedUpdate],
    trackers: Trackers,
    cloud: LocalCloud,
    fakes: FakeVendors,
) -> None:
    """A failed final update is notified to the topic's subscriber; a redelivery repairs it."""
    number, (line, status) = recipient("unrecorded", channel), failed_updates[channel]
    assert Status.SENDING == status.record["conversation_status"]
    assert LogEvent.FINAL_DB_UPDATE_FAILED == line["event"]
    (message,) = fakes.twilio.inbox(number)
    assert message.sid == line["message_sid"]
    assert number not in json.dumps(line)

    log_group = cloud.channels[channel].resources.log_group
    (alarm,) = alarms_on_line(cloud.aws, log_group, json.dumps(line))
    alert = _wait_for_alert(cloud, alarm.full_metric)
    (alarm,) = alarms_on_line(cloud.aws, log_group, json.dumps(line))
    assert (METRIC_FILTERS[channel], "ALARM") == (alarm.metric_filter, alarm.state)
    assert alarm.alarm == alert.alarm

    status = wait_until(MessageState.SENT, trackers[number])
    assert (Status.SENT, message.sid) == _status_and_sid(status)
    assert [message] == fakes.twilio.inbox(number)


def test_dead_letters_raise_an_alarm(trackers: Trackers, cloud: LocalCloud) -> None:
    """A message in the dead-letter queue sets off its alarm, whose text names the runbook."""
    wait_until(MessageState.DEAD_LETTER, trackers[recipient("bad")])
    alert = _wait_for_alert(cloud, "AWS/SQS/ApproximateNumberOfMessagesVisible")
    assert "WhatsAppProcessorDeadLettersAlarm-Dev" == alert.alarm
    assert "Runbook: docs/runbook.md#deadletters" in alert.description


def _wait_for_alert(cloud: LocalCloud, metric: str) -> Alert:
    """Return the notification of an alarm on a metric."""
    alert = wait_for(lambda: cloud.alerts.alarm_on(metric), TIMEOUT_SECONDS)
    assert alert
    return alert
