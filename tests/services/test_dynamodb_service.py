"""The conversations table on DynamoDB: the ledger's contract, and what its errors mean."""

from dataclasses import replace

import boto3
import pytest
from botocore.exceptions import ClientError, ConnectTimeoutError

from lambda_src.core.errors import LedgerRefused, LedgerUnavailable, PermanentFailure
from lambda_src.services import conversation_item as item
from lambda_src.services import dynamodb_errors
from lambda_src.services.dynamodb_service import ConversationsTable
from lambda_src.services.dynamodb_values import serialized
from tests.unit.ledger_contract import CONTEXT, LedgerContract
from tests.unit.samples import CLAIM, SENT


@pytest.fixture
def conversations(table: str) -> ConversationsTable:
    """The adapter on an empty table, with a client of its own."""
    return ConversationsTable(boto3.client("dynamodb"), table, "1.0.0")


class TestConversationsTable(LedgerContract):
    """The real table keeps the contract that the fake one keeps."""


def failing(table: str, error: Exception) -> ConversationsTable:
    """The adapter with a client whose every call fails."""
    client = boto3.client("dynamodb")

    def fail(**_: object) -> None:
        raise error

    client.meta.events.register("before-call.dynamodb.*", fail)
    return ConversationsTable(client, table, "1.0.0")


def answer(code: str, message: str = "made to fail") -> ClientError:
    """DynamoDB's error answer of that code."""
    return ClientError({"Error": {"Code": code, "Message": message}}, "UpdateItem")


@pytest.mark.parametrize("code", sorted(dynamodb_errors.UNAVAILABLE))
def test_passing_error_is_unavailable(table: str, code: str) -> None:
    """An error after which the same call may succeed is told apart from a refusal."""
    with pytest.raises(LedgerUnavailable, match=code):
        failing(table, answer(code)).record_sent(CLAIM.key, SENT)


@pytest.mark.parametrize("code", ["AccessDeniedException", "ResourceNotFoundException"])
def test_refused_call_is_refused(table: str, code: str) -> None:
    """An error that the same call meets again is a refusal."""
    with pytest.raises(LedgerRefused, match=code):
        failing(table, answer(code)).record_sent(CLAIM.key, SENT)


def test_lost_connection_is_unavailable(table: str) -> None:
    """A table that cannot be reached is unavailable, and the address is not in the error."""
    lost = ConnectTimeoutError(endpoint_url="https://somewhere.example.com")

    with pytest.raises(LedgerUnavailable) as raised:
        failing(table, lost).create(CONTEXT, CLAIM)

    assert "somewhere" not in str(raised.value)


def test_item_that_is_too_large_fails_for_good(table: str) -> None:
    """DynamoDB's own word that an item is too large is a permanent failure."""
    error = answer("ValidationException", "Item size has exceeded the maximum allowed size")

    with pytest.raises(PermanentFailure, match="record_too_large"):
        failing(table, error).create(CONTEXT, CLAIM)


def test_others_are_found_on_every_page(conversations: ConversationsTable) -> None:
    """A recipient's conversations are all found, though a query's page holds 1 MB of them."""
    bulk = {"project_data": {"S": "x" * 300_000}, "created_at": {"S": "2026-11-22T09:00:00+00:00"}}
    state = {"conversation_status": {"S": "initial_message_sent"}}
    names = [f"conversation-of-old-{number}" for number in range(5)]
    for name in names:
        key = serialized(item.key_attributes(replace(CLAIM.key, conversation_id=name)))
        sid = {"message_sid": {"S": f"SM-{name}"}}
        conversations._client.put_item(
            TableName=conversations._table_name, Item={**key, **state, **sid, **bulk}
        )

    others = conversations.others(CLAIM.key)

    assert {f"SM-{name}" for name in names} == {other.sid for other in others}
