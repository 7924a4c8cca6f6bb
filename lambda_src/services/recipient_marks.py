"""Marks on recipients: who opted out of a channel, and who was erased, told without their number.

A mark is an item of the conversations table, so that a claim and the look at it are one write. It
knows the recipient by a hash alone. Numbers can be tried out against a hash, so it stays personal
data; but no list of marks shows whom it is about, and whoever asks must know the number already.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from lambda_src.core.errors import ProcessingError, RecipientErased, RecipientSuppressed, Step
from lambda_src.services import conversation_item as item
from lambda_src.services.dynamodb_values import deserialized, serialized

if TYPE_CHECKING:
    from mypy_boto3_dynamodb.type_defs import TransactWriteItemTypeDef

NAMESPACE = "suppression"
"""How the partition keys of marks begin: no number or address of a recipient does."""
SHARDS = "0123456789abcdef"
"""The partitions of a channel: each claim reads one, and one takes some 500 claims a second."""

IS_NOT_ERASED = "(attribute_not_exists(erased_at) OR erased_at < :asked)"
IS_NOT_BARRED = f"attribute_not_exists(suppressed_at) AND {IS_NOT_ERASED}"


def partition(channel: str, shard: str) -> str:
    """The partition key of a channel's marks in one of `SHARDS`."""
    return f"{NAMESPACE}#{channel}#{shard}"


def key_of(channel: str, recipient: str) -> dict[str, str]:
    """The key of a recipient's mark on a channel.

    Args:
        channel: Such as `whatsapp`; a mark on one says nothing of another.
        recipient: As the record's `primary_channel` has it: a number or an address.
    """
    digest = hashlib.sha256(f"{channel}#{recipient}".encode()).hexdigest()
    return {"primary_channel": partition(channel, digest[0]), "conversation_id": digest}


@dataclass(frozen=True, slots=True)
class RecipientMarks:
    """What a channel's writes ask of the marks and put into them, as parts of transactions."""

    table_name: str
    channel: str

    def is_not_barred(self, recipient: str, asked_at: float) -> "TransactWriteItemTypeDef":
        """The condition that a recipient may be written to, for what was asked for at that time."""
        return self._check(recipient, IS_NOT_BARRED, asked_at)

    def is_not_erased(self, recipient: str, asked_at: float) -> "TransactWriteItemTypeDef":
        """The condition that a recipient was not erased since."""
        return self._check(recipient, IS_NOT_ERASED, asked_at)

    def suppression(self, recipient: str, reason: str, at: float) -> "TransactWriteItemTypeDef":
        """The write that suppresses a recipient; one that is suppressed already stays as it is."""
        return {
            "Update": {
                "TableName": self.table_name,
                "Key": serialized(key_of(self.channel, recipient)),
                "UpdateExpression": "SET suppressed_at = if_not_exists(suppressed_at, :at),"
                " suppressed_for = if_not_exists(suppressed_for, :reason) REMOVE expires_at",
                "ExpressionAttributeValues": serialized(
                    {":at": item.timestamp(at), ":reason": reason}
                ),
            }
        }

    def _check(self, recipient: str, condition: str, asked_at: float) -> "TransactWriteItemTypeDef":
        return {
            "ConditionCheck": {
                "TableName": self.table_name,
                "Key": serialized(key_of(self.channel, recipient)),
                "ConditionExpression": condition,
                "ExpressionAttributeValues": serialized({":asked": item.number(asked_at)}),
                "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
            }
        }


def barred(mark: Mapping[str, Any], step: Step, asked_at: float) -> ProcessingError:
    """Why a mark bars what was asked for at that time.

    Erasure goes first: a suppression may be recorded with the conversation, an erased recipient
    must not come back in any record.
    """
    found = deserialized(mark)
    if found.get("erased_at", Decimal(-1)) >= item.number(asked_at):
        return RecipientErased("recipient_erased", step, "asked for before the erasure")
    return RecipientSuppressed("recipient_suppressed", step, "opted out of the channel")
