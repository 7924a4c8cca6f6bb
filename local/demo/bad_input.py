"""Third act: what cannot be sent ends in the dead-letter queue, with its reason."""

from lambda_src.core.contract import Status
from local.demo.stage import Stage
from local.journey import Milestone, Sighting

CONVERSATION = "demo-company#spring-intake#bad-input"
RECIPIENT = "+447700900103"
DEAD_LETTERS = "AWS/SQS/ApproximateNumberOfMessagesVisible"


def play(stage: Stage) -> None:
    """Send two bad context objects, one with and one without a key for its record."""
    stage.screen.heading("3 · Bad input ends in the dead-letter queue, with its reason")
    calls_before = _calls(stage)
    _with_key(stage)
    _without_key(stage)
    alert = stage.await_alert(DEAD_LETTERS, "dead-letter queue → metric → alarm → topic")
    check = stage.checks.that
    check("no vendor was called for them", lambda: _calls(stage) == calls_before)
    check("the topic's subscriber was told of the dead letters", lambda: alert)
    check("the phone shows nothing", lambda: not stage.phone(RECIPIENT))


def _with_key(stage: Stage) -> None:
    end = _send_to_its_end(stage, "bad-several-problems")
    stage.screen.record(end.record)
    check, record = stage.checks.that, end.record
    check("it is in the dead-letter queue", lambda: end.milestone is Milestone.DEAD_LETTER)
    check(
        f"its record says {Status.FAILED}, and lists everything that is wrong",
        lambda: (
            record["conversation_status"] == Status.FAILED
            and all(field in record["failure"]["detail"] for field in _wrong_fields())
        ),
    )


def _without_key(stage: Stage) -> None:
    end = _send_to_its_end(stage, "bad-no-key")
    stage.screen.say(f"log  {end.reason}", "dim")
    check = stage.checks.that
    check(
        "one that names no conversation is there, too",
        lambda: end.milestone is Milestone.DEAD_LETTER,
    )
    check(
        "having no record, it has its reason in the log",
        lambda: not end.record and "conversation_data" in end.reason,
    )


def _send_to_its_end(stage: Stage, name: str) -> Sighting:
    journey = stage.send(name, conversation_id=CONVERSATION, recipient=RECIPIENT)
    return stage.follow(journey, "refused as often as the queue allows, without a pause")


def _wrong_fields() -> tuple[str, ...]:
    """What the example leaves out or gets wrong."""
    return "company_name", "project_status", "allowed_channels", "company_whatsapp_number"


def _calls(stage: Stage) -> tuple[int, int]:
    return len(stage.stand_ins.openai.requests), len(stage.stand_ins.twilio.requests)
