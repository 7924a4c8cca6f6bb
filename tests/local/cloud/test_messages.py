"""Commands in a running local cloud, and messages from the queue to the notification."""

from collections.abc import Mapping
from contextlib import nullcontext
from pathlib import Path
from types import SimpleNamespace

import psutil
import pytest

from lambda_src.core.contract import DeliveryStatus, LogEvent, Metric, Status
from local import send as send_command
from local import up as up_command
from local.cloud import LocalCloud
from local.contexts import EXAMPLE
from local.lifecycle import wait_for
from local.message_tracker import MessageState, MessageStatus, MessageTracker
from local.send import send, send_and_follow
from local.up import EventMonitor, up
from local.vendors import FakeVendors
from tests.local.cloud.messages import (
    TIMEOUT_SECONDS,
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


def _wait_for_report(tracker: MessageTracker, status: DeliveryStatus) -> None:
    """Wait until a conversation's record has a delivery status."""

    def is_reported() -> bool:
        return status == tracker.status().record.get("delivery_status")

    assert wait_for(is_reported, TIMEOUT_SECONDS), tracker.status().record


@each_channel
def test_the_functions_metrics_reach_cloudwatch(
    channel: str, trackers: Trackers, cloud: LocalCloud
) -> None:
    """The metrics that processor and events worker log are in the namespace of their template."""
    namespace = {"whatsapp": "AIComms/WhatsAppProcessor/Dev", "sms": "AIComms/SmsProcessor/Dev"}
    last = {"whatsapp": DeliveryStatus.READ, "sms": DeliveryStatus.DELIVERED}
    _wait_for_report(trackers[recipient("undelivered", channel)], DeliveryStatus.UNDELIVERED)
    _wait_for_report(trackers[recipient("good", channel)], last[channel])
    expected = {Metric.MESSAGES_SENT, Metric.PROMPT_TOKENS, Metric.EVENTS_RECEIVED}
    expected |= {Metric.MESSAGES_DELIVERED, Metric.MESSAGES_UNDELIVERED}
    if channel == "whatsapp":
        expected.add(Metric.MESSAGES_READ)

    def counted() -> set[Metric]:
        return {each for each in Metric if metric_sum(cloud.aws, namespace[channel], each)}

    assert wait_for(lambda: expected <= counted(), TIMEOUT_SECONDS), counted()


def test_nothing_personal_is_logged(trackers: Trackers, cloud: LocalCloud) -> None:
    """No line of the receivers and the workers contains a recipient's number."""
    _wait_for_report(trackers[recipient("undelivered")], DeliveryStatus.UNDELIVERED)
    text = "\n".join(line.text for each in cloud.channels.values() for line in each.delivery_log())
    assert LogEvent.DELIVERY_RECORDED in text
    assert "+4477" not in text
    assert "%2B4477" not in text
