"""The chain from the function's log lines to the person on duty."""

import json
from collections.abc import Mapping
from typing import Any

from lambda_src.core.contract import LogEvent, Status
from lambda_src.core.metric_names import Metric
from local.alarm_chain import chains_of
from local.alerts import Alert
from local.channel import Channel
from local.journey import Journey, Milestone
from local.vendors import StandIns
from local.waiting import wait_for
from local.world import World
from tests.local.metric_sum import metric_sum
from tests.local.world.traffic import (
    BAD,
    FILTERS,
    GOOD,
    PATIENCE_SECONDS,
    UNRECORDED,
    each_channel,
    on,
    status_and_sid,
)


def test_the_functions_own_metrics_reach_cloudwatch(
    journeys: Mapping[str, Journey], world: World
) -> None:
    """What the deployed function measures is put where the template says, as on AWS."""
    journeys[GOOD].end(PATIENCE_SECONDS)
    assert wait_for(lambda: _sum(world, Metric.MESSAGES_SENT), PATIENCE_SECONDS)
    assert _sum(world, Metric.MESSAGES_RECEIVED) >= _sum(world, Metric.MESSAGES_SENT)
    assert _sum(world, Metric.PROMPT_TOKENS) > 0


def _sum(world: World, metric: Metric) -> float:
    return metric_sum(world.aws, "AIComms/WhatsAppProcessor/Dev", metric)


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
    assert (Status.SENT, message.sid) == status_and_sid(end)
    assert [message] == stand_ins.twilio.phone(number)


def _critical_line(channel: Channel, journey: Journey) -> dict[str, Any] | None:
    lines = channel.log_of(journey.message_id)
    return next((line for line in lines if line["level"] == "CRITICAL"), None)


def _alert(world: World, metric: str) -> Alert:
    """What the topic's subscriber is told of the alarm on a metric."""
    alert = wait_for(lambda: world.alerts.alarm_on(metric), PATIENCE_SECONDS)
    assert alert
    return alert


def test_dead_letters_call_a_person(journeys: Mapping[str, Journey], world: World) -> None:
    """A message in the dead-letter queue sets its alarm off, whose text reaches the subscriber."""
    assert Milestone.DEAD_LETTER is journeys[BAD].end(PATIENCE_SECONDS).milestone
    alert = _alert(world, "AWS/SQS/ApproximateNumberOfMessagesVisible")
    assert "WhatsAppProcessorDeadLettersAlarm-Dev" == alert.alarm
    assert "Runbook: docs/runbook.md#deadletters" in alert.description
