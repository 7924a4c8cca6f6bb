"""One odd body and one ordinary message in a batch, and what must have become of both."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from boto3.dynamodb.types import TypeDeserializer

from lambda_src.core.contract import Status
from local.stand_ins.fault_plan import Match
from local.stand_ins.faults import Fault
from tests.faults.bodies.json_text import MARK, Fitness
from tests.faults.bodies.odd import Odd
from tests.faults.bodies.reference import differences
from tests.services.channel import API_KEY, TOKEN, Channel, context

ODD, ORDINARY = "conversation-odd", "conversation-ordinary"
LONGEST_LINE = 8_000
"""Characters that a log line may have, whatever a body holds."""
PRIVATE = (
    MARK,
    json.dumps(MARK)[1:-1],
    "7700900123",
    "Amara",
    "Okafor",
    "Warehouse",
    API_KEY,
    TOKEN,
)
ANSWERS = (
    "Your application has arrived.",
    "您好，" + "我们收到了您的申请" * 60,
    "👩‍🚀🎂" * 66,
    "\x00\x07 \u202eهنا \u2028 \ud83d שלום \t\r\n end",
)
"""What the AI writes about an odd body: it fits, and is as long or as odd as it may be."""


class Wrong(StrEnum):
    """What must not be."""

    LOST = "a message was lost"
    DOUBLED = "a message was sent twice"
    RECORD = "a record is not true"
    SILENT = "a failure was not told"
    TOLD = "the log tells what it must not"


@dataclass(frozen=True)
class Aftermath:
    """What the world shows after a batch.

    Attributes:
        failed: The bodies reported as failed.
        records: The table's records by conversation id.
        sids: Messages sent, by their text.
        lines: The log.
    """

    failed: tuple[str, ...]
    records: dict[str, dict[str, Any]]
    sids: dict[str, list[str]]
    lines: list[dict[str, Any]]

    @property
    def odd_record(self) -> dict[str, Any] | None:
        """The odd body's record, under whatever name."""
        others = [record for name, record in self.records.items() if name != ORDINARY]
        return others[0] if others else None


def handled(channel: Channel, odd: Odd, answer: str) -> Aftermath:
    """Let the handler work on the odd body and an ordinary one, in a world without a past."""
    channel.openai.reset()
    channel.twilio.reset()
    _let_the_ai_write(channel, answer)
    channel.read_log()
    ordinary = context(conversation_id=ORDINARY)
    failed = channel.deliver(odd.text, ordinary)
    records = [_values(item) for item in channel.dynamodb.scan(TableName=channel.table)["Items"]]
    for record in records:
        key = {name: {"S": record[name]} for name in ("primary_channel", "conversation_id")}
        channel.dynamodb.delete_item(TableName=channel.table, Key=key)
    sids: dict[str, list[str]] = {}
    for message in channel.twilio.messages():
        sids.setdefault("ordinary" if ORDINARY in message["body"] else "odd", []).append(
            message["sid"]
        )
    return Aftermath(
        tuple(failed),
        {record["conversation_id"]: record for record in records},
        sids,
        channel.read_log(),
    )


def problems(odd: Odd, after: Aftermath) -> Iterator[tuple[Wrong, str]]:
    """Everything that must not be, with a word for each."""
    yield from _of_ordinary(after)
    yield from _of_odd(odd, after)
    yield from _of_record(odd, after)
    yield from _of_log(odd, after)


def _of_ordinary(after: Aftermath) -> Iterator[tuple[Wrong, str]]:
    sids = after.sids.get("ordinary", [])
    if not sids or context(conversation_id=ORDINARY) in after.failed:
        yield Wrong.LOST, "the ordinary message was not sent"
    if len(sids) > 1:
        yield Wrong.DOUBLED, "the ordinary message"
    if after.records.get(ORDINARY, {}).get("message_sid") not in sids:
        yield Wrong.RECORD, "the ordinary message's"


def _of_odd(odd: Odd, after: Aftermath) -> Iterator[tuple[Wrong, str]]:
    sids, record = after.sids.get("odd", []), after.odd_record
    if len(sids) > 1:
        yield Wrong.DOUBLED, "the odd message"
    if bool(sids) is (odd.text in after.failed):
        yield Wrong.LOST, "deleted without being sent, or reported although it was sent"
    if sids and odd.fitness is Fitness.REFUSED:
        yield Wrong.RECORD, "sent, although it must be refused"
    if not sids and odd.fitness is Fitness.SENT:
        failure = record and record.get("failure")
        yield Wrong.LOST, f"refused, although nothing is wrong with it: {failure}"


def _of_record(odd: Odd, after: Aftermath) -> Iterator[tuple[Wrong, str]]:
    sids, record = after.sids.get("odd", []), after.odd_record
    status = record["conversation_status"] if record else None
    if status != (Status.SENT if sids else Status.FAILED) and (sids or odd.key):
        yield Wrong.RECORD, f"it says {status}"
    if record and odd.key and odd.key != (record["primary_channel"], record["conversation_id"]):
        yield Wrong.RECORD, "it has another key"
    if sids and record:
        changed = list(differences(odd.text, record))
        if changed or [record.get("message_sid")] != sids:
            yield Wrong.RECORD, f"it differs from what was sent in: {changed}"


def _of_log(odd: Odd, after: Aftermath) -> Iterator[tuple[Wrong, str]]:
    events = [line["event"] for line in after.lines]
    if "unexpected_error" in events:
        yield Wrong.SILENT, "an error that nobody foresaw"
    if odd.text in after.failed:
        told = [line for line in after.lines if line.get("failure_code")]
        if not told or any(line["level"] != "ERROR" for line in told):
            yield Wrong.SILENT, f"the log has {events}"
    for line in after.lines:
        text = json.dumps(line, ensure_ascii=False)
        if len(text) > LONGEST_LINE:
            yield Wrong.TOLD, f"a line of {len(text)} characters"
        secrets = [secret for secret in PRIVATE if secret in _without_ids(line)]
        if secrets:
            yield Wrong.TOLD, f"{line['event']} holds {secrets}"


def _without_ids(line: dict[str, Any]) -> str:
    ids = ("conversation_id", "request_id")  # the router's own, logged by design
    return json.dumps({k: v for k, v in line.items() if k not in ids}, ensure_ascii=False)


def _values(item: Any) -> dict[str, Any]:
    return {name: TypeDeserializer().deserialize(value) for name, value in item.items()}


def _let_the_ai_write(channel: Channel, answer: str) -> None:
    for match, text in (
        (Match(paths=("/v1/responses",), contains=ORDINARY), f"To {ORDINARY}."),
        (Match(paths=("/v1/responses",)), answer),
    ):
        fault = Fault.misfit(json.dumps({"1": "Amara", "2": text}))
        channel.openai.add_rule(channel.openai.rule(fault, match=match, times=None))
