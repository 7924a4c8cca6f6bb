"""Who erases somebody, why and when; and what is left then."""

from ops.register_writes import Signature
from tests.services.channel import Channel

NOW = 2_000_000_000.0
SIGNATURE = Signature("arn:aws:iam::123456789012:user/on-duty", "request 17", NOW)


def left(channel: Channel, recipient: str) -> int:
    """How many records there are of a recipient."""
    found = channel.dynamodb.query(
        TableName=channel.table,
        KeyConditionExpression="primary_channel = :recipient",
        ExpressionAttributeValues={":recipient": {"S": recipient}},
    )
    return found["Count"]
