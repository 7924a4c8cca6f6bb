"""Bodies of every extreme kind through the real handler, in a batch with an ordinary message."""

import json
from bisect import bisect_left
from dataclasses import replace
from typing import Any

import pytest
from botocore.exceptions import ClientError
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lambda_src import index
from lambda_src.services.conversation_item import LARGEST, new_record
from lambda_src.services.dynamodb_values import is_larger_than, serialized
from local.stand_ins.faults import Fault
from tests.faults.bodies.json_text import MARK, Fitness, Text
from tests.faults.bodies.odd import LARGEST_MESSAGE, Edit, Odd, edited, odd_bodies
from tests.faults.bodies.trial import ANSWERS, ODD, Aftermath, handled, problems
from tests.services.channel import (
    ACCOUNT,
    RECIPIENT,
    TOKEN,
    TWILIO_SECRET,
    Channel,
    context,
    openai_config,
)
from tests.unit.samples import CLAIM

PROJECT = "frontend_payload.project_data.odd"
LONGEST_BODY = "國" * 1_600
"""The longest free text that Twilio takes, of letters that are as long as they may be."""


@pytest.fixture(autouse=True)
def _patience(channel: Channel, monkeypatch: pytest.MonkeyPatch) -> None:  # noqa: ARG001 - comes first
    """Bodies of megabytes keep a busy machine from answering soon; here that is no outcome."""
    monkeypatch.setenv("TWILIO_TIMEOUT_SECONDS", "20")


def judged(channel: Channel, odd: Odd, answer: str = ANSWERS[0]) -> Aftermath:
    """Let the handler work on an odd body, and find nothing wrong with what became of it."""
    after = handled(channel, odd, answer)
    assert [] == list(problems(odd, after))
    return after


@settings(
    max_examples=40,
    deadline=None,
    database=None,
    derandomize=True,
    suppress_health_check=list(HealthCheck),
)
@given(odd=odd_bodies(ODD), answer=st.sampled_from(ANSWERS))
def test_any_body_is_sent_or_fails_clearly(channel: Channel, odd: Odd, answer: str) -> None:
    """Sent with a record of what was said, or refused in so many words; its neighbour is sent."""
    judged(channel, odd, answer)


def project(text: str, fitness: Fitness, padding: int = 0) -> Odd:
    """A body whose project data holds that JSON text."""
    return edited(ODD, [Edit(PROJECT, Text(text, fitness))], padding)


REFUSED = {
    "no number": ("NaN", "body_not_json"),
    "an infinity": ("[1,-Infinity]", "body_not_json"),
    "a name twice": ('{"a":1,"b":[],"a":1}', "body_ambiguous"),
    "a thousand levels": ("[" * 1_000 + "]" * 1_000, "context_invalid"),
    "60,000 levels": ('{"a":' * 60_000 + "0" + "}" * 60_000, "context_invalid"),
    "half a megabyte": (json.dumps(MARK * 200_000), "record_too_large"),
    "300,000 numbers": (f"[{'7,' * 300_000}7]", "record_too_large"),
    "a name of half a megabyte": (f'{{"{MARK * 200_000}":0}}', "record_too_large"),
}


@pytest.mark.parametrize("kind", REFUSED)
def test_what_cannot_be_kept_is_refused_by_name(channel: Channel, kind: str) -> None:
    """The record is `failed` and names the reason, however the body was made."""
    text, code = REFUSED[kind]

    after = judged(channel, project(text, Fitness.REFUSED))

    assert after.odd_record
    assert code == after.odd_record["failure"]["code"]


SENT = {
    "hundreds of levels": "[" * 480 + "]" * 480,
    "empty names in empty names": '{"":{"":[{}, {"":""}]}}',
    "forty digits": "[0.1234567890123456789012345678901234567890, -1e400, 1e-400, -0.0]",
    "long numbers": f"[{'9' * 38},{'9' * 39},{'9' * 4_301},{'1' + '0' * 9_999}]",
    "a long name": f'{{"{"é" * 40_000}":0}}',
    "hundreds of parts": f"[{'[],' * 499}[]]",
    "controls and directions": json.dumps(f"{MARK}\x00\x1b\x85\u2028\u202e\ufeff\U0010ffff"),
    "halves of characters": rf'{{"{MARK}\ud800":"\udc00\ud83d\ude00\ud83d"}}',
}


@pytest.mark.parametrize("kind", SENT)
def test_what_can_be_kept_is_sent(channel: Channel, kind: str) -> None:
    """Unusual is not wrong: it is sent, and the record holds each value."""
    judged(channel, project(SENT[kind], Fitness.SENT))


def test_the_largest_message_of_the_queue_is_sent(channel: Channel) -> None:
    """A megabyte that says little is no reason not to send."""
    odd = project('"little"', Fitness.SENT, padding=LARGEST_MESSAGE)

    assert LARGEST_MESSAGE == len(odd.text.encode())
    judged(channel, odd)


def of_size(size: int, **changes: Any) -> str:
    """A context object whose first record has that many bytes."""

    def filled(length: int) -> str:
        return context(
            lambda d: d["frontend_payload"].update(project_data={"text": "x" * length}),
            lambda d: openai_config(d).update(changes),
            conversation_id=ODD,
        )

    def is_enough(length: int) -> bool:
        parsed = index.batch_handler().parse(filled(length))
        record = new_record(parsed, replace(CLAIM, key=parsed.key, owner="o" * 32), "unversioned")
        return is_larger_than(size - 1, record)

    return filled(bisect_left(range(size), True, lo=size - 5_000, key=is_enough))


@pytest.mark.parametrize(
    ("over", "status"), [(-1, "initial_message_sent"), (0, "initial_message_sent"), (1, "failed")]
)
def test_the_largest_record_is_sent_with_the_longest_text(
    channel: Channel, over: int, status: str
) -> None:
    """Whatever the AI writes, a record that was begun is not too large for its end."""
    credentials = {"twilio_account_sid": ACCOUNT, "twilio_auth_token": TOKEN}
    channel.set_secret(TWILIO_SECRET, json.dumps(credentials))
    channel.openai.fail_next(Fault.misfit(LONGEST_BODY))
    body = of_size(LARGEST + over, assistant_id_template_sender="free_text")

    assert ([] if status == "initial_message_sent" else [body]) == channel.deliver(body)

    record = channel.record(ODD)
    assert status == record["conversation_status"]
    assert (over <= 0) is (record.get("messages") != [])
    assert {"record_too_large"} >= {record.get("failure", {}).get("code", "record_too_large")}


def test_the_largest_record_is_sent_with_the_longest_variables(channel: Channel) -> None:
    """A template's variables are kept twice: in themselves, and as JSON, where quotes double."""
    answer = json.dumps({"1": '"' * 60, "2": "\\" * 600})
    channel.openai.fail_next(Fault.misfit(answer))
    body = of_size(LARGEST)

    assert [] == channel.deliver(body)

    assert {"1": '"' * 60, "2": "\\" * 600} == json.loads(
        channel.record(ODD)["messages"][0]["content"]
    )


def fill(channel: Channel, room: int) -> None:
    """Let another system fill the record, up to about so many bytes below what the table holds."""
    key = serialized({"primary_channel": RECIPIENT, "conversation_id": ODD})

    def is_refused(length: int) -> bool:
        # What stands there already would count twice: moto adds the new value to the old one.
        channel.dynamodb.update_item(
            TableName=channel.table, Key=key, UpdateExpression="REMOVE grown"
        )
        try:
            channel.set_fields(ODD, grown="x" * length)
        except ClientError:
            return True
        return False

    most = bisect_left(range(500_000), True, lo=395_000, hi=410_000, key=is_refused) - 1
    assert not is_refused(most - room)


def test_an_intent_that_does_not_fit_sends_nothing(channel: Channel) -> None:
    """The answer tips a record over that others have filled: nothing is sent, and it says why."""
    channel.openai.fail_next(Fault.error(500, "server_error"))
    body = context(conversation_id=ODD)
    channel.deliver(body)
    fill(channel, room=300)

    assert [body] == channel.deliver(body, receive_count=2)

    assert [] == channel.phone()
    assert "ERROR" == channel.events()["record_too_large"]["level"]
    assert ("failed", "record_too_large") == (
        channel.record(ODD)["conversation_status"],
        channel.record(ODD)["failure"]["code"],
    )


def test_a_final_record_that_does_not_fit_calls_a_person(channel: Channel) -> None:
    """The message is sent, and stays settled at each delivery: never sent again, never deleted."""
    body = context(conversation_id=ODD)

    def fill_first(params: dict[str, Any], **_: object) -> None:
        if "message_sid" in str(params["body"]):
            channel.set_fields(ODD, send_deadline=0)
            fill(channel, room=0)

    channel.openai.fail_next(Fault.misfit(json.dumps({"1": "Amara", "2": '"' * 600})))
    channel.table_client().meta.events.register("before-call.dynamodb.UpdateItem", fill_first)

    for receive_count in (1, 2):
        assert [body] == channel.deliver(body, receive_count=receive_count)
        line = channel.events()["final_db_update_failed"]
        assert ("CRITICAL", "record_too_large") == (line["level"], line["failure_code"])
        assert [line["message_sid"]] == [message["sid"] for message in channel.twilio.messages()]
