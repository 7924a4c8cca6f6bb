"""The whole way through the local cloud: deployed mapping, deployed function, real SDKs.

All messages are under way at once, each with a fault of its own, so that their waits overlap.
"""

import json
import subprocess
import sys
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from lambda_src.core.contract import LogEvent, Status
from lambda_src.core.metric_names import Metric
from local import paths
from local.alarm_chain import chains_of
from local.alerts import Alert
from local.channel import Channel
from local.contexts import example
from local.demo import delivery
from local.demo.checks import Checks
from local.demo.failure_story import records_a_sid
from local.demo.run import conclude, play
from local.demo.stage import Stage
from local.dynamodb_gateway import Call, Refusal, Rule
from local.journey import Journey, Milestone, Sighting
from local.send import Way, send_through
from local.stand_ins import Fault, Match
from local.up import Watch
from local.vendors import StandIns
from local.waiting import wait_for
from local.world import World
from tests.alarms.cases import CASES
from tests.faults.soak.pace import mapping_paused
from tests.local.shown import SOCKET_TABLES, Shown, listening_addresses

PATIENCE_SECONDS = 180

GOOD, UNRECORDED, THROTTLED, BAD, SENT_TWICE, REFUSED, WATCHED, FREE = (
    f"+44770090020{digit}" for digit in range(1, 9)
)
UNANSWERED = "+447700900209"
FILTERS = {
    "whatsapp": "FinalDbUpdateFailureFilter-Dev",
    "sms": "FinalDbUpdateFailureFilter-Sms-Dev",
}
each_channel = pytest.mark.parametrize("channel", FILTERS)


def on(channel: str, number: str) -> str:
    """A number of the same last digit, another one for each channel."""
    return number if channel == "whatsapp" else number.replace("90020", "90030")


@pytest.fixture(scope="module")
def unrecorded() -> set[str]:
    """Recipients whose record takes no sid, as long as they stand here."""
    return {on(channel, UNRECORDED) for channel in FILTERS}


@pytest.fixture(scope="module")
def journeys(world: World, stand_ins: StandIns, unrecorded: set[str]) -> Mapping[str, Journey]:
    """Send a message to each number, each with a fault of its own."""

    def records_the_unrecorded(call: Call) -> bool:
        return records_a_sid(call) and call["Key"]["primary_channel"]["S"] in unrecorded

    world.gateway.refuse(Rule("UpdateItem", Refusal.ACCESS_DENIED, records_the_unrecorded))
    begun = {
        number: Journey.begin(world.channels[channel], body)
        for channel in FILTERS
        for number, body in _bodies(channel, stand_ins).items()
    }
    free_text = _context("whatsapp-free-text", FREE)
    return {**begun, FREE: Journey.begin(world.channel, free_text)}


def _bodies(channel: str, stand_ins: StandIns) -> dict[str, str]:
    """The channel's context objects by their recipients, once the vendors know how to fail."""
    numbers = (GOOD, UNRECORDED, THROTTLED, UNANSWERED, BAD)
    bodies = {on(channel, n): _context(channel, on(channel, n)) for n in numbers}
    bodies[on(channel, BAD)] = _nameless(bodies[on(channel, BAD)])
    stand_ins.openai.fail_next(
        Fault.error(429, "rate_limit_exceeded", retry_after=1),
        match=Match(contains=_conversation(on(channel, THROTTLED))),
    )
    stand_ins.twilio.fail_next(
        Fault.reset(effect_applied=True), match=Match(contains=on(channel, UNANSWERED))
    )
    return bodies


def _context(name: str, number: str) -> str:
    return example(name, conversation_id=_conversation(number), recipient=number)


def _conversation(number: str) -> str:
    return f"world {number[-3:]}"


def _nameless(body: str) -> str:
    document = json.loads(body)
    del document["company_data_payload"]["company_name"]
    return json.dumps(document)


@each_channel
def test_a_context_object_becomes_a_message(
    channel: str, journeys: Mapping[str, Journey], stand_ins: StandIns
) -> None:
    """A good context object ends as one message on the phone and a complete record."""
    number = on(channel, GOOD)
    end = journeys[number].end(PATIENCE_SECONDS)
    (message,) = stand_ins.twilio.phone(number)
    assert Milestone.SENT is end.milestone
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
    assert expected == {name: end.record.get(name) for name in expected}
    assert ["assistant"] == [entry["role"] for entry in end.record["messages"]]


def test_the_functions_own_metrics_reach_cloudwatch(
    journeys: Mapping[str, Journey], world: World
) -> None:
    """What the deployed function measures is put where the template says, as on AWS."""
    journeys[GOOD].end(PATIENCE_SECONDS)
    assert wait_for(lambda: _sum(world, Metric.MESSAGES_SENT), PATIENCE_SECONDS)
    assert _sum(world, Metric.MESSAGES_RECEIVED) >= _sum(world, Metric.MESSAGES_SENT)
    assert _sum(world, Metric.PROMPT_TOKENS) > 0


def _sum(world: World, metric: Metric) -> float:
    now = datetime.now(UTC)
    points = world.aws.cloudwatch.get_metric_statistics(
        Namespace="AIComms/WhatsAppProcessor/Dev",
        MetricName=metric,
        StartTime=now - timedelta(hours=1),
        EndTime=now + timedelta(minutes=1),
        Period=3600,
        Statistics=["Sum"],
    )["Datapoints"]
    return sum(point["Sum"] for point in points)


def test_free_text_serves_where_the_secret_names_no_template(
    journeys: Mapping[str, Journey], stand_ins: StandIns
) -> None:
    """A tenant without a template sends the assistant's whole text."""
    end = journeys[FREE].end(PATIENCE_SECONDS)
    (message,) = stand_ins.twilio.phone(FREE)
    assert (Milestone.SENT, message.body) == (end.milestone, end.record["messages"][0]["content"])


@each_channel
def test_a_failed_final_update_alarms_and_is_repaired(
    channel: str,
    journeys: Mapping[str, Journey],
    world: World,
    stand_ins: StandIns,
    unrecorded: set[str],
) -> None:
    """A final update that fails reaches the topic's subscribers, and a redelivery repairs it."""
    number = on(channel, UNRECORDED)
    journey, its = journeys[number], world.channels[channel]
    line = wait_for(lambda: _critical_line(its, journey), PATIENCE_SECONDS) or {}
    assert "sending" == journey.sighting().record["conversation_status"]
    unrecorded.discard(number)
    assert LogEvent.FINAL_DB_UPDATE_FAILED == line["event"]
    (message,) = stand_ins.twilio.phone(number)
    assert message.sid == line["message_sid"]
    assert number not in json.dumps(line)

    (chain,) = chains_of(world.aws, its.resources.log_group, json.dumps(line))
    alert = _alert(world, chain.full_metric)
    (chain,) = chains_of(world.aws, its.resources.log_group, json.dumps(line))
    assert (FILTERS[channel], "ALARM") == (chain.metric_filter, chain.state)
    assert chain.alarm == alert.alarm

    end = journey.end(PATIENCE_SECONDS)
    assert Milestone.SENT is end.milestone
    assert (Status.SENT, message.sid) == _status_and_sid(end)
    assert [message] == stand_ins.twilio.phone(number)


def _critical_line(channel: Channel, journey: Journey) -> dict[str, Any] | None:
    lines = channel.log_of(journey.message_id)
    return next((line for line in lines if line["level"] == "CRITICAL"), None)


def _alert(world: World, metric: str) -> Alert:
    """What the topic's subscriber is told of the alarm on a metric."""
    alert = wait_for(lambda: world.alerts.alarm_on(metric), PATIENCE_SECONDS)
    assert alert
    return alert


def _status_and_sid(sighting: Sighting) -> tuple[object, object]:
    return sighting.record["conversation_status"], sighting.record["message_sid"]


@each_channel
def test_a_send_without_an_answer_is_settled(
    channel: str, journeys: Mapping[str, Journey], stand_ins: StandIns
) -> None:
    """A message whose answer was lost is found at the vendor, recorded, and not sent again."""
    number = on(channel, UNANSWERED)
    end = journeys[number].end(PATIENCE_SECONDS)
    (message,) = stand_ins.twilio.phone(number)
    assert Milestone.SENT is end.milestone
    assert (Status.SENT, message.sid) == _status_and_sid(end)


@each_channel
def test_a_vendors_passing_failure_is_retried(
    channel: str, journeys: Mapping[str, Journey], stand_ins: StandIns
) -> None:
    """A message whose AI is asked for patience is sent by a later delivery, once."""
    number = on(channel, THROTTLED)
    end = journeys[number].end(PATIENCE_SECONDS)
    (message,) = stand_ins.twilio.phone(number)
    assert (Milestone.SENT, 2) == (end.milestone, end.deliveries)
    assert (Status.SENT, message.sid) == _status_and_sid(end)


@each_channel
def test_bad_input_ends_in_the_dead_letter_queue(
    channel: str, journeys: Mapping[str, Journey], stand_ins: StandIns
) -> None:
    """A bad context object ends among the dead letters, and its record says why."""
    end = journeys[on(channel, BAD)].end(PATIENCE_SECONDS)
    assert (Milestone.DEAD_LETTER, Status.FAILED) == (
        end.milestone,
        end.record["conversation_status"],
    )
    assert "company_data_payload.company_name" in end.record["failure"]["detail"]
    assert [] == stand_ins.twilio.phone(on(channel, BAD))


def test_dead_letters_call_a_person(journeys: Mapping[str, Journey], world: World) -> None:
    """A message in the dead-letter queue sets its alarm off, whose text reaches the subscriber."""
    assert Milestone.DEAD_LETTER is journeys[BAD].end(PATIENCE_SECONDS).milestone
    alert = _alert(world, "AWS/SQS/ApproximateNumberOfMessagesVisible")
    assert "WhatsAppProcessorDeadLettersAlarm-Dev" == alert.alarm
    assert "Runbook: docs/runbook.md#deadletters" in alert.description


def test_a_body_without_a_key_ends_there_too(world: World) -> None:
    """A body that is not even JSON ends among the dead letters, with its reason in the log."""
    journey = Journey.begin(world.channel, "not JSON")
    end = journey.end(PATIENCE_SECONDS)
    assert (Milestone.DEAD_LETTER, {}) == (end.milestone, end.record)
    assert "JSON" in end.reason
    assert "not JSON" == world.channel.dead_letters().get(journey.message_id, "not JSON")


@pytest.mark.skipif(not SOCKET_TABLES[0].exists(), reason="needs Linux's list of sockets")
def test_everything_listens_on_loopback_only(world: World, stand_ins: StandIns) -> None:
    """Every server of the local cloud listens on 127.0.0.1 and nowhere else."""
    urls = (world.aws.endpoint, world.gateway.url, stand_ins.openai.origin, stand_ins.twilio.origin)
    ports = {int(url.rpartition(":")[2]) for url in urls}
    listening = {(host, port) for host, port in listening_addresses() if port in ports}
    assert {("0100007F", port) for port in ports} == listening


def test_send_follows_a_message_to_the_phone(world: World, stand_ins: StandIns) -> None:
    """`send` shows the message and the record; a second one of the conversation changes nothing."""
    way, body = Way(world.channels, stand_ins.phones), _context("whatsapp", SENT_TWICE)
    first, second = Shown(), Shown()
    assert [0, 0] == [send_through(way, body, screen) for screen in (first, second)]
    assert f"{SENT_TWICE} · WhatsApp" in first.text()
    assert "initial_message_sent" in first.text()
    assert "✓ the message is sent" in first.text()
    assert "was sent before" in second.text()


def test_send_follows_a_message_to_the_dead_letters(world: World, stand_ins: StandIns) -> None:
    """`send` shows a bad context object's code and reason, and where the message is."""
    screen = Shown()
    body = _context("bad-no-consent", REFUSED)
    assert 1 == send_through(Way(world.channels, stand_ins.phones), body, screen)
    assert "✗ the message is in the dead-letter queue: consent_not_given at parse" in screen.text()
    assert "comms_consent" in screen.text()


def test_the_watch_shows_what_happens_once(world: World) -> None:
    """`up` shows what happens to a message, and not again at the next look."""
    Journey.begin(world.channel, _context("whatsapp", WATCHED)).end(PATIENCE_SECONDS)
    screen = Shown()
    watch = Watch(world, screen)
    watch.look()
    watch.look()
    assert 1 == screen.text().count(f"message_sent  conversation_id={_conversation(WATCHED)}")
    assert 1 == screen.text().count(f"{WATCHED} · WhatsApp")


@each_channel
def test_the_operators_tool_finds_what_is_deployed(world: World, channel: str) -> None:
    """By the stacks' own outputs it sees the mapping, every alarm, and reads the dead letters."""
    seen = _operate(world, "status", "--channel", channel)
    assert ("Enabled", len(CASES)) == (seen["mapping"], len(seen["alarms"]))
    groups = _operate(world, "dlq", "list", "--channel", channel)["groups"]
    assert all(group["what_to_do"] for group in groups)


def _operate(world: World, *arguments: str) -> Any:
    done = subprocess.run(  # noqa: S603 - our own command
        [sys.executable, "-m", "ops", *arguments, "--json"],
        cwd=paths.ROOT,
        env=world.aws.command_environment(),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert 0 == done.returncode, done.stderr
    return json.loads(done.stdout)


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
