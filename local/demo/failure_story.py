"""Second act: the final update fails, a person is called, and the redelivery repairs the record."""

import json
import re
from typing import Any

from lambda_src.core.contract import LogEvent, Status
from local.alarm_chain import AlarmChain, chains_of
from local.demo.stage import Stage
from local.dynamodb_gateway import Call, Refusal, Rule
from local.journey import Journey, Milestone

CONVERSATION = "demo-company#spring-intake#failure-story"
RECIPIENT = "+447700900102"

_SID = re.compile("(SM|MM)[0-9a-f]{32}")


def play(stage: Stage) -> None:
    """Let the update that records the sid fail, then follow the alarm and the repair."""
    stage.screen.heading("2 · The final update fails, a person is called, the record is repaired")
    journey = _fail(stage)
    line = next(iter(stage.world.channel.log_of(journey.message_id)), {})
    _show_failure(stage, journey, line)
    _show_alarm(stage, line)
    _show_repair(stage, journey, line)


def records_a_sid(call: Call) -> bool:
    """Whether an UpdateItem call writes a message's sid: the final update does, no other."""
    values = call.get("ExpressionAttributeValues", {}).values()
    return any(_SID.fullmatch(value.get("S", "")) for value in values)


def _fail(stage: Stage) -> Journey:
    gateway = stage.world.gateway
    gateway.refuse(Rule("UpdateItem", Refusal.ACCESS_DENIED, records_a_sid))
    stage.screen.say("DynamoDB refuses, from now on, every update that records a sid", "yellow")
    journey = stage.send("whatsapp", conversation_id=CONVERSATION, recipient=RECIPIENT)
    stage.follow(
        journey, "the message goes out, its record cannot be completed", lambda s: bool(s.failure)
    )
    gateway.allow_everything()
    stage.screen.say("DynamoDB accepts every call again", "yellow")
    return journey


def _show_failure(stage: Stage, journey: Journey, line: dict[str, Any]) -> None:
    check, messages, text = stage.checks.that, stage.phone(RECIPIENT), json.dumps(line)
    stage.screen.log_line(line)
    check("the final update was refused", lambda: stage.world.gateway.refused)
    check(
        f"the function logged one CRITICAL line, {LogEvent.FINAL_DB_UPDATE_FAILED}",
        lambda: (line["level"], line["event"]) == ("CRITICAL", LogEvent.FINAL_DB_UPDATE_FAILED),
    )
    check(
        "it carries the sid of the message on the phone",
        lambda: line["message_sid"] in _sids(stage),
    )
    check(
        "it holds neither the phone number nor the message's text",
        lambda: RECIPIENT not in text and messages[0].body not in text,
    )
    check(
        f"the record still says {Status.SENDING}",
        lambda: journey.sighting().record["conversation_status"] == Status.SENDING,
    )


def _show_alarm(stage: Stage, line: dict[str, Any]) -> None:
    check = stage.checks.that
    doing = "log line → metric filter → metric → alarm → topic → subscriber"
    alerts = [stage.await_alert(chain.full_metric, doing) for chain in _chains(stage, line)]
    chains = _chains(stage, line)
    for chain in chains:
        _show_chain(stage, chain)
    check("the line sets off exactly one metric filter with an alarm", lambda: len(chains) == 1)
    check("the alarm is in state ALARM", lambda: chains[0].state == "ALARM")
    check("the topic's subscriber was told of that alarm", lambda: alerts[0])


def _chains(stage: Stage, line: dict[str, Any]) -> list[AlarmChain]:
    return chains_of(stage.world.aws, stage.world.resources.log_group, json.dumps(line))


def _show_chain(stage: Stage, chain: AlarmChain) -> None:
    say = stage.screen.say
    say(f"filter        {chain.metric_filter}  {chain.pattern}")
    say(f"metric        {chain.namespace} {chain.metric}")
    say(f"alarm         {chain.alarm}  {chain.state}", "magenta")


def _show_repair(stage: Stage, journey: Journey, line: dict[str, Any]) -> None:
    check = stage.checks.that
    end = stage.follow(
        journey,
        "redelivery, once the first sender must have given up: Twilio is asked, not sent to",
    )
    record = end.record
    stage.screen.phone(RECIPIENT, stage.phone(RECIPIENT))
    stage.screen.record(end.record)
    check("the redelivery ends well", lambda: end.milestone is Milestone.SENT)
    check(
        f"the record says {Status.SENT}, with the sid of the CRITICAL line",
        lambda: (
            (record["conversation_status"], record["message_sid"])
            == (Status.SENT, line["message_sid"])
        ),
    )
    check("the phone still shows exactly one message", lambda: len(_sids(stage)) == 1)
    check(
        "the message is not in the dead-letter queue",
        lambda: journey.message_id not in stage.world.channel.dead_letters(),
    )


def _sids(stage: Stage) -> list[str]:
    return [message.sid for message in stage.phone(RECIPIENT)]
