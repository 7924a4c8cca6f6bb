"""JSON values in DynamoDB's own notation, and back."""

import json
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from boto3.dynamodb.types import DYNAMODB_CONTEXT, TypeDeserializer, TypeSerializer

DEEPEST = 24
"""Levels of nesting stored as maps and lists; DynamoDB takes 32, ours and the parents' included."""

LEAST_EXPONENT, LARGEST_EXPONENT = -130, 125
"""Powers of ten between which DynamoDB holds a number; boto3 lets a few more pass."""

_serializer = TypeSerializer()
_deserializer = TypeDeserializer()


def serialized(attributes: Mapping[str, Any]) -> dict[str, Any]:
    """Attributes in DynamoDB's own notation; what it cannot hold, as the JSON text of that part."""
    return {
        name: _serializer.serialize(_storable(value, DEEPEST)) for name, value in attributes.items()
    }


def deserialized(stored: Mapping[str, Any]) -> dict[str, Any]:
    """Attributes out of DynamoDB's own notation; numbers are decimals."""
    return {name: _deserializer.deserialize(value) for name, value in stored.items()}


def _storable(value: Any, levels: int) -> Any:
    if isinstance(value, str):
        return str(value)
    if isinstance(value, bool | None | Decimal):
        return value
    if isinstance(value, int | float):
        return _storable_number(value)
    if levels == 0:
        return json.dumps(value, ensure_ascii=False)
    if isinstance(value, Mapping):
        return {name: _storable(part, levels - 1) for name, part in value.items()}
    return [_storable(part, levels - 1) for part in value]


def _storable_number(value: float) -> Decimal | str:
    text = repr(value)
    try:
        exact = DYNAMODB_CONTEXT.create_decimal(text)
    except ArithmeticError:
        return text
    is_held = exact.is_finite() and LEAST_EXPONENT <= exact.adjusted() <= LARGEST_EXPONENT
    return exact if is_held else text
