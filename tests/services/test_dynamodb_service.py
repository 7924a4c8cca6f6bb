"""The conversations table on DynamoDB: the ledger's contract, its errors, and expiry."""

import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import cache
from io import BytesIO
from typing import Any
from unittest.mock import Mock

import boto3
import pytest
from botocore.awsrequest import AWSPreparedRequest, AWSResponse
from botocore.compat import HTTPHeaders
from botocore.config import Config
from botocore.exceptions import (
    ConnectTimeoutError,
    NoCredentialsError,
    ParamValidationError,
)
from urllib3 import HTTPResponse

from lambda_src.core.contract import OpenWork, Status
from lambda_src.core.errors import LedgerRefused, LedgerUnavailable, PermanentFailure
from lambda_src.core.ledger import Failure, HeldDraft
from lambda_src.core.models import Answer
from lambda_src.services.dynamodb import items, serialize, suppression_key
from lambda_src.services.dynamodb_service import (
    UNAVAILABLE,
    ConversationsTable,
    OpenWorkTable,
)
from ops.conversations import approve_draft, reject_draft, release
from tests.support.clock import START
from tests.support.fakes import ANSWER
from tests.support.ledger_contract import (
    CONTEXT,
    FAILED,
    RETRY,
    UNKNOWN,
    Decide,
    LedgerContract,
    arguments,
    state,
)
from tests.support.records import HELD_LEASE, INTENT, LEDGER_RECORD, SENT, lease
from tests.support.runtime import KEY

RECORD_KEY = items.key_attributes(KEY)


@cache
def _session() -> boto3.Session:
    """Return a session of this module's clients, which takes longer to make than a client."""
    return boto3.Session()


def table_on(table: str, client: Any = None, days: int | None = None) -> ConversationsTable:
    """Return the adapter with a client of its own, unless there is one, and a retention."""
    client = client or _session().client("dynamodb")
    return ConversationsTable(client, table, "1.0.0", days, channel="whatsapp")


@pytest.fixture
def store(table: str) -> ConversationsTable:
    """The adapter on an empty table."""
    return table_on(table)


def _error_body(code: str, message: str = "") -> bytes:
    error = {"__type": f"com.amazonaws.dynamodb.v20120810#{code}", "message": message}
    return json.dumps(error).encode()


def table_answering(table: str, status: int, body: bytes) -> ConversationsTable:
    """Return the adapter with a client that gets this answer to every call."""

    def answer(request: AWSPreparedRequest, **_: object) -> AWSResponse:
        raw = HTTPResponse(BytesIO(body), preload_content=False)
        return AWSResponse(request.url or "", status, HTTPHeaders(), raw)

    return _intercepted(table, answer)


def _intercepted(table: str, answer: Callable[..., Any]) -> ConversationsTable:
    client = _session().client("dynamodb", config=Config(retries={"total_max_attempts": 1}))
    client.meta.events.register_first("before-send.dynamodb.*", answer)
    return table_on(table, client)


def update(
    store: ConversationsTable, key: Mapping[str, str], expression: str, **values: object
) -> None:
    """Change an item as another system does."""
    named = serialize({f":{name}": value for name, value in values.items()})
    optional: dict[str, Any] = {"ExpressionAttributeValues": named} if named else {}
    store._client.update_item(
        TableName=store._table_name,
        Key=serialize(key),
        UpdateExpression=expression,
        **optional,
    )


class TestConversationsTable(LedgerContract):
    """The real table keeps the contract that the fake one keeps."""

    @pytest.fixture
    def release(self, store: ConversationsTable) -> Callable[[], None]:
        """The operator's tool."""
        expression = "SET conversation_status = :retry"
        return lambda: update(store, RECORD_KEY, expression, retry=Status.RETRY)

    @pytest.fixture
    def decide(self, store: ConversationsTable) -> Decide:
        """The operator's tool."""

        def decide(held: HeldDraft, decision: Answer | Failure) -> None:
            if isinstance(decision, Failure):
                store._update(reject_draft(held, KEY, decision))
            else:
                store._update(approve_draft(held, KEY, "whatsapp", decision, START))

        return decide

    @pytest.fixture
    def approved(self, store: ConversationsTable) -> OpenWorkTable:
        """The scheduled job's adapter."""
        return OpenWorkTable(store._client, store._table_name, "whatsapp")

    @pytest.fixture
    def erase(self, store: ConversationsTable) -> Callable[[float], None]:
        """The operator's tool."""
        key = suppression_key("whatsapp", KEY.primary_channel)
        return lambda at: update(store, key, "SET erased_at = :at", at=items.to_decimal(at))

    @pytest.fixture
    def unavailable(self, table: str) -> ConversationsTable:
        """A table that is down."""
        return table_answering(table, 500, _error_body(""))


def test_a_send_without_an_owner_is_reconciled(store: ConversationsTable) -> None:
    """A `sending` record whose owner a tool removed is looked up and marked like any other."""
    store.create(CONTEXT, HELD_LEASE)
    store.record_intent(HELD_LEASE, INTENT, ANSWER)
    update(store, RECORD_KEY, "REMOVE lease_owner")
    found = state(store)
    store.count_lookup(KEY, found)
    store.mark_unknown(KEY, UNKNOWN, found)
    assert (Status.SEND_UNKNOWN, 1) == (state(store).status, state(store).lookups)


def test_an_unknown_send_is_marked_until_it_is_resolved(store: ConversationsTable) -> None:
    """As unknown, then as a delivery to be looked up, or not at all once it is released."""

    def marked(kind: OpenWork) -> list[float]:
        index = OpenWorkTable(store._client, store._table_name, "whatsapp")
        found = list(index.due(kind, START + 10**6))
        assert {KEY} >= {key for _, key in found}
        return [since for since, _ in found]

    store.create(CONTEXT, HELD_LEASE)
    store.record_intent(HELD_LEASE, INTENT, ANSWER)
    store.mark_unknown(KEY, UNKNOWN, state(store))
    assert [UNKNOWN.at] == marked(OpenWork.UNKNOWN)
    store._update(release(state(store), START))
    assert [] == marked(OpenWork.UNKNOWN)
    update(store, RECORD_KEY, "SET conversation_status = :sending", sending=Status.SENDING)
    store.mark_unknown(KEY, UNKNOWN, state(store))
    store.record_sent(KEY, SENT)
    assert ([], [SENT.sent_at + 3_600]) == (marked(OpenWork.UNKNOWN), marked(OpenWork.DELIVERY))


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
    assert {f"SM-{name}" for name in names} == {record.vendor_id for record in related}


# --- errors

DENIED, MISSING = "AccessDeniedException", "ResourceNotFoundException"
INVALID, UNREADABLE, UNKNOWN_CODE = "ValidationException", "SerializationException", "NewException"
TOO_LARGE = _error_body(INVALID, "Item size has exceeded the maximum allowed size")


@pytest.mark.parametrize(
    ("status", "body", "call", "kind", "expected"),
    [
        # throttling, a server error of any code, and the answer of a balancer or proxy
        *((400, _error_body(c), "record_sent", LedgerUnavailable, c) for c in sorted(UNAVAILABLE)),
        (500, _error_body(UNKNOWN_CODE), "record_sent", LedgerUnavailable, UNKNOWN_CODE),
        *(
            (status, body, "record_sent", LedgerUnavailable, str(status))
            for status, body in ((503, b"<html>503</html>"), (502, b""), (429, b"{}"))
        ),
        # the same call fails again until an operator acts
        *((400, _error_body(code), "create", LedgerRefused, code) for code in (DENIED, MISSING)),
        # DynamoDB itself says so; an item that is too large fails its step
        (400, TOO_LARGE, "create", PermanentFailure, "record_too_large at claim"),
        (400, TOO_LARGE, "record_intent", PermanentFailure, "record_too_large at send"),
        # a first record that DynamoDB refuses is never valid
        (400, _error_body(INVALID), "create", PermanentFailure, f"refused at claim: {INVALID}$"),
        (400, _error_body(UNREADABLE), "create", PermanentFailure, f"at claim: {UNREADABLE}$"),
        # a send stays unresolved, since its message may have been delivered
        (400, _error_body(INVALID), "count_lookup", LedgerRefused, f"refused at settle: {INVALID}"),
    ],
)
def test_an_error_is_classified_by_code_status_and_call(
    table: str, status: int, body: bytes, *, call: str, kind: type[Exception], expected: str
) -> None:
    """Whether the call may be repeated, and what the error says."""
    with pytest.raises(kind, match=expected):
        getattr(table_answering(table, status, body), call)(*arguments()[call])


@pytest.mark.parametrize(
    ("error", "kind", "expected"),
    [
        (ConnectTimeoutError(endpoint_url="+1555"), LedgerUnavailable, "ConnectTimeoutError"),
        (NoCredentialsError(), LedgerUnavailable, "NoCredentialsError"),
        (ParamValidationError(report="+1555"), PermanentFailure, "record_refused"),
    ],
)
def test_a_call_without_an_answer_fails_by_its_type(
    table: str, error: Exception, kind: type[Exception], expected: str
) -> None:
    """The SDK's text, which has the address or quotes the call, is dropped."""
    with pytest.raises(kind, match=expected) as raised:
        _intercepted(table, Mock(side_effect=error)).create(CONTEXT, HELD_LEASE)
    assert "+1555" not in str(raised.value)


# --- expiry

DAY = 24 * 3600
DAYS = 40
LATER = START + 5 * DAY
TAKEN = lease(owner="owner-2", attempt=2, started_at=LATER)


def expiry(store: ConversationsTable) -> int | None:
    """Return when the record at `KEY` expires, in epoch seconds."""
    found: Any = store._client.get_item(TableName=store._table_name, Key=serialize(RECORD_KEY))
    return int(found["Item"]["expires_at"]["N"]) if "expires_at" in found["Item"] else None


@pytest.mark.parametrize(
    ("calls", "changed", "retained_from"),
    [
        ("create", (), START),
        ("create take_over", (TAKEN, LEDGER_RECORD), LATER),
        ("create record_intent", (HELD_LEASE, INTENT, ANSWER), None),
        ("create record_intent mark_unknown", (KEY, UNKNOWN, LEDGER_RECORD), None),
        ("create record_intent record_sent", (KEY, replace(SENT, recorded_at=LATER)), LATER),
        ("create record_intent record_failure", (HELD_LEASE, FAILED), START),
        ("create record_intent record_failure", (HELD_LEASE, RETRY), START),
        ("record_rejection", (), START),
    ],
)
def test_a_record_expires_after_its_last_attempt(
    table: str, calls: str, changed: tuple[Any, ...], retained_from: float | None
) -> None:
    """But an unresolved send never does: only its record prevents that it is sent again."""
    store = table_on(table, days=DAYS)
    *before, last = calls.split()
    for call in before:
        getattr(store, call)(*arguments()[call])
    getattr(store, last)(*(changed or arguments()[last]))
    expected = retained_from and int(retained_from + DAYS * DAY)
    assert expected == expiry(store)


def test_without_a_retention_nothing_expires(table: str) -> None:
    """A record that was written with one loses its expiry with the next write."""
    table_on(table, days=DAYS).create(CONTEXT, HELD_LEASE)
    store = table_on(table)
    store.record_failure(HELD_LEASE, FAILED)
    assert expiry(store) is None
