"""The conversations table on DynamoDB keeps the ledger's contract."""

from collections.abc import Callable, Mapping
from dataclasses import replace

import boto3
import pytest

from lambda_src.core.contract import Status
from lambda_src.services import conversation_item as item
from lambda_src.services.dynamodb_service import ConversationsTable
from lambda_src.services.dynamodb_values import serialized
from lambda_src.services.recipient_marks import key_of
from tests.services.dynamodb_answers import answering
from tests.unit.fakes.world import KEY
from tests.unit.fakes.writer import ANSWER
from tests.unit.ledger_contract import CONTEXT, LedgerContract
from tests.unit.ledger_contract.probe import UNKNOWN, found
from tests.unit.samples import CLAIM, INTENT


@pytest.fixture
def conversations(table: str) -> ConversationsTable:
    """The adapter on an empty table, with a client of its own."""
    return ConversationsTable(boto3.client("dynamodb"), table, "1.0.0", channel="whatsapp")


class TestConversationsTable(LedgerContract):
    """The real table keeps the contract that the fake one keeps."""

    @pytest.fixture
    def release(self, conversations: ConversationsTable) -> Callable[[], None]:
        """An operator's tool."""
        return lambda: alter(conversations, conversation_status=Status.RETRY)

    @pytest.fixture
    def erase(self, conversations: ConversationsTable) -> Callable[[float], None]:
        """An operator's tool."""
        mark = key_of("whatsapp", KEY.primary_channel)
        return lambda at: set_attributes(conversations, mark, erased_at=item.number(at))

    @pytest.fixture
    def unavailable(self, table: str) -> ConversationsTable:
        """A table that is down."""
        return answering(table, 500)


def alter(table: ConversationsTable, **attributes: object) -> None:
    """Set attributes of the record at `KEY` as no worker does."""
    set_attributes(table, item.key_attributes(KEY), **attributes)


def set_attributes(table: ConversationsTable, key: Mapping[str, str], **attributes: object) -> None:
    """Set attributes of an item."""
    table._client.update_item(
        TableName=table._table_name,
        Key=serialized(key),
        UpdateExpression="SET " + ", ".join(f"{name} = :{name}" for name in attributes),
        ExpressionAttributeValues=serialized({f":{k}": v for k, v in attributes.items()}),
    )


def test_a_send_without_an_owner_is_settled(conversations: ConversationsTable) -> None:
    """A `sending` record that a tool stripped of its owner is looked for and given up as any."""
    conversations.create(CONTEXT, CLAIM)
    conversations.begin_send(CLAIM, INTENT, ANSWER)
    conversations._client.update_item(
        TableName=conversations._table_name,
        Key=serialized(item.key_attributes(KEY)),
        UpdateExpression="REMOVE lease_owner",
    )
    seen = found(conversations)
    assert seen

    conversations.count_look(KEY, seen)
    conversations.declare_unknown(KEY, UNKNOWN, seen)

    given_up = found(conversations)
    assert given_up
    assert (Status.SEND_UNKNOWN, 1) == (given_up.status, given_up.looks)


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
