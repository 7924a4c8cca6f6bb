"""Extreme bodies by the thousand, each in a batch with an ordinary message: what must happen."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stdout
from dataclasses import dataclass
from decimal import Decimal
from io import StringIO
from typing import Any

import pytest
from boto3.dynamodb.types import TypeDeserializer
from hypothesis import HealthCheck, given, seed, settings
from hypothesis import strategies as st

from lambda_src import index
from lambda_src.core import time_budget
from lambda_src.core.contract import Status
from local.fakes.faults import Fault, Match
from tests.faults.inputs.generators import MARK, Expectation, ExtremeBody, extreme_bodies
from tests.faults.rules import Result, Rule, Violation
from tests.support.aws_account import (
    create_queue,
    create_secrets,
    create_table,
    fake_openai,
    fake_twilio,
    mocked_account,
)
from tests.support.channel import API_KEY, TOKEN, Channel, context
from tests.support.fixtures import cold_channel

EXTREME, ORDINARY = "conversation-extreme", "conversation-ordinary"
MAX_LINE_LENGTH = 8_000
"""Characters that a log line may have, whatever a body contains."""
PRIVATE = (
    *(MARK, json.dumps(MARK)[1:-1], API_KEY, TOKEN),
    *("7700900123", "Amara", "Okafor", "Warehouse"),
)
ANSWERS = (
    "Your application has arrived.",
    "您好，" + "我们收到了您的申请" * 20,
    "👩‍🚀🎂" * 28,
    "\x00\x07 \u202eهنا \u2028 \ud83d שלום \t\r\n end",
)
"""What the AI writes about an extreme body: as long or as unusual as allowed."""
ATTRIBUTES = (
    "frontend_payload.project_data", "frontend_payload.recipient_data.recipient_last_name",
    "frontend_payload.recipient_data.recipient_email",
    "frontend_payload.recipient_data.comms_consent", "frontend_payload.request_data.request_id",
    "company_data_payload.company_name", "company_data_payload.company_rep",
    "company_data_payload.ai_config", "company_data_payload.channel_config",
    "company_data_payload.auto_queue_odd", "company_data_payload.rate_limits",
    "metadata.router_version",
)  # fmt: skip
"""Where a record's attributes are in the context object, each under the same name."""


class Number(str):
    __slots__ = ()


def differences(body: str, record: dict[str, Any]) -> Iterator[str]:
    """Yield the attributes in which a record differs from a body, read independently."""
    document = _read(body)
    for path in ATTRIBUTES:
        part = document
        for name in (names := path.split(".")):
            part = part.get(name) if isinstance(part, dict) else None
        if not _is_same(part, record.get(names[-1])):
            yield names[-1]


def _read(text: str) -> Any:
    return json.loads(text, parse_int=Number, parse_float=Number)


def _is_same(said: Any, stored: Any) -> bool:
    match said:
        case dict() | list() if isinstance(stored, str):
            return _is_same(said, _read(stored))  # stored as JSON text
        case dict():
            is_alike = isinstance(stored, dict) and said.keys() == stored.keys()
            return is_alike and all(_is_same(value, stored[name]) for name, value in said.items())
        case list():
            is_alike = isinstance(stored, list) and len(said) == len(stored)
            return is_alike and all(map(_is_same, said, stored))
        case Number():
            return said == stored or _has_value(stored, said)
        case str():
            return type(stored) is str and said == stored
    return said is stored


def _has_value(stored: Any, number: str) -> bool:
    try:
        return isinstance(stored, str | Decimal) and Decimal(stored) == Decimal(number)
    except ArithmeticError:
        return False


Problem = tuple[Rule, str]
"""A rule that was broken, and how."""


@dataclass(frozen=True)
class Aftermath:
    """What can be observed after a batch."""

    failed: tuple[str, ...]
    records: dict[str, dict[str, Any]]
    sids: dict[str, list[str]]
    lines: list[dict[str, Any]]

    @property
    def extreme_record(self) -> dict[str, Any] | None:
        """The extreme body's record, under whatever name."""
        others = [record for name, record in self.records.items() if name != ORDINARY]
        return others[0] if others else None


def deliver(channel: Channel, body: ExtremeBody, answer: str) -> Aftermath:
    """Let the handler process the extreme body and an ordinary one, without any history."""
    channel.openai.reset()
    channel.twilio.reset()
    for match, text in (
        (Match(paths=("/v1/responses",), contains=ORDINARY), f"To {ORDINARY}."),
        (Match(paths=("/v1/responses",)), answer),
    ):
        fault = Fault.wrong_output(json.dumps({"1": "Amara", "2": text}))
        channel.openai.add_rule(channel.openai.rule(fault, match=match, times=None))
    channel.read_log()
    failed = channel.deliver(body.text, context(conversation_id=ORDINARY))
    deserialize = TypeDeserializer().deserialize
    records: dict[str, dict[str, Any]] = {}
    for item in channel.dynamodb.scan(TableName=channel.table)["Items"]:
        key = {name: item[name] for name in ("primary_channel", "conversation_id")}
        channel.dynamodb.delete_item(TableName=channel.table, Key=key)
        record = {name: deserialize(value) for name, value in item.items()}
        records[record["conversation_id"]] = record
    sids: dict[str, list[str]] = {}
    for message in channel.twilio.messages():
        which = "ordinary" if ORDINARY in message["body"] else "extreme"
        sids.setdefault(which, []).append(message["sid"])
    return Aftermath(tuple(failed), records, sids, channel.read_log())


def find_problems(body: ExtremeBody, after: Aftermath) -> Iterator[Problem]:
    """Yield everything that must not happen, with the details."""
    sids = after.sids.get("ordinary", [])
    if not sids or context(conversation_id=ORDINARY) in after.failed:
        logged = [(line.get("event"), line.get("failure_code")) for line in after.lines]
        yield Rule.SENT_IN_THE_END, f"the ordinary message was not sent; logged: {logged}"
    if len(sids) > 1:
        yield Rule.AT_MOST_ONCE, "the ordinary message"
    if after.records.get(ORDINARY, {}).get("message_sid") not in sids:
        yield Rule.RECORD_IS_TRUE, "the ordinary message's"
    yield from _of_extreme(body, after.sids.get("extreme", []), after)
    yield from _of_log(body, after)


def _of_extreme(body: ExtremeBody, sids: list[str], after: Aftermath) -> Iterator[Problem]:
    record = after.extreme_record
    if len(sids) > 1:
        yield Rule.AT_MOST_ONCE, "the extreme message"
    if bool(sids) is (body.text in after.failed):
        yield Rule.SENT_IN_THE_END, "deleted without being sent, or reported although it was sent"
    if sids and body.expectation is Expectation.REFUSED:
        yield Rule.RECORD_IS_TRUE, "sent, although it must be refused"
    if not sids and body.expectation is Expectation.SENT:
        yield (
            Rule.SENT_IN_THE_END,
            f"refused, although it is valid: {record and record.get('failure')}",
        )
    yield from _of_record(body, sids, record)


def _of_record(
    body: ExtremeBody, sids: list[str], record: dict[str, Any] | None
) -> Iterator[Problem]:
    status = record["conversation_status"] if record else None
    if status != (Status.SENT if sids else Status.FAILED) and (sids or body.key):
        yield Rule.RECORD_IS_TRUE, f"its status is {status}"
    if record and body.key and body.key != (record["primary_channel"], record["conversation_id"]):
        yield Rule.RECORD_IS_TRUE, "it has another key"
    if sids and record:
        changed = list(differences(body.text, record))
        if changed or [record.get("message_sid")] != sids:
            yield Rule.RECORD_IS_TRUE, f"it differs from what was sent in: {changed}"


def _of_log(body: ExtremeBody, after: Aftermath) -> Iterator[Problem]:
    events = [line["event"] for line in after.lines]
    if "unexpected_error" in events:
        yield Rule.RECORD_IS_TRUE, "an unexpected error"
    if body.text in after.failed:
        failures = [line for line in after.lines if line.get("failure_code")]
        if not failures or any(line["level"] != "ERROR" for line in failures):
            yield Rule.RECORD_IS_TRUE, f"the log has {events}"
    for line in after.lines:
        length = len(json.dumps(line, ensure_ascii=False))
        if length > MAX_LINE_LENGTH:
            yield Rule.RECORD_IS_TRUE, f"a line of {length} characters"
        ids = ("conversation_id", "request_id")  # the router's own, logged by design
        text = json.dumps({k: v for k, v in line.items() if k not in ids}, ensure_ascii=False)
        if found := [secret for secret in PRIVATE if secret in text]:
            yield Rule.RECORD_IS_TRUE, f"{line['event']} contains {found}"


SEED = 20_261_122


def run(bodies: int, on_progress: Callable[[int, int], None]) -> Result:
    """Deliver so many extreme bodies to the real handler, and check what happened to each."""
    violations: list[Violation] = []
    sent = done = 0

    @seed(SEED)
    @settings(
        max_examples=bodies, deadline=None, database=None, suppress_health_check=list(HealthCheck)
    )
    @given(body=extreme_bodies(EXTREME), answer=st.sampled_from(ANSWERS))
    def deliver_one(body: ExtremeBody, answer: str) -> None:
        nonlocal sent, done
        with redirect_stdout(written):  # so that progress can be shown meanwhile
            after = deliver(channel, body, answer)
        sent += body.text not in after.failed
        violations.extend(
            Violation(
                subject=f"body {done} of seed {SEED}",
                rules=(rule,),
                what=f"{what}; the body ends with {body.text[-400:]!r}",
            )
            for rule, what in find_problems(body, after)
        )
        done += 1
        on_progress(done, bodies)

    written = StringIO()
    with _channel(written) as channel:
        deliver_one()
    size = f"{done:,} bodies, {sent:,} of them sent"
    return Result(violations=tuple(violations), size=size)


@contextmanager
def _channel(written: StringIO) -> Iterator[Channel]:
    def read() -> str:
        text = written.getvalue()
        written.seek(0)
        written.truncate()
        return text

    with (
        mocked_account(),
        fake_openai() as openai,
        fake_twilio() as twilio,
        pytest.MonkeyPatch.context() as patch,
    ):
        create_secrets()
        parts = (create_queue(), create_table(), openai, twilio)
        with cold_channel(*parts, patch, read) as channel:
            # On a busy machine a worker may be delayed, and the fake take longer, than in tests.
            patch.setattr(time_budget, "MAX_SEND_DELAY_SECONDS", 20.0)
            patch.setenv("TWILIO_TIMEOUT_SECONDS", "20")
            with redirect_stdout(written):
                index.batch_handler()
            yield channel
