"""From the function's log lines to the on-call engineer's notifications."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import pytest

from lambda_src.core.contract import LogEvent, Metric, Status
from local.channel import Channel
from local.cloud import LocalCloud
from local.emulator.alerts import Alert, alarms_on_line
from local.lifecycle import wait_for
from local.message_tracker import MessageState, MessageStatus, MessageTracker
from local.vendors import FakeVendors
from tests.local.cloud.messages import (
    BAD,
    GOOD,
    METRIC_FILTERS,
    TIMEOUT_SECONDS,
    UNRECORDED,
    each_channel,
    on,
    status_and_sid,
)
from tests.support.metrics import metric_sum


def test_the_functions_metrics_reach_cloudwatch(
    trackers: Mapping[str, MessageTracker], cloud: LocalCloud
) -> None:
    """The metrics that the deployed function logs are in the namespace of its template."""
    trackers[GOOD].wait(TIMEOUT_SECONDS)
    assert wait_for(lambda: _sum(cloud, Metric.MESSAGES_SENT), TIMEOUT_SECONDS)
    assert _sum(cloud, Metric.MESSAGES_RECEIVED) >= _sum(cloud, Metric.MESSAGES_SENT)
    assert _sum(cloud, Metric.PROMPT_TOKENS) > 0


def _sum(cloud: LocalCloud, metric: Metric) -> float:
    return metric_sum(cloud.aws, "AIComms/WhatsAppProcessor/Dev", metric)


@dataclass(frozen=True)
class FailedUpdate:
    """A failed final update: its CRITICAL log line, and the message's status at that time."""

    line: dict[str, Any]
    status: MessageStatus


@pytest.fixture(scope="module")
def failed_updates(
    trackers: Mapping[str, MessageTracker], cloud: LocalCloud, unrecorded: set[str]
) -> Mapping[str, FailedUpdate]:
    """Wait until the final update has failed on each channel; from then on it is allowed."""
    failures = {}
    for name, channel in cloud.channels.items():
        tracker = trackers[on(name, UNRECORDED)]
        line = wait_for(partial(_critical_line, channel, tracker), TIMEOUT_SECONDS) or {}
        failures[name] = FailedUpdate(line, tracker.status())
    unrecorded.clear()
    return failures


def _critical_line(channel: Channel, tracker: MessageTracker) -> dict[str, Any] | None:
    lines = channel.log_of(tracker.message_id)
    return next((line for line in lines if line["level"] == "CRITICAL"), None)


@each_channel
def test_a_failed_final_update_raises_an_alarm_and_is_repaired(
    channel: str,
    failed_updates: Mapping[str, FailedUpdate],
    trackers: Mapping[str, MessageTracker],
    cloud: LocalCloud,
    fakes: FakeVendors,
) -> None:
    """A failed final update is notified to the topic's subscriber; a redelivery repairs it."""
    number, line = on(channel, UNRECORDED), failed_updates[channel].line
    assert Status.SENDING == failed_updates[channel].status.record["conversation_status"]
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

    status = trackers[number].wait(TIMEOUT_SECONDS)
    assert MessageState.SENT is status.state
    assert (Status.SENT, message.sid) == status_and_sid(status)
    assert [message] == fakes.twilio.inbox(number)


def _wait_for_alert(cloud: LocalCloud, metric: str) -> Alert:
    """Return the notification of an alarm on a metric."""
    alert = wait_for(lambda: cloud.alerts.alarm_on(metric), TIMEOUT_SECONDS)
    assert alert
    return alert


def test_dead_letters_raise_an_alarm(
    trackers: Mapping[str, MessageTracker], cloud: LocalCloud
) -> None:
    """A message in the dead-letter queue sets off its alarm, whose text names the runbook."""
    assert MessageState.DEAD_LETTER is trackers[BAD].wait(TIMEOUT_SECONDS).state
    alert = _wait_for_alert(cloud, "AWS/SQS/ApproximateNumberOfMessagesVisible")
    assert "WhatsAppProcessorDeadLettersAlarm-Dev" == alert.alarm
    assert "Runbook: docs/runbook.md#deadletters" in alert.description
