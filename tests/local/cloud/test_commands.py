"""The commands in a running local cloud, and what it listens on."""

from contextlib import nullcontext
from pathlib import Path
from types import SimpleNamespace

import psutil
import pytest

from local import send as send_command
from local import up as up_command
from local.cloud import LocalCloud
from local.contexts import EXAMPLE
from local.demo.run import report, run_scenarios
from local.demo.scenarios import DELIVERY_RECIPIENT, Checks, Scenario
from local.fakes import Fault, Match
from local.lifecycle import wait_for
from local.message_tracker import MessageState, MessageTracker
from local.send import send, send_and_follow
from local.up import EventMonitor, up
from local.vendors import FakeVendors
from tests.faults.soak.plan import mapping_paused
from tests.local.cloud.messages import (
    TIMEOUT_SECONDS,
    context,
    conversation,
    recipient,
    several_waits,
    wait_until,
)
from tests.local.recorded_screen import RecordedScreen

pytestmark = several_waits


@pytest.mark.skipif(not psutil.LINUX, reason="needs the sockets of all processes")
def test_only_loopback_is_listened_on(cloud: LocalCloud, fakes: FakeVendors) -> None:
    """Every server of the local cloud listens on 127.0.0.1 and nowhere else."""
    proxy = cloud.dynamodb_proxy
    urls = (cloud.aws.endpoint, proxy.url, fakes.openai.origin, fakes.twilio.origin)
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


def test_send_shows_the_failure(
    cloud: LocalCloud, fakes: FakeVendors, screen: RecordedScreen
) -> None:
    """`send` shows the failure code and the reason of a context object in the dead-letter queue."""
    body = context("bad-no-consent", recipient("rejected"))
    assert 1 == send_and_follow(body, cloud.channels, fakes.inbox, screen)
    assert "✗ the message is in the dead-letter queue: consent_not_given at parse" in screen.text()
    assert "comms_consent" in screen.text()


def test_events_are_shown_once(cloud: LocalCloud, screen: RecordedScreen) -> None:
    """`up` shows each event and each message once."""
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
    for command in (up_command, send_command):
        monkeypatch.setattr(command, "LocalCloud", lambda *_, **__: nullcontext(cloud))
        monkeypatch.setattr(command, "STATE_FILE", state_file)

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
        return {one["EventSourceArn"].rpartition("-queue-")[0]: one["State"] for one in mappings}

    def are(first: str) -> bool:
        return [first, "Enabled"] == [state for _, state in sorted(states().items(), reverse=True)]

    with mapping_paused(cloud):
        assert wait_for(lambda: are("Disabled"), TIMEOUT_SECONDS), states()
    assert wait_for(lambda: are("Enabled"), TIMEOUT_SECONDS), states()


def test_a_wrong_claim_fails_the_demo(
    cloud: LocalCloud, fakes: FakeVendors, screen: RecordedScreen
) -> None:
    """If Twilio rejects the first message, the demonstration shows the reason and stops there."""
    fakes.twilio.fail_next(Fault.error(400, 21211), match=Match(contains=DELIVERY_RECIPIENT))
    checks = Checks(screen)
    run_scenarios(Scenario(cloud, fakes, screen, checks))
    assert 1 == report(screen, checks)
    assert "the phone shows exactly one message" in checks.failed
    assert "it failed, " in screen.text()
    assert "the other scenarios are skipped" in screen.text()
    assert "2 ·" not in screen.text()
