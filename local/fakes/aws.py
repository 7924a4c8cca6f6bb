"""The table and queues of a channel in an AWS account without a deployment."""

import json
import os
from typing import TYPE_CHECKING

from lambda_src.core.contract import OPEN_SINCE, OPEN_WORK, OPEN_WORK_INDEX

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_sqs import SQSClient

REGION, ACCOUNT = "eu-west-1", "123456789012"
QUEUE, DEAD_LETTERS, TABLE = "queue", "dead-letters", "conversations"
KEYS = ("primary_channel", "conversation_id")
CREDENTIALS = {
    "AWS_DEFAULT_REGION": REGION,
    "AWS_ACCESS_KEY_ID": "fake",
    "AWS_SECRET_ACCESS_KEY": "fake",
}
NO_CA_CERTIFICATES = {"SSL_CERT_DIR": os.devnull}
"""No test uses TLS, and reading the machine's CA certificates takes longer than a message."""


def create_conversations_table(dynamodb: "DynamoDBClient") -> str:
    """Create an empty conversations table; return its name."""
    dynamodb.create_table(
        TableName=TABLE,
        BillingMode="PAY_PER_REQUEST",
        KeySchema=[
            {"AttributeName": KEYS[0], "KeyType": "HASH"},
            {"AttributeName": KEYS[1], "KeyType": "RANGE"},
        ],
        AttributeDefinitions=[
            {"AttributeName": KEYS[0], "AttributeType": "S"},
            {"AttributeName": KEYS[1], "AttributeType": "S"},
            {"AttributeName": OPEN_WORK, "AttributeType": "S"},
            {"AttributeName": OPEN_SINCE, "AttributeType": "N"},
        ],
        GlobalSecondaryIndexes=[
            {
                "IndexName": OPEN_WORK_INDEX,
                "KeySchema": [
                    {"AttributeName": OPEN_WORK, "KeyType": "HASH"},
                    {"AttributeName": OPEN_SINCE, "KeyType": "RANGE"},
                ],
                "Projection": {"ProjectionType": "KEYS_ONLY"},
            }
        ],
    )
    return TABLE


def create_queues(sqs: "SQSClient", max_receive_count: int) -> str:
    """Create an empty queue with a dead-letter queue; return its URL."""
    sqs.create_queue(QueueName=DEAD_LETTERS)
    policy = {
        "deadLetterTargetArn": f"arn:aws:sqs:{REGION}:{ACCOUNT}:{DEAD_LETTERS}",
        "maxReceiveCount": max_receive_count,
    }
    return sqs.create_queue(
        QueueName=QUEUE,
        Attributes={"VisibilityTimeout": "1080", "RedrivePolicy": json.dumps(policy)},
    )["QueueUrl"]
