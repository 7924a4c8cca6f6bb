"""The programs around the local cloud, and what it keeps to itself."""

import pytest

from local.demo import delivery
from local.demo.checks import Checks
from local.demo.run import conclude, play
from local.demo.stage import Stage
from local.journey import Journey
from local.send import Way, send_through
from local.stand_ins import Fault, Match
from local.up import Watch
from local.vendors import StandIns
from local.waiting import wait_for
from local.world import World
from tests.faults.soak.pace import mapping_paused
from tests.local.shown import SOCKET_TABLES, Shown, listening_addresses
from tests.local.world.traffic import (
    PATIENCE_SECONDS,
    REFUSED,
    SENT_TWICE,
    WATCHED,
    context,
    conversation,
)


@pytest.mark.skipif(not SOCKET_TABLES[0].exists(), reason="needs Linux's list of sockets")
def test_everything_listens_on_loopback_only(world: World, stand_ins: StandIns) -> None:
    """Every server of the local cloud listens on 127.0.0.1 and nowhere else."""
    urls = (world.aws.endpoint, world.gateway.url, stand_ins.openai.origin, stand_ins.twilio.origin)
    ports = {int(url.rpartition(":")[2]) for url in urls}
    listening = {(host, port) for host, port in listening_addresses() if port in ports}
    assert {("0100007F", port) for port in ports} == listening


def test_send_follows_a_message_to_the_phone(world: World, stand_ins: StandIns) -> None:
    """`send` shows the message and the record; a second one of the conversation changes nothing."""
    way, body = Way(world.channels, stand_ins.phones), context("whatsapp", SENT_TWICE)
    first, second = Shown(), Shown()
    assert [0, 0] == [send_through(way, body, screen) for screen in (first, second)]
    assert f"{SENT_TWICE} · WhatsApp" in first.text()
    assert "initial_message_sent" in first.text()
    assert "✓ the message is sent" in first.text()
    assert "was sent before" in second.text()


def test_send_follows_a_message_to_the_dead_letters(world: World, stand_ins: StandIns) -> None:
    """`send` shows a bad context object's code and reason, and where the message is."""
    screen = Shown()
    body = context("bad-no-consent", REFUSED)
    assert 1 == send_through(Way(world.channels, stand_ins.phones), body, screen)
    assert "✗ the message is in the dead-letter queue: consent_not_given at parse" in screen.text()
    assert "comms_consent" in screen.text()


def test_the_watch_shows_what_happens_once(world: World) -> None:
    """`up` shows what happens to a message, and not again at the next look."""
    Journey.begin(world.channel, context("whatsapp", WATCHED)).end(PATIENCE_SECONDS)
    screen = Shown()
    watch = Watch(world, screen)
    watch.look()
    watch.look()
    assert 1 == screen.text().count(f"message_sent  conversation_id={conversation(WATCHED)}")
    assert 1 == screen.text().count(f"{WATCHED} · WhatsApp")


def test_the_soak_pauses_the_mapping_of_its_channel_alone(world: World) -> None:
    """Of several channels' mappings it finds its own, and lets it go on afterwards."""

    def states() -> dict[str, str]:
        mappings = world.aws.functions.list_event_source_mappings()["EventSourceMappings"]
        return {one["EventSourceArn"].rpartition("-queue-")[0]: one["State"] for one in mappings}

    def at_rest(first: str) -> bool:
        return [first, "Enabled"] == [state for _, state in sorted(states().items(), reverse=True)]

    with mapping_paused(world):
        assert wait_for(lambda: at_rest("Disabled"), PATIENCE_SECONDS), states()
    assert wait_for(lambda: at_rest("Enabled"), PATIENCE_SECONDS), states()


def test_a_claim_that_fails_makes_the_demonstration_fail(world: World, stand_ins: StandIns) -> None:
    """When Twilio refuses the first message, the demonstration says why and ends there."""
    recipient = Match(contains=delivery.RECIPIENT)
    stand_ins.twilio.fail_next(Fault.error(400, 21211), match=recipient)
    screen = Shown()
    checks = Checks(screen)
    play(Stage(world, stand_ins, screen, checks))
    assert 1 == conclude(screen, checks)
    assert "the phone shows exactly one message" in checks.failed
    assert "it failed, " in screen.text()
    assert "the other acts are left out" in screen.text()
    assert "2 ·" not in screen.text()
