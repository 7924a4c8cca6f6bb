"""First act: a context object becomes a message on a phone, and a record."""

from lambda_src.core.contract import Status
from local.demo.stage import Stage
from local.journey import Milestone

CONVERSATION = "demo-company#spring-intake#delivery"
RECIPIENT = "+447700900101"


def play(stage: Stage) -> None:
    """Send each channel's good context object, and show the phone and the record."""
    stage.screen.heading("1 · A context object becomes a message, on each channel")
    for channel in stage.world.channels:
        _play_on(channel, stage)


def _play_on(channel: str, stage: Stage) -> None:
    screen, check = stage.screen, stage.checks.that
    before = len(stage.phone(RECIPIENT))
    journey = stage.send(channel, conversation_id=f"{CONVERSATION}-{channel}", recipient=RECIPIENT)
    end = stage.follow(journey, "queue → mapping → function → OpenAI → Twilio → phone")
    messages, record = stage.phone(RECIPIENT)[before:], end.record
    screen.phone(RECIPIENT, messages)
    screen.record(end.record)
    if end.failure:
        screen.say(f"it failed, {end.failure.code} at {end.failure.step}: {end.reason}", "red")

    check(
        "the deployed function reports the message as sent", lambda: end.milestone is Milestone.SENT
    )
    check("the phone shows exactly one message", lambda: len(messages) == 1)
    check("it addresses the recipient by name", lambda: "Amara" in messages[0].body)
    check(
        f"the record says {Status.SENT}, with the message's sid",
        lambda: (
            (record["conversation_status"], record["message_sid"]) == (Status.SENT, messages[0].sid)
        ),
    )
    dead_letters = stage.world.channels[channel].dead_letters
    check("nothing is in the dead-letter queue", lambda: not dead_letters())
