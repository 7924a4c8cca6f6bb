"""Commands in a running local cloud, and messages from the queue to the notification."""

import json
from collections.abc import Mapping
from contextlib import nullcontext
from pathlib import Path
from types import SimpleNamespace

import psutil
import pytest

from lambda_src.core.contract import LogEvent, Metric, Status
from local import send as send_command
from local import up as up_command
from local.cloud import LocalCloud
from local.contexts import EXAMPLE
from local.emulator.alerts import alarms_on_line
from local.lifecycle import wait_for
from local.message_tracker import MessageState, MessageStatus, MessageTracker
from local.send import send, send_and_follow
from local.up import EventMonitor, up
from local.vendors import FakeVendors
from tests.faults.soak.plan import mapping_paused
from tests.local.cloud.messages import (
    METRIC_FILTERS,
    TIMEOUT_SECONDS,
    FailedUpdate,
    context,
    conversation,
    each_channel,
    recipient,
    several_waits,
    wait_until,
)
from tests.local.recorded_screen import RecordedScreen
from tests.support.metrics import metric_sum

pytestmark = several_waits
Trackers = Mapping[str, MessageTracker]


def test_the_demo_succeeds(demo: tuple[int, str]) -> None:
    """All its claims hold: deliveries, faults, bad input, reports, e-mails, a held draft."""
    exit_code, output = demo
    assert (0, True) == (exit_code, "all 53 claims hold" in output), output


@pytest.mark.skipif(not psutil.LINUX, reason="needs the sockets of all processes")
def test_only_loopback_is_listened_on(cloud: LocalCloud, fakes: FakeVendors) -> None:
    """Every server of the local cloud listens on 127.0.0.1 and nowhere else."""
    proxy = cloud.dynamodb_proxy
    urls = (cloud.aws.endpoint, proxy.base_url, fakes.openai.origin, fakes.twilio.origin)
    ports = {int(url.rpartition(":")[2]) for url in urls}
    sockets = [each for each in psutil.net_connections() if each.status == psutil.CONN_LISTEN]
    listening = {tuple(each.laddr) for each in sockets if ports & {*each.laddr}}
    assert {("127.0.0.1", port) for port in ports} == listening


@pytest.fixture(autouse=True)
def _patience(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(send_command, "FOLLOW_SECONDS", TIMEOUT_SECONDS)


def test_send_shows_the_message(cloud: LocalCloud, fakes: FakeVendors) -> None:
    """`send` shows message and record; the conversation's second context object sends nothing."""
    number, first, second = recipient("sent twice"), RecordedScreen(), RecordedScreen()
    body = context("whatsapp", number)
    for screen in (first, second):
        assert 0 == send_and_follow(body, cloud.channels, fakes.inbox, screen)
    assert f"{number} · WhatsApp" in first.text()
    assert "initial_message_sent" in first.text()
    assert "✓ the message is sent" in first.text()
    assert "had been sent before" in second.text()


def test_send_shows_failure(cloud: LocalCloud, fakes: FakeVendors, screen: RecordedScreen) -> None:
    """`send` shows the failure code and the reason of a context object in the dead-letter queue."""
    body = context("bad-no-consent", recipient("rejected"))
    assert 1 == send_and_follow(body, cloud.channels, fakes.inbox, screen)
    assert "✗ the message is in the dead-letter queue: consent_not_given at parse" in screen.text()
    assert "comms_consent" in screen.text()


def test_events_are_shown_once(
    cloud: LocalCloud, screen: RecordedScreen, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`up` shows each event and each message once."""
    monkeypatch.setattr(up_command, "BURST_MESSAGES", 1_000)
    number = recipient("watched")
    tracker = MessageTracker.send(cloud.channel, context("whatsapp", number))
    wait_until(MessageState.SENT, tracker)
    monitor = EventMonitor(cloud, screen)
    monitor.show_new()
    monitor.show_new()
    assert 1 == screen.text().count(f"message_sent  conversation_id={conversation(number)}")
    assert 1 == screen.text().count(f"{number} · WhatsApp")


def test_send_uses_the_running_local_cloud(
    cloud: LocalCloud, screen: RecordedScreen, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`up` runs until it is interrupted; meanwhile `send` finds it, and it shows the message."""
    state_file, sender = tmp_path / "running.json", RecordedScreen()
    monkeypatch.setattr(up_command, "_cloud", lambda *_: nullcontext(cloud))
    monkeypatch.setattr(send_command, "LocalCloud", lambda *_, **__: nullcontext(cloud))
    monkeypatch.setattr(up_command, "STATE_FILE", state_file)

    def sleep(_: float) -> None:
        """Send, then interrupt as soon as the message is shown."""
        if not sender.text():
            assert 0 == send(EXAMPLE, sender, {})
        elif "demo-company#spring-intake" in screen.text():
            raise KeyboardInterrupt

    monkeypatch.setattr(up_command, "time", SimpleNamespace(sleep=sleep))
    with pytest.raises(KeyboardInterrupt):
        up(screen, {})

    assert "using the local cloud that runs in another terminal" in sender.text()
    assert "message_sent" in screen.text()
    assert not state_file.exists()


def test_one_channels_mapping_is_paused(cloud: LocalCloud) -> None:
    """The soak pauses only its own channel's event source mapping, and resumes it afterwards."""

    def states() -> dict[str, str]:
        mappings = cloud.aws.functions.list_event_source_mappings()["EventSourceMappings"]
        return {one["EventSourceArn"].rpartition(":")[2]: one["State"] for one in mappings}

    def are(own: str) -> bool:
        name = cloud.resources.queue_url.rpartition("/")[2]
        found = states()
        return own == found.pop(name) and {"Enabled"} == {*found.values()}

    with mapping_paused(cloud):
        assert wait_for(lambda: are("Disabled"), TIMEOUT_SECONDS), states()
    assert wait_for(lambda: are("Enabled"), TIMEOUT_SECONDS), states()


def _status_and_sid(status: MessageStatus) -> tuple[object, object]:
    return status.record["conversation_status"], status.record["message_sid"]


def test_free_text_is_sent_without_a_template(trackers: Trackers, fakes: FakeVendors) -> None:
    """If a tenant's secret names no template, the assistant's text is sent."""
    status = wait_until(MessageState.SENT, trackers[recipient("free text")])
    (message,) = fakes.twilio.inbox(recipient("free text"))
    assert message.body == status.record["messages"][0]["content"]


@each_channel
@pytest.mark.parametrize("situation", ["overloaded", "unanswered"])
def test_a_message_is_sent_once_by_a_later_delivery(
    channel: str, situation: str, trackers: Trackers, fakes: FakeVendors
) -> None:
    """After status 503 of the AI it is sent; a send whose response was lost is only recorded."""
    status = wait_until(MessageState.SENT, trackers[recipient(situation, channel)])
    (message,) = fakes.twilio.inbox(recipient(situation, channel))
    assert (Status.SENT, message.sid) == _status_and_sid(status)
    assert status.deliveries in range(2, 11)


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
    alert = wait_for(lambda: cloud.alerts.alarm_on(alarm.full_metric), TIMEOUT_SECONDS)
    assert alert
    (alarm,) = alarms_on_line(cloud.aws, log_group, json.dumps(line))
    assert (METRIC_FILTERS[channel], "ALARM") == (alarm.metric_filter, alarm.state)
    assert alarm.alarm == alert.alarm

    status = wait_until(MessageState.SENT, trackers[number])
    assert (Status.SENT, message.sid) == _status_and_sid(status)
    assert [message] == fakes.twilio.inbox(number)
