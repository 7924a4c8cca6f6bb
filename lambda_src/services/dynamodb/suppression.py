"""Suppressed and erased recipients: items of the conversations table without the address.

They share the table with the conversations, so that one transaction acquires a lease and checks
them. An item identifies its recipient by a hash only. Since addresses can be tried against a hash
it is still personal data, but the items do not reveal whom they are about: a caller must know the
address already.
"""

import contextlib
import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from lambda_src.core import (
    BY_PHONE,
    Addressing,
    ProcessingError,
    RecipientErased,
    RecipientSuppressed,
    Step,
)
from lambda_src.services.dynamodb import items

if TYPE_CHECKING:
    from mypy_boto3_dynamodb.type_defs import (
        AttributeValueTypeDef,
        TransactWriteItemTypeDef,
        UpdateTypeDef,
    )

NAMESPACE = "suppression"
"""Prefix of the items' partition keys; no recipient's address starts with it."""
SHARDS = "0123456789abcdef"
"""A channel's partitions: each lease reads one, which serves about 500 leases a second."""

NOT_ERASED = "(attribute_not_exists(erased_at) OR erased_at < :requested)"
NOT_LIFTED = "attribute_not_exists(lifted_at) OR lifted_at < :opted_out_at"
NOT_SUPPRESSED = f"attribute_not_exists(suppressed_at) AND {NOT_ERASED}"


def partition_key(channel: str, shard: str) -> str:
    """Return the partition key of a channel's items in one of `SHARDS`."""
    return f"{NAMESPACE}#{channel}#{shard}"


def suppression_key(channel: str, recipient: str) -> dict[str, str]:
    """Return the key of a recipient's item on a channel.

    Args:
        channel: Such as `whatsapp`; each channel has its own suppressions.
        recipient: A number or an address, as in the record's `primary_channel`.
    """
    digest = hashlib.sha256(f"{channel}#{recipient}".encode()).hexdigest()
    return {"primary_channel": partition_key(channel, digest[0]), "conversation_id": digest}


def spellings(addressing: Addressing, recipient: str) -> tuple[str, ...]:
    """Return the addresses under which a recipient may be known to a channel.

    Args:
        addressing: The channel's.
        recipient: An address, as it is stored, typed or was rejected.

    Returns:
        The address in the channel's format and its aliases; the text itself if it is no address.
    """
    form = addressing.recipient
    if not re.fullmatch(form.pattern, recipient):
        # Only rejected messages have other spellings: often a number without its plus sign.
        for candidate in (recipient, f"+{recipient}"):
            with contextlib.suppress(ValueError):
                return spellings(addressing, addressing.normalize(candidate))
        return (recipient,)
    address = form.canonical(recipient)
    found = ((re.fullmatch(pattern, address), template) for pattern, template in form.aliases)
    return (address, *(match.expand(template) for match, template in found if match))


@dataclass(frozen=True, slots=True)
class SuppressionList:
    """A channel's suppressions and erasures, as parts of write transactions.

    Each part exists once for every spelling of the recipient: in most countries there is one.
    """

    table_name: str
    channel: str
    addressing: Addressing = BY_PHONE

    def require_not_suppressed(
        self, recipient: str, requested_at: float
    ) -> "list[TransactWriteItemTypeDef]":
        """Return the conditions that the recipient neither opted out nor was erased.

        An erasure applies to messages that were requested before it (epoch seconds).
        """
        return self._check(recipient, NOT_SUPPRESSED, requested_at)

    def require_not_erased(
        self, recipient: str, requested_at: float
    ) -> "list[TransactWriteItemTypeDef]":
        """Return the conditions that the recipient was not erased after the request."""
        return self._check(recipient, NOT_ERASED, requested_at)

    def suppress(
        self, recipient: str, reason: str, at: float, *, unless_lifted_since: bool = False
    ) -> "list[TransactWriteItemTypeDef]":
        """Return the writes that suppress a recipient; an existing suppression is unchanged.

        Args:
            recipient: The recipient's address.
            reason: The failure code.
            at: When they opted out, in epoch seconds.
            unless_lifted_since: Whether the writes require that no operator has allowed the
                recipient since: an old report may arrive again.
        """
        update: UpdateTypeDef = {
            "TableName": self.table_name,
            "Key": {},
            "UpdateExpression": "SET suppressed_at = if_not_exists(suppressed_at, :at),"
            " suppressed_for = if_not_exists(suppressed_for, :reason) REMOVE expires_at",
            "ExpressionAttributeValues": {
                ":at": {"S": items.timestamp(at)},
                ":reason": {"S": reason},
            },
        }
        if unless_lifted_since:
            update["ConditionExpression"] = NOT_LIFTED
            values = {**update["ExpressionAttributeValues"], ":opted_out_at": {"N": f"{at:.3f}"}}
            update["ExpressionAttributeValues"] = values
        return [{"Update": {**update, "Key": key}} for key in self._keys(recipient)]

    def _check(
        self, recipient: str, condition: str, requested_at: float
    ) -> "list[TransactWriteItemTypeDef]":
        return [
            {
                "ConditionCheck": {
                    "TableName": self.table_name,
                    "Key": key,
                    "ConditionExpression": condition,
                    "ExpressionAttributeValues": {":requested": {"N": f"{requested_at:.3f}"}},
                    "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
                }
            }
            for key in self._keys(recipient)
        ]

    def _keys(self, recipient: str) -> "list[dict[str, AttributeValueTypeDef]]":
        keys = (
            suppression_key(self.channel, spelling)
            for spelling in spellings(self.addressing, recipient)
        )
        return [{name: {"S": value} for name, value in key.items()} for key in keys]


def restriction_error(item: Mapping[str, Any], step: Step, requested_at: float) -> ProcessingError:
    """Return why a recipient's item, in DynamoDB's notation, forbids a write.

    Erasure has precedence: a suppression may be recorded with the conversation, but an erased
    recipient must not be recorded again.
    """
    erased_at = Decimal(item.get("erased_at", {}).get("N", -1))
    if erased_at >= items.to_decimal(requested_at):
        return RecipientErased("recipient_erased", step, "requested before the erasure")
    return RecipientSuppressed("recipient_suppressed", step, "opted out of the channel")
