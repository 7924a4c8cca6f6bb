"""The conversations table on DynamoDB: the ledger's contract, its errors, and expiry."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import boto3
import botocore
import pytest
from botocore.exceptions import (
    ClientError,
    ConnectTimeoutError,
    NoCredentialsError,
    ParamValidationError,
)

from lambda_src.bootstrap import AWS_CLIENT
from lambda_src.core.contract import Status, Step
from lambda_src.core.errors import LedgerRefused, LedgerUnavailable, PermanentFailure
from lambda_src.core.ledger import SentRecord
from lambda_src.services.dynamodb import Retention, items, serialize, suppression_key
from lambda_src.services.dynamodb.errors import UNAVAILABLE
from lambda_src.services.dynamodb_service import ConversationsTable
from tests.support.clock import START
from tests.support.dynamodb_responses import table_answering, table_failing
from tests.support.fakes import ANSWER
from tests.support.ledger_contract import CONTEXT, FAILED, RETRY, UNKNOWN, LedgerContract, state
from tests.support.records import HELD_LEASE, INTENT, LEDGER_RECORD, SENT, lease
from tests.support.runtime import KEY


@pytest.fixture
def store(table: str) -> ConversationsTable:
    """The adapter on an empty table, with a client of its own."""
    return ConversationsTable(boto3.client("dynamodb"), table, "1.0.0", channel="whatsapp")


def set_attributes(table: ConversationsTable, key: Mapping[str, str], **attributes: object) -> None:
    """Set attributes of an item, as another system does."""
    table._client.update_item(
        TableName=table._table_name,
        Key=serialize(key),
        UpdateExpression="SET " + ", ".join(f"{name} = :{name}" for name in attributes),
        ExpressionAttributeValues=serialize({f":{k}": v for k, v in attributes.items()}),
    )


class TestConversationsTable(LedgerContract):
    """The real table keeps the contract that the fake one keeps."""

    @pytest.fixture
    def release(self, store: ConversationsTable) -> Callable[[], None]:
        """The operator's tool."""
        key = items.key_attributes(KEY)
        return lambda: set_attributes(store, key, conversation_status=Status.RETRY)

    @pytest.fixture
    def erase(self, store: ConversationsTable) -> Callable[[float], None]:
        """The operator's tool."""
        key = suppression_key("whatsapp", KEY.primary_channel)
        return lambda at: set_attributes(store, key, erased_at=items.to_decimal(at))

    @pytest.fixture
    def unavailable(self, table: str) -> ConversationsTable:
        """A table that is down."""
        return table_answering(table, 500)


def test_a_send_without_an_owner_is_reconciled(store: ConversationsTable) -> None:
    """A `sending` record whose owner a tool removed is looked up and marked like any other."""
    store.create(CONTEXT, HELD_LEASE)
    store.record_intent(HELD_LEASE, INTENT, ANSWER)
    store._client.update_item(
        TableName=store._table_name,
        Key=serialize(items.key_attributes(KEY)),
        UpdateExpression="REMOVE lease_owner",
    )
    found = state(store)
    store.count_lookup(KEY, found)
    store.mark_unknown(KEY, UNKNOWN, found)
    assert (Status.SEND_UNKNOWN, 1) == (state(store).status, state(store).lookups)


def test_related_records_are_read_from_every_page(store: ConversationsTable) -> None:
    """A query's page contains 1 MB."""
    names = [f"conversation-of-old-{number}" for number in range(5)]
    for name in names:
        record = {
            **items.key_attributes(replace(KEY, conversation_id=name)),
            "message_sid": f"SM-{name}",
            "project_data": "x" * 300_000,
            "created_at": "2026-11-22T09:00:00+00:00",
            "conversation_status": "initial_message_sent",
        }
        store._client.put_item(TableName=store._table_name, Item=serialize(record))
    related = store.related_records(KEY)
    assert {f"SM-{name}" for name in names} == {record.sid for record in related}


# --- errors


@pytest.mark.parametrize(
    ("status", "code", "body"),
    [
        *((400, code, None) for code in sorted(UNAVAILABLE)),
        (500, "NeverHeardOfException", None),
        *(
            (status, "", body)
            for status in (500, 502, 503, 429)
            for body in (b"<html>503</html>", b"", b"no healthy upstream", b"{}")
        ),
    ],
)
def test_a_temporary_error_is_unavailable(
    table: str, status: int, code: str, body: bytes | None
) -> None:
    """Throttling, a server error of any code, and the answer of a balancer or proxy."""
    with pytest.raises(LedgerUnavailable, match=code or str(status)):
        table_answering(table, status, code, body=body).record_sent(KEY, SENT)


@pytest.mark.parametrize(
    "error", [ConnectTimeoutError(endpoint_url="https://somewhere.example"), NoCredentialsError()]
)
def test_a_call_without_an_answer_is_unavailable(table: str, error: Exception) -> None:
    """It is named by its type, without the address."""
    with pytest.raises(LedgerUnavailable, match=type(error).__name__) as raised:
        table_failing(table, error).create(CONTEXT, HELD_LEASE)
    assert "somewhere" not in str(raised.value)


@pytest.mark.parametrize("code", ["AccessDeniedException", "ResourceNotFoundException"])
def test_a_refused_call_is_refused(table: str, code: str) -> None:
    """The same call fails again until an operator acts."""
    with pytest.raises(LedgerRefused, match=code):
        table_answering(table, 400, code).create(CONTEXT, HELD_LEASE)


def test_an_item_too_large_is_a_permanent_failure_of_its_step(table: str) -> None:
    """DynamoDB itself says so."""
    message = "Item size has exceeded the maximum allowed size"
    answering = table_answering(table, 400, "ValidationException", message)
    with pytest.raises(PermanentFailure, match="record_too_large at claim"):
        answering.create(CONTEXT, HELD_LEASE)
    with pytest.raises(PermanentFailure, match="record_too_large at send"):
        answering.record_intent(HELD_LEASE, INTENT, ANSWER)


@pytest.mark.parametrize("code", ["ValidationException", "SerializationException"])
def test_an_invalid_item_is_a_permanent_failure(table: str, code: str) -> None:
    """A first record that DynamoDB refuses is never valid."""
    answering = table_answering(table, 400, code, "an attribute name is empty")
    with pytest.raises(PermanentFailure, match="record_refused at claim") as raised:
        answering.create(CONTEXT, HELD_LEASE)
    assert code == raised.value.detail


def test_a_call_that_the_sdk_refuses_is_a_permanent_failure(table: str) -> None:
    """The SDK's text, which quotes the call, is dropped."""
    failing = table_failing(table, ParamValidationError(report="+15550100123"))
    with pytest.raises(PermanentFailure, match="record_refused") as raised:
        failing.create(CONTEXT, HELD_LEASE)
    assert "+15550100123" not in str(raised.value)


def test_an_invalid_call_does_not_end_a_reconciliation(table: str) -> None:
    """The send stays unresolved, since its message may have been delivered."""
    answering = table_answering(table, 400, "ValidationException")
    with pytest.raises(LedgerRefused, match="ValidationException") as raised:
        answering.count_lookup(KEY, LEDGER_RECORD)
    assert Step.SETTLE is raised.value.step


def test_the_client_identifies_the_product(table: str) -> None:
    """CloudTrail shows it; AWS itself refuses an invalid call, which the SDK does not check."""
    client = boto3.client("dynamodb", config=AWS_CLIENT)
    agents: list[str] = []
    client.meta.events.register(
        "before-send.dynamodb.*",
        lambda request, **_: agents.append(request.headers["User-Agent"].decode()),
    )
    with pytest.raises(ClientError, match="ValidationException"):
        client.update_item(TableName=table, Key={})
    assert {"ai-multi-comms", f"Botocore/{botocore.__version__}"} <= set(agents[0].split())


# --- expiry

DAY = 24 * 3600
DAYS = 40
LATER = START + 5 * DAY
Write = Callable[[ConversationsTable], object]


def retaining(table: str, days: int | None = DAYS) -> ConversationsTable:
    """Return the adapter with a retention."""
    client = boto3.client("dynamodb")
    return ConversationsTable(client, table, "1.0.0", Retention(days), channel="whatsapp")


def expiry(store: ConversationsTable) -> int | None:
    """Return when the record at `KEY` expires, in epoch seconds."""
    key = serialize(items.key_attributes(KEY))
    item: Any = store._client.get_item(TableName=store._table_name, Key=key)["Item"]
    return int(item["expires_at"]["N"]) if "expires_at" in item else None


def with_intent(write: Write) -> Write:
    """Return the write after an intent."""

    def both(store: ConversationsTable) -> None:
        store.record_intent(HELD_LEASE, INTENT, ANSWER)
        write(store)

    return both


@pytest.mark.parametrize(
    ("write", "retained_from"),
    [
        (lambda _: None, START),
        (
            lambda store: store.take_over(
                lease(owner="owner-2", attempt=2, started_at=LATER), LEDGER_RECORD
            ),
            LATER,
        ),
        (with_intent(lambda _: None), None),
        (with_intent(lambda store: store.mark_unknown(KEY, UNKNOWN, LEDGER_RECORD)), None),
        (
            with_intent(
                lambda store: store.record_sent(KEY, SentRecord("SM1", ANSWER, START, LATER, 1))
            ),
            LATER,
        ),
        (with_intent(lambda store: store.record_failure(HELD_LEASE, FAILED)), START),
        (with_intent(lambda store: store.record_failure(HELD_LEASE, RETRY)), START),
    ],
    ids=["lease", "takeover", "intent", "unknown", "sent", "failed", "retry"],
)
def test_a_record_expires_after_its_last_attempt(
    table: str, write: Write, retained_from: float | None
) -> None:
    """But an unresolved send never does: only its record prevents that it is sent again."""
    store = retaining(table)
    store.create(CONTEXT, HELD_LEASE)
    write(store)
    expected = retained_from and int(retained_from + DAYS * DAY)
    assert expected == expiry(store)


def test_a_rejected_record_expires(table: str) -> None:
    """Its days count from the rejection."""
    store = retaining(table)
    store.record_rejection(KEY, FAILED, None, START)
    assert int(START + DAYS * DAY) == expiry(store)


def test_without_a_retention_nothing_expires(table: str) -> None:
    """A record that was written with one loses its expiry with the next write."""
    retaining(table).create(CONTEXT, HELD_LEASE)
    store = retaining(table, days=None)
    store.record_failure(HELD_LEASE, FAILED)
    assert expiry(store) is None
