"""The ledger's DynamoDB expressions, items and values."""

from lambda_src.services.dynamodb.marshalling import (
    deserialize,
    exceeds_size,
    serialize,
    serialize_record,
)
from lambda_src.services.dynamodb.suppression import (
    SHARDS,
    SuppressionList,
    partition_key,
    restriction_error,
    spellings,
    suppression_key,
)
from lambda_src.services.dynamodb.updates import Retention, Update, if_unchanged

__all__ = [
    "SHARDS",
    "Retention",
    "SuppressionList",
    "Update",
    "deserialize",
    "exceeds_size",
    "if_unchanged",
    "partition_key",
    "restriction_error",
    "serialize",
    "serialize_record",
    "spellings",
    "suppression_key",
]
